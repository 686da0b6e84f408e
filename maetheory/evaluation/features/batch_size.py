"""Batch size of an encoder, chosen from an estimate of its activation memory."""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints.encoder_config import GATED_ACTIVATIONS
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.models import ViT

MEMORY_BUDGET = 2**30  # bytes for the activations inside one block
MAX_BATCH_SIZE = 256
BYTES_PER_FLOAT = 4


def default_batch_size(encoder: Any) -> int:
    """Return the number of images per batch: 256, or as many as keep the activations of a block within 1 GiB.

    For a callable of unknown architecture it is 256.

    Examples
    --------
    >>> from maetheory.models import ViTConfig
    >>> default_batch_size(ViT(ViTConfig(32, 4, 3, width=96, depth=2, heads=3)))
    256
    """
    per_image = activation_bytes(encoder)
    return MAX_BATCH_SIZE if per_image is None else max(1, min(MAX_BATCH_SIZE, MEMORY_BUDGET // per_image))


def activation_bytes(encoder: Any) -> int | None:
    """Return the largest number of bytes that one image needs inside a block, None for an unknown architecture.

    Two sets of tensors are counted, and the larger one is taken: the tokens before and after the norm with queries,
    keys, values and the attention output; or the same tokens with the hidden layer before and after its activation.
    Relative positions of masked images add one number for each pair of tokens and each head.
    """
    vit = vision_transformer(encoder)
    if vit is None:
        return None
    config: Any = vit.config
    if isinstance(vit, ViT):
        return (
            BYTES_PER_FLOAT
            * (1 + config.n_patches)
            * _floats_per_token(config.width, config.width, int(config.mlp_ratio * config.width))
        )
    tokens = config.n_prefix_tokens + config.n_patches
    pairs = config.heads * tokens**2 if config.positions in ("relative", "shared relative") else 0
    hidden = config.hidden * (2 if config.activation in GATED_ACTIVATIONS else 1)
    return BYTES_PER_FLOAT * (tokens * _floats_per_token(config.width, config.inner, hidden) + pairs)


def _floats_per_token(width: int, inner: int, hidden: int) -> int:
    return 2 * width + max(5 * inner, 2 * hidden)
