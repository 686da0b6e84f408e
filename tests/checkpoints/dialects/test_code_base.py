"""A code base is named only where the file shows it, and what nothing states is noted."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from mae_peers import facebook, facebook_decoder
from parity import SIX, loaded, peer, same_states

from maetheory.models.positions import sincos_positions

NEUTRAL = "Vision Transformer, timm names"
HEAD = {"head.weight": torch.zeros(10, 48), "head.bias": torch.zeros(10)}


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


LAYOUTS: dict[str, Any] = {
    "encoder and head": lambda state: prefixed(state, "encoder.") | HEAD,
    "encoder and classifier": lambda state: {
        "state_dict": prefixed(state, "encoder.") | {"classifier.weight": torch.zeros(10, 48)}
    },
    "backbone and linear layer": lambda state: {
        "state_dict": prefixed(state, "backbone.") | {"fc.weight": torch.zeros(10, 48)}
    },
    "a linear layer beside the blocks": lambda state: state | {"fc.weight": torch.zeros(10, 48)},
    "a decoder behind an encoder": lambda state: (
        prefixed(state, "encoder.") | {"mask_token": torch.zeros(1, 1, 8), "decoder_pred.weight": torch.zeros(48, 8)}
    ),
    "a learned table at model": lambda state: {"model": state},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_that_any_code_may_use_are_attributed_to_none(layout: str, tmp_path: Path) -> None:
    model = peer(norm_layer=SIX)
    encoder, report = loaded(tmp_path, LAYOUTS[layout](model.state_dict()), heads=4)
    same_states(encoder, model)
    assert report.dialect == encoder.code_base == NEUTRAL
    assert report.sources["mean"].startswith("assumed: ")
    assert any(note.startswith("the file does not state mean and std: (0.485, 0.456, 0.406)") for note in report.notes)


@pytest.mark.parametrize("path", ["encoder", "teacher", "student"])
def test_the_name_of_a_state_dict_alone_shows_no_method(path: str, tmp_path: Path) -> None:
    model = peer(norm_layer=SIX)
    encoder, report = loaded(tmp_path, {path: model.state_dict()}, heads=4)
    same_states(encoder, model)
    assert report.dialect == "timm"


def test_fixed_positions_a_mask_ratio_or_a_name_show_mae(tmp_path: Path) -> None:
    model = facebook()
    for args in ({"mask_ratio": 0.75}, {"model": "mae_vit_base_patch16"}):
        tree = {"model": model.state_dict(), "args": argparse.Namespace(**args)}
        assert loaded(tmp_path, tree, heads=4)[1].dialect == "facebookresearch/mae"
    fixed = model.state_dict() | {"pos_embed": sincos_positions(48, 4, 4)}
    report = loaded(tmp_path, {"model": fixed}, heads=4)[1]
    assert report.dialect == "facebookresearch/mae"
    assert report.sources["image_size"].startswith("inferred from shapes: ")
    assert not any("square" in note for note in report.notes)


def test_a_caller_who_names_the_code_base_needs_no_evidence(tmp_path: Path) -> None:
    tree = {"model": facebook().state_dict()}
    assert loaded(tmp_path, tree, heads=4)[1].dialect == NEUTRAL
    report = load_checkpoint(tmp_path / "checkpoint.pth", heads=4, dialect="facebookresearch/mae")[1]
    assert report.dialect == "facebookresearch/mae"


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_a_model_name_that_does_not_fix_the_heads_is_noted(size: str, tmp_path: Path) -> None:
    width, heads = {"tiny": (192, 3), "small": (384, 6)}[size]
    state = facebook(width=width, heads=heads).state_dict() | facebook_decoder(width)
    args = argparse.Namespace(model=f"mae_vit_{size}_patch4")
    report = loaded(tmp_path, {"model": state, "args": args})[1]
    assert report.config.heads == heads
    assert any("other code of that name has" in note and "12; heads= (--heads)" not in note for note in report.notes)
    assert any(f"{heads} assumed" in note and "12" in note for note in report.notes)


def test_everything_given_leaves_nothing_assumed(tmp_path: Path) -> None:
    model = peer(norm_layer=SIX)
    options: dict[str, Any] = {"heads": 4, "eps": 1e-6, "activation": "gelu", "mean": 0.5, "std": 0.25}
    encoder, report = loaded(tmp_path, model.state_dict(), image_size=16, **options)
    assert report.notes == ()
    assert {report.sources[name] for name in (*options, "image_size")} == {"argument"}
    same_states(encoder, model, ((0.5,) * 3, (0.25,) * 3))
    with pytest.raises(InputError, match=r"activation= \(--activation\) cannot be swiglu: the shapes have no gate"):
        loaded(tmp_path, model.state_dict(), heads=4, activation="swiglu")
    with pytest.raises(InputError, match=r"activation must be one of .*, but the argument says 'relu'"):
        loaded(tmp_path, model.state_dict(), heads=4, activation="relu")


def test_layer_scale_of_deit_is_no_beit(tmp_path: Path) -> None:
    model = peer(init_values=0.1, no_embed_class=True, norm_layer=SIX)
    state = {
        name.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): value
        for name, value in model.state_dict().items()
    }
    encoder, report = loaded(tmp_path, {"model": state}, heads=4)
    same_states(encoder, model, IMAGENET_MEAN_STD)
    assert report.dialect == "DeiT III"
    assert any("RoPE-ViT with a position table has the same names" in note for note in report.notes)
