"""Presets for Tables 1 and 2 of the paper: the authors' settings where they are known, the others chosen here.

Known: architectures, patches, epochs, batch, learning rate, mask ratio, and λ = 0.01 on ImageNet. Chosen here: λ = 0.01
on CIFAR-10 too, ViT-Base's decoder on CIFAR-10, Table 2's training, three seeds, and the probe, which the ledger states
beside each accuracy. Fine-tuning is MAE's (He et al. 2022, table 9, as their code has it), but for RandAugment and
random erasing, which are not here; on CIFAR-10 images are moved and mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from maetheory.evaluation import FinetuneConfig
from maetheory.experiments.experiment import FOLDER, Experiment
from maetheory.experiments.studies.objectives import objective_cells
from maetheory.models import PRESETS
from maetheory.training import TrainConfig

UNIFORMITY_WEIGHT = 0.01
SEEDS = (0, 1, 2)
MAX_PROBE_IMAGES = 130_000  # all of ImageNet-100; of ImageNet-1K as many of each class as fit

FINETUNE = {
    "cifar10": FinetuneConfig(crop=4, flip=True),
    "cifar10-base": FinetuneConfig(crop=4, flip=True),
    "vit-b16": FinetuneConfig(),
    "vit-l16": FinetuneConfig(epochs=50, base_lr=1e-3, layer_decay=0.75, drop_path=0.2),
}

_CIFAR10 = {"epochs": 2000, "warmup_epochs": 200, "batch": 4096}
_IMAGENET = {"epochs": 200, "warmup_epochs": 40, "batch": 1024}


def _paper_recipe(model: str, **training: int) -> TrainConfig:
    return TrainConfig(PRESETS[model], base_lr=1.5e-4, weight_decay=0.05, mask_ratio=0.75, **training)  # type: ignore[arg-type]  # mypy cannot match a dict to keywords


def _cifar10_experiment(name: str, model: str) -> Experiment:
    return Experiment(
        name,
        "cifar10",
        objective_cells(_paper_recipe(model, **_CIFAR10), UNIFORMITY_WEIGHT),
        SEEDS,
        monitor_epochs=20,
        finetune=FINETUNE[model],
    )


def _imagenet_experiment(name: str, model: str, probe_limit: int | None = None) -> Experiment:
    return Experiment(
        name,
        FOLDER,
        objective_cells(_paper_recipe(model, **_IMAGENET), UNIFORMITY_WEIGHT),
        SEEDS,
        probe_limit=probe_limit,
        stream=True,
        monitor_epochs=10,
        finetune=FINETUNE[model],
    )


def _simmim_experiment(name: str, model: str) -> Experiment:
    """Return a row of Table 2; its settings are unknown, so those of Table 1 are used."""
    cells = objective_cells(_paper_recipe(model, **_IMAGENET), UNIFORMITY_WEIGHT, simmim=True)
    kept = tuple(cell for cell in cells if cell.recipe.objective == "simmim" or not cell.trained)
    return Experiment(name, FOLDER, kept, SEEDS, stream=True, monitor_epochs=10)


PAPER_EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        experiment.name: experiment
        for experiment in (
            _cifar10_experiment("table1-cifar10-tiny", "cifar10"),
            _cifar10_experiment("table1-cifar10-base", "cifar10-base"),
            _imagenet_experiment("table1-imagenet100-base", "vit-b16"),
            _imagenet_experiment("table1-imagenet100-large", "vit-l16"),
            _imagenet_experiment("table1-imagenet1k-base", "vit-b16", MAX_PROBE_IMAGES),
            _imagenet_experiment("table1-imagenet1k-large", "vit-l16", MAX_PROBE_IMAGES),
            _simmim_experiment("table2-imagenet100-base", "vit-b16"),
        )
    }
)
