"""Comparison of a library's own forward pass with the encoder loaded from its file, token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from framework_peers import renamed, torchvision_states
from mae_peers import facebook_decoder, randomized, timm_states
from torch import Tensor
from torchvision.models import vision_transformer as torchvision_vit

from maetheory.checkpoints import Encoder, LoadReport, load_checkpoint
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD

IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
LIGHTNING = {"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.4.0", "callbacks": {}, "loops": {}}


def standardized(images: Any = IMAGENET_MEAN_STD) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in images)
    return (IMAGES - mean) / std


def states(peer: Any, images: Any = IMAGENET_MEAN_STD) -> tuple[list[Tensor], Tensor]:
    with torch.no_grad():
        if hasattr(peer, "states"):
            return peer.states(standardized(images))
        if hasattr(peer, "conv_proj"):
            return torchvision_states(peer, standardized(images))
        found = timm_states(peer, standardized(images))
        return found, peer.norm(found[-1])


def same(encoder: Encoder, peer: Any, images: Any = IMAGENET_MEAN_STD) -> None:
    """Compare every token after every block and after the norm."""
    theirs, last = states(peer, images)
    with torch.no_grad():
        ours = encoder.hidden_states(IMAGES)
        assert len(ours) == len(theirs)
        for one, other in zip((*ours, encoder(IMAGES)), (*theirs, last)):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, float(other.abs().max())))


def saved(folder: Path, tree: Any) -> Path:
    torch.save(tree, folder / "last.ckpt")
    return folder / "last.ckpt"


def loaded(folder: Path, tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    return load_checkpoint(saved(folder, tree), **options)


def decoder(before: str = "decoder.") -> dict[str, Tensor]:
    return renamed(facebook_decoder(), prefix=before)


def torchvision(**options: Any) -> Any:
    sizes = {"image_size": 16, "patch_size": 4, "num_layers": 3, "num_heads": 4, "hidden_dim": 48, "mlp_dim": 96}
    return randomized(torchvision_vit.VisionTransformer(**sizes, num_classes=7, **options))
