"""The Vision Transformer that a checkpoint describes, whoever wrote it, under one set of names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.models import split_mask
from maetheory.models.patch_subset import gather_tokens
from maetheory.models.vit import last_hidden_state

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
        Width inside the attention (queries, keys, values), nearly always the width.
    hidden : int
        Hidden width of the MLP; of a SwiGLU after the gate.
    eps : float
        LayerNorm ε.
    final_eps : float, optional
        That of the last norm, final or pooled, where it is another.
    qkv_bias : bool
    activation : str
        "gelu", "gelu-tanh", "quick-gelu" or "swiglu".
    cls : bool
        Whether there is a cls token, always the first.
    registers : int
        Register tokens, after cls and before the patches.
    positions : str
        "table" (one row a token), "relative" (a bias of each block), "shared relative" (one bias for all) or "none".
    position_prefix : int
        How many rows of the table belong to tokens before the patches.
    layer_scale, qk_norm, norm_pre, patch_norm : bool
        LayerScale in each block; norms of queries and keys; a norm before the first block; norms around the patch map.
    norm : str
        "final" (of every token), "pooled" (after the readout, as fine-tuned MAE with average pooling) or "none".
    mean, std : tuple of float
        Images in [0, 1] enter as (x - mean) / std, by channel.
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


class _PatchEmbed(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.channels, config.width, config.patch, config.patch)
        values = config.channels * config.patch**2
        self.norm_in = nn.LayerNorm(values, config.eps) if config.patch_norm else nn.Identity()
        self.norm_out = nn.LayerNorm(config.width, config.eps) if config.patch_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, p, d)."""
        cells = F.unfold(images, self.proj.kernel_size, stride=self.proj.stride).mT  # (B, C, H, W) -> (B, p, C s s)
        return self.norm_out(F.linear(self.norm_in(cells), self.proj.weight.flatten(1), self.proj.bias))


class _Attention(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.inner, bias=config.qkv_bias)
        self.proj = nn.Linear(config.inner, config.width)
        size = config.inner // config.heads
        self.q_norm = nn.LayerNorm(size, config.eps) if config.qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(size, config.eps) if config.qk_norm else nn.Identity()
        if config.positions == "relative":
            self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Map (B, t, d) to (B, t, d) with `bias` (B or 1, heads or 1, t or 1, t) added to the logits."""
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, t, 3e) -> 3 x (B, h, t, e/h)
        mixed = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).reshape(b, t, -1))


class _MLP(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.activation = config.activation
        gated = 2 if config.activation == "swiglu" else 1
        self.fc1 = nn.Linear(config.width, gated * config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        x = self.fc1(x)
        if self.activation == "swiglu":
            gate, value = x.chunk(2, -1)
            return self.fc2(F.silu(gate) * value)
        if self.activation == "quick-gelu":
            return self.fc2(x * torch.sigmoid(1.702 * x))
        return self.fc2(F.gelu(x, approximate="tanh" if self.activation == "gelu-tanh" else "none"))


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Block(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, config.eps)
        self.attn = _Attention(config)
        self.ls1 = _LayerScale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(config.width, config.eps)
        self.mlp = _MLP(config)
        self.ls2 = _LayerScale(config.width) if config.layer_scale else nn.Identity()

    def forward(self, x: Tensor, bias: Tensor | None, kept: Tensor | None = None) -> Tensor:
        gathered = self.ls1(self.attn(self.norm1(x), bias))
        x = x + (gathered if kept is None else kept[:, 0, None, None] * gathered)
        thought = self.ls2(self.mlp(self.norm2(x)))
        return x + (thought if kept is None else kept[:, 1, None, None] * thought)


class _SharedRelativePositionBias(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))


class Encoder(nn.Module):
    """A Vision Transformer under timm's names, in eval mode what the checkpoint's own code computes.

    Parameters
    ----------
    config : EncoderConfig
    head : Module, optional
        The file's own classifier, which `logits` applies to the readout it was trained on.
    head_readout : "cls" or "mean"
    """

    def __init__(
        self, config: EncoderConfig, head: nn.Module | None = None, head_readout: Literal["cls", "mean"] = "cls"
    ) -> None:
        super().__init__()
        self.config = config
        self.code_base = ""  # the name of its dialect, whose rule of initialisation its baselines follow
        self.patch_embed = _PatchEmbed(config)
        if config.cls:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        if config.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width))
        if config.positions == "table":
            self.pos_embed = nn.Parameter(torch.zeros(1, config.position_prefix + config.n_patches, config.width))
        if config.positions == "shared relative":
            self.rel_pos_bias = _SharedRelativePositionBias(config)
        self.norm_pre = nn.LayerNorm(config.width, config.eps) if config.norm_pre else nn.Identity()
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        eps = config.eps if config.final_eps is None else config.final_eps
        self.norm = nn.LayerNorm(config.width, eps) if config.norm == "final" else nn.Identity()
        self.fc_norm = nn.LayerNorm(config.width, eps) if config.norm == "pooled" else nn.Identity()
        self.head = head
        self.head_readout = head_readout

    @property
    def n_prefix_tokens(self) -> int:
        """Tokens before the patches."""
        return self.config.n_prefix_tokens

    @property
    def has_cls(self) -> bool:
        """Whether the first token is a cls token."""
        return self.config.cls

    def iter_hidden_states(
        self, images: Tensor, mask: Tensor | None = None, kept: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Yield the tokens after the embedding and after each block, before the final norm, one layer at a time.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
            uint8 0..255 or float in [0, 1], of the side the encoder takes.
        mask : Tensor of bool, shape (B, p), optional
            True = visible; hidden patches are left out. None shows everything.
        kept : Tensor, shape (B, depth, 2), optional
            What the attention and the MLP of each block are multiplied by before they are added: stochastic depth
            (Huang et al. 2016) draws 0 or 1/(1 - rate). None adds both as they are.

        Yields
        ------
        Tensor, shape (B, prefix + v, d)
            depth + 1 times; as for `models.ViT`, rows that show fewer patches than others are padded and nobody looks
            at the padding.
        """
        tokens = self.patch_embed(self._normalize(images))  # (B, C, H, W) -> (B, p, d)
        before = self._prefix_tokens(len(tokens))
        if self.config.positions == "table":
            n = self.config.position_prefix
            tokens = tokens + self.pos_embed[:, n:]
            before = torch.cat([before[:, :n] + self.pos_embed[:, :n], before[:, n:]], 1) if n else before
        indices, valid = None, None
        if mask is not None:
            indices, valid = split_mask(mask, self.config.n_patches)[0]
            tokens = gather_tokens(tokens, indices)
        x = self.norm_pre(torch.cat([before, tokens], 1))
        yield x
        for i, block in enumerate(self.blocks):
            x = block(x, self._bias(block, indices, valid), None if kept is None else kept[:, i])
            yield x

    def hidden_states(self, images: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Return the tokens of every layer at once; see `iter_hidden_states`."""
        return list(self.iter_hidden_states(images, mask))

    def forward(self, images: Tensor, mask: Tensor | None = None, kept: Tensor | None = None) -> Tensor:
        """Return the tokens (B, prefix + v, d) after the final norm; arguments as for `states`."""
        return self.norm(last_hidden_state(self.iter_hidden_states(images, mask, kept)))

    def logits(self, images: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return what the file's own classifier says, (B, classes).

        Raises
        ------
        InputError
            If the file holds no classifier.
        """
        if self.head is None:
            raise InputError("this checkpoint holds no classifier, so there are no logits; its features can be encoded")
        tokens = self(images, kept=kept)
        read = tokens[:, 0] if self.head_readout == "cls" else tokens[:, self.n_prefix_tokens :].mean(1)
        return self.head(self.fc_norm(read))

    def _normalize(self, images: Tensor) -> Tensor:
        c = self.config
        if images.ndim != 4 or images.shape[1:] != (c.channels, c.image_size, c.image_size):
            raise InputError(
                f"images must have shape (B, {c.channels}, {c.image_size}, {c.image_size}), but theirs is "
                f"{tuple(images.shape)}"
            )
        dtype = self.patch_embed.proj.weight.dtype
        images = images.to(dtype) / 255 if images.dtype == torch.uint8 else images.to(dtype)
        mean, std = (torch.tensor(v, dtype=dtype, device=images.device).view(1, -1, 1, 1) for v in (c.mean, c.std))
        return (images - mean) / std

    def _prefix_tokens(self, b: int) -> Tensor:
        parts = [getattr(self, name) for name in ("cls_token", "reg_token") if hasattr(self, name)]
        empty = self.patch_embed.proj.weight.new_zeros(1, 0, self.config.width)
        return torch.cat([empty, *parts], 1).expand(b, -1, -1)

    def _bias(self, block: nn.Module, indices: Tensor | None, valid: Tensor | None) -> Tensor | None:
        """Return what is added to a block's logits: relative positions, and −∞ at padding."""
        bias: Tensor | None = None
        if self.config.positions in ("relative", "shared relative"):
            owner: Any = block.attn if self.config.positions == "relative" else self.rel_pos_bias
            table: Tensor = owner.relative_position_bias_table
            index = relative_position_index(self.config.grid, self.config.cls).to(table.device)
            bias = table[index].permute(2, 0, 1)[None]  # (t, t, h) -> (1, h, t, t)
            if indices is not None:
                seen = F.pad(indices + self.n_prefix_tokens, (self.n_prefix_tokens, 0))
                seen[:, : self.n_prefix_tokens] = torch.arange(self.n_prefix_tokens, device=seen.device)
                bias = table[index[seen[:, :, None], seen[:, None, :]]].permute(
                    0, 3, 1, 2
                )  # (B, t, t, h) -> (B, h, t, t)
        if valid is not None:
            keys = F.pad(valid, (self.n_prefix_tokens, 0), value=True)[:, None, None, :]
            blocked = torch.zeros(keys.shape, dtype=self.patch_embed.proj.weight.dtype, device=keys.device)
            blocked = blocked.masked_fill(~keys, float("-inf"))
            bias = blocked if bias is None else bias + blocked
        return bias


def relative_position_index(grid: int, cls: bool) -> Tensor:
    """Return BEiT's index (t, t) of a bias table of (2 grid − 1)² rows, and three more for cls (Bao et al. 2022)."""
    axis = torch.arange(grid)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)  # (2, p)
    apart = place[:, :, None] - place[:, None, :] + grid - 1  # (2, p, p)
    index = apart[0] * (2 * grid - 1) + apart[1]
    if not cls:
        return index
    rows = (2 * grid - 1) ** 2
    full = F.pad(index, (1, 0, 1, 0))
    full[0, :], full[:, 0], full[0, 0] = rows, rows + 1, rows + 2  # cls to patch, patch to cls, cls to cls
    return full


def _relative_position_bias_table(config: EncoderConfig) -> Tensor:
    return torch.zeros((2 * config.grid - 1) ** 2 + 3 * config.cls, config.heads)
