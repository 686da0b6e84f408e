"""Layers of the general Vision Transformer: patch embedding, attention, MLP, block and relative position biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints.encoder_config import GATED_ACTIVATIONS, EncoderConfig
from maetheory.checkpoints.rotary_positions import Rotation, rotate
from maetheory.checkpoints.timm_models import timm_model
from maetheory.core import InputError


def patch_embedding(config: EncoderConfig) -> nn.Module:
    """Return the map from images (B, C, H, W) to tokens (B, p, d): linear in each patch, or timm's stem of that name.

    Raises
    ------
    InputError
        If timm is needed and not installed.
    """
    if not config.stem:
        return PatchEmbed(config)
    model = timm_model(config.stem, {"img_size": list(config.image_shape), "in_chans": config.channels})
    if model is None:
        raise InputError(f"the convolutional stem of {config.stem} needs timm: pip install maetheory[timm]")
    return model.patch_embed


class PatchEmbed(nn.Module):
    """Linear map of each patch to a token, written as a convolution as in timm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        height, width = config.patch_shape
        self.proj = nn.Conv2d(config.channels, config.width, (height, width), (height, width))
        values = config.channels * height * width
        self.norm_in = nn.LayerNorm(values, config.eps) if config.patch_norm else nn.Identity()
        self.norm_out = nn.LayerNorm(config.width, config.eps) if config.patch_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, p, d)."""
        patches = F.unfold(images, self.proj.kernel_size, stride=self.proj.stride).mT  # (B, C, H, W) -> (B, p, C s s)
        return self.norm_out(F.linear(self.norm_in(patches), self.proj.weight.flatten(1), self.proj.bias))


def norm_layer(config: EncoderConfig, width: int, eps: float | None = None) -> nn.Module:
    """Return a norm over `width` features of the kind that the architecture has."""
    kind = nn.LayerNorm if config.norm_kind == "layer" else nn.RMSNorm
    return kind(width, eps=config.eps if eps is None else eps)


class Attention(nn.Module):
    """Multi-head self-attention, with optional norms, rotary positions and relative position biases."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.inner, bias=config.qkv_bias)
        self.proj = nn.Linear(config.inner, config.width)
        head_dim = config.inner // config.heads
        self.q_norm = norm_layer(config, head_dim) if config.qk_norm else nn.Identity()
        self.k_norm = norm_layer(config, head_dim) if config.qk_norm else nn.Identity()
        self.norm = norm_layer(config, config.inner) if config.attention_norm else nn.Identity()
        if config.positions == "relative":
            self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))

    def forward(self, x: Tensor, bias: Tensor | None, rotation: Rotation | None = None) -> Tensor:
        """Map (B, t, d) to (B, t, d) with `bias` (B or 1, heads or 1, t or 1, t) added to the logits."""
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, t, 3e) -> 3 x (B, h, t, e/h)
        q, k = self.q_norm(q), self.k_norm(k)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(self.norm(attended.transpose(1, 2).reshape(b, t, -1)))


class MLP(nn.Module):
    """Two linear maps with GELU or one of its approximations between them, or a gated product (Shazeer 2020)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.activation = config.activation
        gated = 2 if config.activation in GATED_ACTIVATIONS else 1
        self.norm_in = norm_layer(config, config.width) if config.mlp_input_norm else nn.Identity()
        self.fc1 = nn.Linear(config.width, gated * config.hidden)
        self.norm = norm_layer(config, config.hidden) if config.mlp_norm else nn.Identity()
        self.fc2 = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        return self.fc2(self.norm(self._activate(self.fc1(self.norm_in(x)))))

    def _activate(self, x: Tensor) -> Tensor:
        """Return the hidden layer; of a gated product the first half is the gate."""
        if self.activation in GATED_ACTIVATIONS:
            gate, value = x.chunk(2, -1)
            return (F.silu(gate) if self.activation == "swiglu" else F.gelu(gate)) * value
        if self.activation == "quick-gelu":
            return x * torch.sigmoid(1.702 * x)
        return F.gelu(x, approximate="tanh" if self.activation == "gelu-tanh" else "none")


class LayerScale(nn.Module):
    """Multiplication of each feature by a learned factor (Touvron et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        return x * self.gamma


class Block(nn.Module):
    """Transformer block with norms before attention and MLP, after them, or with both side by side."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.kind = config.block
        self.norm1 = norm_layer(config, config.width)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = norm_layer(config, config.width)
        self.mlp = MLP(config)
        self.ls2 = LayerScale(config.width) if config.layer_scale else nn.Identity()

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None,
        branch_factors: Tensor | None = None,
        rotation: Rotation | None = None,
    ) -> Tensor:
        """Map (B, t, d) to (B, t, d); `branch_factors` (B, 2) multiplies what attention and MLP add."""
        attended = x + _scaled(self._attention(x, bias, rotation), branch_factors, 0)
        return attended + _scaled(self._mlp(x if self.kind == "parallel" else attended), branch_factors, 1)

    def _attention(self, x: Tensor, bias: Tensor | None, rotation: Rotation | None) -> Tensor:
        """Return what attention adds to the tokens."""
        if self.kind == "post-norm":
            return self.ls1(self.norm1(self.attn(x, bias, rotation)))
        return self.ls1(self.attn(self.norm1(x), bias, rotation))

    def _mlp(self, x: Tensor) -> Tensor:
        """Return what the MLP adds to the tokens."""
        if self.kind == "post-norm":
            return self.ls2(self.norm2(self.mlp(x)))
        return self.ls2(self.mlp(self.norm2(x)))


def _scaled(added: Tensor, branch_factors: Tensor | None, i: int) -> Tensor:
    """Return what a part of a block adds, times its factor for each image."""
    return added if branch_factors is None else branch_factors[:, i, None, None] * added


class RotaryFrequencies(nn.Module):
    """Learned frequencies of mixed rotary positions, for row and column of each pair of features."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        head_dim = config.inner // config.heads
        self.freqs = nn.Parameter(torch.zeros(2, config.depth, config.heads, head_dim // 2))


class SharedRelativePositionBias(nn.Module):
    """Relative position biases that all blocks share."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))


def relative_position_index(grid: tuple[int, int], cls: bool) -> Tensor:
    """Return BEiT's index (t, t) into a bias table of (2 rows - 1)(2 columns - 1) rows, plus three with cls.

    Source: Bao et al. 2022.
    """
    axes = [torch.arange(n) for n in grid]
    coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)  # (2, p)
    offsets = coordinates[:, :, None] - coordinates[:, None, :] + torch.tensor(grid)[:, None, None] - 1  # (2, p, p)
    index = offsets[0] * (2 * grid[1] - 1) + offsets[1]
    if not cls:
        return index
    rows = (2 * grid[0] - 1) * (2 * grid[1] - 1)
    full = F.pad(index, (1, 0, 1, 0))
    full[0, :], full[:, 0], full[0, 0] = rows, rows + 1, rows + 2  # cls to patch, patch to cls, cls to cls
    return full


def _relative_position_bias_table(config: EncoderConfig) -> Tensor:
    """Return a bias table of zeros, one column a head."""
    rows, columns = config.grid
    return torch.zeros((2 * rows - 1) * (2 * columns - 1) + 3 * config.cls, config.heads)
