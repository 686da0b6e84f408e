"""Layers of the general Vision Transformer: patch embedding, attention, MLP, block and relative position biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints.encoder_config import EncoderConfig


class PatchEmbed(nn.Module):
    """Linear map of each patch to a token, written as a convolution as in timm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.channels, config.width, config.patch, config.patch)
        values = config.channels * config.patch**2
        self.norm_in = nn.LayerNorm(values, config.eps) if config.patch_norm else nn.Identity()
        self.norm_out = nn.LayerNorm(config.width, config.eps) if config.patch_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, p, d)."""
        patches = F.unfold(images, self.proj.kernel_size, stride=self.proj.stride).mT  # (B, C, H, W) -> (B, p, C s s)
        return self.norm_out(F.linear(self.norm_in(patches), self.proj.weight.flatten(1), self.proj.bias))


class Attention(nn.Module):
    """Multi-head self-attention, with optional norms of queries and keys and relative position biases."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.inner, bias=config.qkv_bias)
        self.proj = nn.Linear(config.inner, config.width)
        head_dim = config.inner // config.heads
        self.q_norm = nn.LayerNorm(head_dim, config.eps) if config.qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(head_dim, config.eps) if config.qk_norm else nn.Identity()
        if config.positions == "relative":
            self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Map (B, t, d) to (B, t, d) with `bias` (B or 1, heads or 1, t or 1, t) added to the logits."""
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, t, 3e) -> 3 x (B, h, t, e/h)
        attended = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, attn_mask=bias)
        return self.proj(attended.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    """Two linear maps with GELU or one of its approximations between them, or SwiGLU."""

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


class LayerScale(nn.Module):
    """Multiplication of each feature by a learned factor (Touvron et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        return x * self.gamma


class Block(nn.Module):
    """Transformer block with norms before attention and MLP."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, config.eps)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(config.width, config.eps)
        self.mlp = MLP(config)
        self.ls2 = LayerScale(config.width) if config.layer_scale else nn.Identity()

    def forward(self, x: Tensor, bias: Tensor | None, branch_factors: Tensor | None = None) -> Tensor:
        """Map (B, t, d) to (B, t, d); `branch_factors` (B, 2) multiplies what attention and MLP add."""
        attention_output = self.ls1(self.attn(self.norm1(x), bias))
        if branch_factors is not None:
            attention_output = branch_factors[:, 0, None, None] * attention_output
        x = x + attention_output
        mlp_output = self.ls2(self.mlp(self.norm2(x)))
        if branch_factors is not None:
            mlp_output = branch_factors[:, 1, None, None] * mlp_output
        return x + mlp_output


class SharedRelativePositionBias(nn.Module):
    """Relative position biases that all blocks share."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(_relative_position_bias_table(config))


def relative_position_index(grid: int, cls: bool) -> Tensor:
    """Return BEiT's index (t, t) into a bias table of (2 grid - 1)² rows, plus three with cls (Bao et al. 2022)."""
    axis = torch.arange(grid)
    coordinates = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)  # (2, p)
    offsets = coordinates[:, :, None] - coordinates[:, None, :] + grid - 1  # (2, p, p)
    index = offsets[0] * (2 * grid - 1) + offsets[1]
    if not cls:
        return index
    rows = (2 * grid - 1) ** 2
    full = F.pad(index, (1, 0, 1, 0))
    full[0, :], full[:, 0], full[0, 0] = rows, rows + 1, rows + 2  # cls to patch, patch to cls, cls to cls
    return full


def _relative_position_bias_table(config: EncoderConfig) -> Tensor:
    """Return a bias table of zeros, one column a head."""
    return torch.zeros((2 * config.grid - 1) ** 2 + 3 * config.cls, config.heads)
