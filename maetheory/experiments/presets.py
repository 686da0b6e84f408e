"""Frozen configurations: what is trained on what, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from maetheory.core.unknown_names import unknown_name_error
from maetheory.evaluation import FinetuneConfig
from maetheory.experiments.experiment import FOLDER, Experiment
from maetheory.experiments.paper_presets import PAPER_EXPERIMENTS
from maetheory.experiments.studies.initialisations import initialisation_cells
from maetheory.experiments.studies.mask_laws import mask_law_cells
from maetheory.experiments.studies.mask_ratios import mask_ratio_cells
from maetheory.experiments.studies.objectives import objective_cells
from maetheory.experiments.studies.training_lengths import training_length_cells
from maetheory.experiments.studies.uniformity_terms import uniformity_sweep_cells, uniformity_weight_cells
from maetheory.models import PRESETS
from maetheory.training import TrainConfig

DIGITS = TrainConfig(PRESETS["digits"], epochs=60, batch=128, base_lr=4e-3, warmup_epochs=5, log_every=11)
CIFAR10_SMALL = TrainConfig(
    PRESETS["cifar10-small"], epochs=6, batch=128, base_lr=2e-3, warmup_epochs=0.5, log_every=20
)
CIFAR10_PATCH8 = replace(CIFAR10_SMALL, model=PRESETS["cifar10-patch8"], epochs=25)
DIGITS_FINETUNE = FinetuneConfig(
    epochs=30, batch=128, base_lr=2e-3, warmup_epochs=3, layer_decay=0.75, mixup=0, cutmix=0, crop=1, log_every=11
)
CIFAR10_FINETUNE = FinetuneConfig(
    epochs=10, batch=128, base_lr=2e-3, warmup_epochs=1, layer_decay=0.75, mixup=0, cutmix=0, crop=4, flip=True
)
RATIOS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)
TINY_IMAGENET20 = replace(
    CIFAR10_SMALL,
    model=replace(CIFAR10_SMALL.model, encoder=replace(CIFAR10_SMALL.model.encoder, image_size=64, patch=8)),
)


def _twelve_laws(patch: int) -> tuple[tuple[str, float, int], ...]:
    """Return laws of three kinds over patches of one size, and two over patches twice as large."""
    return (
        *(("uniform", ratio, patch) for ratio in (0.25, 0.5, 0.625, 0.75, 0.875)),
        *(("bernoulli", ratio, patch) for ratio in (0.5, 0.75)),
        *(("block", ratio, patch) for ratio in (0.25, 0.5, 0.75)),
        *(("uniform", ratio, 2 * patch) for ratio in (0.5, 0.75)),
    )


SIX_LAWS = (
    *(("uniform", ratio, 8) for ratio in (0.25, 0.5, 0.75)),
    *(("block", ratio, 8) for ratio in (0.5, 0.75)),
    ("uniform", 0.5, 16),
)

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "digits": Experiment(
            "digits", "digits", objective_cells(DIGITS, 0.1), seeds=(0, 1, 2), finetune=DIGITS_FINETUNE
        ),
        "digits-20": Experiment("digits-20", "digits", objective_cells(DIGITS, 0.1), seeds=tuple(range(20))),
        "cifar10-small": Experiment(
            "cifar10-small",
            "cifar10",
            objective_cells(CIFAR10_SMALL, 0.01, simmim=True),
            seeds=(0, 1, 2),
            train_limit=20_000,
            monitor_epochs=1,
            finetune=CIFAR10_FINETUNE,
        ),
        "cifar10-small-10": Experiment(
            "cifar10-small-10",
            "cifar10",
            objective_cells(CIFAR10_SMALL, 0.01),
            seeds=tuple(range(10)),
            train_limit=20_000,
            monitor_epochs=1,
        ),
        "digits-uniformity": Experiment(
            "digits-uniformity",
            "digits",
            uniformity_sweep_cells(DIGITS),
            seeds=(0, 1, 2),
            monitor_epochs=60,
            presentation="sweep",
        ),
        "mask-laws-digits": Experiment(
            "mask-laws-digits",
            "digits",
            mask_law_cells(DIGITS, _twelve_laws(2)),
            seeds=(0, 1, 2),
            monitor_epochs=60,
            presentation="mask laws",
        ),
        "mask-laws-cifar10": Experiment(
            "mask-laws-cifar10",
            "cifar10",
            mask_law_cells(CIFAR10_SMALL, _twelve_laws(4)),
            seeds=(0, 1, 2),
            train_limit=10_000,
            monitor_epochs=6,
            presentation="mask laws",
        ),
        "mask-laws-tin20": Experiment(
            "mask-laws-tin20",
            FOLDER,
            mask_law_cells(TINY_IMAGENET20, SIX_LAWS),
            seeds=(0, 1, 2),
            monitor_epochs=6,
            presentation="mask laws",
        ),
        "mask-ratio-digits": Experiment(
            "mask-ratio-digits",
            "digits",
            mask_ratio_cells(DIGITS, RATIOS),
            seeds=(0, 1, 2),
            monitor_epochs=60,
            presentation="mask ratios",
        ),
        "mask-ratio-cifar10": Experiment(
            "mask-ratio-cifar10",
            "cifar10",
            mask_ratio_cells(CIFAR10_SMALL, RATIOS),
            seeds=(0,),
            train_limit=10_000,
            test_limit=3_000,
            monitor_epochs=6,
            presentation="mask ratios",
        ),
        "tin20": Experiment(
            "tin20",
            FOLDER,
            objective_cells(TINY_IMAGENET20, 0.01, simmim=True),
            seeds=(0, 1, 2),
            monitor_epochs=1,
            finetune=replace(CIFAR10_FINETUNE, crop=8),
        ),
        "tin20-10": Experiment(
            "tin20-10", FOLDER, objective_cells(TINY_IMAGENET20, 0.01), seeds=tuple(range(10)), monitor_epochs=1
        ),
        "digits-length": Experiment(
            "digits-length",
            "digits",
            training_length_cells(DIGITS, 0.1, (15, 30, 60, 120, 240)),
            seeds=tuple(range(10)),
            monitor_epochs=60,
            presentation="training lengths",
        ),
        "cifar10-length": Experiment(
            "cifar10-length",
            "cifar10",
            training_length_cells(CIFAR10_PATCH8, 0.01, (6, 12, 25, 50, 100)),
            seeds=(0, 1, 2),
            train_limit=20_000,
            monitor_epochs=6,
            presentation="training lengths",
        ),
        "digits-initialisation": Experiment(
            "digits-initialisation",
            "digits",
            initialisation_cells(DIGITS, 0.1),
            seeds=tuple(range(10)),
            monitor_epochs=60,
            presentation="initialisations",
        ),
        "cifar10-initialisation": Experiment(
            "cifar10-initialisation",
            "cifar10",
            initialisation_cells(CIFAR10_PATCH8, 0.01),
            seeds=(0, 1, 2),
            train_limit=20_000,
            monitor_epochs=25,
            presentation="initialisations",
        ),
        "cifar10-uniformity": Experiment(
            "cifar10-uniformity",
            "cifar10",
            uniformity_weight_cells(CIFAR10_PATCH8, (0.001, 0.01, 0.1)),
            seeds=(0, 1, 2),
            train_limit=20_000,
            monitor_epochs=25,
            presentation="sweep",
        ),
        "mask-ratio-cifar10-patch8": Experiment(
            "mask-ratio-cifar10-patch8",
            "cifar10",
            mask_ratio_cells(CIFAR10_PATCH8, (0.25, 0.5, 0.75, 0.9)),
            seeds=(0, 1, 2),
            train_limit=20_000,
            monitor_epochs=25,
            presentation="mask ratios",
        ),
        **PAPER_EXPERIMENTS,
    }
)


def experiment(name: str) -> Experiment:
    """Return an experiment by name.

    Raises
    ------
    InputError
        If the name is unknown; the sentence suggests the closest ones, or lists all.
    """
    if name not in EXPERIMENTS:
        raise unknown_name_error("preset", name, EXPERIMENTS)
    return EXPERIMENTS[name]
