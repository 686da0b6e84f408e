"""Frozen configurations: what is trained on what, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from maetheory.core import InputError
from maetheory.models import PRESETS
from maetheory.training import TrainConfig


@dataclass(frozen=True)
class Experiment:
    """A comparison of objectives on one data set.

    Attributes
    ----------
    name, source : str
        Its name, and what `load_images` takes.
    recipe : TrainConfig
        The plain objective; U-MAE differs in the uniformity weight only.
    uniformity_weight : float
        λ of the U- variants.
    seeds : tuple of int
    train_limit, test_limit : int or None
        How many images are trained on (and probed on), and tested on; None takes all.
    watch : int
        Epochs between two looks at the effective rank.
    """

    name: str
    source: str
    recipe: TrainConfig
    uniformity_weight: float
    seeds: tuple[int, ...]
    train_limit: int | None = None
    test_limit: int | None = None
    watch: int = 5

    def runs(self) -> list[tuple[str, int, TrainConfig]]:
        """Return (objective, seed, recipe) of every training run."""
        return [
            (objective, seed, replace(self.recipe, uniformity_weight=weight, seed=seed))
            for objective, weight in (("MAE", 0.0), ("U-MAE", self.uniformity_weight))
            for seed in self.seeds
        ]


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "digits": Experiment(
            "digits",
            "digits",
            TrainConfig(PRESETS["digits"], epochs=60, batch=128, base_lr=4e-3, warmup_epochs=5, log_every=11),
            uniformity_weight=0.1,
            seeds=(0, 1, 2),
        ),
        "cifar10-small": Experiment(
            "cifar10-small",
            "cifar10",
            TrainConfig(PRESETS["cifar10-small"], epochs=12, batch=128, base_lr=2e-3, warmup_epochs=1, log_every=20),
            uniformity_weight=0.01,
            seeds=(0, 1),
            train_limit=10_000,
            test_limit=3_000,
            watch=2,
        ),
    }
)


def experiment(name: str) -> Experiment:
    """Return an experiment by name.

    Raises
    ------
    InputError
        If the name is unknown; the sentence lists the known ones.
    """
    if name not in EXPERIMENTS:
        raise InputError(f"unknown preset {name!r}; known are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
