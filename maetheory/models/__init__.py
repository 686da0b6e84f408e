"""Masked autoencoders on one plain Vision Transformer; the mask is always an argument, True = visible.

Read `vit` (the encoder, whose parameters have the names of the published MAE code, so that checkpoints load without
translation), `mae` (the encoder and a light decoder that predicts hidden patches) and `losses`. `simmim` is the variant
with mask tokens in the encoder, `linear` the model with a known optimum, `penalties` the uniformity terms, `presets`
the named architectures; `positions` and `patch_subset` are parts of the encoders. No model draws a mask: `masking`
does, on the device, from the laws of `maetheory.masks`.

>>> import torch
>>> from maetheory.masks import UniformMasks
>>> from maetheory.models import MAE, PRESETS, sample_masks
>>> masks = sample_masks(UniformMasks(16, 4), 2, torch.Generator().manual_seed(0))
>>> MAE(PRESETS["digits"])(torch.rand(2, 1, 8, 8), masks).prediction.shape
torch.Size([2, 12, 4])
"""

from maetheory.core.renames import renamed
from maetheory.models.linear import LinearMAE
from maetheory.models.losses import reconstruction_loss, uniformity_loss
from maetheory.models.mae import MAE, MAEConfig, MAEOutput
from maetheory.models.masking import sample_masks
from maetheory.models.patch_subset import patch_mean, split_mask
from maetheory.models.penalties import coding_rate, gaussian_potential, uniformity_penalty
from maetheory.models.presets import PRESETS, preset
from maetheory.models.simmim import SimMIM
from maetheory.models.vit import ViT, ViTConfig

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
    "uniformity_loss",
    "uniformity_penalty",
]

__getattr__ = renamed(
    __name__,
    {
        "draw_masks": "sample_masks",
        "penalty": "uniformity_penalty",
        "reconstruction": "reconstruction_loss",
        "uniformity": "uniformity_loss",
    },
)
