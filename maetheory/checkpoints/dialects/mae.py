"""Masked autoencoders as their authors, we, and CIFAR-10 users save them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.resize_positions import is_sincos_embedding

WIDTH_AND_HEADS = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12), "large": (1024, 16), "huge": (1280, 16)}
OTHER_DIALECT_KEYS = (
    r"blocks\.\d+\.(ls1\.gamma|gamma_1|attn\.(q_bias|q_norm\.weight|relative_position_bias_table|q\.weight))",
    r"rel_pos_bias\..*",
    r"reg_token|register_tokens|dist_token",
    r"norm_pre\..*|attn_pool\..*",
)
MAE_KEYS = (
    r"cls_token",
    r"pos_embed",
    r"patch_embed\.proj\.weight",
    r"blocks\.0\.attn\.qkv\.weight",
    r"blocks\.0\.mlp\.fc1\.weight",
)
DECODER = (r"decoder_.*|mask_token", "the decoder")
MODULE_FIELDS = (
    ("heads", "transformer.0.attn.num_heads"),
    ("eps", "transformer.0.norm1.eps"),
    ("final_eps", "layer_norm.eps"),
)
MAE_DEFAULTS: Mapping[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": IMAGENET_MEAN_STD[0],
    "std": IMAGENET_MEAN_STD[1],
}


def _heads_from_model_name(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads that the name of the model among the arguments stands for, or that its positions give away."""
    args = contents.tree.get("args") if isinstance(contents.tree, Mapping) else None
    name = args.get("model") if isinstance(args, Mapping) else None
    width = tensors["patch_embed.proj.weight"].shape[0] if "patch_embed.proj.weight" in tensors else 0
    for size, (usual, heads) in WIDTH_AND_HEADS.items():
        if isinstance(name, str) and f"vit_{size}" in name and width == usual:
            return {"heads": ConfigValue(heads, f"args.model, {name}")}
    return _moco_v3_small_heads(tensors) if width == 384 else {}


def _moco_v3_small_heads(tensors: Tensors) -> dict[str, ConfigValue]:
    """Return MoCo-v3's twelve heads, everyone else's being six: its fixed table has rows and columns exchanged."""
    table = tensors["pos_embed"].reshape(-1, 384)[1:] if "pos_embed" in tensors else None
    side = isqrt(len(table)) if table is not None else 0
    if table is None or side < 2 or side**2 != len(table) or not is_sincos_embedding(table, side, True):
        return {}
    return {"heads": ConfigValue(12, "the order of its sines and cosines, MoCo-v3's")}


def _config_values_from_json(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return what the config.json of a run of ours says."""
    record: Any = contents.sidecars.get("config.json", {})
    for key in ("model", "encoder"):
        record = record.get(key, {}) if isinstance(record, Mapping) else {}
    known = ("image_size", "heads", "eps", "final_eps", "activation", "position_prefix", "mean", "std")
    return {name: ConfigValue(record[name], "config.json") for name in known if record.get(name) is not None}


def _config_values_from_module(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return what the plain attributes of a pickled module say, wherever in the file it lies."""
    config_values: dict[str, ConfigValue] = {}
    for field, ending in MODULE_FIELDS:
        for name, value in contents.module_attributes.items():
            if name.endswith(ending) and "decoder." not in name:
                config_values[field] = ConfigValue(value, "the pickled module")
    return config_values


def _positions_batch_first(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn positions (G², 1, d) into (1, G², d)."""
    return {name: value.transpose(0, 1) if name == "pos_embed" else value for name, value in tensors.items()}


MAE_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "maetheory",
        "training runs of maetheory, MAE and SimMIM",
        required=(*MAE_KEYS, r"mask_token", r"(decoder_pred|head)\.weight"),
        forbidden=OTHER_DIALECT_KEYS,
        prefixes=("encoder.",),
        left=(DECODER, (r"head\..*", "the decoder, one linear map")),
        config_values=_config_values_from_json,
        defaults={
            "eps": 1e-6,
            "activation": "gelu",
            "mean": INCEPTION_MEAN_STD[0][:1],
            "std": INCEPTION_MEAN_STD[1][:1],
        },
    ),
    Dialect(
        "maetheory",
        "fine-tuned runs of maetheory, an encoder with its head",
        required=(r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"head\.weight"),
        forbidden=(r"mask_token", r"decoder_.*"),
        prefixes=("encoder.",),
        config_values=_config_values_from_json,
        defaults={
            "eps": 1e-6,
            "activation": "gelu",
            "mean": INCEPTION_MEAN_STD[0][:1],
            "std": INCEPTION_MEAN_STD[1][:1],
        },
    ),
    Dialect(
        "U-MAE",
        "PyTorch code of Zhang et al. 2022, MAE with a uniformity term and an online probe",
        required=(*MAE_KEYS, r"fc\..*"),
        forbidden=OTHER_DIALECT_KEYS,
        weights=("model", "state_dict", ""),
        left=(DECODER, (r"fc_norm\..*|fc\..*", "the online probe")),
        config_values=_heads_from_model_name,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, with the decoder",
        required=(*MAE_KEYS, r"decoder_.*"),
        forbidden=OTHER_DIALECT_KEYS,
        weights=("model", "state_dict", ""),
        left=(DECODER,),
        config_values=_heads_from_model_name,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, or derived from it: the encoder only, pretrained, fine-tuned or probed",
        required=MAE_KEYS,
        forbidden=OTHER_DIALECT_KEYS,
        weights=("model",),
        left=((r"mask_token", "the mask token"),),
        config_values=_heads_from_model_name,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "IcarusWizard/MAE",
        "an MAE for CIFAR-10, whole modules pickled: the autoencoder, or its encoder with a classifier",
        required=(r"cls_token", r"pos_embedding", r"patchify\.weight", r"transformer\.0\.attn\.qkv\.weight"),
        weights=("", "model", "state_dict"),
        prefixes=("encoder.", ""),
        rename=(
            (r"patchify\.(.*)", r"patch_embed.proj.\1"),
            (r"pos_embedding", "pos_embed"),
            (r"transformer\.(.*)", r"blocks.\1"),
            (r"layer_norm\.(.*)", r"norm.\1"),
        ),
        left=((r"decoder\..*", "the decoder"),),
        convert=_positions_batch_first,
        config_values=_config_values_from_module,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
    ),
)
