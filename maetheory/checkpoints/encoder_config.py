"""`EncoderConfig`: the architecture of a Vision Transformer and the scale of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from maetheory.core import InputError

Activation = Literal["gelu", "gelu-tanh", "quick-gelu", "swiglu"]


@dataclass(frozen=True)
class EncoderConfig:
    """Architecture of a Vision Transformer (Dosovitskiy et al. 2021) and its common descendants.

    Attributes
    ----------
    image_size, patch, channels : int
        Square images of `image_size` pixels a side, cut into `patch` x `patch` squares.
    width, depth, heads : int
        Feature dimension d, number of blocks, attention heads.
    inner : int
        Width of queries, keys and values together over all heads, nearly always `width`.
    hidden : int
        Hidden width of the MLP; with SwiGLU, of the product with the gate.
    eps : float
        LayerNorm ε.
    final_eps : float, optional
        ε of the last norm, final or pooled; None is `eps`.
    qkv_bias : bool
        Whether the map to queries, keys and values has a bias.
    activation : str
        "gelu", "gelu-tanh", "quick-gelu" or "swiglu".
    cls : bool
        Whether there is a cls token, always the first.
    registers : int
        Register tokens, after cls and before the patches.
    positions : str
        "table" (one row a token), "relative" (attention biases of each block), "shared relative" (the same biases in
        all blocks) or "none".
    position_prefix : int
        Number of rows of the table that belong to tokens before the patches.
    layer_scale, qk_norm, norm_pre, patch_norm : bool
        LayerScale in each block; norms of queries and keys; a norm before the first block; norms before and after the
        patch embedding.
    norm : str
        "final" (of every token), "pooled" (of the readout, as in fine-tuned MAE with average pooling) or "none".
    mean, std : tuple of float
        Images in [0, 1] are standardised as (x - mean) / std, by channel.
    """

    image_size: int
    patch: int
    channels: int
    width: int
    depth: int
    heads: int
    inner: int
    hidden: int
    eps: float = 1e-6
    final_eps: float | None = None
    qkv_bias: bool = True
    activation: Activation = "gelu"
    cls: bool = True
    registers: int = 0
    positions: Literal["table", "relative", "shared relative", "none"] = "table"
    position_prefix: int = 1
    layer_scale: bool = False
    qk_norm: bool = False
    norm_pre: bool = False
    patch_norm: bool = False
    norm: Literal["final", "pooled", "none"] = "final"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.image_size % self.patch:
            raise InputError(
                f"the patch size must divide the image size, but {self.patch} does not divide {self.image_size}"
            )
        if self.inner % self.heads:
            raise InputError(
                f"the heads must divide the attention's width, but {self.heads} does not divide {self.inner}"
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise InputError(
                f"mean and std must have one value for each of {self.channels} channels, but they are "
                f"{self.mean} and {self.std}"
            )

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch

    @property
    def n_patches(self) -> int:
        """Patches of an image, p."""
        return self.grid**2

    @property
    def n_prefix_tokens(self) -> int:
        """Tokens before the patches: cls and registers."""
        return int(self.cls) + self.registers
