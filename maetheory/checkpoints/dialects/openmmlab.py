"""Each library on Vision Transformers has its own names for the same tensors; those of OpenMMLab stand here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.lightning import LIGHTNING_DIALECTS
from maetheory.checkpoints.dialects.torchvision import TORCHVISION_DIALECTS, rename_mlp_head
from maetheory.checkpoints.dialects.vit_pytorch import VIT_PYTORCH_DIALECTS
from maetheory.checkpoints.reading.contents import CheckpointContents

KIND = r"(weight|bias)"
BACKBONE = r"(?:backbone\.)?"
LAYER = BACKBONE + r"layers\.(\d+)\."
SMALL = (768, 8, 2304)  # width, depth and MLP of its arch small, which has 8 heads and not 12


def _linear_probe_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put a classifier after the batch norm of linear probing, or aside after a hidden layer."""
    if "head.0.running_mean" not in tensors:
        return rename_mlp_head(tensors)
    return {re.sub(r"^head\.(weight|bias)$", r"head.1.\1", name): value for name, value in tensors.items()}


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return what the text of the configuration in the file says once: heads, mean and std of 0..255."""
    meta = contents.tree.get("meta") if isinstance(contents.tree, Mapping) else None
    text = next((meta[key] for key in ("cfg", "config") if isinstance(meta.get(key), str)), "") if meta else ""
    config_values = {}
    heads = set(re.findall(r"(?<!\w)num_heads['\"]?\s*[=:]\s*(\d{1,4})\b", text))
    if len(heads) == 1:
        config_values["heads"] = ConfigValue(int(heads.pop()), "meta.cfg")
    elif _architecture(tensors) == SMALL:
        config_values["heads"] = ConfigValue(8, "mmpretrain's arch small")
    for name in ("mean", "std"):
        found = set(re.findall(rf"(?<!\w){name}['\"]?\s*[=:]\s*[\[(]([\d., \n]+)[\])]", text))
        if len(found) == 1:
            values = [float(value) for value in re.findall(r"\d+\.?\d*", found.pop())]
            config_values[name] = ConfigValue(tuple(value / 255 for value in values), "meta.cfg")
    return config_values


def _architecture(tensors: Tensors) -> tuple[int, int, int]:
    depth = sum(name.endswith(".attn.qkv.weight") for name in tensors)
    hidden, width = tensors["blocks.0.mlp.fc1.weight"].shape
    return width, depth, hidden


MMPRETRAIN = Dialect(
    "mmpretrain",
    "OpenMMLab's mmpretrain, mmselfsup and mmcls",
    required=(BACKBONE + r"patch_embed\.projection\.weight", LAYER + r"ln1\.weight", LAYER + r"attn\.qkv\.weight"),
    weights=("state_dict", "", "model"),
    rename=(
        (BACKBONE + r"patch_embed\.projection\." + KIND, r"patch_embed.proj.\1"),
        (BACKBONE + r"(cls_token|pos_embed)", r"\1"),
        (BACKBONE + r"dist_token", "reg_token"),
        (BACKBONE + r"pre_norm\." + KIND, r"norm_pre.\1"),
        (LAYER + r"ln([12])\." + KIND, r"blocks.\1.norm\2.\3"),
        (LAYER + r"attn\.(qkv|proj)\." + KIND, r"blocks.\1.attn.\2.\3"),
        (LAYER + r"ffn\.(?:layers\.0\.0|w12)\." + KIND, r"blocks.\1.mlp.fc1.\2"),
        (LAYER + r"ffn\.(?:layers\.1|w3)\." + KIND, r"blocks.\1.mlp.fc2.\2"),
        (LAYER + r"(?:attn|ffn)\.gamma([12])\.weight", r"blocks.\1.ls\2.gamma"),
        (BACKBONE + r"ln1\." + KIND, r"norm.\1"),
        (BACKBONE + r"(?:ln2|fc_norm)\." + KIND, r"fc_norm.\1"),
        (r"(?:head|neck)\.bn\.(.*)", r"head.0.\1"),
        (r"head\.layers\.pre_logits\." + KIND, r"head.pre_logits.\1"),
        (r"head\.(?:layers\.head|fc|head)\." + KIND, r"head.\1"),
    ),
    left=(
        (r"neck\.(?:decoder_.*|mask_token|ln1\..*)", "the decoder"),
        (r"neck\.(?!bn\.).*", "the neck"),
        (r"head\.layers\.head_dist\..*", "the classifier of the distillation token"),
        (r"(?:data_preprocessor|momentum_\w+|target_generator|teacher|student)\..*", "other parts of the training"),
    ),
    convert=_linear_probe_head,
    config_values=_config_values,
    defaults={"eps": 1e-6, "activation": "gelu", "mean": IMAGENET_MEAN_STD[0], "std": IMAGENET_MEAN_STD[1]},
)

FRAMEWORK_DIALECTS: tuple[Dialect, ...] = (
    *LIGHTNING_DIALECTS,
    MMPRETRAIN,
    replace(
        MMPRETRAIN,
        about="OpenMMLab's mmpretrain, mmselfsup and mmcls, with a head or parts that it does not name itself",
        prefixes=("backbone.",),
    ),
    *VIT_PYTORCH_DIALECTS,
    *TORCHVISION_DIALECTS,
)
