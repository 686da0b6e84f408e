"""Dialects of Hugging Face transformers, with the values of config.json and preprocessor_config.json.

Versions of transformers have used three sets of names for the same Vision Transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.dialect import (
    COMMON_DEFAULTS,
    IMAGENET_MEAN_STD,
    INCEPTION_MEAN_STD,
    WEIGHT_OR_BIAS,
    ConfigValue,
    Dialect,
    Tensors,
    fuse_qkv,
)
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.checkpoints.dialects.rotary import DINOV3
from maetheory.checkpoints.dialects.stated_values import stated_image_size
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError, printable

PARTS_OF_CONFIG = ("vision_config", "image_config", "backbone_config", "encoder", "vision_encoder", "image_encoder")
MODEL = r"(?:(?:vit|deit|dinov2|dinov2_with_registers|dinov3_vit|ijepa)\.)?"
LAYER = MODEL + r"(?:(?:encoder|model)\.)?layers?\.(\d+)\."
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_fast": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "quick_gelu": "quick-gelu",
    "silu": "swiglu",
}
MEAN_STD_BY_MODEL_TYPE = {
    "vit": INCEPTION_MEAN_STD,
    "deit": INCEPTION_MEAN_STD,
    "vit_mae": IMAGENET_MEAN_STD,
    "vit_msn": IMAGENET_MEAN_STD,
    "ijepa": INCEPTION_MEAN_STD,
    "dinov2": IMAGENET_MEAN_STD,
    "dinov2_with_registers": IMAGENET_MEAN_STD,
    "dinov3_vit": IMAGENET_MEAN_STD,
    "beit": INCEPTION_MEAN_STD,
    "data2vec-vision": INCEPTION_MEAN_STD,
    "clip_vision_model": CLIP_MEAN_STD,
    "siglip_vision_model": INCEPTION_MEAN_STD,
    "blip_vision_model": CLIP_MEAN_STD,
    "blip_2_vision_model": CLIP_MEAN_STD,
    "owlvit_vision_model": CLIP_MEAN_STD,
    "owlv2_vision_model": CLIP_MEAN_STD,
    "chinese_clip_vision_model": CLIP_MEAN_STD,
    "altclip_vision_model": CLIP_MEAN_STD,
}

EMBEDDINGS = (
    (MODEL + r"embeddings\.patch_embeddings\.(?:projection\.)?" + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (MODEL + r"embeddings\.(cls_token|mask_token)", r"\1"),
    (MODEL + r"embeddings\.position_embeddings", "pos_embed"),
    (MODEL + r"embeddings\.(?:register_tokens|distillation_token)", "reg_token"),
)
ATTENTION = tuple(
    (LAYER + rf"attention\.(?:attention\.{long}|{letter}_proj)\." + WEIGHT_OR_BIAS, rf"blocks.\1.attn.{letter}.\2")
    for long, letter in (("query", "q"), ("key", "k"), ("value", "v"))
)
BLOCKS = (
    (LAYER + r"attention\.(?:output\.dense|o_proj)\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (LAYER + r"(?:layernorm_before|norm1)\." + WEIGHT_OR_BIAS, r"blocks.\1.norm1.\2"),
    (LAYER + r"(?:layernorm_after|norm2)\." + WEIGHT_OR_BIAS, r"blocks.\1.norm2.\2"),
    (LAYER + r"(?:intermediate\.dense|mlp\.fc1|mlp\.weights_in)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (LAYER + r"(?:output\.dense|mlp\.fc2|mlp\.weights_out|mlp\.down_proj)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (LAYER + r"mlp\.(gate|up)_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.\2.\3"),
    (LAYER + r"layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
)
OTHER_RENAMES = (
    (MODEL + r"(?:layernorm|norm)\." + WEIGHT_OR_BIAS, r"norm.\1"),
    (r"classifier\." + WEIGHT_OR_BIAS, r"head.\1"),
)
UNUSED = (
    (MODEL + r"pooler\..*", "the pooler"),
    (r"(?:cls|distillation)_classifier\..*", "classifiers of two tokens"),
    (r"(?:.*\.)?decoder\..*", "the decoder"),
)
POSITION_TABLE_KEYS = (
    MODEL + r"embeddings\.patch_embeddings\.projection\.weight",
    MODEL + r"embeddings\.position_embeddings",
)
CLS = (MODEL + r"embeddings\.cls_token",)
LAYER_SCALE_KEY = LAYER + r"layer_scale1\.lambda1"
REGISTERS = MODEL + r"embeddings\.register_tokens"


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of the two JSON files beside the weights."""
    return config_values_from_hugging_face(config_of_image_encoder(contents), contents)


def config_of_image_encoder(contents: CheckpointContents) -> Mapping[str, Any]:
    """Return config.json, or of a model of several networks the part that describes the one of images."""
    config = sidecar_json(contents, "config.json")
    parts = (config.get(name) for name in PARTS_OF_CONFIG)
    return next((part for part in parts if isinstance(part, Mapping) and part), config)


def config_values_from_hugging_face(config: Mapping[str, Any], contents: CheckpointContents) -> dict[str, ConfigValue]:
    """Return the values of a configuration, and those of preprocessor_config.json beside the weights."""
    preprocessor = sidecar_json(contents, "preprocessor_config.json")
    return _config_values_from_config_json(config) | _config_values_from_preprocessor(preprocessor)


def sidecar_json(contents: CheckpointContents, name: str) -> Mapping[str, Any]:
    """Return a JSON file of the folder if it holds an object, else an empty mapping."""
    record = contents.sidecars.get(name)
    return record if isinstance(record, Mapping) else {}


def _config_values_from_config_json(config: Mapping[str, Any]) -> dict[str, ConfigValue]:
    """Return the architecture that config.json states, and the usual mean and std of its model type.

    Raises
    ------
    InputError
        If its patches overlap.
    """
    if "frequency_stride" in config or "time_stride" in config:
        raise InputError("by config.json its patches of a spectrogram overlap (AST), which no encoder here computes")
    found = {
        "heads": config.get("num_attention_heads"),
        "eps": config.get("layer_norm_eps"),
        "image_size": config.get("image_size"),
    }
    if isinstance(found["image_size"], list | tuple):
        found["image_size"] = stated_image_size(found["image_size"])
    if "hidden_act" in config and not config.get("use_swiglu_ffn"):
        found["activation"] = ACTIVATIONS.get(str(config["hidden_act"]), config["hidden_act"])
    config_values = {name: ConfigValue(value, "config.json") for name, value in found.items() if value is not None}
    kind = config.get("model_type")
    if isinstance(kind, str) and kind in MEAN_STD_BY_MODEL_TYPE:
        for name, value in zip(("mean", "std"), MEAN_STD_BY_MODEL_TYPE[kind]):
            config_values[name] = ConfigValue(value, f"as models of model_type {kind} (config.json) do", "assumed")
    return config_values


def unknown_model_type_notes(contents: CheckpointContents, tensors: Tensors) -> tuple[str, ...]:
    """Return a note if the model type that config.json states is none of those whose computation is known."""
    kind = config_of_image_encoder(contents).get("model_type")
    if not isinstance(kind, str) or kind in MEAN_STD_BY_MODEL_TYPE:
        return ()
    return (
        f"config.json says model_type {printable(kind)!r}, whose tensors have the names of this dialect; that it "
        "computes the same was not compared",
    )


def _config_values_from_preprocessor(preprocessor: Mapping[str, Any]) -> dict[str, ConfigValue]:
    """Return mean and std for images in [0, 1]; the file's are for 0..255 times rescale_factor."""
    source = "preprocessor_config.json"
    if preprocessor.get("do_normalize") is False:
        return {"mean": ConfigValue((0.0,), source), "std": ConfigValue((1.0,), source)}
    factor = preprocessor.get("rescale_factor", 1 / 255)
    scale = 255 * factor if isinstance(factor, int | float) and factor > 0 else 1.0
    config_values = {}
    for name in ("mean", "std"):
        value = preprocessor.get(f"image_{name}")
        if isinstance(value, list) and all(isinstance(one, int | float) for one in value):
            exact = abs(scale - 1) < 1e-6  # 1/255 rounded to a decimal fraction
            config_values[name] = ConfigValue(tuple(value) if exact else tuple(one / scale for one in value), source)
    return config_values


def _fuse_qkv_and_swiglu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Concatenate queries, keys and values, and the two halves of a SwiGLU, the gate first."""
    fused = fuse_qkv(tensors)
    for name in [name for name in fused if ".mlp.up." in name]:
        halves = [fused.pop(part) for part in (name.replace(".up.", ".gate."), name) if part in fused]
        fused[name.replace(".mlp.up.", ".mlp.fc1.")] = torch.cat(halves)
    if "reg_token" in fused and not fused["reg_token"].numel():  # a DINOv3 without registers keeps an empty tensor
        del fused["reg_token"]
    return fused


def _dinov3_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of the two JSON files beside the weights, with the temperature of the rotary positions."""
    temperature = config_of_image_encoder(contents).get("rope_theta")
    if isinstance(temperature, int | float) and temperature > 1:
        stated = replace(DINOV3, temperature=float(temperature))
        return {"rotary": ConfigValue(stated, "config.json"), **_config_values(contents, tensors)}
    return _config_values(contents, tensors)


HUGGING_FACE_VIT = Dialect(
    "Hugging Face ViT",
    "transformers, a ViT or a ViTMAE without head and decoder",
    required=(*POSITION_TABLE_KEYS, *CLS),
    forbidden=(LAYER_SCALE_KEY, r"classifier\..*|decoder\..*|" + MODEL + r"pooler\..*"),
    state_dict_paths=("", "state_dict", "model", "model_state_dict"),
    prefixes=("", "model.", "backbone.", "net."),
    rename=(*EMBEDDINGS, *ATTENTION, *BLOCKS, *OTHER_RENAMES),
    unused=UNUSED,
    convert=_fuse_qkv_and_swiglu,
    config_values=_config_values,
    defaults={"eps": 1e-12, "activation": "gelu"},
    recompute_sincos=False,
    notes=unknown_model_type_notes,
)

HUGGING_FACE_DIALECTS: tuple[Dialect, ...] = (
    replace(
        HUGGING_FACE_VIT,
        name="Hugging Face ViTMAE",
        description="transformers, a ViTMAE with its decoder",
        required=(*POSITION_TABLE_KEYS, *CLS, r"decoder\.decoder_embed\.weight"),
        forbidden=(LAYER_SCALE_KEY,),
        defaults={**HUGGING_FACE_VIT.defaults, "mean": IMAGENET_MEAN_STD[0], "std": IMAGENET_MEAN_STD[1]},
    ),
    replace(
        HUGGING_FACE_VIT,
        description="transformers, a ViT or DeiT with a classifier, a pooler or a decoder of one linear map",
        required=(
            *POSITION_TABLE_KEYS,
            *CLS,
            r".*classifier\.weight|decoder\.0\.weight|" + MODEL + r"pooler\.dense\.weight",
        ),
        forbidden=(LAYER_SCALE_KEY,),
        defaults={**HUGGING_FACE_VIT.defaults, "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
    ),
    HUGGING_FACE_VIT,
    replace(
        HUGGING_FACE_VIT,
        name="Hugging Face I-JEPA",
        description="transformers, an I-JEPA: no cls token",
        required=POSITION_TABLE_KEYS,
        forbidden=(LAYER_SCALE_KEY, *CLS),
        defaults={**HUGGING_FACE_VIT.defaults, "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        head_readout="mean",
    ),
    replace(
        HUGGING_FACE_VIT,
        name="Hugging Face DINOv2",
        description="transformers, a DINOv2 without registers",
        required=(*POSITION_TABLE_KEYS, *CLS, LAYER_SCALE_KEY),
        forbidden=(REGISTERS,),
        defaults={**COMMON_DEFAULTS, "position_prefix": 1},
    ),
    replace(
        HUGGING_FACE_VIT,
        name="Hugging Face DINOv2",
        description="transformers, a DINOv2 with registers",
        required=(*POSITION_TABLE_KEYS, *CLS, LAYER_SCALE_KEY, REGISTERS),
        forbidden=(),
        defaults={**COMMON_DEFAULTS, "position_prefix": 1},
        antialias=True,
    ),
    replace(
        HUGGING_FACE_VIT,
        name="Hugging Face DINOv3",
        description="transformers, a DINOv3 with rotary positions",
        required=(MODEL + r"embeddings\.patch_embeddings\.weight", *CLS, LAYER_SCALE_KEY),
        forbidden=(MODEL + r"embeddings\.position_embeddings",),
        config_values=_dinov3_values,
        defaults={**COMMON_DEFAULTS, "eps": 1e-5, "rotary": DINOV3, "positions": "none", "image_size": 224},
    ),
)
