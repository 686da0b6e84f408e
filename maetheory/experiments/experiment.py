"""`Experiment`: training recipes that are compared on one data set, each with every seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maetheory.evaluation import FinetuneConfig
from maetheory.training import TrainConfig

FOLDER = "folder"
_NAMES = {"mae": "MAE", "simmim": "SimMIM"}


@dataclass(frozen=True)
class Cell:
    """One recipe of an experiment.

    Attributes
    ----------
    name : str
        Unique in the experiment.
    recipe : TrainConfig
        Its seed is replaced by each seed of the experiment.
    trained : bool
        False: the untrained network is measured.
    """

    name: str
    recipe: TrainConfig
    trained: bool = True

    @property
    def objective(self) -> str:
        """Training objective: "MAE", "U-MAE", "SimMIM", "U-SimMIM", or "random" where nothing is trained."""
        if not self.trained:
            return "random"
        return ("U-" if self.recipe.uniformity_weight else "") + _NAMES[self.recipe.objective]


@dataclass(frozen=True)
class Experiment:
    """Recipes compared on one data set.

    Attributes
    ----------
    name, source : str
        Its name, and the data set as `load_images` takes it; `FOLDER` is an image folder given in each call.
    cells : tuple of Cell
    seeds : tuple of int
    train_limit, test_limit : int or None
        Numbers of training images (also used to fit probes) and of test images; None takes all.
    probe_limit : int or None
        Number of training images that probes are fitted to, classes balanced; None takes all.
    stream : bool
        Whether a folder is decoded during training with random crops and flips; otherwise center crops are held in
        memory.
    monitor_epochs : int
        Epochs between two measurements of the effective rank during training.
    finetune : FinetuneConfig or None
        Recipe of fine-tuning, used where it is requested; each model keeps its seed. None: no fine-tuning.
    presentation : str
        Name of the figures and page: a key of `maetheory.experiments.reproduction.PRESENTATIONS`.
    """

    name: str
    source: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    train_limit: int | None = None
    test_limit: int | None = None
    probe_limit: int | None = None
    stream: bool = False
    monitor_epochs: int = 5
    finetune: FinetuneConfig | None = None
    presentation: str = "objectives"

    def runs(self) -> list[tuple[Cell, int, TrainConfig]]:
        """Return (cell, seed, recipe) of every model.

        Seeds are outermost, so that an interrupted experiment has compared all cells on its first seeds.
        """
        return [(cell, seed, replace(cell.recipe, seed=seed)) for seed in self.seeds for cell in self.cells]

    def with_epochs(self, epochs: int) -> Experiment:
        """Return the experiment with another number of epochs; warm-up is a tenth of it, or less if it was less."""
        return replace(
            self, cells=tuple(replace(cell, recipe=recipe_with_epochs(cell.recipe, epochs)) for cell in self.cells)
        )


def recipe_with_epochs(recipe: TrainConfig, epochs: int) -> TrainConfig:
    """Return a recipe with another number of epochs; warm-up is a tenth of it, or less if it was less."""
    if epochs == recipe.epochs:
        return recipe
    return replace(recipe, epochs=epochs, warmup_epochs=min(epochs / 10, recipe.warmup_epochs))
