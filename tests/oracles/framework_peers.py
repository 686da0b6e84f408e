"""Reference Vision Transformers with the computations and names of several libraries, independent of the dialects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def renamed(state: Mapping[str, Tensor], *pairs: tuple[str, str], prefix: str = "") -> dict[str, Tensor]:
    """Return a state dict with each pattern substituted in turn, and a prefix before every name."""
    names = dict.fromkeys(state, "")
    for name in names:
        names[name] = name
        for old, new in pairs:
            names[name] = re.sub(old, new, names[name])
    return {prefix + names[name]: value for name, value in state.items()}


OPENMMLAB = (
    (r"^blocks\.", "layers."),
    (r"^patch_embed\.proj", "patch_embed.projection"),
    (r"\.norm(\d)\.", r".ln\1."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
    (r"^norm\.", "ln1."),
    (r"^fc_norm\.", "ln2."),
    (r"\.ls1\.gamma", ".attn.gamma1.weight"),
    (r"\.ls2\.gamma", ".ffn.gamma2.weight"),
)


class AttentionLayer(nn.Module):
    """Attention of vit-pytorch since 2023, which contains its norm."""

    def __init__(self, dim: int, heads: int, dim_head: int) -> None:
        super().__init__()
        inner = heads * dim_head
        self.heads = heads
        self.scale = dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        alone = heads == 1 and dim_head == dim
        self.to_out = nn.Identity() if alone else nn.Sequential(nn.Linear(inner, dim), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the tokens (B, t, d)."""
        b, t, _ = x.shape
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.to_qkv(self.norm(x)).chunk(3, -1))
        weights = (q @ k.transpose(2, 3) * self.scale).softmax(-1)  # (B, h, t, t)
        return self.to_out((weights @ v).transpose(1, 2).reshape(b, t, -1))


class FeedForwardLayer(nn.Module):
    """Feed-forward layer of vit-pytorch, whose sequence begins with the norm."""

    def __init__(self, dim: int, hidden: int, dropout: bool) -> None:
        super().__init__()
        drop = [nn.Dropout(0.1)] if dropout else []
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), *drop, nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the tokens."""
        return self.net(x)


class Transformer(nn.Module):
    """Blocks of vit-pytorch and the norm after them."""

    def __init__(self, dim: int, depth: int, heads: int, dim_head: int, dropout: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([AttentionLayer(dim, heads, dim_head), FeedForwardLayer(dim, 2 * dim, dropout)])
            for _ in range(depth)
        )


class Rearrange(nn.Module):
    """Rearrangement of images to patches, b c (h p1) (w p2) -> b (h w) (p1 p2 c)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        """Map images to patches."""
        b, c, height, width = images.shape
        cells = images.view(b, c, height // self.side, self.side, width // self.side, self.side)
        return cells.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, self.side**2 * c)


class ViT(nn.Module):
    """vit-pytorch's ViT for images of 16 x 16 in patches of 4 x 4."""

    def __init__(
        self,
        dim: int = 48,
        heads: int = 2,
        dim_head: int = 64,
        *,
        channels: int = 3,
        pool: str = "cls",
        patch_norm: bool = True,
        dropout: bool = True,
    ) -> None:
        super().__init__()
        n, values = int(pool == "cls"), channels * 16
        norms = (nn.LayerNorm(values), nn.LayerNorm(dim)) if patch_norm else ()
        self.to_patch_embedding = nn.Sequential(Rearrange(4), *norms[:1], nn.Linear(values, dim), *norms[1:])
        self.cls_token = nn.Parameter(torch.randn(1, n, dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, n + 16, dim))
        self.transformer = Transformer(dim, 2, heads, dim_head, dropout)
        self.pool = pool
        self.mlp_head = nn.Linear(dim, 7)

    def states(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the tokens after the embedding and each block, and after the norm."""
        x = self.to_patch_embedding(images)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embedding
        states = [x]
        for attention, mlp in self.transformer.layers:  # type: ignore[misc]  # a ModuleList of pairs
            x = attention(x) + x
            x = mlp(x) + x
            states.append(x)
        return states, self.transformer.norm(x)


PRENORM = (
    (r"(layers\.\d+\.0)\.to_", r"\1.fn.to_"),
    (r"(layers\.\d+\.1)\.net\.0\.", r"\1.norm."),
    (r"(layers\.\d+\.1)\.net\.1\.", r"\1.fn.net.0."),
    (r"(layers\.\d+\.1)\.net\.4\.", r"\1.fn.net.3."),
    (r"^mlp_head\.", "mlp_head.1."),
    (r"^transformer\.norm\.", "mlp_head.0."),
)
YEARS = {
    2024: (),
    2022: PRENORM,
    2020: (
        *PRENORM,
        (r"layers\.(\d+)\.([01])\.(norm|fn)\.", r"layers.\1.\2.fn.\3."),
        (r"^to_patch_embedding\.1\.", "patch_to_embedding."),
    ),
}


class TorchEncoderViT(nn.Module):
    """Custom ViT on torch.nn.TransformerEncoder."""

    def __init__(self, width: int = 48, heads: int = 4, **options: Any) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, width))
        options = {"norm_first": True, "activation": "gelu", **options}
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width, eps=1e-3)
        self.head = nn.Linear(width, 7)

    def states(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the tokens after the embedding and each block, and after the norm."""
        x = self.patch_embed(images).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        states = [x]
        for layer in self.encoder.layers:
            x = layer(x)
            states.append(x)
        return states, self.norm(x)


def torchvision_states(model: Any, images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the tokens of a torchvision ViT after its embedding and each block, and after the norm."""
    x = model._process_input(images)
    x = torch.cat([model.class_token.expand(len(x), -1, -1), x], 1) + model.encoder.pos_embedding
    states = [x]
    for layer in model.encoder.layers:
        x = layer(x)
        states.append(x)
    return states, model.encoder.ln(x)
