"""BEiT and SimMIM let patches see how far apart they are, and keys have no bias: a softmax would not notice it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.model_names import config_values_from_timm
from maetheory.checkpoints.reading.contents import CheckpointContents

STATE_DICT_PATHS = ("state_dict_ema", "model_ema", "model", "state_dict", "module", "")
BEIT_KEYS = (
    r"patch_embed\.proj\.weight",
    r"cls_token",
    r"blocks\.0\.attn\.qkv\.weight",
    r"blocks\.\d+\.(gamma_1|attn\.(q_bias|relative_position_bias_table))|rel_pos_bias\..*",
)
RENAME = (
    (r"(.*\.)?relative_position_index", ""),
    (r"(blocks\.\d+)\.gamma_([12])", r"\1.ls\2.gamma"),
)
UNUSED = ((r"mask_token", "the mask token"), (r"lm_head\..*", "the head over visual words"))
DEFAULTS: Mapping[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": IMAGENET_MEAN_STD[0],
    "std": IMAGENET_MEAN_STD[1],
}


def fuse_qv_biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fuse ``blocks.i.attn.q_bias`` and ``v_bias`` into ``blocks.i.attn.qkv.bias``, between them a zero for keys."""
    fused = {name: value for name, value in tensors.items() if not re.search(r"\.attn\.[qkv]_bias$", name)}
    for name, query in tensors.items():
        if name.endswith(".attn.q_bias"):
            stem = name.removesuffix("q_bias")
            key = tensors.get(f"{stem}k_bias", torch.zeros_like(query))
            fused[f"{stem}qkv.bias"] = torch.cat([query, key, tensors[f"{stem}v_bias"]])
    return fused


def _config_values_from_json(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads that SimMIM's config names; with relative positions the shapes say them too."""
    record: Any = contents.tree
    for key in ("config", "MODEL", "VIT", "NUM_HEADS"):
        record = record.get(key) if isinstance(record, Mapping) else None
    return {"heads": ConfigValue(record, "config.MODEL.VIT.NUM_HEADS")} if record is not None else {}


BEIT_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "SimMIM",
        "PyTorch code of Xie et al. 2022 for a Vision Transformer, pretrained; hidden patches are left out here, where "
        "its own code put a mask token",
        required=(*BEIT_KEYS, r"decoder\.0\.weight"),
        weights=("model", "state_dict", ""),
        prefixes=("encoder.",),
        rename=RENAME,
        left=((r"decoder\..*", "the decoder, one linear map"), *UNUSED),
        convert=fuse_qv_biases,
        config_values=_config_values_from_json,
        defaults=DEFAULTS,
    ),
    Dialect(
        "BEiT v2",
        "PyTorch code of Peng et al. 2022, pretrained, with layers that patch tokens of an earlier block go through",
        required=(*BEIT_KEYS, r"cls_pt_layers\..*"),
        weights=STATE_DICT_PATHS,
        rename=RENAME,
        left=((r"cls_pt_layers\..*", "the layers beside the encoder"), *UNUSED),
        convert=fuse_qv_biases,
        config_values=config_values_from_timm,
        defaults=DEFAULTS,
    ),
    Dialect(
        "BEiT",
        "PyTorch code of Bao et al. 2022, timm's BEiT, fine-tuned BEiT v2 and SimMIM; without a name of the model "
        "images are scaled as the first BEiT's",
        required=BEIT_KEYS,
        forbidden=(r"cls_pt_layers\..*",),
        weights=STATE_DICT_PATHS,
        rename=RENAME,
        left=UNUSED,
        convert=fuse_qv_biases,
        config_values=config_values_from_timm,
        defaults={**DEFAULTS, "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
    ),
)
