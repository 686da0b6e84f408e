"""Protocol of a training task: model, optimiser, loss and random draws."""

from __future__ import annotations

from math import inf
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.core import InputError

POSITIVE_FIELDS = ("epochs", "batch", "accumulate", "log_every")
NON_NEGATIVE_FIELDS = ("warmup_epochs", "weight_decay", "clip", "seed", "save_seconds")


class LoopConfig(Protocol):
    """Fields that every training recipe has; `TrainConfig` explains them."""

    @property
    def epochs(self) -> int:
        """Passes over the images."""

    @property
    def batch(self) -> int:
        """Images of a step, over all processes and micro-batches."""

    @property
    def base_lr(self) -> float:
        """Peak learning rate per 256 images."""

    @property
    def warmup_epochs(self) -> float:
        """Epochs of linear warm-up."""

    @property
    def weight_decay(self) -> float:
        """Decay of AdamW."""

    @property
    def beta1(self) -> float:
        """First decay rate of AdamW's moments."""

    @property
    def beta2(self) -> float:
        """Second decay rate of AdamW's moments."""

    @property
    def clip(self) -> float:
        """Largest gradient norm; 0 does not clip."""

    @property
    def accumulate(self) -> int:
        """Micro-batches per step."""

    @property
    def seed(self) -> int:
        """Seed of all random draws."""

    @property
    def log_every(self) -> int:
        """Steps between two lines of the log."""

    @property
    def save_seconds(self) -> float:
        """Seconds between two checkpoints."""


class Task(Protocol):
    """Model, optimiser, loss and random draws of a training run.

    Random draws are a function of the seed and the step. Every process draws them for the global batch, so that runs
    resume exactly and do not depend on the number of processes.
    """

    @property
    def config(self) -> LoopConfig:
        """Fields of the recipe that the loop reads."""

    def record(self) -> dict[str, Any]:
        """Return the complete recipe, ready for JSON; a resumed run must have an equal one."""

    def upgrade_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a saved record in today's form: fields that an older version did not have get their defaults.

        A record of another kind of task may raise AttributeError, KeyError or TypeError.
        """

    def check_images(self, shape: tuple[int, ...], name: str, images_per_pass: int, n_passes: int) -> None:
        """Raise `InputError` if images of this shape (C, H, W) and batches split into so many passes do not fit."""

    def build(self) -> nn.Module:
        """Return the initial model."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of a model on its device; a group's ``lr_scale`` multiplies its learning rate."""

    def random_draws(self, step: int, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """Return the random tensors of a step, each with one row for each of the `n` images of the global batch."""

    def losses(
        self, model: nn.Module, images: Tensor, labels: Tensor, draws: tuple[Tensor, ...], fabric: Fabric
    ) -> dict[str, Tensor]:
        """Return the scalars to log, by name, of a part of the global batch; ``loss`` is minimised."""


def check_loop_config(config: LoopConfig) -> None:
    """Validate the fields that every recipe has.

    Raises
    ------
    InputError
        If a field is out of its range.
    """
    for name in POSITIVE_FIELDS:
        if getattr(config, name) < 1:
            raise InputError(f"{name} must be at least 1, but it is {getattr(config, name)}")
    if config.batch % config.accumulate:
        raise InputError(f"accumulate must divide the batch, but {config.accumulate} does not divide {config.batch}")
    if not 0 < config.base_lr < inf:
        raise InputError(f"base_lr must be positive, but it is {config.base_lr}")
    for name in NON_NEGATIVE_FIELDS:
        if not getattr(config, name) >= 0:
            raise InputError(f"{name} must not be negative, but it is {getattr(config, name)}")
    for name in ("beta1", "beta2"):
        if not 0 <= getattr(config, name) < 1:
            raise InputError(f"{name} must be at least 0 and below 1, but it is {getattr(config, name)}")


def step_generator(seed: int, number: int, device: torch.device | str) -> torch.Generator:
    """Return the random generator number `number` of a seed, on a device."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return torch.Generator(device).manual_seed(mixed)
