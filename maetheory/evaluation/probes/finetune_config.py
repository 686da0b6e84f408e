"""Fine-tuning trains the encoder on labels too, and its accuracy belongs to its recipe as much as to its checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from maetheory.core import InputError
from maetheory.training import check_loop_config


@dataclass(frozen=True)
class FinetuneConfig:
    """How an encoder is fine-tuned; by default as MAE's ViT-B on ImageNet (He et al. 2022, table 9).

    Of that recipe two parts are not here: RandAugment and random erasing. Random windows come with a training
    `FolderStream`; `crop` and `flip` are for small images, and off by default.

    Attributes
    ----------
    readout : "mean" or "cls"
        What the head reads: the mean of the patch tokens behind a norm of its own, in place of the encoder's final
        one, or the cls token after the final norm.
    epochs, batch : int
        `batch` is global: over all processes and accumulated micro-batches.
    base_lr : float
        Peak learning rate per 256 images, of the head.
    warmup_epochs : float
        Linear warm-up, then half a cosine to zero.
    weight_decay, beta1, beta2 : float
        AdamW; biases, norms, tokens and position tables are not decayed.
    layer_decay : float
        A layer k below the head learns layer_decayᵏ as fast; 1 trains all alike.
    drop_path : float
        Stochastic depth: how often the last block's branches are left out; from 0 at the first, in equal steps.
    mixup, cutmix : float
        Parameters a of Beta(a, a), from which the share of an image in its mixture is drawn; 0 does not mix so. With
        both, a coin decides at each step.
    smoothing : float
        Label smoothing: how much of each label is spread evenly over all classes.
    crop : int
        Images are moved by up to so many pixels each way, black beyond the edge.
    flip : bool
        Whether half of the images are mirrored.
    clip : float
        Largest gradient norm; 0 does not clip.
    accumulate : int
        Micro-batches per step.
    seed : int
    log_every : int
        Steps between lines of metrics.jsonl.
    save_seconds : float
        A checkpoint is written when this long has passed since the last one, and at the end.
    """

    readout: Literal["mean", "cls"] = "mean"
    epochs: int = 100
    batch: int = 1024
    base_lr: float = 5e-4
    warmup_epochs: float = 5.0
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.999
    layer_decay: float = 0.65
    drop_path: float = 0.1
    mixup: float = 0.8
    cutmix: float = 1.0
    smoothing: float = 0.1
    crop: int = 0
    flip: bool = False
    clip: float = 0.0
    accumulate: int = 1
    seed: int = 0
    log_every: int = 10
    save_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_loop_config(self)
        if self.readout not in ("mean", "cls"):
            raise InputError(f"fine-tuning reads 'mean' or 'cls', but the readout is {self.readout!r}")
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"layer_decay must be above 0 and at most 1, but it is {self.layer_decay}")
        for name in ("drop_path", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 0 and below 1, but it is {getattr(self, name)}")
        for name in ("mixup", "cutmix", "crop"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be negative, but it is {getattr(self, name)}")

    @property
    def uses_mixing(self) -> bool:
        """Whether images are mixed at all."""
        return self.mixup > 0 or self.cutmix > 0

    def recipe(self, n: int) -> str:
        """Say in words how `n` images fine-tune an encoder."""
        batch = min(self.batch, n)
        return (
            f"fine-tuned with AdamW ({self.beta1:g}, {self.beta2:g}), weight decay {self.weight_decay:g}, "
            f"{self.epochs} epochs, {self.warmup_epochs:g} of warm-up, half a cosine, batch {batch}, base lr "
            f"{self.base_lr:g} per 256 (peak {self.base_lr * batch / 256:.4g}), layer decay {self.layer_decay:g}, "
            f"drop path {self.drop_path:g}, mixup {self.mixup:g}, cutmix {self.cutmix:g}, label smoothing "
            f"{self.smoothing:g}, crop {self.crop}, {'flips' if self.flip else 'no flips'}, seed "
            f"{self.seed}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)
