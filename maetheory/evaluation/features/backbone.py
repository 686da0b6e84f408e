"""The Vision Transformer inside a model."""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints import Encoder
from maetheory.models import MAE, SimMIM, ViT


def vision_transformer(model: Any) -> ViT | Encoder | None:
    """Return the encoder of an MAE or SimMIM, a ViT or `Encoder` itself, and None for any other callable.

    Examples
    --------
    >>> from maetheory.models import PRESETS
    >>> type(vision_transformer(MAE(PRESETS["digits"]))).__name__
    'ViT'
    >>> vision_transformer(len) is None
    True
    """
    encoder = model.encoder if isinstance(model, MAE | SimMIM) else model
    return encoder if isinstance(encoder, ViT | Encoder) else None


def encoder_depth(encoder: Any) -> int | None:
    """Return the number of blocks of a Vision Transformer, None for a callable of unknown architecture."""
    vit = vision_transformer(encoder)
    return None if vit is None else len(vit.blocks)
