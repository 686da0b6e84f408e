"""Frozen configurations: what is trained on what, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from maetheory.core import InputError
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.objectives import objectives
from maetheory.experiments.sweeps import uniformity_sweep
from maetheory.models import PRESETS
from maetheory.training import TrainConfig

DIGITS = TrainConfig(PRESETS["digits"], epochs=60, batch=128, base_lr=4e-3, warmup_epochs=5, log_every=11)
CIFAR10_SMALL = TrainConfig(
    PRESETS["cifar10-small"], epochs=6, batch=128, base_lr=2e-3, warmup_epochs=0.5, log_every=20
)

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "digits": Experiment("digits", "digits", objectives(DIGITS, 0.1), seeds=(0, 1, 2)),
        "cifar10-small": Experiment(
            "cifar10-small",
            "cifar10",
            objectives(CIFAR10_SMALL, 0.01, simmim=True),
            seeds=(0, 1, 2),
            train_limit=20_000,
            watch=1,
        ),
        "digits-uniformity": Experiment(
            "digits-uniformity", "digits", uniformity_sweep(DIGITS), seeds=(0, 1, 2), watch=60, presentation="sweep"
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
