"""Comparison of a timm model's forward pass, recorded by hooks, with the encoder loaded from its file."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mae_peers import randomized
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from maetheory.checkpoints import Encoder, LoadReport, load_checkpoint
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD

Scale = tuple[tuple[float, ...], tuple[float, ...]]
IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
SIX = partial(nn.LayerNorm, eps=1e-6)
FIVE = partial(nn.LayerNorm, eps=1e-5)


def peer(**options: Any) -> Any:
    """Return a timm model of three blocks and patches of 4 pixels, with random parameters."""
    cls = options.pop("cls", VisionTransformer)
    usual = {"img_size": 16, "patch_size": 4, "embed_dim": 48, "depth": 3, "num_heads": 4, "num_classes": 0}
    return randomized(cls(**{**usual, **options}))


def standardized(images: Tensor, scale: Scale) -> Tensor:
    """Standardise images in [0, 1] by channel."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in scale)
    return (images - mean) / std


def close(ours: Tensor, theirs: Tensor) -> None:
    """Compare tokens within float32's ε times a few hundred terms a sum and some dozen successive sums."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * max(1.0, float(theirs.abs().max())))


def same_states(encoder: Encoder, model: Any, scale: Scale = IMAGENET_MEAN_STD, images: Tensor = IMAGES) -> None:
    """Compare the tokens before the first block, after each block, and after the last norm."""
    theirs: list[Tensor] = []
    hooks = [model.blocks[0].register_forward_pre_hook(lambda module, inputs: theirs.append(inputs[0]))]
    hooks += [block.register_forward_hook(lambda module, inputs, out: theirs.append(out)) for block in model.blocks]
    with torch.no_grad():
        last = model.forward_features(standardized(images, scale))
        ours = encoder.hidden_states(images)
        close(encoder(images), last)
    for hook in hooks:
        hook.remove()
    assert len(ours) == len(theirs) == len(model.blocks) + 1
    for one, other in zip(ours, theirs):
        close(one, other)


def loaded(tmp_path: Path, tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    """Save a tree with torch.save and load it as a checkpoint."""
    torch.save(tree, tmp_path / "checkpoint.pth")
    encoder, report = load_checkpoint(tmp_path / "checkpoint.pth", **options)
    json.dumps(report.to_dict())
    return encoder, report
