"""An encoder is found in any state dict and behind any prefix, and several that differ are listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from mae_peers import facebook, facebook_decoder
from parity import loaded, peer, same_states


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


WRAPPERS: dict[str, Any] = {
    "Lightning module": lambda state: {"state_dict": prefixed(state, "model."), "epoch": 1},
    "PyTorch tutorial": lambda state: {"model_state_dict": state, "optimizer_state_dict": {}, "loss": 0.1},
    "DeepSpeed": lambda state: {"module": state, "ds_config": {}, "ds_version": "0.14"},
    "parallel Lightning module": lambda state: {"state_dict": prefixed(state, "module.net.body.")},
    "compiled": lambda state: {"weights": prefixed(state, "_orig_mod.trunk.")},
    "nested": lambda state: {"a": {"b": {"c": prefixed(state, "x.y.")}}},
    "numbered": lambda state: prefixed(state, "0."),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_any_wrapper_and_prefix_gives_the_report_of_the_bare_file(wrapper: str, tmp_path: Path) -> None:
    model = peer(num_classes=7)
    bare = loaded(tmp_path, model.state_dict(), heads=4)[1]
    encoder, report = loaded(tmp_path, WRAPPERS[wrapper](model.state_dict()), heads=4)
    same_states(encoder, model)
    assert (report.dialect, report.config, report.head) == (bare.dialect, bare.config, bare.head)
    assert (report.sources, report.notes, report.left) == (bare.sources, bare.notes, bare.left)


def test_a_wrapped_mae_keeps_its_code_base_with_and_without_weights(tmp_path: Path) -> None:
    mae = facebook().state_dict() | facebook_decoder()
    plain = loaded(tmp_path, {"model": mae}, heads=4)[1]
    assert plain.dialect == "facebookresearch/mae"
    report = loaded(tmp_path, {"module": mae, "ds_version": "0.14"}, heads=4)[1]
    assert (report.dialect, report.decoder, report.left) == (plain.dialect, "whole", plain.left)
    for options in ({}, {"weights": "model"}, {"weights": "state_dict.model"}, {"weights": "state_dict"}):
        report = loaded(tmp_path, {"state_dict": prefixed(mae, "model.")}, heads=4, **options)[1]
        assert (report.dialect, report.config, report.decoder) == (plain.dialect, plain.config, "whole")
        assert (report.notes, report.left) == (plain.notes, plain.left)


def test_two_encoders_are_listed_and_either_can_be_chosen(tmp_path: Path) -> None:
    one, other = peer(), peer(init_values=0.1)
    tree = {"state_dict": prefixed(one.state_dict(), "fast.net.") | prefixed(other.state_dict(), "slow.net.")}
    with pytest.raises(InputError, match=r"2 encoders, state_dict.fast.net, state_dict.slow.net: pass weights= \(--w"):
        loaded(tmp_path, tree, heads=4)
    for weights in ("state_dict.slow.net", "slow.net", "slow"):
        same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights=weights)[0], other)
    same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="fast")[0], one)


def test_equal_copies_are_one_encoder(tmp_path: Path) -> None:
    model = peer()
    tree = {"net": model.state_dict(), "best": {name: value.clone() for name, value in model.state_dict().items()}}
    same_states(loaded(tmp_path, tree, heads=4)[0], model)


def test_half_an_encoder_behind_a_prefix_is_no_encoder(tmp_path: Path) -> None:
    state = prefixed(peer().state_dict(), "net.")
    for name in ("net.blocks.1.norm1.weight", "net.blocks.0.attn.qkv.weight"):
        with pytest.raises(InputError):
            loaded(tmp_path, {key: value for key, value in state.items() if key != name}, heads=4)
    assert torch.equal(loaded(tmp_path, state, heads=4)[0].cls_token, state["net.cls_token"])
