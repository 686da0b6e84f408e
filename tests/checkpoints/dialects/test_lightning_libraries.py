"""Files of lightly, solo-learn and stable-pretraining are loaded as the encoders that these libraries run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from framework_parity import IMAGES, LIGHTNING, decoder, loaded, same, states, torchvision
from framework_peers import renamed
from mae_peers import facebook, randomized

CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def test_lightly_on_timm(tmp_path: Path) -> None:
    peer = facebook(classes=5)
    state = renamed(peer.state_dict(), prefix="backbone.vit.") | decoder()
    state |= {"backbone.mask_token": torch.zeros(1, 1, 48), "criterion.center": torch.zeros(3)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder, report.head) == ("lightly", "backbone.vit.", "whole", None)
    assert report.left == {
        "the mask token": 1,
        "the decoder": len(decoder()),
        "outside backbone.vit: criterion": 1,
        "a classifier that lightly does not train": 2,
    }


@pytest.mark.parametrize("prefix", ["backbone.", "backbone.vit."])
def test_lightly_on_torchvision(prefix: str, tmp_path: Path) -> None:
    peer = torchvision()
    more = {
        "mask_token": torch.zeros(1, 1, 24),
        "decoder.decoder_embed.weight": torch.zeros(24, 48),
        "decoder.layers.encoder_layer_0.ln_1.weight": torch.ones(24),
        "decoder.prediction_head.weight": torch.zeros(48, 24),
    }
    tree = {"state_dict": renamed(peer.state_dict(), prefix=prefix) | more, **LIGHTNING}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder) == ("lightly", prefix, "whole")
    assert report.head is None


ARGS: list[tuple[Any, int]] = [
    (None, 12),
    ({"method": "mae", "backbone": {"name": "vit_tiny", "kwargs": {}}, "data": {"dataset": "cifar10"}}, 12),
    ({"method": "mae", "encoder": "vit_tiny", "dataset": "cifar10"}, 12),
    ({"method": "mocov3", "backbone": "vit_tiny"}, 12),
    ({"method": "byol", "backbone": {"name": "vit_tiny"}}, 3),
    ({"pretrain_method": "mae", "method": None}, 12),
]


@pytest.mark.parametrize(("args", "heads"), ARGS)
@pytest.mark.parametrize("prefix", ["backbone.", "encoder."])
def test_solo_learn_counts_heads_by_method(prefix: str, args: Any, heads: int, tmp_path: Path) -> None:
    peer = facebook(width=192, heads=heads)
    head = {"classifier.weight": torch.randn(7, 192), "classifier.bias": torch.randn(7)}
    state = renamed(peer.state_dict(), prefix=prefix) | head | (decoder() if args is None else {})
    if args is not None:
        (tmp_path / "args.json").write_text(json.dumps(args))
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING})
    images = CIFAR10 if args is not None and "cifar10" in str(args) else IMAGENET_MEAN_STD
    same(encoder, peer, images)
    assert (report.dialect, report.config.heads) == ("solo-learn", heads)
    assert report.sources["heads"].startswith("stated in the file: " + ("its decoder" if args is None else "args.json"))
    assert report.head is not None
    with torch.no_grad():
        expected = states(peer, images)[1][:, 0] @ head["classifier.weight"].T + head["classifier.bias"]
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-3)


def test_solo_learn_with_other_parts(tmp_path: Path) -> None:
    peer, momentum = facebook(), randomized(facebook(), 1)
    state = renamed(peer.state_dict(), prefix="backbone.") | renamed(momentum.state_dict(), prefix="momentum_backbone.")
    state |= {"classifier.weight": torch.zeros(7, 48), "projector.0.weight": torch.zeros(2, 2)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert report.left == {"the momentum encoder": len(momentum.state_dict()), "heads of pretraining": 1}
    encoder, report = loaded(tmp_path, {"state_dict": state | {"own.weight": torch.zeros(2)}, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.prefix, report.left["outside backbone: own"]) == ("backbone.", 1)
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4, weights="momentum_backbone")
    same(encoder, momentum)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_stable_pretraining(prefix: str, tmp_path: Path) -> None:
    peer = facebook()
    twice = {f"encoder.{name}": value for name, value in peer.state_dict().items() if name.startswith("patch_embed.")}
    state = renamed(renamed(peer.state_dict(), prefix="encoder.vit.") | twice | decoder(), prefix=prefix)
    state |= {"callbacks_modules.probe.weight": torch.zeros(3, 48), "callbacks_metrics.knn.queue": torch.zeros(9, 48)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder) == ("stable-pretraining", prefix + "encoder.vit.", "whole")
    assert report.left == {"the patch map once more": 2, "the decoder": len(decoder()), "callbacks": 2}
