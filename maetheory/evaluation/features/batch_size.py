"""A batch is as large as memory allows, whatever the size of the network."""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints import Encoder
from maetheory.models import MAE, SimMIM, ViT

MEMORY_BUDGET = 2**30  # bytes that the values inside one block may take
MAX_BATCH_SIZE = 256
BYTES_PER_FLOAT = 4


def default_batch_size(encoder: Any) -> int:
    """Return how many images go through an encoder at once: 256, or as many as keep a block's values within 1 GiB.

    Of a callable, whose inside is not known, 256.

    Examples
    --------
    >>> from maetheory.models import ViTConfig
    >>> default_batch_size(ViT(ViTConfig(32, 4, 3, width=96, depth=2, heads=3)))
    256
    """
    room = activation_bytes(encoder)
    return MAX_BATCH_SIZE if room is None else max(1, min(MAX_BATCH_SIZE, MEMORY_BUDGET // room))


def activation_bytes(encoder: Any) -> int | None:
    """Return the bytes of one image's values inside a block, where they are most; None where it is not known.

    Tokens before and after the norm stand beside queries, keys, values and what they mix to, or beside the hidden layer
    before and after its activation; relative positions of masked images add one number for each pair of tokens and
    head.
    """
    vit = encoder.encoder if isinstance(encoder, MAE | SimMIM) else encoder
    if isinstance(vit, ViT):
        config: Any = vit.config
        return (
            BYTES_PER_FLOAT
            * (1 + config.n_patches)
            * _floats_per_token(config.width, config.width, int(config.mlp_ratio * config.width))
        )
    if not isinstance(vit, Encoder):
        return None
    config = vit.config
    tokens = config.n_prefix_tokens + config.n_patches
    pairs = config.heads * tokens**2 if config.positions in ("relative", "shared relative") else 0
    hidden = config.hidden * (2 if config.activation == "swiglu" else 1)
    return BYTES_PER_FLOAT * (tokens * _floats_per_token(config.width, config.inner, hidden) + pairs)


def _floats_per_token(width: int, inner: int, hidden: int) -> int:
    return 2 * width + max(5 * inner, 2 * hidden)
