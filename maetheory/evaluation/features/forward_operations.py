"""Floating-point operations of a forward pass, from the shapes of an encoder."""

from __future__ import annotations

from maetheory.checkpoints.encoder_config import EncoderConfig


def forward_operations(config: EncoderConfig) -> float:
    """Return the floating-point operations of one image: two for each product of attention, MLP and patch embedding.

    Examples
    --------
    >>> f"{forward_operations(EncoderConfig(224, 16, 3, 768, 12, 12, 768, 3072)):.2e}"
    '3.49e+10'
    """
    tokens = config.n_prefix_tokens + config.n_patches
    gate = 1 if config.activation == "swiglu" else 0
    weights = 4 * config.width * config.inner + (2 + gate) * config.width * config.hidden
    attention = 2 * tokens * config.inner
    return 2.0 * tokens * config.depth * (weights + attention)
