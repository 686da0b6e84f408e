"""Vision Transformer encoder that processes only the visible patches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.models.patch_subset import PatchSubset, gather_tokens, prepend_cls_validity, split_mask
from maetheory.models.positions import sincos_positions


@dataclass(frozen=True)
class ViTConfig:
    """Architecture of a Vision Transformer encoder (Dosovitskiy et al. 2021).

    Attributes
    ----------
    image_size, patch, channels : int
        Side of the square images in pixels, side of the square patches, and channels.
    width, depth, heads : int
        Feature dimension d, number of blocks, attention heads (must divide the width).
    mlp_ratio : float
        Ratio of the hidden width of the MLP to the width.
    eps : float
        LayerNorm ε.
    qkv_bias : bool
        Whether queries, keys and values have a bias.
    positions : "sincos" or "learned"
        Fixed sine-cosine or trained position embedding.
    mean, std : float
        Images in [0, 1] enter as (x - mean) / std; 0.5 and 0.5 give [-1, 1].
    """

    image_size: int = 32
    patch: int = 4
    channels: int = 3
    width: int = 192
    depth: int = 12
    heads: int = 3
    mlp_ratio: float = 4.0
    eps: float = 1e-6
    qkv_bias: bool = True
    positions: Literal["sincos", "learned"] = "sincos"
    mean: float = 0.5
    std: float = 0.5

    def __post_init__(self) -> None:
        if self.patch < 1 or self.image_size % self.patch:
            raise InputError(
                f"the patch size must divide the image size, but {self.patch} does not divide {self.image_size}"
            )
        if self.width % self.heads:
            raise InputError(f"the heads must divide the width, but {self.heads} does not divide {self.width}")
        if self.positions not in ("sincos", "learned"):
            raise InputError(f"positions must be 'sincos' or 'learned', but they are {self.positions!r}")
        if self.positions == "sincos" and self.width % 4:
            raise InputError(f"sin-cos positions need a width divisible by 4, but it is {self.width}")

    @property
    def grid(self) -> int:
        """Number of patches along one side."""
        return self.image_size // self.patch

    @property
    def n_patches(self) -> int:
        """Number of patches of an image, p."""
        return self.grid**2

    @property
    def patch_dim(self) -> int:
        """Number of values of a patch, c."""
        return self.patch**2 * self.channels


class Attention(nn.Module):
    """Multi-head self-attention, restricted to the tokens where `key_mask` is True."""

    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, key_mask: Tensor | None = None, first_query: int = 0) -> Tensor:
        """Map (B, t, d) to (B, t - first_query, d): the tokens from `first_query` on attend to all tokens."""
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, t, 3d) -> 3 x (B, h, t, d/h)
        attn_mask = None if key_mask is None else key_mask[:, None, None, :]  # (B, t) -> (B, 1, 1, t)
        attended = F.scaled_dot_product_attention(q[:, :, first_query:], k, v, attn_mask=attn_mask)
        return self.proj(attended.transpose(1, 2).reshape(b, t - first_query, d))


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, eps: float, qkv_bias: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps)
        self.attn = Attention(width, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps)
        self.mlp = MLP(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, key_mask: Tensor | None = None, first_query: int = 0) -> Tensor:
        """Map (B, t, d) to (B, t - first_query, d), the tokens from `first_query` on.

        No token attends where `key_mask` (B, t) is False.
        """
        x = x[:, first_query:] + self.attn(self.norm1(x), key_mask, first_query)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Linear map of each patch, stored as a convolution whose stride is its kernel size."""

    def __init__(self, channels: int, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, patches: Tensor) -> Tensor:
        """Map patches (B, v, c), values in patchify order (rows, columns, channels), to (B, v, d)."""
        weight = self.proj.weight.permute(0, 2, 3, 1).flatten(1)  # (d, C, s, s) -> (d, c)
        return F.linear(patches, weight, self.proj.bias)


class ViT(nn.Module):
    """Vision Transformer encoder with a cls token.

    Parameters
    ----------
    config : ViTConfig

    Notes
    -----
    Parameter names are those of the published MAE code (``patch_embed.proj``, ``blocks.0.attn.qkv`` …).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.channels, config.patch, config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        table = sincos_positions(config.width, config.grid, config.grid) if config.positions == "sincos" else None
        self.pos_embed = nn.Parameter(
            torch.zeros(1, 1 + config.n_patches, config.width) if table is None else table,
            requires_grad=table is None,
        )
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_ratio, config.eps, config.qkv_bias)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, config.eps)
        initialize_weights(self)

    def patchify(self, images: Tensor) -> Tensor:
        """Standardise images (B, C, H, W), uint8 or in [0, 1], and cut them into patches (B, p, c)."""
        side, channels, s = self.config.image_size, self.config.channels, self.config.patch
        if images.ndim != 4 or images.shape[1:] != (channels, side, side):
            raise InputError(
                f"images must have shape (B, {channels}, {side}, {side}), but theirs is {tuple(images.shape)}"
            )
        if images.dtype == torch.uint8:
            images = images.to(self.cls_token.dtype) / 255
        images = (images.to(self.cls_token.dtype) - self.config.mean) / self.config.std
        g = self.config.grid
        cells = images.reshape(-1, channels, g, s, g, s).permute(0, 2, 4, 3, 5, 1)  # (B, C, H, W) -> (B, g, g, s, s, C)
        return cells.reshape(-1, g * g, s * s * channels)

    def embed(self, patches: Tensor, visible: PatchSubset | None = None) -> Tensor:
        """Embed the visible patches of (B, p, c) as tokens (B, 1 + v, d), cls first."""
        position = self.pos_embed[:, 1:]
        if visible is not None:
            if len(visible.indices) != len(patches):
                raise InputError(
                    f"the mask must have one row for each of the {len(patches)} images, but it has "
                    f"{len(visible.indices)}"
                )
            patches = gather_tokens(patches, visible.indices)  # (B, p, c) -> (B, v, c)
            position = position[0][visible.indices]  # (p, d) -> (B, v, d)
        tokens = self.patch_embed(patches) + position
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        return torch.cat([cls, tokens], dim=1)

    def iter_hidden_states(self, images: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the tokens after the embedding and after each block, before the final norm.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
        mask : Tensor of bool, shape (B, p), optional
            True = visible; by default every patch is visible.

        Yields
        ------
        Tensor, shape (B, 1 + v, d)
            Once per layer, depth + 1 times.
        """
        visible = None if mask is None else split_mask(mask, self.config.n_patches)[0]
        tokens = self.embed(self.patchify(images), visible)
        yield tokens
        key_mask = prepend_cls_validity(visible.valid) if visible is not None and visible.valid is not None else None
        for block in self.blocks:
            tokens = block(tokens, key_mask)
            yield tokens

    def hidden_states(self, images: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Return the tokens of every layer as a list; see `iter_hidden_states`."""
        return list(self.iter_hidden_states(images, mask))

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the tokens (B, 1 + v, d) after the final norm."""
        return self.norm(last_hidden_state(self.iter_hidden_states(images, mask)))


def last_hidden_state(states: Iterator[Tensor]) -> Tensor:
    """Return the last item of an iterator of hidden states, keeping only one in memory."""
    return deque(states, maxlen=1).pop()


def initialize_weights(module: nn.Module) -> None:
    """Initialise as MAE does: Xavier-uniform weights, zero biases, N(0, 0.02²) tokens and learned positions."""
    for child in module.modules():
        if isinstance(child, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(
                child.weight.data.flatten(1)
            )  # in place on a view: the patch convolution is a linear map
            if child.bias is not None:
                nn.init.zeros_(child.bias)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and name.endswith(("cls_token", "mask_token", "pos_embed")):
            nn.init.normal_(parameter, std=0.02)
