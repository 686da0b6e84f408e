"""Named MAE architectures, from 8x8 digits to ViT-Large."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from maetheory.core.unknown_names import unknown_name_error
from maetheory.models.mae import MAEConfig
from maetheory.models.vit import ViTConfig

PRESETS: Mapping[str, MAEConfig] = MappingProxyType(
    {
        "digits": MAEConfig(
            ViTConfig(8, 2, 1, width=64, depth=4, heads=4, positions="learned"),
            decoder_width=64,
            decoder_depth=2,
            decoder_heads=4,
        ),
        "cifar10-small": MAEConfig(
            ViTConfig(32, 4, 3, width=96, depth=6, heads=3, positions="learned"),
            decoder_width=96,
            decoder_depth=2,
            decoder_heads=3,
        ),
        "cifar10-patch8": MAEConfig(
            ViTConfig(32, 8, 3, width=64, depth=4, heads=4, positions="learned"),
            decoder_width=64,
            decoder_depth=1,
            decoder_heads=4,
        ),
        "cifar10": MAEConfig(
            ViTConfig(32, 2, 3, width=192, depth=12, heads=3, positions="learned"),
            decoder_width=192,
            decoder_depth=4,
            decoder_heads=3,
        ),
        "cifar10-base": MAEConfig(
            ViTConfig(32, 2, 3, width=768, depth=12, heads=12, positions="learned"),
            decoder_width=512,
            decoder_depth=8,
            decoder_heads=16,
        ),
        "vit-b16": MAEConfig(
            ViTConfig(224, 16, 3, width=768, depth=12, heads=12),
            decoder_width=512,
            decoder_depth=8,
            decoder_heads=16,
            norm_pixels=True,
        ),
        "vit-l16": MAEConfig(
            ViTConfig(224, 16, 3, width=1024, depth=24, heads=16),
            decoder_width=512,
            decoder_depth=8,
            decoder_heads=16,
            norm_pixels=True,
        ),
    }
)


def preset(name: str) -> MAEConfig:
    """Return the named architecture.

    Raises
    ------
    InputError
        If the name is unknown; the message lists the known ones.
    """
    if name not in PRESETS:
        raise unknown_name_error("architecture", name, PRESETS)
    return PRESETS[name]
