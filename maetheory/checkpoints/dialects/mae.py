"""Dialects of masked autoencoders: ours, He et al.'s, U-MAE and IcarusWizard/MAE."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import (
    COMMON_DEFAULTS,
    INCEPTION_MEAN_STD,
    ConfigValue,
    Dialect,
    Tensors,
    embed_dim,
)
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.model_names import VIT_SIZES
from maetheory.checkpoints.dialects.pickled_modules import config_values_from_module
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.resize_positions import is_sincos_embedding

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
DECODER_KEYS = (r"decoder_.*|mask_token", "the decoder")
MODULE_FIELDS = {
    "heads": "transformer.0.attn.num_heads",
    "eps": "transformer.0.norm1.eps",
    "final_eps": "layer_norm.eps",
}
CONFIG_JSON_FIELDS = ("image_size", "heads", "eps", "final_eps", "activation", "position_prefix", "mean", "std")
HEADS_OF_OTHER_CODE = {"tiny": (6, 12), "small": (8, 12)}  # He et al. 2022 define no model smaller than base
MAETHEORY_DEFAULTS: Mapping[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": INCEPTION_MEAN_STD[0][:1],
    "std": INCEPTION_MEAN_STD[1][:1],
}


def _heads_from_model_name(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads from the model name among the training arguments, or from the position table."""
    name = lookup_dotted_path(contents.tree, "args.model")
    width = embed_dim(tensors)
    for size, (size_width, heads) in VIT_SIZES.items():
        if isinstance(name, str) and f"vit_{size}" in name and width == size_width:
            source = f"args.model, {name}"
            if size not in HEADS_OF_OTHER_CODE:
                return {"heads": ConfigValue(heads, source)}
            others = " or ".join(map(str, HEADS_OF_OTHER_CODE[size]))
            return {"heads": ConfigValue(heads, f"{source}, though other code of that name has {others}", "assumed")}
    return _moco_v3_small_heads(tensors) if width == 384 else {}


def _moco_v3_small_heads(tensors: Tensors) -> dict[str, ConfigValue]:
    """Return MoCo-v3's twelve heads if the fixed table has its order, rows and columns exchanged; others have six."""
    table = tensors["pos_embed"].reshape(-1, 384)[1:] if "pos_embed" in tensors else None
    side = isqrt(len(table)) if table is not None else 0
    if table is None or side < 2 or side**2 != len(table) or not is_sincos_embedding(table, side, True):
        return {}
    return {"heads": ConfigValue(12, "the order of its sines and cosines, MoCo-v3's", "inferred from shapes")}


def _config_values_from_json(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values that the config.json of one of our runs states."""
    encoder = lookup_dotted_path(contents.sidecars.get("config.json"), "model.encoder")
    found = {name: lookup_dotted_path(encoder, name) for name in CONFIG_JSON_FIELDS}
    return {name: ConfigValue(value, "config.json") for name, value in found.items() if value is not None}


def _config_values_from_module(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return heads and ε from the attributes of the pickled module."""
    return config_values_from_module(contents, MODULE_FIELDS)


def _positions_batch_first(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transpose positions (G², 1, d) to (1, G², d)."""
    return {name: value.transpose(0, 1) if name == "pos_embed" else value for name, value in tensors.items()}


def _has_our_config(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether the config.json of one of our runs lies beside the weights."""
    return contents.container == "maetheory run" or isinstance(
        lookup_dotted_path(contents.sidecars.get("config.json"), "model.encoder"), Mapping
    )


def _shows_mae(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether an encoder alone shows MAE's code: its fixed positions, mask token, probe or arguments."""
    name = lookup_dotted_path(contents.tree, "args.model")
    if (
        "mask_token" in tensors
        or "head.0.running_mean" in tensors
        or lookup_dotted_path(contents.tree, "args.mask_ratio")
    ):
        return True
    if isinstance(name, str) and "mae" in name:
        return True
    if (
        not tensors["pos_embed"].is_floating_point()
        or tensors["pos_embed"].ndim < 2
        or not tensors["pos_embed"].numel()
    ):
        return False
    table = tensors["pos_embed"].float().reshape(-1, tensors["pos_embed"].shape[-1])[1:]
    side = isqrt(len(table))
    if side < 2 or side**2 != len(table):
        return False
    return any(is_sincos_embedding(table, side, swapped) for swapped in (False, True))


MAE_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "maetheory",
        "training runs of maetheory, MAE and SimMIM",
        required=(*MAE_KEYS, r"mask_token", r"(decoder_pred|head)\.weight"),
        forbidden=OTHER_DIALECT_KEYS,
        prefixes=("encoder.",),
        unused=(DECODER_KEYS, (r"head\..*", "the decoder, one linear map")),
        config_values=_config_values_from_json,
        defaults=MAETHEORY_DEFAULTS,
        evidence=_has_our_config,
    ),
    Dialect(
        "maetheory",
        "fine-tuned runs of maetheory, an encoder with its head",
        required=(r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"head\.weight"),
        forbidden=(r"mask_token", r"decoder_.*"),
        prefixes=("encoder.",),
        config_values=_config_values_from_json,
        defaults=MAETHEORY_DEFAULTS,
        evidence=_has_our_config,
    ),
    Dialect(
        "U-MAE",
        "PyTorch code of Zhang et al. 2022, MAE with a uniformity term and an online probe",
        required=(*MAE_KEYS, r"fc\..*", r"decoder_.*"),
        forbidden=OTHER_DIALECT_KEYS,
        state_dict_paths=("model", "state_dict", ""),
        unused=(DECODER_KEYS, (r"fc_norm\..*|fc\..*", "the online probe")),
        config_values=_heads_from_model_name,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, with the decoder",
        required=(*MAE_KEYS, r"decoder_.*"),
        forbidden=OTHER_DIALECT_KEYS,
        state_dict_paths=("model", "state_dict", ""),
        unused=(DECODER_KEYS,),
        config_values=_heads_from_model_name,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, or derived from it: the encoder only, pretrained, fine-tuned or probed",
        required=MAE_KEYS,
        forbidden=OTHER_DIALECT_KEYS,
        state_dict_paths=("model",),
        unused=((r"mask_token", "the mask token"),),
        config_values=_heads_from_model_name,
        defaults=COMMON_DEFAULTS,
        evidence=_shows_mae,
    ),
    Dialect(
        "IcarusWizard/MAE",
        "an MAE for CIFAR-10, whole modules pickled: the autoencoder, or its encoder with a classifier",
        required=(r"cls_token", r"pos_embedding", r"patchify\.weight", r"transformer\.0\.attn\.qkv\.weight"),
        state_dict_paths=("", "model", "state_dict"),
        prefixes=("encoder.", ""),
        rename=(
            (r"patchify\.(.*)", r"patch_embed.proj.\1"),
            (r"pos_embedding", "pos_embed"),
            (r"transformer\.(.*)", r"blocks.\1"),
            (r"layer_norm\.(.*)", r"norm.\1"),
        ),
        unused=((r"decoder\..*", "the decoder"),),
        convert=_positions_batch_first,
        config_values=_config_values_from_module,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
    ),
)
