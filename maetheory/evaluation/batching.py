"""A batch is as large as memory allows, whatever the size of the network."""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints import Encoder
from maetheory.models import MAE, SimMIM, ViT

BUDGET = 2**30  # bytes that the values inside one block may take
MOST = 256
FLOAT = 4


def default_batch(encoder: Any) -> int:
    """Return how many images go through an encoder at once: 256, or as many as keep a block's values within 1 GiB.

    Of a callable, whose inside is not known, 256.

    Examples
    --------
    >>> from maetheory.models import ViTConfig
    >>> default_batch(ViT(ViTConfig(32, 4, 3, width=96, depth=2, heads=3)))
    256
    """
    room = block_bytes(encoder)
    return MOST if room is None else max(1, min(MOST, BUDGET // room))


def block_bytes(encoder: Any) -> int | None:
    """Return the bytes of one image's values inside a block, where they are most; None where it is not known.

    Tokens before and after the norm stand beside queries, keys, values and what they mix to, or beside the hidden layer
    before and after its activation; relative positions of masked images add one number for each pair of tokens and
    head.
    """
    vit = encoder.encoder if isinstance(encoder, MAE | SimMIM) else encoder
    if isinstance(vit, ViT):
        config: Any = vit.config
        return (
            FLOAT * (1 + config.n_patches) * _a_token(config.width, config.width, int(config.mlp_ratio * config.width))
        )
    if not isinstance(vit, Encoder):
        return None
    config = vit.config
    tokens = config.prefix + config.n_patches
    pairs = config.heads * tokens**2 if config.positions in ("relative", "shared relative") else 0
    hidden = config.hidden * (2 if config.activation == "swiglu" else 1)
    return FLOAT * (tokens * _a_token(config.width, config.inner, hidden) + pairs)


def _a_token(width: int, inner: int, hidden: int) -> int:
    return 2 * width + max(5 * inner, 2 * hidden)
