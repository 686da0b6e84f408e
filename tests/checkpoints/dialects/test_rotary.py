"""Encoders whose rotary positions no tensor shows are refused, and those that only look like them are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from mae_peers import randomized
from parity import FIVE, loaded, peer, same_states
from timm.models.eva import Eva

from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD

SMALL: dict[str, Any] = {"img_size": 32, "depth": 1}


@pytest.mark.parametrize(
    "name",
    [
        "eva02_tiny_patch14_224",
        "vit_small_patch16_rope_ape_224",
        "vit_small_patch16_rope_mixed_ape_224",
        "vit_pe_spatial_tiny_patch16_512",
    ],
)
def test_rotary_positions_beside_a_table_are_refused(name: str, tmp_path: Path) -> None:
    model = timm.create_model(name, **{**SMALL, "img_size": 28 if "14" in name else 32})
    for tree in (model.state_dict(), {"state_dict": {f"model.{key}": x for key, x in model.state_dict().items()}}):
        with pytest.raises(InputError, match=r"rotary"):
            loaded(tmp_path, tree)
    torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name}))
    with pytest.raises(InputError, match="rotary"):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").unlink()
    torch.save(model, tmp_path / "checkpoint.pth")
    with pytest.raises(InputError, match="rotary"):
        load_checkpoint(tmp_path)


def test_eva_without_rotary_positions_is_loaded(tmp_path: Path) -> None:
    eva = Eva(16, 4, embed_dim=48, depth=2, num_heads=4, num_classes=0, use_rot_pos_emb=False, qkv_fused=True)
    model = randomized(eva)
    encoder = loaded(tmp_path, model.state_dict(), heads=4, mean=0.5, std=0.5)[0]
    same_states(encoder, model, ((0.5,) * 3, (0.5,) * 3))


def test_a_norm_before_and_after_the_blocks_is_clip(tmp_path: Path) -> None:
    model = peer(pre_norm=True, norm_layer=FIVE)
    same_states(loaded(tmp_path, model.state_dict(), heads=4)[0], model, CLIP_MEAN_STD)
