"""Callbacks of the training loop, and what they are given after each step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True)
class TrainStep:
    """What a callback is given after each step.

    Attributes
    ----------
    step, total : int
        The step just done, and the number of steps of the run.
    epoch : float
        Epochs done, in fractions.
    model : nn.Module
        The unwrapped model. Under FSDP it holds this process's part of the weights: hooks receive its features, but
        only `full_model` can be called or copied.
    """

    step: int
    total: int
    epoch: float
    model: nn.Module
    gather_full_model: Callable[[], nn.Module] | None = field(default=None, repr=False)

    def full_model(self) -> nn.Module:
        """Return the model with all its weights: itself, or under FSDP a gathered copy; every process must call it."""
        return self.model if self.gather_full_model is None else self.gather_full_model()

    def whole(self) -> nn.Module:
        """Return `full_model`, under its old name."""
        warnings.warn("TrainStep.whole was renamed; use TrainStep.full_model", DeprecationWarning, stacklevel=2)
        return self.full_model()


Callback = Callable[[TrainStep], "dict[str, float] | None"]
