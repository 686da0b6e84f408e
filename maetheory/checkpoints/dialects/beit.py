"""Dialects of BEiT, BEiT v2 and SimMIM, with relative position biases and no bias of keys.

A bias of the keys adds the same number to all logits of a query, which softmax ignores.
"""

from __future__ import annotations

import re
from math import isqrt

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.model_names import config_values_from_timm
from maetheory.checkpoints.reading.contents import CheckpointContents

STATE_DICT_PATHS = ("state_dict_ema", "model_ema", "model", "state_dict", "module", "")
VIT_KEYS = (r"patch_embed\.proj\.weight", r"cls_token", r"blocks\.0\.attn\.qkv\.weight")
BEIT_KEYS = (
    *VIT_KEYS,
    r"blocks\.\d+\.(gamma_1|attn\.(q_bias|relative_position_bias_table))|rel_pos_bias\..*",
)
RENAME = (
    (r"(.*\.)?relative_position_index", ""),
    (r"(blocks\.\d+)\.gamma_([12])", r"\1.ls\2.gamma"),
)
UNUSED = ((r"mask_token", "the mask token"), (r"lm_head\..*", "the head over visual words"))


def fuse_qv_biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Concatenate ``blocks.i.attn.q_bias``, zeros for the keys and ``v_bias`` to ``blocks.i.attn.qkv.bias``."""
    fused = {name: value for name, value in tensors.items() if not re.search(r"\.attn\.[qkv]_bias$", name)}
    for name, query in tensors.items():
        if name.endswith(".attn.q_bias"):
            stem = name.removesuffix("q_bias")
            key = tensors.get(f"{stem}k_bias", torch.zeros_like(query))
            fused[f"{stem}qkv.bias"] = torch.cat([query, key, tensors[f"{stem}v_bias"]])
    return fused


def _config_values_from_simmim(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads that SimMIM's config states, which a table of relative positions shows as well."""
    path = "config.MODEL.VIT.NUM_HEADS"
    heads = lookup_dotted_path(contents.tree, path)
    return {"heads": ConfigValue(heads, path)} if heads is not None else {}


def _lacks_cls_position(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether the position table has a row for each patch and none for the cls token."""
    rows = tensors["pos_embed"].shape[-2] if tensors["pos_embed"].ndim > 1 else 0
    return isqrt(rows) ** 2 == rows


def _shows_beit(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether biases of queries alone or relative positions show BEiT; its LayerScale does not."""
    return any(name.endswith((".q_bias", "relative_position_bias_table")) for name in tensors)


BEIT_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "SimMIM",
        "PyTorch code of Xie et al. 2022 for a Vision Transformer, pretrained; hidden patches are left out here, where "
        "its own code put a mask token",
        required=(*BEIT_KEYS, r"decoder\.0\.weight"),
        state_dict_paths=("model", "state_dict", ""),
        prefixes=("encoder.",),
        rename=RENAME,
        unused=((r"decoder\..*", "the decoder, one linear map"), *UNUSED),
        convert=fuse_qv_biases,
        config_values=_config_values_from_simmim,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "BEiT v2",
        "PyTorch code of Peng et al. 2022, pretrained, with layers that patch tokens of an earlier block go through",
        required=(*BEIT_KEYS, r"cls_pt_layers\..*"),
        state_dict_paths=STATE_DICT_PATHS,
        rename=RENAME,
        unused=((r"cls_pt_layers\..*", "the layers beside the encoder"), *UNUSED),
        convert=fuse_qv_biases,
        config_values=config_values_from_timm,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "DeiT III",
        "PyTorch code of Touvron et al. 2022, with LayerScale, whose cls token has no position",
        required=(*VIT_KEYS, r"pos_embed", r"blocks\.\d+\.gamma_1"),
        forbidden=(r"blocks\.\d+\.attn\.(q_bias|relative_position_bias_table)", r"rel_pos_bias\..*", r"norm_pre\..*"),
        state_dict_paths=STATE_DICT_PATHS,
        rename=RENAME,
        config_values=config_values_from_timm,
        defaults=COMMON_DEFAULTS,
        evidence=_lacks_cls_position,
    ),
    Dialect(
        "BEiT",
        "PyTorch code of Bao et al. 2022, timm's BEiT, fine-tuned BEiT v2 and SimMIM; without a name of the model "
        "images are scaled as the first BEiT's",
        required=BEIT_KEYS,
        forbidden=(r"cls_pt_layers\..*",),
        state_dict_paths=STATE_DICT_PATHS,
        rename=RENAME,
        unused=UNUSED,
        convert=fuse_qv_biases,
        config_values=config_values_from_timm,
        defaults={**COMMON_DEFAULTS, "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        evidence=_shows_beit,
    ),
)
