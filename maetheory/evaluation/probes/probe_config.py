"""Configuration of a linear probe trained by SGD or LARS."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal

from maetheory.core import InputError


@dataclass(frozen=True)
class ProbeConfig:
    """Hyperparameters of `sgd_probe`; by default those of MAE on ImageNet (He et al. 2022, table 10).

    Attributes
    ----------
    optimizer : "lars" or "sgd"
        LARS, or SGD with momentum. In all, LARS moves the weights by about
        base_lr · epochs · N / 256 · trust / (2 - 2 momentum) times their own norm: 225 on ImageNet, but a quarter on
        1437 images, where `trust` must be larger (a larger base_lr would move the biases too).
    epochs, batch : int
        With fewer images than `batch`, all images are one batch.
    base_lr : float
        Learning rate per 256 images: the peak learning rate is base_lr · batch / 256.
    warmup_epochs : float
        Length of the linear warm-up; after it, cosine decay to zero.
    weight_decay : float
        For the weights, not for the biases.
    momentum : float
    trust : float
        Trust coefficient of LARS.
    seed : int
        Seed of the initial weights and of the order of the images.
    """

    optimizer: Literal["lars", "sgd"] = "lars"
    epochs: int = 90
    batch: int = 16384
    base_lr: float = 0.1
    warmup_epochs: float = 10.0
    weight_decay: float = 0.0
    momentum: float = 0.9
    trust: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in ("lars", "sgd"):
            raise InputError(f"the optimizer of a probe must be 'lars' or 'sgd', but it is {self.optimizer!r}")
        for name, least in (("epochs", 1), ("batch", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, but it is {getattr(self, name)}")
        for name in ("base_lr", "trust"):
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} must be positive, but it is {getattr(self, name)}")
        for name in ("warmup_epochs", "weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be negative, but it is {getattr(self, name)}")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must be at least 0 and below 1, but it is {self.momentum}")

    def effective_batch_size(self, n: int) -> int:
        """Return the batch size for `n` images."""
        return min(self.batch, n)

    def peak_lr(self, n: int) -> float:
        """Return base_lr · batch / 256 for `n` images."""
        return self.base_lr * self.effective_batch_size(n) / 256

    def describe(self, n_images: int) -> str:
        """Describe a probe fitted to `n_images` images in one sentence."""
        how = f"LARS (trust {self.trust:g})" if self.optimizer == "lars" else "SGD"
        return (
            f"batch norm without scale and shift, linear, {how}, momentum {self.momentum:g}, weight decay "
            f"{self.weight_decay:g}, {self.epochs} epochs, {self.warmup_epochs:g} of warm-up, half a cosine, batch "
            f"{self.effective_batch_size(n_images)}, base lr {self.base_lr:g} per 256 "
            f"(peak {self.peak_lr(n_images):.4g}), seed {self.seed}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)
