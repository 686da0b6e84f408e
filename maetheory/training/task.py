"""Protocol of a training task: model, optimiser, loss and random draws."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.training.loop_config import LoopConfig


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


def step_generator(seed: int, number: int, device: torch.device | str) -> torch.Generator:
    """Return the random generator number `number` of a seed, on a device."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return torch.Generator(device).manual_seed(mixed)
