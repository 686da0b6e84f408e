"""Hugging Face has named one Vision Transformer in three ways, and a folder of it says itself what no shape tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.dialect import HALVES, IMAGENET, Dialect, Fact, Tensors, fused_qkv
from maetheory.checkpoints.read import Contents

MODEL = r"(?:(?:vit|deit|dinov2|dinov2_with_registers|ijepa)\.)?"
LAYER = MODEL + r"(?:encoder\.)?layers?\.(\d+)\."
KIND = r"(weight|bias)"
ACTIVATIONS = {"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu-tanh", "gelu_fast": "gelu-tanh",
               "gelu_pytorch_tanh": "gelu-tanh", "quick_gelu": "quick-gelu"}  # fmt: skip
IMAGES = {"vit": HALVES, "deit": HALVES, "vit_mae": IMAGENET, "vit_msn": HALVES, "ijepa": HALVES, "dinov2": IMAGENET,
          "dinov2_with_registers": IMAGENET}  # fmt: skip

EMBEDDINGS = (
    (MODEL + r"embeddings\.patch_embeddings\.projection\." + KIND, r"patch_embed.proj.\1"),
    (MODEL + r"embeddings\.(cls_token|mask_token)", r"\1"),
    (MODEL + r"embeddings\.position_embeddings", "pos_embed"),
    (MODEL + r"embeddings\.(?:register_tokens|distillation_token)", "reg_token"),
)
ATTENTION = tuple(
    (LAYER + rf"attention\.(?:attention\.{long}|{letter}_proj)\." + KIND, rf"blocks.\1.attn.{letter}.\2")
    for long, letter in (("query", "q"), ("key", "k"), ("value", "v"))
)
BLOCKS = (
    (LAYER + r"attention\.(?:output\.dense|o_proj)\." + KIND, r"blocks.\1.attn.proj.\2"),
    (LAYER + r"(?:layernorm_before|norm1)\." + KIND, r"blocks.\1.norm1.\2"),
    (LAYER + r"(?:layernorm_after|norm2)\." + KIND, r"blocks.\1.norm2.\2"),
    (LAYER + r"(?:intermediate\.dense|mlp\.fc1|mlp\.weights_in)\." + KIND, r"blocks.\1.mlp.fc1.\2"),
    (LAYER + r"(?:output\.dense|mlp\.fc2|mlp\.weights_out|mlp\.down_proj)\." + KIND, r"blocks.\1.mlp.fc2.\2"),
    (LAYER + r"mlp\.(gate|up)_proj\." + KIND, r"blocks.\1.mlp.\2.\3"),
    (LAYER + r"layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
)
REST = ((MODEL + r"layernorm\." + KIND, r"norm.\1"), (r"classifier\." + KIND, r"head.\1"))
LEFT = ((MODEL + r"pooler\..*", "the pooler"), (r"(?:cls|distillation)_classifier\..*", "classifiers of two tokens"),
        (r"(?:.*\.)?decoder\..*", "the decoder"))  # fmt: skip
TABLE = (MODEL + r"embeddings\.patch_embeddings\.projection\.weight", MODEL + r"embeddings\.position_embeddings")
CLS = (MODEL + r"embeddings\.cls_token",)
SCALES = LAYER + r"layer_scale1\.lambda1"
REGISTERS = MODEL + r"embeddings\.register_tokens"


def _facts(contents: Contents, tensors: Tensors) -> dict[str, Fact]:
    config, images = (_record(contents, f"{name}config.json") for name in ("", "preprocessor_"))
    return _of_model(config) | _of_images(images)


def _record(contents: Contents, name: str) -> Mapping[str, Any]:
    record = contents.sidecars.get(name)
    return record if isinstance(record, Mapping) else {}


def _of_model(config: Mapping[str, Any]) -> dict[str, Fact]:
    """Return what config.json says of the architecture, and how its model's images are standardised unless told."""
    found = {"heads": config.get("num_attention_heads"), "eps": config.get("layer_norm_eps"),
             "image_size": _side(config.get("image_size"))}  # fmt: skip
    if "hidden_act" in config and not config.get("use_swiglu_ffn"):
        found["activation"] = ACTIVATIONS.get(str(config["hidden_act"]), config["hidden_act"])
    facts = {name: Fact(value, "config.json") for name, value in found.items() if value is not None}
    kind = config.get("model_type")
    if isinstance(kind, str) and kind in IMAGES:
        for name, value in zip(("mean", "std"), IMAGES[kind]):
            facts[name] = Fact(value, f"config.json, model_type {kind}")
    return facts


def _side(size: Any) -> Any:
    """Return the side of square images, None of others: their positions say so better."""
    if isinstance(size, list | tuple):
        return size[0] if len(set(map(str, size))) == 1 else None
    return size


def _of_images(images: Mapping[str, Any]) -> dict[str, Fact]:
    """Return mean and std of images in [0, 1]; theirs are multiplied by rescale_factor from 0..255."""
    source = "preprocessor_config.json"
    if images.get("do_normalize") is False:
        return {"mean": Fact((0.0,), source), "std": Fact((1.0,), source)}
    factor = images.get("rescale_factor", 1 / 255)
    scale = 255 * factor if isinstance(factor, int | float) and factor > 0 else 1.0
    facts = {}
    for name in ("mean", "std"):
        value = images.get(f"image_{name}")
        if isinstance(value, list) and all(isinstance(one, int | float) for one in value):
            exact = abs(scale - 1) < 1e-6  # 1/255 as a decimal fraction
            facts[name] = Fact(tuple(value) if exact else tuple(one / scale for one in value), source)
    return facts


def _fused(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fuse queries, keys and values, and the two halves of a SwiGLU, the gate first."""
    fused = fused_qkv(tensors)
    for name in [name for name in fused if ".mlp.gate." in name]:
        halves = [fused.pop(name), fused.pop(name.replace(".mlp.gate.", ".mlp.up."))]
        fused[name.replace(".mlp.gate.", ".mlp.fc1.")] = torch.cat(halves)
    return fused


PLAIN = Dialect(
    "Hugging Face ViT",
    "transformers, a ViT or a ViTMAE without head and decoder",
    required=(*TABLE, *CLS),
    forbidden=(SCALES, r"classifier\..*|decoder\..*|" + MODEL + r"pooler\..*"),
    weights=("", "state_dict", "model", "model_state_dict"),
    prefixes=("", "model.", "backbone.", "net."),
    rename=(*EMBEDDINGS, *ATTENTION, *BLOCKS, *REST),
    left=LEFT,
    convert=_fused,
    facts=_facts,
    defaults={"eps": 1e-12, "activation": "gelu"},
)

HUGGING_FACE_DIALECTS: tuple[Dialect, ...] = (
    replace(
        PLAIN,
        name="Hugging Face ViTMAE",
        about="transformers, a ViTMAE with its decoder",
        required=(*TABLE, *CLS, r"decoder\.decoder_embed\.weight"),
        forbidden=(SCALES,),
        defaults={**PLAIN.defaults, "mean": IMAGENET[0], "std": IMAGENET[1]},
    ),
    replace(
        PLAIN,
        about="transformers, a ViT or DeiT with a classifier, a pooler or a decoder of one linear map",
        required=(*TABLE, *CLS, r".*classifier\.weight|decoder\.0\.weight|" + MODEL + r"pooler\.dense\.weight"),
        forbidden=(SCALES,),
        defaults={**PLAIN.defaults, "mean": HALVES[0], "std": HALVES[1]},
    ),
    PLAIN,
    replace(
        PLAIN,
        name="Hugging Face I-JEPA",
        about="transformers, an I-JEPA: no cls token",
        required=TABLE,
        forbidden=(SCALES, *CLS),
        defaults={**PLAIN.defaults, "mean": HALVES[0], "std": HALVES[1]},
        head_readout="mean",
    ),
    replace(
        PLAIN,
        name="Hugging Face DINOv2",
        about="transformers, a DINOv2 without registers",
        required=(*TABLE, *CLS, SCALES),
        forbidden=(REGISTERS,),
        defaults={"eps": 1e-6, "activation": "gelu", "mean": IMAGENET[0], "std": IMAGENET[1], "position_prefix": 1},
    ),
    replace(
        PLAIN,
        name="Hugging Face DINOv2",
        about="transformers, a DINOv2 with registers",
        required=(*TABLE, *CLS, SCALES, REGISTERS),
        forbidden=(),
        defaults={"eps": 1e-6, "activation": "gelu", "mean": IMAGENET[0], "std": IMAGENET[1], "position_prefix": 1},
        antialias=True,
    ),
)
