"""Dialect of vit-pytorch.

Its patch embedding is a linear map of pixels in row-major order with channels last, and each block is a list of layers.
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.dialect import WEIGHT_OR_BIAS, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.pickled_modules import config_values_from_module, find_module_attribute
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

ATTENTION = r"transformer\.layers\.(\d+)\.0\."
MLP = r"transformer\.layers\.(\d+)\.1\."
CHANNELS = (3, 1, 2)  # at most one C makes the number of values of a patch, s² C, a square times C
RENAME = (
    (r"(?:to_patch_embedding\.1|patch_to_embedding)\." + WEIGHT_OR_BIAS, r"cells.1.\1"),
    (r"to_patch_embedding\.([23])\." + WEIGHT_OR_BIAS, r"cells.\1.\2"),
    (r"pos_embedding", "pos_embed"),
    (ATTENTION + r"(?:fn\.)?norm\." + WEIGHT_OR_BIAS, r"blocks.\1.norm1.\2"),
    (ATTENTION + r"(?:fn\.){0,2}to_qkv\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
    (ATTENTION + r"(?:fn\.){0,2}to_out\.(?:0\.)?" + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (MLP + r"(?:fn\.)?norm\." + WEIGHT_OR_BIAS, r"blocks.\1.norm2.\2"),
    (MLP + r"(?:fn\.){1,2}net\.0\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (MLP + r"(?:fn\.){1,2}net\.[23]\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (MLP + r"net\.0\." + WEIGHT_OR_BIAS, r"blocks.\1.norm2.\2"),
    (MLP + r"net\.1\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (MLP + r"net\.[34]\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (r"(?:transformer\.norm|mlp_head\.0)\." + WEIGHT_OR_BIAS, r"norm.\1"),
    (r"mlp_head\.(?:1\.)?" + WEIGHT_OR_BIAS, r"head.\1"),
)


def _to_canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert the patch embedding to a convolution, drop an empty cls token, add the identity that one head lacks."""
    converted = {name: value for name, value in tensors.items() if not name.startswith("cells.")}
    converted |= _convert_patch_embedding(tensors)
    if converted.get("cls_token", torch.ones(1)).numel() == 0:
        del converted["cls_token"]
        converted = {name.replace("head.", "head.of_the_mean."): value for name, value in converted.items()}
    for name in [name for name in converted if name.endswith(".attn.qkv.weight")]:
        proj, (rows, width) = name.replace("qkv", "proj"), converted[name].shape
        if proj not in converted and rows == 3 * width:
            converted[proj] = torch.eye(width)
            converted[proj.replace("weight", "bias")] = torch.zeros(width)
    return converted


def _convert_patch_embedding(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the convolution equal to a linear map of patches (s s C), and the norms before and after it."""
    normed = tensors["cells.1.weight"].ndim == 1
    weight = tensors["cells.2.weight" if normed else "cells.1.weight"]
    width, values = weight.shape
    channels = next((c for c in CHANNELS if values % c == 0 and isqrt(values // c) ** 2 == values // c), None)
    if channels is None:
        raise InputError(f"patches of {values} values are no square of 1, 2 or 3 channels")
    side = isqrt(values // channels)
    found = {
        "patch_embed.proj.weight": weight.view(width, side, side, channels).permute(0, 3, 1, 2).contiguous(),
        "patch_embed.proj.bias": tensors["cells.2.bias" if normed else "cells.1.bias"],
    }
    if normed:
        for kind in ("weight", "bias"):
            cell = tensors[f"cells.1.{kind}"].view(side, side, channels)
            found[f"patch_embed.norm_in.{kind}"] = cell.permute(2, 0, 1).flatten()  # (s, s, C) -> (C s s)
            found[f"patch_embed.norm_out.{kind}"] = tensors[f"cells.3.{kind}"]
    return found


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads: those of the pickled module, one if no map follows the attention, else 64 features each."""
    if "cls_token" in tensors and find_module_attribute(contents, "pool") == "mean":
        raise InputError(
            "this vit-pytorch model averages all its tokens, cls among them, before its last norm, which "
            "no encoder here computes"
        )
    stated = config_values_from_module(contents, {"heads": "transformer.layers.0.0.heads"})
    stated |= config_values_from_module(contents, {"heads": "transformer.layers.0.0.fn.heads"})
    inner, proj = tensors["blocks.0.attn.qkv.weight"].shape[0] // 3, tensors["blocks.0.attn.proj.weight"]
    if not stated and proj.shape[0] == proj.shape[1] and torch.equal(proj, torch.eye(len(proj))):
        return {"heads": ConfigValue(1, "the missing map after the attention", "inferred from shapes")}
    if not stated and inner % 64 == 0:
        return {"heads": ConfigValue(inner // 64, "64 features a head, its default", "assumed")}
    return stated


def _pooling_notes(contents: CheckpointContents, tensors: Tensors) -> tuple[str, ...]:
    """Return a note that the state dict of a classifier does not say which tokens it reads; a pickled module does."""
    if (
        "cls_token" not in tensors
        or find_module_attribute(contents, "pool") is not None
        or not any(map(_is_head_key, tensors))
    ):
        return ()
    return (
        "the file does not state whether this vit-pytorch model reads its cls token or the mean of all tokens: "
        "pool='cls', its default, was assumed; if it was 'mean', cls was not trained and the last norm was, on the "
        "mean",
    )


def _is_head_key(name: str) -> bool:
    """Return whether a canonical name belongs to the classifier."""
    return name.startswith("head.")


VIT_PYTORCH_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "vit-pytorch",
        "code of lucidrains of any year: its ViT, or its MAE or SimMIM around one (its MAE trains no cls token: use "
        "the mean of the patches)",
        required=(
            r"(?:to_patch_embedding\.1|patch_to_embedding)\.weight",
            r"pos_embedding",
            ATTENTION + r"(?:fn\.){0,2}to_qkv\.weight",
        ),
        state_dict_paths=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "encoder.", "model.", "model.encoder."),
        rename=RENAME,
        unused=(
            (r"(?:model\.)?patch_to_emb\..*", "the patch map once more"),
            (r"(?:model\.)?(?:enc_to_dec\..*|decoder.*|to_pixels\..*|mask_token)", "the decoder"),
        ),
        convert=_to_canonical,
        config_values=_config_values,
        notes=_pooling_notes,
        defaults={"eps": 1e-5, "activation": "gelu"},
    ),
)
