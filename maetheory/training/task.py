"""What a run minimises is its task's affair; how it is fed, logged, cut and resumed is the loop's, the same for all."""

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
    """The numbers that every training recipe has, as `TrainConfig` explains them."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def base_lr(self) -> float: ...
    @property
    def warmup_epochs(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def clip(self) -> float: ...
    @property
    def accumulate(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def log_every(self) -> int: ...
    @property
    def save_seconds(self) -> float: ...


class Task(Protocol):
    """A model, its optimiser and its loss.

    Nothing random is kept from step to step: what a step draws is a function of the seed and the step, drawn for the
    global batch by every process alike, so that runs resume exactly and processes need not agree on anything.
    """

    @property
    def config(self) -> LoopConfig:
        """The numbers of the run."""

    def record(self) -> dict[str, Any]:
        """Return everything that decides what is computed, ready for JSON; a resumed run must agree in all of it."""

    def read(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a saved record as `record` would give it today: what an older one does not know has its default.

        A record of another kind of task may raise AttributeError, KeyError or TypeError.
        """

    def check(self, shape: tuple[int, ...], name: str, share: int, shares: int) -> None:
        """Raise `InputError` where images (C, H, W) of `name`, `share` to each of `shares` passes, do not fit."""

    def build(self) -> nn.Module:
        """Return the model as it starts."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of a model on its device; a group's ``lr_scale`` multiplies its learning rate."""

    def draws(self, step: int, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """Return what a step of `n` images draws, each tensor with one row for each image of the global batch."""

    def losses(
        self, model: nn.Module, images: Tensor, labels: Tensor, draws: tuple[Tensor, ...], fabric: Fabric
    ) -> dict[str, Tensor]:
        """Return scalars to log by name, of a part of the global batch and its draws; ``loss`` is minimised."""


def check_loop_config(config: LoopConfig) -> None:
    """Refuse numbers that no recipe can have.

    Raises
    ------
    InputError
        That says which, and what would be right.
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
    """Return the generator of one numbered stream below a seed, on a device."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return torch.Generator(device).manual_seed(mixed)
