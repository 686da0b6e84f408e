"""Reference masked autoencoders of other code bases, on timm's blocks as in the original code."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn


def randomized(module: Any, seed: int = 0) -> Any:
    """Return a module in eval mode with random parameters, far from any initialisation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(1 + 0.3 * noise if "norm" in name and name.endswith("weight") else 0.15 * noise)
    return module.eval()


def facebook(*, classes: int = 0, pool: str = "token", width: int = 48, heads: int = 4, side: int = 16) -> Any:
    """Return the encoder of facebookresearch/mae, which subclasses timm's."""
    return randomized(
        VisionTransformer(
            side,
            4,
            embed_dim=width,
            depth=3,
            num_heads=heads,
            num_classes=classes,
            global_pool=pool,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
    )


def facebook_decoder(width: int = 48, rows: int = 17) -> dict[str, Tensor]:
    """Return a decoder's state dict of facebookresearch/mae, all zeros and ones."""
    block = {f"decoder_blocks.0.{name}": value for name, value in Block(24, 3, qkv_bias=True).state_dict().items()}
    return {
        "mask_token": torch.zeros(1, 1, 24),
        "decoder_pos_embed": torch.zeros(1, rows, 24),
        "decoder_embed.weight": torch.zeros(24, width),
        "decoder_embed.bias": torch.zeros(24),
        **block,
        "decoder_norm.weight": torch.ones(24),
        "decoder_norm.bias": torch.zeros(24),
        "decoder_pred.weight": torch.zeros(48, 24),
        "decoder_pred.bias": torch.zeros(48),
    }


def timm_states(model: Any, images: Tensor) -> list[Tensor]:
    """Return the tokens after timm's embedding and after each block, of images already standardised."""
    with torch.no_grad():
        states = [model.norm_pre(model._pos_embed(model.patch_embed(images)))]
        for block in model.blocks:
            states.append(block(states[-1]))
    return states


class MAE_Encoder(nn.Module):
    """Encoder of IcarusWizard/MAE without its shuffling: tokens are sequence first, and cls has no position."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.zeros(16, 1, width))
        self.patchify = nn.Conv2d(3, width, 2, 2)
        self.transformer = nn.Sequential(*(Block(width, heads) for _ in range(2)))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, 8, 8), 2 x - 1 of those in [0, 1], to tokens (17, B, d)."""
        patches = self.patchify(images).flatten(2).permute(2, 0, 1) + self.pos_embedding
        patches = torch.cat([self.cls_token.expand(-1, patches.shape[1], -1), patches], dim=0)
        return self.layer_norm(self.transformer(patches.permute(1, 0, 2))).permute(1, 0, 2)


class MAE_Decoder(nn.Module):
    """Decoder of IcarusWizard/MAE, of which only the parameter names matter here."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.zeros(17, 1, width))
        self.transformer = nn.Sequential(Block(width, 6))
        self.head = nn.Linear(width, 12)


class MAE_ViT(nn.Module):
    """Autoencoder of IcarusWizard/MAE."""

    def __init__(self, width: int = 72, heads: int = 3) -> None:
        super().__init__()
        self.encoder = MAE_Encoder(width, heads)
        self.decoder = MAE_Decoder(width)


class ViT_Classifier(nn.Module):
    """Classifier of IcarusWizard/MAE: the modules of the encoder and a linear map of cls."""

    def __init__(self, encoder: MAE_Encoder, classes: int = 10) -> None:
        super().__init__()
        self.cls_token = encoder.cls_token
        self.pos_embedding = encoder.pos_embedding
        self.patchify = encoder.patchify
        self.transformer = encoder.transformer
        self.layer_norm = encoder.layer_norm
        self.head = nn.Linear(encoder.pos_embedding.shape[-1], classes)

    forward_features = MAE_Encoder.forward

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, classes)."""
        return self.head(self.forward_features(images)[0])
