"""`LoopConfig`: the fields that every training recipe has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from maetheory.core import InputError

POSITIVE_FIELDS = ("epochs", "batch", "accumulate", "log_every")
NON_NEGATIVE_FIELDS = ("warmup_epochs", "weight_decay", "clip", "seed", "save_seconds")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Fields of every training recipe, which the loop reads; a recipe may change their defaults.

    Attributes
    ----------
    epochs, batch : int
        `batch` is global: over all processes and accumulated micro-batches.
    base_lr : float
        Peak learning rate per 256 images, so the peak is base_lr · batch / 256.
    warmup_epochs : float
        Length of the linear warm-up; after it, cosine decay to zero.
    weight_decay, beta1, beta2 : float
        Of AdamW; biases, norms, tokens and position tables have no weight decay.
    clip : float
        Largest gradient norm; 0 does not clip.
    accumulate : int
        Micro-batches per step.
    seed : int
        Seed of all random draws.
    log_every : int
        Steps between lines of metrics.jsonl.
    save_seconds : float
        A checkpoint is written when this long has passed since the last one, and at the end.
    """

    epochs: int = 100
    batch: int = 256
    base_lr: float = 1.5e-4
    warmup_epochs: float = 10.0
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 0.0
    accumulate: int = 1
    seed: int = 0
    log_every: int = 10
    save_seconds: float = 60.0

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON: the recipe's own fields, then those of every recipe."""
        values = asdict(self)
        return {name: values[name] for name in self.field_names()}

    @classmethod
    def field_names(cls) -> list[str]:
        """Return the names of the recipe's own fields, followed by those of every recipe."""
        shared = [field.name for field in fields(LoopConfig)]
        return [*(field.name for field in fields(cls) if field.name not in shared), *shared]


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
