"""MONAI's Vision Transformers of two dimensions are loaded as MONAI computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from parity import FIVE, IMAGES, loaded, peer, same_states

NAMES = {
    "pos_embed": "patch_embedding.position_embeddings",
    "patch_embed.proj": "patch_embedding.patch_embeddings",
    "attn.proj": "attn.out_proj",
    "mlp.fc": "mlp.linear",
}


def of_monai(model: Any) -> dict[str, Tensor]:
    """Return a timm model's weights under MONAI's names."""
    state = {}
    for name, value in model.state_dict().items():
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        state[name] = value
    return state


def perceptron(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with the linear map of patches (h w) (p1 p2 c) instead of the convolution."""
    conv = state.pop("patch_embedding.patch_embeddings.weight")
    bias = state.pop("patch_embedding.patch_embeddings.bias")
    weight = conv.permute(0, 2, 3, 1).flatten(1)
    rows = IMAGES.reshape(3, 3, 4, 4, 4, 4).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # (n, h w, p1 p2 c)
    expected = F.conv2d(IMAGES, conv, bias, stride=4).flatten(2).transpose(1, 2)
    torch.testing.assert_close(F.linear(rows, weight, bias), expected, rtol=0, atol=1e-5)
    return {
        **state,
        "patch_embedding.patch_embeddings.1.weight": weight,
        "patch_embedding.patch_embeddings.1.bias": bias,
    }


@pytest.mark.parametrize("projection", [dict, perceptron])
@pytest.mark.parametrize("around", ["classifier", "encoder", "UNETR"])
def test_monai(around: str, projection: Any, tmp_path: Path) -> None:
    tokens = {} if around == "classifier" else {"class_token": False, "global_pool": "avg", "fc_norm": False}
    model = peer(norm_layer=FIVE, qkv_bias=False, no_embed_class=True, **tokens)
    state = projection(of_monai(model))
    tree: dict[str, Any] = {"state_dict": state, "epoch": 3}
    if around == "classifier":
        state |= {"classification_head.0.weight": torch.zeros(2, 48), "classification_head.0.bias": torch.zeros(2)}
    if around == "UNETR":
        tree = {f"vit.{name}": value for name, value in state.items()}
        tree |= {"encoder1.layer.conv1.conv.weight": torch.zeros(8, 3, 3, 3), "out.conv.conv.bias": torch.zeros(2)}
    if around == "encoder":  # releases since 1.4 have the parameters of an attention that they do not use
        state |= {f"blocks.{i}.norm_cross_attn.weight": torch.ones(48) for i in range(3)}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, model)
    assert report.dialect == "MONAI"
    assert report.config.eps == 1e-5
    assert (
        report.left if around != "encoder" else report.left == {"attention to another input, which is not computed": 3}
    )


def test_patches_that_are_no_square_are_refused(tmp_path: Path) -> None:
    state = perceptron(of_monai(peer(norm_layer=FIVE, qkv_bias=False, no_embed_class=True)))
    state["patch_embedding.patch_embeddings.1.weight"] = torch.zeros(48, 51)
    with pytest.raises(InputError, match="patches of 51 values"):
        loaded(tmp_path, state, heads=4)


@pytest.mark.parametrize(("values", "noted"), [(64, True), (49, False), (48, False)])
def test_one_channel_or_four_is_noted(values: int, noted: bool, tmp_path: Path) -> None:
    state = perceptron(of_monai(peer(norm_layer=FIVE, qkv_bias=False, no_embed_class=True)))
    state["patch_embedding.patch_embeddings.1.weight"] = torch.zeros(48, values)
    notes = loaded(tmp_path, state, heads=4)[1].notes
    assert any("four of 4 x 4 have as many values" in note for note in notes) == noted
