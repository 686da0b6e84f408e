"""Masked autoencoders on one plain Vision Transformer; the mask is always an argument, True = visible.

`ViT` is the encoder, named parameter for parameter as in the published MAE code, so that checkpoints need no
translation. `MAE` puts a light decoder on it and predicts hidden patches; `SimMIM` shows the encoder mask tokens
instead. Neither ever draws a mask: `masking.draw_masks` does, on the device, from the same laws as `maetheory.masks`.
"""

from maetheory.models.linear import LinearMAE
from maetheory.models.losses import reconstruction, uniformity
from maetheory.models.mae import MAE, MAEConfig, MAEOutput
from maetheory.models.masking import draw_masks
from maetheory.models.penalties import coding_rate, gaussian_potential, penalty
from maetheory.models.presets import PRESETS, preset
from maetheory.models.simmim import SimMIM
from maetheory.models.vit import ViT, ViTConfig, patch_mean, split_mask

__all__ = [
    "MAE",
    "PRESETS",
    "LinearMAE",
    "MAEConfig",
    "MAEOutput",
    "SimMIM",
    "ViT",
    "ViTConfig",
    "coding_rate",
    "draw_masks",
    "gaussian_potential",
    "patch_mean",
    "penalty",
    "preset",
    "reconstruction",
    "split_mask",
    "uniformity",
]
