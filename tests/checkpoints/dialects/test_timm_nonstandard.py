"""timm's further Vision Transformers: NaFlex, relative positions from an MLP, parallel blocks, convolutional stems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.dialects.timm_definition import timm_definition_values
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from mae_peers import randomized
from parity import SIX, close, loaded, peer, same_states, standardized
from timm.layers import RmsNorm
from timm.models.vision_transformer import ParallelScalingBlock
from timm.models.vision_transformer_relpos import VisionTransformerRelPos

SCALE: dict[str, Any] = {"mean": 0.5, "std": 0.5}
HALF = ((0.5,) * 3, (0.5,) * 3)
SMALL: dict[str, Any] = {"patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 0}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("cls", [False, True])
def test_relative_positions_from_an_mlp_become_a_table(shared: bool, cls: bool, tmp_path: Path) -> None:
    options = {"img_size": (16, 24), "class_token": cls, "rel_pos_dim": 16, "shared_rel_pos": shared, "norm_layer": SIX}
    model = randomized(VisionTransformerRelPos(**SMALL, **options, global_pool="token" if cls else "avg"))
    encoder, report = loaded(tmp_path, model.state_dict(), image_size=(16, 24), **SCALE)
    images = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        close(encoder(images), model.forward_features(standardized(images, HALF)))
    assert report.config.positions == ("shared relative" if shared else "relative")
    assert report.sources["heads"] == "inferred from shapes: rows of the relative positions"
    assumed = loaded(tmp_path, model.state_dict(), **SCALE)[1]
    assert any("the file does not state the image size: 224 assumed" in note for note in assumed.notes)


@pytest.mark.parametrize("norm", [SIX, RmsNorm])
def test_attention_and_mlp_side_by_side(norm: Any, tmp_path: Path) -> None:
    rms = norm is RmsNorm
    options = {"qkv_bias": not rms, "qk_norm": rms, "init_values": None if rms else 0.1, "norm_layer": norm}
    model = peer(block_fn=ParallelScalingBlock, **options)
    encoder, report = loaded(tmp_path, model.state_dict(), **SCALE, **({} if rms else {"heads": 4}))
    assert (report.config.block, report.config.norm_kind) == ("parallel", "rms" if rms else "layer")
    same_states(encoder, model, HALF)


def test_naflex_is_read_at_the_grid_of_its_table(tmp_path: Path) -> None:
    small = {"patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3, "pos_embed_grid_size": (4, 4)}
    model = randomized(timm.create_model("naflexvit_base_patch16_gap", num_classes=0, **small))
    encoder, report = loaded(tmp_path, model.state_dict(), heads=3, **SCALE)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        close(encoder(images), model.forward_features(standardized(images, HALF)))
    assert (report.config.patch, report.config.registers, report.config.image_size) == (4, 4, 16)


def test_naflex_with_an_attention_pool_is_siglip_2(tmp_path: Path) -> None:
    small = {"patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3, "pos_embed_grid_size": (4, 4)}
    model = randomized(timm.create_model("naflexvit_base_patch16_siglip", num_classes=0, **small))
    encoder, report = loaded(tmp_path, model.state_dict(), heads=3)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        close(encoder(images), model.forward_features(standardized(images, HALF)))
    assert (report.config.activation, report.sources["activation"][:7]) == ("gelu-tanh", "assumed")


def test_a_stated_name_of_naflex_gives_what_timm_defines() -> None:
    found = timm_definition_values("naflexvit_base_patch16_siglip", None, "config.json")
    assert {name: found[name].value for name in ("heads", "eps", "activation", "block")} == {
        "heads": 12,
        "eps": 1e-6,
        "activation": "gelu-tanh",
        "block": "pre-norm",
    }
    assert not found["activation"].assumed


@pytest.mark.parametrize("name", ["vit_tiny_r_s16_p8_224", "vitamin_small_224"])
def test_hybrids_are_built_by_timm_where_their_name_is_stated(name: str, tmp_path: Path) -> None:
    depth = {"depth": 1} if name.startswith("vit_") else {}
    model = timm.create_model(name, img_size=64, num_classes=0, **depth)
    if not depth:
        del model.blocks[1:]
    model = randomized(model)
    torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
    with pytest.raises(
        InputError, match=r"a hybrid, whose patches come from a convolutional network; put timm's config"
    ):
        load_checkpoint(tmp_path)
    record = {"architecture": name, "model_args": {"img_size": 64}, "pretrained_cfg": model.pretrained_cfg}
    (tmp_path / "config.json").write_text(json.dumps(record))
    encoder, report = load_checkpoint(tmp_path)
    images = torch.rand(2, 3, 64, 64)
    scale = (report.config.mean, report.config.std)
    with torch.no_grad():
        close(encoder(images), model.forward_features(standardized(images, scale)))
        with pytest.raises(InputError, match="patches of a convolutional stem overlap"):
            encoder(images, torch.ones(2, encoder.config.n_patches, dtype=torch.bool))
    assert report.config.stem == name
