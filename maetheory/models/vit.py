"""A Vision Transformer that embeds only the patches it is shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.models.positions import sincos_positions


@dataclass(frozen=True)
class ViTConfig:
    """Architecture of an encoder (Dosovitskiy et al. 2021).

    Attributes
    ----------
    image_size, patch, channels : int
        Square images of `image_size` pixels a side, cut into `patch` x `patch` squares.
    width, depth, heads : int
        Feature dimension d, number of blocks, attention heads (must divide the width).
    mlp_ratio : float
        Hidden width of the MLP over the width.
    eps : float
        LayerNorm ε.
    qkv_bias : bool
        Whether queries, keys and values have a bias.
    positions : "sincos" or "learned"
        Fixed sines and cosines, or a trained table.
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
        """Patches along one side."""
        return self.image_size // self.patch

    @property
    def n_patches(self) -> int:
        """Patches of an image, p."""
        return self.grid**2

    @property
    def patch_dim(self) -> int:
        """Values of a patch, c."""
        return self.patch**2 * self.channels


class PatchSubset(NamedTuple):
    """Which patches each image of a batch shows, in raster order.

    `indices` (B, v) are patch numbers; where counts differ, rows are padded and `valid` (B, v) is False there.
    """

    indices: Tensor
    valid: Tensor | None


class Attention(nn.Module):
    """Multi-head self-attention; `key_mask` says which tokens may be looked at."""

    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, key_mask: Tensor | None = None, start: int = 0) -> Tensor:
        """Map (B, t, d) to (B, t - start, d): what the tokens from `start` on gather from all of them."""
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, t, 3d) -> 3 x (B, h, t, d/h)
        allowed = None if key_mask is None else key_mask[:, None, None, :]  # (B, t) -> (B, 1, 1, t)
        mixed = F.scaled_dot_product_attention(q[:, :, start:], k, v, attn_mask=allowed)
        return self.proj(mixed.transpose(1, 2).reshape(b, t - start, d))


class MLP(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, eps: float, qkv_bias: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps)
        self.attn = Attention(width, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps)
        self.mlp = MLP(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, key_mask: Tensor | None = None, start: int = 0) -> Tensor:
        """Map (B, t, d) to (B, t - start, d), the tokens from `start` on; none looks where `key_mask` (B, t) is False."""
        x = x[:, start:] + self.attn(self.norm1(x), key_mask, start)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """A convolution whose stride is its side: one linear map per patch."""

    def __init__(self, channels: int, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, patches: Tensor) -> Tensor:
        """Map patches (B, v, c), values in patchify order (rows, columns, channels), to (B, v, d)."""
        weight = self.proj.weight.permute(0, 2, 3, 1).flatten(1)  # (d, C, s, s) -> (d, c)
        return F.linear(patches, weight, self.proj.bias)


class ViT(nn.Module):
    """A Vision Transformer encoder with a cls token.

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

    def patches(self, images: Tensor) -> Tensor:
        """Cut images (B, C, H, W), uint8 or in [0, 1], into standardised patches (B, p, c)."""
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
        """Turn patches (B, p, c) into tokens (B, 1 + v, d): cls first, then only the visible patches."""
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

    def states(self, images: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the tokens after the embedding and after each block, before the final norm, one layer at a time.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
        mask : Tensor of bool, shape (B, p), optional
            True = visible; None shows everything.

        Yields
        ------
        Tensor, shape (B, 1 + v, d)
            depth + 1 times.
        """
        visible = None if mask is None else split_mask(mask, self.config.n_patches)[0]
        tokens = self.embed(self.patches(images), visible)
        yield tokens
        key_mask = prepend_cls(visible.valid) if visible is not None and visible.valid is not None else None
        for block in self.blocks:
            tokens = block(tokens, key_mask)
            yield tokens

    def hidden_states(self, images: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Return the tokens of every layer at once; see `states`."""
        return list(self.states(images, mask))

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the tokens (B, 1 + v, d) after the final norm."""
        return self.norm(last(self.states(images, mask)))


def last(states: Iterator[Tensor]) -> Tensor:
    """Return the last of the layers' tokens, holding no other."""
    return deque(states, maxlen=1).pop()


def initialize_weights(module: nn.Module) -> None:
    """Initialise as MAE does: Xavier-uniform linear maps, zero biases, N(0, 0.02²) tokens and learned tables."""
    for child in module.modules():
        if isinstance(child, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(child.weight.data.flatten(1))  # a view: the patch convolution is a linear map
            if child.bias is not None:
                nn.init.zeros_(child.bias)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and name.endswith(("cls_token", "mask_token", "pos_embed")):
            nn.init.normal_(parameter, std=0.02)


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Pick rows `index` (B, v) of tokens (B, t, d), giving (B, v, d)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


def patch_mean(tokens: Tensor, valid: Tensor | None = None, n_prefix_tokens: int = 1) -> Tensor:
    """Average the patch tokens of (B, prefix + v, d) over those present (B, v), or over all, giving (B, d)."""
    patches = tokens[:, n_prefix_tokens:]
    if valid is None:
        return patches.mean(1)
    return (patches * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)  # (B, v, d) -> (B, d)


def prepend_cls(valid: Tensor) -> Tensor:
    """Prepend the always present cls token to a (B, v) table of presence."""
    return F.pad(valid, (1, 0), value=True)


def split_mask(mask: Tensor, n_patches: int, n_visible: int | None = None) -> tuple[PatchSubset, PatchSubset]:
    """Split a mask into its visible and its hidden patches.

    Parameters
    ----------
    mask : Tensor of bool, shape (B, p)
        True = visible.
    n_patches : int
    n_visible : int, optional
        The count when it is known to be the same for every row; spares a look at the mask (and a device wait).

    Raises
    ------
    InputError
        If the shape or type is wrong, or a row shows nothing or hides nothing.
    """
    if mask.dtype != torch.bool or mask.ndim != 2 or mask.shape[1] != n_patches:
        raise InputError(
            f"the mask must be boolean of shape (B, {n_patches}), but it is {mask.dtype} {tuple(mask.shape)}"
        )
    order = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)  # visible first, raster order within
    if n_visible is not None:
        return PatchSubset(order[:, :n_visible], None), PatchSubset(order[:, n_visible:], None)
    counts = mask.sum(1)
    fewest, most = int(counts.min()), int(counts.max())
    if fewest < 1 or most > n_patches:
        raise InputError("every row of the mask must show at least one patch")
    if fewest == most:
        return PatchSubset(order[:, :most], None), PatchSubset(order[:, most:], None)
    place = torch.arange(n_patches, device=mask.device)
    seen = PatchSubset(order[:, :most], place[:most] < counts[:, None])
    back = order.flip(1)[:, : n_patches - fewest]  # hidden patches last to first
    hidden_counts = n_patches - counts
    valid = place[: n_patches - fewest] < hidden_counts[:, None]
    raster = torch.argsort(torch.where(valid, back, n_patches), dim=1, stable=True)
    return seen, PatchSubset(back.gather(1, raster), valid)
