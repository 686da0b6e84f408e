"""Files of torchvision and of torch.nn.TransformerEncoder are loaded as the encoders that torch runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from framework_parity import IMAGES, LIGHTNING, loaded, same, standardized, states, torchvision
from framework_peers import TorchEncoderViT, renamed
from mae_peers import randomized


@pytest.mark.parametrize("names", ["of today", "before 0.13"])
def test_torchvision(names: str, tmp_path: Path) -> None:
    peer = torchvision()
    old = ((r"\.mlp\.0\.", ".mlp.linear_1."), (r"\.mlp\.3\.", ".mlp.linear_2."))
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *(old if names != "of today" else ())), heads=4)
    same(encoder, peer)
    assert (report.dialect, report.config.eps, report.config.mean) == ("torchvision", 1e-6, IMAGENET_MEAN_STD[0])
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), peer(standardized()), rtol=0, atol=1e-4)


def test_torchvision_with_a_hidden_layer_in_its_head(tmp_path: Path) -> None:
    peer = torchvision(representation_size=48)
    encoder, report = loaded(tmp_path, peer.state_dict(), heads=4)
    same(encoder, peer)
    assert report.head is None
    assert report.left == {"a head that reads no single token of the encoder": 4}


def test_pickled_torchvision_states_its_heads(tmp_path: Path) -> None:
    peer = torchvision(norm_layer=lambda width: nn.LayerNorm(width, eps=1e-3))
    peer.norm_layer = None  # a lambda is not pickled
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert (report.config.heads, report.config.eps, report.config.final_eps) == (4, 1e-3, 1e-3)
    assert report.sources["heads"] == report.sources["eps"] == "stated in the file: the pickled module"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ((r"^encoder\.", "transformer."), (r"^pos_embed", "pos_embedding")),
        ((r"^encoder\.layers", "blocks"), (r"^patch_embed", "patch_embed.proj")),
    ],
)
def test_transformer_encoder_of_torch(names: Any, tmp_path: Path) -> None:
    peer = randomized(TorchEncoderViT())
    peer.norm.eps = 1e-5
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *names), heads=4)
    same(encoder, peer)
    assert report.dialect == "torch.nn.TransformerEncoder"
    unsaid = "with norm_first=True: a state dict of torch.nn.TransformerEncoder says neither"
    assert any("the activation: 1e-05 and gelu assumed" in note and unsaid in note for note in report.notes)
    with torch.no_grad():
        expected = peer.head(states(peer)[1][:, 0])
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-4)


def test_pickled_transformer_encoder_states_its_configuration(tmp_path: Path) -> None:
    peer = randomized(TorchEncoderViT(heads=3, layer_norm_eps=1e-4))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    config = report.config
    assert (config.heads, config.eps, config.final_eps, config.activation) == (3, 1e-4, 1e-3, "gelu")
    assert not any(word in note for note in report.notes for word in ("heads", "eps", "activation"))
    peer = randomized(TorchEncoderViT(heads=3, activation=nn.GELU(approximate="tanh")))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert report.config.activation == "gelu-tanh"


def test_a_transformer_encoder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="normalises after each sum"):
        loaded(tmp_path, TorchEncoderViT(norm_first=False))
    with pytest.raises(InputError, match=r"activation must be one of .*, but the pickled module says 'relu'"):
        loaded(tmp_path, TorchEncoderViT(activation="relu"))
    state = {name: value for name, value in TorchEncoderViT().state_dict().items() if not name.startswith("norm.")}
    with pytest.raises(InputError, match="no Vision Transformer of a known dialect"):
        loaded(tmp_path, state, heads=4)  # without a last norm it most likely normalises after


def test_other_networks_are_refused_for_what_they_are(tmp_path: Path) -> None:
    resnet = {f"backbone.layer{i}.0.conv1.weight": torch.zeros(4, 4, 3, 3) for i in range(4)}
    resnet |= {"classifier.weight": torch.zeros(7, 4)}
    with pytest.raises(InputError, match="a convolutional network"):
        loaded(tmp_path, {"state_dict": resnet, **LIGHTNING})
    text = {"encoder.layers.0.self_attn.in_proj_weight": torch.zeros(9, 3), "token_embedding.weight": torch.zeros(9, 3)}
    with pytest.raises(InputError, match="a text model"):
        loaded(tmp_path, text)
