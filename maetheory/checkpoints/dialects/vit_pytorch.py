"""vit-pytorch writes a patch row by row with its channels innermost, and the layers of a block as a list."""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.dialect import ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.pickled_modules import config_values_from_module, find_module_attribute
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

KIND = r"(weight|bias)"
ATTENTION = r"transformer\.layers\.(\d+)\.0\."
MLP = r"transformer\.layers\.(\d+)\.1\."
CHANNELS = (3, 1, 2)  # s² C is the square of a whole number times C for one of them at most
RENAME = (
    (r"(?:to_patch_embedding\.1|patch_to_embedding)\." + KIND, r"cells.1.\1"),
    (r"to_patch_embedding\.([23])\." + KIND, r"cells.\1.\2"),
    (r"pos_embedding", "pos_embed"),
    (ATTENTION + r"(?:fn\.)?norm\." + KIND, r"blocks.\1.norm1.\2"),
    (ATTENTION + r"(?:fn\.){0,2}to_qkv\." + KIND, r"blocks.\1.attn.qkv.\2"),
    (ATTENTION + r"(?:fn\.){0,2}to_out\.(?:0\.)?" + KIND, r"blocks.\1.attn.proj.\2"),
    (MLP + r"(?:fn\.)?norm\." + KIND, r"blocks.\1.norm2.\2"),
    (MLP + r"(?:fn\.){1,2}net\.0\." + KIND, r"blocks.\1.mlp.fc1.\2"),
    (MLP + r"(?:fn\.){1,2}net\.[23]\." + KIND, r"blocks.\1.mlp.fc2.\2"),
    (MLP + r"net\.0\." + KIND, r"blocks.\1.norm2.\2"),
    (MLP + r"net\.1\." + KIND, r"blocks.\1.mlp.fc1.\2"),
    (MLP + r"net\.[34]\." + KIND, r"blocks.\1.mlp.fc2.\2"),
    (r"(?:transformer\.norm|mlp_head\.0)\." + KIND, r"norm.\1"),
    (r"mlp_head\.(?:1\.)?" + KIND, r"head.\1"),
)


def _to_canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn the patch map into a convolution, drop an empty cls token, and write out an identity after one head."""
    found = {name: value for name, value in tensors.items() if not name.startswith("cells.")} | _patch_embedding(
        tensors
    )
    if found.get("cls_token", torch.ones(1)).numel() == 0:
        del found["cls_token"]
        found = {name.replace("head.", "head.of_the_mean."): value for name, value in found.items()}
    for name in [name for name in found if name.endswith(".attn.qkv.weight")]:
        proj = name.replace("qkv", "proj")
        if proj not in found and found[name].shape[0] == 3 * found[name].shape[1]:
            found[proj] = torch.eye(found[name].shape[1])
            found[proj.replace("weight", "bias")] = torch.zeros(found[name].shape[1])
    return found


def _patch_embedding(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the convolution of a map of cells (s s C), and the norms before and after it."""
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
    """Return the heads: its own word, one where nothing follows them, else 64 features each."""
    if "cls_token" in tensors and find_module_attribute(contents, "pool") == "mean":
        raise InputError(
            "this vit-pytorch model averages all its tokens, cls among them, before its last norm, which "
            "no encoder here computes"
        )
    told = config_values_from_module(contents, {"heads": "transformer.layers.0.0.heads"})
    told |= config_values_from_module(contents, {"heads": "transformer.layers.0.0.fn.heads"})
    inner, proj = tensors["blocks.0.attn.qkv.weight"].shape[0] // 3, tensors["blocks.0.attn.proj.weight"]
    if not told and proj.shape[0] == proj.shape[1] and torch.equal(proj, torch.eye(len(proj))):
        return {"heads": ConfigValue(1, "the missing map after the attention")}
    if not told and inner % 64 == 0:
        return {"heads": ConfigValue(inner // 64, "assumed, 64 features a head; heads= (--heads) says otherwise")}
    return told


def _pooling_notes(contents: CheckpointContents, tensors: Tensors) -> tuple[str, ...]:
    """Say that the file of a classifier is silent on what it reads; a pickled module says it itself."""
    if (
        "cls_token" not in tensors
        or find_module_attribute(contents, "pool") is not None
        or not any(map(_is_head_key, tensors))
    ):
        return ()
    return (
        "nothing says whether this vit-pytorch model reads its cls token or the mean of all tokens: pool='cls', its "
        "default, was assumed; if it was 'mean', cls was not trained and the last norm was, on the mean",
    )


def _is_head_key(name: str) -> bool:
    return name.startswith("head.")


VIT_PYTORCH_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "vit-pytorch",
        "code of lucidrains of any year, its ViT, or its MAE or SimMIM around one (MAE trains no cls token: read the "
        "patches' mean)",
        required=(
            r"(?:to_patch_embedding\.1|patch_to_embedding)\.weight",
            r"pos_embedding",
            ATTENTION + r"(?:fn\.){0,2}to_qkv\.weight",
        ),
        weights=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "encoder.", "model.", "model.encoder."),
        rename=RENAME,
        left=(
            (r"(?:model\.)?patch_to_emb\..*", "the patch map once more"),
            (r"(?:model\.)?(?:enc_to_dec\..*|decoder.*|to_pixels\..*|mask_token)", "the decoder"),
        ),
        convert=_to_canonical,
        config_values=_config_values,
        notes=_pooling_notes,
        defaults={"eps": 1e-5, "activation": "gelu"},
    ),
)
