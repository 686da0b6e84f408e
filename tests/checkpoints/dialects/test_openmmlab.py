"""Files of mmpretrain are loaded as the encoders that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maetheory.checkpoints import load_contents
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD
from maetheory.checkpoints.reading.contents import CheckpointContents

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from framework_parity import IMAGES, loaded, same, standardized, states
from framework_peers import OPENMMLAB, renamed
from mae_peers import facebook, facebook_decoder, randomized
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer


def openmmlab(peer: Any, **more: Tensor) -> dict[str, Tensor]:
    body = {name: value for name, value in peer.state_dict().items() if not name.startswith("head.")}
    return renamed(body, *OPENMMLAB, prefix="backbone.") | more


CONFIG = "model = dict(backbone=dict(arch=dict(num_layers=3, num_heads=4)), neck=dict(decoder_num_heads=16))"
CONFIG += "\ndata_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], fill_std=[1, 2, 3])"


def test_mmpretrain_mae(tmp_path: Path) -> None:
    peer = facebook()
    neck = renamed(facebook_decoder(), (r"^decoder_norm", "ln1"), prefix="neck.")
    tree = {"meta": {"cfg": CONFIG, "epoch": 300}, "state_dict": openmmlab(peer) | neck, "message_hub": {}}
    encoder, report = loaded(tmp_path, tree)
    same(encoder, peer)
    assert (report.dialect, report.config.heads, report.decoder) == ("mmpretrain", 4, "whole")
    assert report.sources["heads"] == report.sources["mean"] == report.sources["std"] == "stated in the file: meta.cfg"
    assert report.config.mean == pytest.approx(IMAGENET_MEAN_STD[0])
    assert report.config.std == pytest.approx(IMAGENET_MEAN_STD[1])
    assert report.left == {"the decoder": len(neck)}


@pytest.mark.parametrize("final_norm", [True, False])
def test_mmsegmentation(final_norm: bool, tmp_path: Path) -> None:
    peer = facebook()
    attention = ((r"attn\.qkv\.", "attn.attn.in_proj_"), (r"attn\.proj\.", "attn.attn.out_proj."))
    state = renamed(openmmlab(peer), *attention)
    if not final_norm:
        state = {name: value for name, value in state.items() if not name.startswith("backbone.ln1.")}
        peer.norm = nn.Identity()
    state |= {"decode_head.conv_seg.weight": torch.zeros(2, 8, 1, 1), "auxiliary_head.0.convs.0.bn.bias": torch.ones(8)}
    encoder, report = loaded(tmp_path, {"meta": {"cfg": CONFIG}, "state_dict": state})
    same(encoder, peer)
    assert report.left == {"the heads of a segmentation": 2}
    assert report.config.norm == ("final" if final_norm else "none")


@pytest.mark.parametrize(
    ("pool", "head"), [("token", "head.layers.head."), ("token", "head.head."), ("avg", "head.fc.")]
)
def test_mmpretrain_fine_tuned(pool: str, head: str, tmp_path: Path) -> None:
    peer = facebook(classes=7, pool=pool)
    named = {f"{head}weight": peer.head.weight.detach(), f"{head}bias": peer.head.bias.detach()}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": openmmlab(peer, **named)}, heads=4)
    same(encoder, peer)
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, "mean" if pool == "avg" else "cls")
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), peer(standardized()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", ["neck.bn.", "head.bn."])
def test_mmpretrain_probed(norm: str, tmp_path: Path) -> None:
    peer = facebook()
    bn = nn.BatchNorm1d(48, affine=False, eps=1e-6)
    bn.running_mean, bn.running_var = torch.randn(48), torch.rand(48) + 0.5
    head = nn.Sequential(bn, nn.Linear(48, 7)).eval()
    named = {f"head.layers.head.{kind}": getattr(head[1], kind).detach() for kind in ("weight", "bias")}
    state = openmmlab(peer, **named) | renamed(bn.state_dict(), prefix=norm)
    encoder, _ = loaded(tmp_path, {"meta": {}, "state_dict": state}, heads=4)
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), head(states(peer)[1][:, 0]), rtol=0, atol=1e-4)


def test_mmpretrain_scales_gates_and_unknown_heads(tmp_path: Path) -> None:
    peer = randomized(
        VisionTransformer(
            16,
            4,
            embed_dim=48,
            depth=3,
            num_heads=4,
            num_classes=0,
            init_values=0.5,
            pre_norm=True,
            mlp_layer=SwiGLUPacked,
            act_layer=nn.SiLU,
        )
    )
    pairs = ((r"^norm_pre\.", "pre_norm."), (r"\.mlp\.fc1\.", ".ffn.w12."), (r"\.mlp\.fc2\.", ".ffn.w3."))
    state = renamed(renamed(peer.state_dict(), *pairs), *OPENMMLAB, prefix="backbone.")
    state |= {"head.predictor.fc0.weight": torch.zeros(3, 48)}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": state}, heads=4)
    same(encoder, peer)
    assert (report.config.activation, report.config.layer_scale, report.config.norm_pre) == ("swiglu", True, True)
    assert report.left == {"a head that reads no single token of the encoder": 1}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": state | {"own.weight": torch.zeros(2)}}, heads=4)
    same(encoder, peer)
    assert report.left == {"outside backbone: head": 1, "outside backbone: own": 1}


def test_mmpretrain_small_has_eight_heads() -> None:
    """Other code has 12 heads at width 768."""
    peer = VisionTransformer(16, 4, embed_dim=768, depth=1, num_heads=8, mlp_ratio=3, num_classes=0)
    one = renamed(peer.state_dict(), *OPENMMLAB, prefix="backbone.")
    for depth, heads, source in (
        (8, 8, "stated in the file: mmpretrain's arch small"),
        (7, 12, "assumed: the table of widths"),
    ):
        state = one | {name.replace("s.0.", f"s.{i}.", 1): value for i in range(depth) for name, value in one.items()}
        contents = CheckpointContents(Path("file.pth"), "torch zip", "0" * 64, (), {"meta": {}, "state_dict": state})
        report = load_contents(contents)[1]
        assert (report.config.depth, report.config.heads, report.sources["heads"]) == (depth, heads, source)
