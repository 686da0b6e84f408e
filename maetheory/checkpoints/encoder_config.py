"""`EncoderConfig`: the architecture of a Vision Transformer and the scale of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.core import InputError

Activation = Literal["gelu", "gelu-tanh", "quick-gelu", "swiglu", "geglu"]
Positions = Literal["table", "relative", "shared relative", "none"]
GATED_ACTIVATIONS = ("swiglu", "geglu")
Size = int | tuple[int, int]  # of squares a side, of rectangles height and width


@dataclass(frozen=True)
class EncoderConfig:
    """Architecture of a Vision Transformer (Dosovitskiy et al. 2021) and its common descendants.

    Attributes
    ----------
    image_size, patch : int or (int, int)
        Pixels of images and of patches: a side of squares, or height and width.
    channels : int
    width, depth, heads : int
        Feature dimension d, number of blocks, attention heads.
    inner : int
        Width of queries, keys and values together over all heads, nearly always `width`.
    hidden : int
        Hidden width of the MLP; with SwiGLU or GeGLU, of the product with the gate.
    eps : float
        LayerNorm ε.
    final_eps : float, optional
        ε of the last norm, final or pooled; None is `eps`.
    qkv_bias : bool
        Whether the map to queries, keys and values has a bias.
    activation : str
        "gelu", "gelu-tanh", "quick-gelu", "swiglu" or "geglu".
    cls : bool
        Whether there is a cls token, always the first.
    registers : int
        Register tokens, after cls and before the patches.
    positions : str
        "table" (one row a token), "relative" (attention biases of each block), "shared relative" (the same biases in
        all blocks) or "none".
    position_prefix : int
        Number of rows of the table that belong to tokens before the patches.
    rotary : RotaryPositions, optional
        Rotary positions of the patches, instead of the others or in addition to a table.
    layer_scale, qk_norm, norm_pre, patch_norm : bool
        LayerScale in each block; norms of queries and keys; a norm before the first block; norms before and after the
        patch embedding.
    attention_norm, mlp_norm : bool
        A norm of what attention returns before its last map, and of the hidden layer of the MLP (NormFormer, sub-LN).
    mlp_input_norm : bool
        A norm of the input of the MLP, after that of the block (ViTamin).
    stem : str
        Name of timm's model whose convolutional network makes the patches; empty for a linear map of each patch.
    norm_kind : str
        "layer", or "rms" without centring and bias.
    block : str
        "pre-norm", "post-norm" (the outputs of attention and MLP are normed, not their inputs) or "parallel" (attention
        and MLP read the same tokens).
    norm : str
        "final" (of every token), "pooled" (of the readout, as in fine-tuned MAE with average pooling) or "none".
    mean, std : tuple of float
        Images in [0, 1] are standardised as (x - mean) / std, by channel.
    """

    image_size: Size
    patch: Size
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
    positions: Positions = "table"
    position_prefix: int = 1
    rotary: RotaryPositions | None = None
    layer_scale: bool = False
    qk_norm: bool = False
    norm_pre: bool = False
    patch_norm: bool = False
    attention_norm: bool = False
    mlp_norm: bool = False
    mlp_input_norm: bool = False
    stem: str = ""
    norm_kind: Literal["layer", "rms"] = "layer"
    block: Literal["pre-norm", "post-norm", "parallel"] = "pre-norm"
    norm: Literal["final", "pooled", "none"] = "final"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if any(side % patch for side, patch in zip(self.image_shape, self.patch_shape)):
            raise InputError(
                f"the patch size must divide the image size, but {format_size(self.patch)} does not divide "
                f"{format_size(self.image_size)}"
            )
        if self.inner % self.heads:
            raise InputError(
                f"the heads must divide the attention's width, but {self.heads} does not divide {self.inner}"
            )
        if self.rotary is not None and self.inner // self.heads % 4:
            raise InputError(
                f"with rotary positions a head must have a multiple of four features, but {self.inner} features in "
                f"{self.heads} heads are {self.inner // self.heads} each: pass heads= (--heads)"
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise InputError(
                f"mean and std must have one value for each of {self.channels} channels, but they are "
                f"{self.mean} and {self.std}"
            )

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images."""
        return two_sides(self.image_size)

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Height and width of a patch."""
        return two_sides(self.patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        (height, width), (patch_height, patch_width) = self.image_shape, self.patch_shape
        return height // patch_height, width // patch_width

    @property
    def n_patches(self) -> int:
        """Patches of an image, p."""
        return self.grid[0] * self.grid[1]

    @property
    def n_prefix_tokens(self) -> int:
        """Tokens before the patches: cls and registers."""
        return int(self.cls) + self.registers


def two_sides(size: Size) -> tuple[int, int]:
    """Return height and width of a size.

    Examples
    --------
    >>> two_sides(224), two_sides((32, 128))
    ((224, 224), (32, 128))
    """
    return (size, size) if isinstance(size, int) else size


def one_size(height: int, width: int) -> Size:
    """Return the size of these sides: one number where they are equal.

    Examples
    --------
    >>> one_size(32, 32), one_size(32, 128)
    (32, (32, 128))
    """
    return height if height == width else (height, width)


def format_size(size: Size) -> str:
    """Return a size as a sentence has it: one number of a square, else "32 x 128".

    Examples
    --------
    >>> format_size(224), format_size((32, 128))
    ('224', '32 x 128')
    """
    return str(size) if isinstance(size, int) else f"{size[0]} x {size[1]}"
