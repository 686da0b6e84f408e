"""Files of DINO, DINOv2, MoCo-v3, MSN and I-JEPA are loaded as the encoder that their own code evaluates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.resize_positions import resize_position_embedding
from maetheory.models.positions import sincos_positions

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from parity import SIX, loaded, peer, same_states
from timm.layers import SwiGLUPacked


def of_facebook(model: Any, chunk: int = 0) -> dict[str, Tensor]:
    """Return a timm model's weights under DINOv2's own names; with registers, cls has a position row."""
    written = {"mask_token": torch.zeros(1, 48)}
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if "w12" not in parts and hasattr(model.blocks[0].mlp, "gate_last"):
            parts = [{"fc1": "w12", "fc2": "w3"}.get(part, part) for part in parts]
        if parts[0] == "blocks" and chunk:
            parts.insert(1, str(int(parts[1]) // chunk))
        written[".".join(parts)] = value
    if "reg_token" in written:
        row = torch.randn(1, 1, 48, generator=torch.Generator().manual_seed(3))
        written["register_tokens"] = written.pop("reg_token")
        written["cls_token"] = written["cls_token"] - row
        written["pos_embed"] = torch.cat([row, written["pos_embed"]], 1)
    return written


GIANT = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}


@pytest.mark.parametrize("chunk", [0, 2])
@pytest.mark.parametrize("around", ["flat", "teacher", "trainer"])
@pytest.mark.parametrize("options", [{}, {"reg_tokens": 4, "no_embed_class": True}, GIANT])
def test_facebook_dinov2(options: dict[str, Any], around: str, chunk: int, tmp_path: Path) -> None:
    model = peer(init_values=0.1, norm_layer=SIX, **options)
    state = of_facebook(model, chunk)
    tree: Any = state
    if around == "teacher":
        heads = {"dino_head.mlp.0.weight": torch.zeros(2, 48), "ibot_head.last_layer.weight": torch.zeros(2, 2)}
        tree = {"teacher": {f"backbone.{name}": value for name, value in state.items()} | heads}
    if around == "trainer":
        tree = {
            "model": {
                f"{who}.backbone.{name}": value + (who == "student")
                for name, value in state.items()
                for who in ("student", "teacher")
            },
            "iteration": 9,
        }
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, model)
    assert report.dialect == "facebookresearch/dinov2"
    assert report.left["the mask token"] >= 1
    assert report.config.registers == options.get("reg_tokens", 0)
    assert report.config.activation == ("swiglu" if options is GIANT else "gelu")


def test_dinov2_as_timm_saves_it(tmp_path: Path) -> None:
    model = peer(init_values=0.1, norm_layer=SIX, reg_tokens=4, no_embed_class=True, **GIANT)
    same_states(loaded(tmp_path, model.state_dict(), heads=4)[0], model)


def prefixed(model: Any, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in model.state_dict().items()}


def mlp_head(prefix: str) -> dict[str, Tensor]:
    layers = nn.Sequential(
        nn.Linear(48, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 4, bias=False),
    )
    return {prefix + name: value for name, value in layers.state_dict().items()}


def test_moco_v3(tmp_path: Path) -> None:
    model, slow = peer(norm_layer=SIX), peer(reg_tokens=0, norm_layer=SIX, mlp_ratio=2)
    state = prefixed(model, "module.base_encoder.") | mlp_head("module.base_encoder.head.")
    state |= prefixed(slow, "module.momentum_encoder.") | mlp_head("module.momentum_encoder.head.")
    state |= mlp_head("module.predictor.")
    encoder, report = loaded(tmp_path, {"epoch": 300, "arch": "vit_base", "state_dict": state}, heads=4)
    same_states(encoder, model)
    assert (report.dialect, report.weights) == ("MoCo-v3", "state_dict.base_encoder")
    assert report.head is None
    assert report.left["the projection head"] == len(mlp_head(""))
    other, report = load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="module.momentum_encoder")
    same_states(other, slow)
    assert "running average" in report.weights


def test_the_small_moco_v3_has_twelve_heads(tmp_path: Path) -> None:
    """The pretrained file, and the file of its linear probing, which has no prefix."""
    model = peer(embed_dim=384, num_heads=12, depth=1, num_classes=7, norm_layer=SIX)
    tree = {"epoch": 9, "arch": "vit_small", "state_dict": prefixed(model, "module."), "best_acc1": torch.tensor(7.0)}
    same_states(loaded(tmp_path, tree)[0], model)
    state = prefixed(model, "module.base_encoder.") | mlp_head("module.predictor.")
    encoder, report = loaded(tmp_path, {"arch": "vit_small", "state_dict": state})
    assert report.sources["heads"] == "assumed: MoCo-v3's table of widths"
    same_states(encoder, model)


def test_the_small_moco_v3_is_known_by_its_positions_where_its_names_are_converted(tmp_path: Path) -> None:
    """The file of its conversion script for DeiT's code; with a learned table, or MAE's, the heads are six."""
    model = peer(embed_dim=384, num_heads=12, depth=1, norm_layer=SIX)
    rows = sincos_positions(384, 4, 4)
    table = torch.cat([rows[..., 192:], rows[..., :192]], -1)
    with torch.no_grad():
        model.pos_embed.copy_(table)
    encoder, report = loaded(tmp_path, {"model": model.state_dict()})
    same_states(encoder, model)
    assert (report.config.heads, report.sources["heads"]) == (
        12,
        "inferred from shapes: the order of its sines and cosines, MoCo-v3's",
    )
    for other in (rows, torch.randn(1, 17, 384)):
        assert loaded(tmp_path, {"model": model.state_dict() | {"pos_embed": other}})[1].config.heads == 6


def of_dinov2(table: Tensor, grid: int) -> Tensor:
    """Interpolation of facebookresearch/dinov2's interpolate_pos_encoding, with offset 0.1 and no antialiasing."""
    side = int(table[:, 1:].shape[1] ** 0.5)
    picture = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    longer = float(grid + 0.1) / side
    new = nn.functional.interpolate(picture, scale_factor=(longer, longer), mode="bicubic", antialias=False)
    assert new.shape[-2:] == (grid, grid)
    return torch.cat([table[:, :1], new.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], 1)


@pytest.mark.parametrize("grid", [2, 3, 7, 16])
def test_positions_of_dinov2_are_stretched_by_a_tenth_of_a_patch_more(grid: int, tmp_path: Path) -> None:
    state = of_facebook(peer(init_values=0.1, norm_layer=SIX))
    encoder, report = loaded(tmp_path, state, heads=4, image_size=4 * grid)
    torch.testing.assert_close(encoder.pos_embed.detach(), of_dinov2(state["pos_embed"], grid), rtol=0, atol=1e-6)
    plain = resize_position_embedding(state["pos_embed"], 1, grid, antialias=False)[0]
    assert (encoder.pos_embed - plain).abs().max() > 1e-3
    assert "to a side 0.1 of a patch longer" in report.notes[-1]


def test_dino(tmp_path: Path) -> None:
    teacher, student = peer(embed_dim=192, num_heads=3, norm_layer=SIX), peer()
    head = {"head.mlp.0.weight": torch.zeros(8, 192), "head.last_layer.weight_g": torch.ones(4, 1)}
    tree = {
        "teacher": prefixed(teacher, "backbone.") | head,
        "student": prefixed(student, "module.backbone.") | {f"module.{k}": v for k, v in head.items()},
        "dino_loss": {"center": torch.zeros(1, 4)},
        "epoch": 99,
        "args": argparse.Namespace(arch="vit_tiny"),
    }
    encoder, report = loaded(tmp_path, tree)
    same_states(encoder, teacher)
    assert (report.dialect, report.sources["heads"]) == ("DINO", "stated in the file: args.arch, vit_tiny")
    assert report.weights.startswith("teacher.backbone, a running average")
    assert report.left == {"the projection head": 2}
    same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="student")[0], student)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MSN", {}),
        ("I-JEPA", {"class_token": False, "global_pool": "avg", "fc_norm": False}),
    ],
)
def test_msn_and_ijepa(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    target, trained = peer(norm_layer=SIX, **options), peer(norm_layer=SIX, mlp_ratio=2, **options)
    head = mlp_head("module.fc.") if name == "MSN" else {}
    tree = {
        "encoder": prefixed(trained, "module.") | head,
        "target_encoder": prefixed(target, "module.") | head,
        "opt": {},
        "epoch": 9,
        "prototypes": torch.zeros(4, 4),
    }
    if name == "I-JEPA":
        tree |= {"predictor": {"module.predictor_embed.weight": torch.zeros(8, 48)}}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, target)
    assert report.dialect == name
    assert report.weights == "target_encoder, a running average of the trained weights"
    same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="encoder")[0], trained)


def test_ibot_backbone(tmp_path: Path) -> None:
    model = peer(norm_layer=SIX)
    tree = {"state_dict": {**model.state_dict(), "masked_embed": torch.zeros(1, 48)}}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, model)
    assert (report.dialect, report.left) == ("iBOT", {"the mask token": 1})
