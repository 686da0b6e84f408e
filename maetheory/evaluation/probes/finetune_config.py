"""Configuration of fine-tuning."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from maetheory.core import InputError
from maetheory.training.loop_config import LoopConfig, check_loop_config


@dataclass(frozen=True)
class FinetuneConfig(LoopConfig):
    """Hyperparameters of `finetune`; by default those of MAE's ViT-B on ImageNet (He et al. 2022, table 9).

    RandAugment and random erasing of that recipe are not implemented. A training `FolderStream` takes random resized
    crops; `crop` and `flip` are meant for small images, and off by default.

    The fields that are not explained here are those of `maetheory.training.loop_config.LoopConfig`.

    Attributes
    ----------
    readout : "mean" or "cls"
        Input of the head: the mean of the patch tokens, with a norm of its own in place of the encoder's final norm,
        or the cls token after the final norm.
    base_lr : float
        Peak learning rate of the head per 256 images.
    layer_decay : float
        The learning rate of a layer k below the head is multiplied by layer_decayᵏ; 1 treats all layers alike.
    drop_path : float
        Stochastic depth: the probability of leaving out a branch of the last block; it grows linearly from 0 at the
        first block.
    mixup, cutmix : float
        Parameters a of Beta(a, a), from which the weight of an image in its mixture is drawn; 0 switches the method
        off. With both, each step chooses one with probability ½.
    smoothing : float
        Label smoothing: the part of each label that is spread uniformly over all classes.
    crop : int
        Largest random shift of an image in pixels, padded with black.
    flip : bool
        Whether to flip half of the images horizontally.
    """

    readout: Literal["mean", "cls"] = "mean"
    _: KW_ONLY
    batch: int = 1024
    base_lr: float = 5e-4
    warmup_epochs: float = 5.0
    beta2: float = 0.999
    layer_decay: float = 0.65
    drop_path: float = 0.1
    mixup: float = 0.8
    cutmix: float = 1.0
    smoothing: float = 0.1
    crop: int = 0
    flip: bool = False

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
        """Whether mixup or CutMix is on."""
        return self.mixup > 0 or self.cutmix > 0

    def describe(self, n_images: int) -> str:
        """Describe fine-tuning on `n_images` images in one sentence."""
        batch = min(self.batch, n_images)
        return (
            f"fine-tuned with AdamW ({self.beta1:g}, {self.beta2:g}), weight decay {self.weight_decay:g}, "
            f"{self.epochs} epochs, {self.warmup_epochs:g} of warm-up, half a cosine, batch {batch}, base lr "
            f"{self.base_lr:g} per 256 (peak {self.base_lr * batch / 256:.4g}), layer decay {self.layer_decay:g}, "
            f"drop path {self.drop_path:g}, mixup {self.mixup:g}, cutmix {self.cutmix:g}, label smoothing "
            f"{self.smoothing:g}, crop {self.crop}, {'flips' if self.flip else 'no flips'}, seed "
            f"{self.seed}"
        )
