"""Reference BEiT and SimMIM: relative positions by a loop over pairs of patches, attention by an explicit softmax."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def distances(grid: int) -> Tensor:
    """Return the row of the bias table for each pair of tokens; the last three are of cls."""
    index = torch.zeros(grid**2 + 1, grid**2 + 1, dtype=torch.long)
    for a in range(grid**2):
        for b in range(grid**2):
            down, right = a // grid - b // grid, a % grid - b % grid
            index[1 + a, 1 + b] = (down + grid - 1) * (2 * grid - 1) + right + grid - 1
    rows = (2 * grid - 1) ** 2
    index[0, :], index[:, 0], index[0, 0] = rows, rows + 1, rows + 2
    return index


class RelativePositionBias(nn.Module):
    """Table of relative position biases, with its index as a buffer."""

    def __init__(self, grid: int, heads: int) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * grid - 1) ** 2 + 3, heads))
        self.register_buffer("relative_position_index", distances(grid))

    def bias(self) -> Tensor:
        """Return the biases (heads, t, t)."""
        return self.relative_position_bias_table[self.relative_position_index].movedim(-1, 0)


class Attention(RelativePositionBias):
    """Attention whose queries and values have a bias and whose keys have none."""

    def __init__(self, width: int, heads: int, grid: int, own: bool) -> None:
        super().__init__(grid, heads)
        if not own:
            del self.relative_position_bias_table, self.relative_position_index
        self.heads, self.own = heads, own
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, shared: Tensor | None) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.parts(x))
        logits = q @ k.mT / q.shape[-1] ** 0.5
        logits = logits + (self.bias() if self.own else 0 if shared is None else shared)
        return self.proj((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))

    def parts(self, x: Tensor) -> list[Tensor]:
        """Return queries, keys and values, each (B, t, d)."""
        weights = self.qkv.weight.chunk(3)
        return [F.linear(x, w, b) for w, b in zip(weights, (self.q_bias, None, self.v_bias))]


class Block(nn.Module):
    """Transformer block with LayerScale."""

    def __init__(self, width: int, heads: int, grid: int, own: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, grid, own)
        self.gamma_1, self.gamma_2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 3 * width), "fc2": nn.Linear(3 * width, width)})

    def forward(self, x: Tensor, shared: Tensor | None) -> Tensor:
        """Map (B, t, d) to (B, t, d)."""
        x = x + self.gamma_1 * self.attn(self.norm1(x), shared)
        return x + self.gamma_2 * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class BEiT(nn.Module):
    """Encoder of BEiT and SimMIM; `positions` is "relative", "shared relative" or "table"."""

    def __init__(self, positions: str, *, grid: int = 4, width: int = 48, heads: int = 4, pooled: bool = False) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, 4, 4)})
        if positions == "table":
            self.pos_embed = nn.Parameter(torch.zeros(1, grid**2 + 1, width))
        if positions == "shared relative":
            self.rel_pos_bias = RelativePositionBias(grid, heads)
        self.positions = positions
        self.blocks = nn.ModuleList(Block(width, heads, grid, positions == "relative") for _ in range(3))
        if pooled:
            self.fc_norm = nn.LayerNorm(width, eps=1e-6)
        self.norm: Any = nn.Identity() if pooled else nn.LayerNorm(width, eps=1e-6)

    def forward_features(self, images: Tensor) -> Tensor:
        """Map (B, 3, 16, 16) to the tokens (B, 17, d) after the last norm."""
        x = self.patch_embed["proj"](images).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = x + self.pos_embed if self.positions == "table" else x
        shared = self.rel_pos_bias.bias() if self.positions == "shared relative" else None
        for block in self.blocks:
            x = block(x, shared)
        return self.norm(x)
