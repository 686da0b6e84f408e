"""Masked autoencoders on one plain Vision Transformer; the mask is always an argument, True = visible.

`ViT` is the encoder, named parameter for parameter as in the published MAE code, so that checkpoints need no
translation. `MAE` puts a light decoder on it and predicts hidden patches; `SimMIM` shows the encoder mask tokens
instead. Neither ever draws a mask: `masking.sample_masks` does, on the device, from the same laws as `maetheory.masks`.
"""

from maetheory.core.renames import renamed
from maetheory.models.linear import LinearMAE
from maetheory.models.losses import reconstruction_loss, uniformity
from maetheory.models.mae import MAE, MAEConfig, MAEOutput
from maetheory.models.masking import sample_masks
from maetheory.models.penalties import coding_rate, gaussian_potential, uniformity_penalty
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
    "gaussian_potential",
    "patch_mean",
    "preset",
    "reconstruction_loss",
    "sample_masks",
    "split_mask",
    "uniformity",
    "uniformity_penalty",
]

__getattr__ = renamed(
    __name__,
    {
        "draw_masks": "sample_masks",
        "penalty": "uniformity_penalty",
        "reconstruction": "reconstruction_loss",
    },
)
