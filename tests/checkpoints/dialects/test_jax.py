"""Weights of Google's JAX code, and those of its PyTorch ports, are loaded as that code computes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from parity import IMAGES, SIX, close, loaded, peer, same_states, standardized

DEPTH, WIDTH = 3, 48
MIXER = (("kernel", (4, 4)), ("bias", 4))
JAX = "google-research/vision_transformer"
NORMS = (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2"))
TANH = {"act_layer": lambda: nn.GELU(approximate="tanh"), "norm_layer": SIX}


def kernel(weight: Tensor) -> np.ndarray:
    """Return a linear map as flax stores it, (inputs, outputs)."""
    return weight.detach().numpy().T.copy()


def jax_arrays(model: Any, heads: int) -> dict[str, np.ndarray]:
    """Return a timm model's weights under the names and in the layout of vision_transformer (JAX)."""
    e = WIDTH // heads
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    arrays = {
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "cls": state["cls_token"],
        "Transformer/posembed_input/pos_embedding": state["pos_embed"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
        "head/kernel": np.zeros((WIDTH, 10), np.float32),
        "head/bias": np.zeros(10, np.float32),
    }
    for i, block in enumerate(model.blocks):
        root = f"Transformer/encoderblock_{i}/"
        for ours, theirs in NORMS:
            norm = getattr(block, ours)
            arrays[f"{root}{theirs}/scale"] = norm.weight.detach().numpy()
            arrays[f"{root}{theirs}/bias"] = norm.bias.detach().numpy()
        attention = root + "MultiHeadDotProductAttention_1/"
        qkv = zip(block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3), strict=True)
        for name, (weight, bias) in zip(("query", "key", "value"), qkv, strict=True):
            arrays[f"{attention}{name}/kernel"] = kernel(weight).reshape(WIDTH, heads, e)
            arrays[f"{attention}{name}/bias"] = bias.detach().numpy().reshape(heads, e)
        arrays[f"{attention}out/kernel"] = kernel(block.attn.proj.weight).reshape(heads, e, WIDTH)
        arrays[f"{attention}out/bias"] = block.attn.proj.bias.detach().numpy()
        for j, linear in enumerate((block.mlp.fc1, block.mlp.fc2)):
            arrays[f"{root}MlpBlock_3/Dense_{j}/kernel"] = kernel(linear.weight)
            arrays[f"{root}MlpBlock_3/Dense_{j}/bias"] = linear.bias.detach().numpy()
    return arrays


def big_vision(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays under big_vision's names."""
    pairs = (
        ("LayerNorm_2", "LayerNorm_1"),
        ("MlpBlock_3", "MlpBlock_0"),
        ("Attention_1", "Attention_0"),
        ("Transformer/posembed_input/", ""),
    )
    renamed = {}
    for name, value in arrays.items():
        for old, new in pairs:
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


def scanned(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with each parameter of all blocks in one, as code that scans over blocks stores them."""
    stacked = {name: value for name, value in arrays.items() if "encoderblock_" not in name}
    for name in arrays:
        if "encoderblock_0/" in name:
            parts = [arrays[name.replace("block_0/", f"block_{i}/")] for i in range(DEPTH)]
            stacked[name.replace("block_0/", "block/")] = np.stack(parts)
    return stacked


@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize("prefix", ["", "opt/target/", "params/"])
def test_augreg(prefix: str, heads: int, tmp_path: Path) -> None:
    model = peer(num_heads=heads, **TANH)
    np.savez(tmp_path / "Ti_16.npz", **{prefix + name: value for name, value in jax_arrays(model, heads).items()})
    encoder, report = load_checkpoint(tmp_path / "Ti_16.npz")
    same_states(encoder, model, INCEPTION_MEAN_STD)
    assert (report.dialect, report.container, report.config.heads) == (JAX, "NumPy archive", heads)
    assert report.sources["heads"] == "inferred from shapes: an axis of the queries"
    assert report.sources["activation"].startswith("assumed")
    assert any("tanh form of GELU" in note for note in report.notes)
    assert report.head is not None
    assert "average" not in report.weights


@pytest.mark.parametrize("shape", [dict, scanned])
@pytest.mark.parametrize("number", [np.float32, "bfloat16"])
def test_big_vision_beside_a_text_tower(shape: Callable[[Any], Any], number: Any, tmp_path: Path) -> None:
    model = peer(num_heads=6, no_embed_class=True, **TANH)
    if number == "bfloat16":
        model.load_state_dict({name: value.bfloat16().float() for name, value in model.state_dict().items()})
    arrays = shape(big_vision(jax_arrays(model, 6)))
    arrays |= {"MAPHead_0/probe": np.zeros((1, 1, WIDTH), np.float32)}
    arrays = {f"params/img/{name}": value for name, value in arrays.items() if not name.startswith("head/")}
    text = {name.replace("/img/", "/txt/"): value for name, value in arrays.items() if "encoderblock" in name}
    for name in [name for name in text if name.endswith("query/kernel")]:  # the texts have half as many heads
        text[name] = text[name].reshape(*text[name].shape[:-2], 3, WIDTH // 3)
    arrays |= text
    if number == "bfloat16":
        halves = {name: torch.tensor(value).bfloat16().view(torch.int16).numpy() for name, value in arrays.items()}
        arrays = {name: value.view("V2") for name, value in halves.items()}
    arrays |= {"params/t": np.zeros(1, np.float32), "params/txt/Embed_0/embedding": np.zeros((9, WIDTH), np.float32)}
    np.savez_compressed(tmp_path / "siglip.npz", **arrays)
    encoder, report = load_checkpoint(tmp_path / "siglip.npz")
    same_states(encoder, model, INCEPTION_MEAN_STD)
    assert (report.weights, report.config.heads, report.config.position_prefix) == ("params.img", 6, 0)
    assert report.head is None
    assert report.left["a head that reads no single token of the encoder"] == 1


def test_a_head_behind_another_layer_is_not_read_as_a_classifier_of_cls(tmp_path: Path) -> None:
    arrays = jax_arrays(model := peer(**TANH), 4)
    arrays |= {"pre_logits/kernel": np.zeros((WIDTH, WIDTH), np.float32), "pre_logits/bias": np.zeros(WIDTH)}
    np.savez(tmp_path / "a.npz", **arrays)
    encoder, report = load_checkpoint(tmp_path / "a.npz")
    same_states(encoder, model, INCEPTION_MEAN_STD)
    assert report.head is None


@pytest.mark.parametrize("pool", ["of attention", "by the mean"])
def test_what_the_head_reads_where_there_is_no_cls_token(pool: str, tmp_path: Path) -> None:
    """A pool by attention is not computed here, so that its classifier is set aside; the mean of the patches is."""
    arrays = big_vision(jax_arrays(peer(num_heads=6, no_embed_class=True, **TANH), 6))
    del arrays["cls"]
    if pool == "of attention":
        arrays |= {"MAPHead_0/probe": np.zeros((1, 1, WIDTH), np.float32)}
    np.savez(tmp_path / "a.npz", **arrays)
    encoder, report = load_checkpoint(tmp_path / "a.npz")
    if pool == "of attention":
        assert report.head is None
        return
    assert encoder.head is not None
    assert encoder.head_readout == "mean"


def refused(path: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=words) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_such_encoder_is_refused(tmp_path: Path) -> None:
    arrays, path = jax_arrays(peer(**TANH), 4), tmp_path / "a.npz"
    refused(path, {**arrays, "conv_root/kernel": np.zeros((7, 7, 3, 8))}, "hybrid of JAX code, whose patches come from")
    refused(
        path, {**arrays, "embedding/kernel": np.zeros((48, WIDTH), np.float32)}, "must be a convolution .s, s, C, D"
    )
    refused(path, {**arrays, "embedding.kernel": np.zeros(3)}, "two names of this .npz file become one")
    refused(path, {**arrays, "head/bias": np.array([{}], dtype=object)}, "no whole .npz file .* Python objects")
    refused(path, {**arrays, "head/bias": np.zeros(3, complex)}, "head/bias.npy holds complex128, which is not read")
    mixing = "token_mixing/Dense_0"
    mixer = {f"MixerBlock_{i}/{mixing}/{name}": np.zeros(shape) for i in range(12) for name, shape in MIXER}
    refused(path, mixer, "no Vision Transformer of a known dialect")
    refused(path, {"cls": np.zeros(3)}, "NumPy arrays that are not the weights of a network")
    np.savez_compressed(path, **{**arrays, "head/bias": np.zeros(1 << 25, np.int8)})
    with pytest.raises(InputError, match=r"more than the .* bytes that its size allows"):
        load_checkpoint(path)


def test_a_state_dict_in_an_archive_of_arrays(tmp_path: Path) -> None:
    model = peer(norm_layer=SIX)
    arrays = {name: value.detach().numpy().astype(">f4") for name, value in model.state_dict().items()}
    np.savez(tmp_path / "weights.npz", **arrays, version=np.array("1.0"))
    encoder, report = load_checkpoint(tmp_path / "weights.npz", heads=4)
    same_states(encoder, model)
    assert report.dialect == "timm"


@pytest.mark.parametrize(("patch", "channels"), [(4, 3), (4, 1), (2, 3)])
def test_channels_last_of_mlx_are_turned(patch: int, channels: int, tmp_path: Path) -> None:
    model = peer(norm_layer=SIX, patch_size=patch, in_chans=channels)
    weight = model.patch_embed.proj.weight.detach()
    tree = {**model.state_dict(), "patch_embed.proj.weight": weight.permute(0, 2, 3, 1).contiguous()}
    encoder, report = loaded(tmp_path, tree, heads=4, mean=0.5, std=0.5)
    images = IMAGES[:, :channels]
    with torch.no_grad():
        close(encoder(images), model.forward_features(2 * images - 1))
    assert (report.config.image_size, report.config.channels) == (16, channels)
    assert any("read with channels last, as MLX stores it" in note for note in report.notes)
    plain = loaded(tmp_path, model.state_dict(), heads=4)[1]
    assert not any("channels last" in note for note in plain.notes)


SPLIT = r"attn\.qkv\."
JEONSWORLD = (
    (r"^patch_embed\.proj", "transformer.embeddings.patch_embeddings"),
    (r"^cls_token", "transformer.embeddings.cls_token"),
    (r"^pos_embed", "transformer.embeddings.position_embeddings"),
    (r"^blocks\.", "transformer.encoder.layer."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".ffn_norm."),
    (r"\.mlp\.", ".ffn."),
    (r"attn\.proj\.", "attn.out."),
    (r"^norm\.", "transformer.encoder.encoder_norm."),
    (r"attn\.q\.", "attn.query."),
    (r"attn\.k\.", "attn.key."),
    (r"attn\.v\.", "attn.value."),
)
LUKEMELAS = (
    (r"^patch_embed\.proj", "patch_embedding"),
    (r"^cls_token", "class_token"),
    (r"^pos_embed", "positional_embedding.pos_embedding"),
    (r"^blocks\.", "transformer.blocks."),
    (r"\.mlp\.", ".pwff."),
    (r"\.attn\.proj\.", ".proj."),
    (r"attn\.([qkv])\.", r"attn.proj_\1."),
    (r"^head\.", "fc."),
)


def with_split_qkv(model: Any) -> dict[str, Tensor]:
    state = {}
    for name, value in model.state_dict().items():
        parts = zip("qkv", value.chunk(3), strict=True) if re.search(SPLIT, name) else [("qkv", value)]
        state |= {name.replace(".qkv.", f".{letter}."): part for letter, part in parts}
    return state


@pytest.mark.parametrize(
    ("name", "pairs"), [("jeonsworld/ViT-pytorch", JEONSWORLD), ("PyTorch-Pretrained-ViT", LUKEMELAS)]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_ports_to_pytorch(name: str, pairs: Any, wrapped: bool, tmp_path: Path) -> None:
    model = peer(num_classes=7, norm_layer=SIX)
    state = {}
    for key, value in with_split_qkv(model).items():
        for old, new in pairs:
            key = re.sub(old, new, key)
        state[f"module.{key}" if wrapped else key] = value
    encoder, report = loaded(tmp_path, {"model": state} if wrapped else state, heads=4)
    same_states(encoder, model, INCEPTION_MEAN_STD)
    assert report.dialect == name
    assert report.head is not None
    with torch.no_grad():
        close(encoder.logits(IMAGES), model(standardized(IMAGES, INCEPTION_MEAN_STD)))
