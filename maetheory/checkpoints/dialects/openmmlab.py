"""Dialects of OpenMMLab: mmpretrain, mmselfsup, mmcls and mmsegmentation."""

from __future__ import annotations

import re
from dataclasses import replace

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, WEIGHT_OR_BIAS, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.torchvision import rename_mlp_head
from maetheory.checkpoints.reading.contents import CheckpointContents

BACKBONE = r"(?:backbone\.)?"
LAYER = BACKBONE + r"layers\.(\d+)\."
ARCH_SMALL = (768, 8, 2304)  # width, depth and MLP width of its arch "small", which has 8 heads instead of 12


def _rename_linear_probe_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the classifier head.1 after a batch norm, as in linear probing, and set one with a hidden layer aside."""
    if "head.0.running_mean" not in tensors:
        return rename_mlp_head(tensors)
    return {re.sub(r"^head\.(weight|bias)$", r"head.1.\1", name): value for name, value in tensors.items()}


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return heads, mean and std that the stored configuration text states once; its images are in 0..255."""
    texts = (lookup_dotted_path(contents.tree, f"meta.{key}") for key in ("cfg", "config"))
    text = next((value for value in texts if isinstance(value, str)), "")
    config_values = {}
    heads = set(re.findall(r"(?<!\w)num_heads['\"]?\s*[=:]\s*(\d{1,4})\b", text))
    if len(heads) == 1:
        config_values["heads"] = ConfigValue(int(heads.pop()), "meta.cfg")
    elif _width_depth_and_mlp_width(tensors) == ARCH_SMALL:
        config_values["heads"] = ConfigValue(8, "mmpretrain's arch small")
    for name in ("mean", "std"):
        found = set(re.findall(rf"(?<!\w){name}['\"]?\s*[=:]\s*[\[(]([\d., \n]+)[\])]", text))
        if len(found) == 1:
            values = [float(value) for value in re.findall(r"\d+\.?\d*", found.pop())]
            config_values[name] = ConfigValue(tuple(value / 255 for value in values), "meta.cfg")
    return config_values


def _width_depth_and_mlp_width(tensors: Tensors) -> tuple[int, int, int]:
    """Return width, depth and MLP width."""
    depth = sum(name.endswith(".attn.qkv.weight") for name in tensors)
    hidden, width = tensors["blocks.0.mlp.fc1.weight"].shape
    return width, depth, hidden


MMPRETRAIN = Dialect(
    "mmpretrain",
    "OpenMMLab's mmpretrain, mmselfsup, mmcls and mmsegmentation",
    required=(
        BACKBONE + r"patch_embed\.projection\.weight",
        LAYER + r"ln1\.weight",
        LAYER + r"attn\.(?:qkv\.|attn\.in_proj_)weight",
    ),
    state_dict_paths=("state_dict", "", "model"),
    rename=(
        (BACKBONE + r"patch_embed\.projection\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
        (BACKBONE + r"(cls_token|pos_embed)", r"\1"),
        (BACKBONE + r"dist_token", "reg_token"),
        (BACKBONE + r"pre_norm\." + WEIGHT_OR_BIAS, r"norm_pre.\1"),
        (LAYER + r"ln([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
        (LAYER + r"attn\.(qkv|proj)\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
        (LAYER + r"attn\.attn\.in_proj_" + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
        (LAYER + r"attn\.attn\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
        (LAYER + r"ffn\.(?:layers\.0\.0|w12)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
        (LAYER + r"ffn\.(?:layers\.1|w3)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
        (LAYER + r"(?:attn|ffn)\.gamma([12])\.weight", r"blocks.\1.ls\2.gamma"),
        (BACKBONE + r"ln1\." + WEIGHT_OR_BIAS, r"norm.\1"),
        (BACKBONE + r"(?:ln2|fc_norm)\." + WEIGHT_OR_BIAS, r"fc_norm.\1"),
        (r"(?:head|neck)\.bn\.(.*)", r"head.0.\1"),
        (r"head\.layers\.pre_logits\." + WEIGHT_OR_BIAS, r"head.pre_logits.\1"),
        (r"head\.(?:layers\.head|fc|head)\." + WEIGHT_OR_BIAS, r"head.\1"),
    ),
    unused=(
        (r"neck\.(?:decoder_.*|mask_token|ln1\..*)", "the decoder"),
        (r"neck\.(?!bn\.).*", "the neck"),
        (r"head\.layers\.head_dist\..*", "the classifier of the distillation token"),
        (r"(?:decode_head|auxiliary_head)\..*", "the heads of a segmentation"),
        (r"(?:data_preprocessor|momentum_\w+|target_generator|teacher|student)\..*", "other parts of the training"),
    ),
    convert=_rename_linear_probe_head,
    config_values=_config_values,
    defaults=COMMON_DEFAULTS,
)

OPENMMLAB_DIALECTS: tuple[Dialect, ...] = (
    MMPRETRAIN,
    replace(
        MMPRETRAIN,
        description="OpenMMLab's mmpretrain, mmselfsup, mmcls and mmsegmentation, with a head or parts of other names",
        prefixes=("backbone.",),
    ),
)
