"""An experiment is a table of training recipes, each trained with every seed and measured in the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from maetheory.core import InputError
from maetheory.data import FolderStream, ImageSet
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
        Its seed is replaced by each of the experiment's.
    trained : bool
        False measures the network as it is initialised.
    """

    name: str
    recipe: TrainConfig
    trained: bool = True

    @property
    def objective(self) -> str:
        """What is minimised: "MAE", "U-MAE", "SimMIM", "U-SimMIM", or "random" for nothing."""
        if not self.trained:
            return "random"
        return ("U-" if self.recipe.uniformity_weight else "") + _NAMES[self.recipe.objective]


@dataclass(frozen=True)
class Experiment:
    """Recipes compared on one data set.

    Attributes
    ----------
    name, source : str
        Its name, and what `load_images` takes; `FOLDER` is a folder of images that has to be named each time.
    cells : tuple of Cell
    seeds : tuple of int
    train_limit, test_limit : int or None
        How many images are trained on (and probed on), and tested on; None takes all.
    probe_limit : int or None
        How many of the training images the probes are fitted to, classes balanced; None takes all.
    stream : bool
        Whether a folder is decoded while training, through random windows, mirrored half of the time; otherwise central
        views are held in memory.
    watch : int
        Epochs between two looks at the effective rank.
    finetune : FinetuneConfig or None
        How its models are fine-tuned where that is asked for, each with its own seed; None has no recipe for it.
    presentation : str
        How what was measured is shown: a name in `maetheory.experiments.reproduction.PRESENTATIONS`.
    """

    name: str
    source: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    train_limit: int | None = None
    test_limit: int | None = None
    probe_limit: int | None = None
    stream: bool = False
    watch: int = 5
    finetune: FinetuneConfig | None = None
    presentation: str = "objectives"

    def runs(self) -> list[tuple[Cell, int, TrainConfig]]:
        """Return (cell, seed, recipe) of every model, seeds outermost: half of the work is a fair comparison too."""
        return [(cell, seed, replace(cell.recipe, seed=seed)) for seed in self.seeds for cell in self.cells]

    def with_epochs(self, epochs: int) -> Experiment:
        """Return the same experiment trained for so many epochs; warm-up is a tenth of them, or what it was if less."""
        return replace(
            self, cells=tuple(replace(cell, recipe=_recipe_with_epochs(cell.recipe, epochs)) for cell in self.cells)
        )


def _recipe_with_epochs(recipe: TrainConfig, epochs: int) -> TrainConfig:
    if epochs == recipe.epochs:
        return recipe
    return replace(recipe, epochs=epochs, warmup_epochs=min(epochs / 10, recipe.warmup_epochs))


@dataclass(frozen=True, eq=False)
class MeasuredExperiment:
    """An experiment that has been trained and measured: what a presentation needs.

    Attributes
    ----------
    experiment : Experiment
    ledger : DataFrame
        As `maetheory.experiments.run` returns it.
    images : ImageSet or FolderStream
    test : ImageSet
    out : Path
        Where runs and ledger lie, and where the page goes.
    figures : Path
        Where figures go.
    """

    experiment: Experiment
    ledger: pd.DataFrame
    images: ImageSet | FolderStream
    test: ImageSet
    out: Path
    figures: Path

    @property
    def training_images(self) -> ImageSet:
        """Training images, in memory.

        Raises
        ------
        InputError
            If they are streamed.
        """
        if not isinstance(self.images, ImageSet):
            raise InputError(
                f"the report of {self.experiment.name} needs its training images in memory, but they are "
                "streamed; set a train_limit"
            )
        return self.images


@dataclass(frozen=True)
class Presentation:
    """What a presentation leaves: the page, the figures, a one-line reading."""

    page: Path
    figures: tuple[Path, ...]
    reading: str
