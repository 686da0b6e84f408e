"""Dialects of Vision Transformers with rotary positions: EVA-02, RoPE-ViT, DINOv3, Perception Encoder, Sapiens2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.beit import fuse_qv_biases
from maetheory.checkpoints.dialects.dialect import (
    COMMON_DEFAULTS,
    INCEPTION_MEAN_STD,
    ConfigValue,
    Dialect,
    Tensors,
    embed_dim,
    fuse_qkv,
)
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD, config_values_from_timm, stated_model_name
from maetheory.checkpoints.dialects.rotary import DINOV3, EVA, ROPE_VIT, ROPE_VIT_MIXED
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.core import InputError

STATE_DICT_PATHS = ("state_dict_ema", "model_ema", "teacher", "model", "state_dict", "module", "")
PREFIXES = ("", "backbone.", "visual.", "visual.trunk.")
PATCHES, QKV = r"patch_embed\.proj(?:ection)?\.weight", r"blocks\.0\.attn\.(?:qkv|q_proj|wq)\.weight"
TABLE, CLS, REGISTERS = r"pos_embed", r"cls_token", r"reg_token|storage_tokens"
LAYER_SCALE = r"blocks\.0\.(?:gamma_1|ls1\.gamma|attn\.gamma\.weight)"
RELATIVE = (r"blocks\.\d+\.attn\.(?:relative_position_bias_table|rel_pos.*)", r"(?:shared_)?rel_pos.*")
RENAME = (
    (r"(?:.*\.)?rope(?!\.freqs$)(?:\w*)\..*", ""),
    (r"(?:.*\.)?relative_position_index", ""),
    (r"storage_tokens", "reg_token"),
    (r"patch_embed\.projection\.(.*)", r"patch_embed.proj.\1"),
    (r"(blocks\.\d+)\.gamma_([12])", r"\1.ls\2.gamma"),
    (r"(blocks\.\d+)\.attn\.gamma\.weight", r"\1.ls1.gamma"),
    (r"(blocks\.\d+\.attn)\.(?:([qkv])_proj|w([qkv]))\.(weight|bias)", r"\1.\2\3.\4"),
    (r"(blocks\.\d+\.attn)\.inner_attn_ln\.(.*)", r"\1.norm.\2"),
    (r"(blocks\.\d+)\.(?:mlp|ffn)\.w12\.(.*)", r"\1.mlp.fc1.\2"),
    (r"(blocks\.\d+\.mlp)\.(?:w1|fc1_g)\.(.*)", r"\1.gate.\2"),
    (r"(blocks\.\d+\.mlp)\.(?:w2|fc1_x)\.(.*)", r"\1.value.\2"),
    (r"(blocks\.\d+)\.(?:mlp|ffn)\.w3\.(.*)", r"\1.mlp.fc2.\2"),
    (r"(blocks\.\d+\.mlp)\.ffn_ln\.(.*)", r"\1.norm.\2"),
    (r"(blocks\.\d+)\.ln([12])\.(.*)", r"\1.norm\2.\3"),
    (r"ln1\.(weight|bias)", r"norm.\1"),
)
UNUSED = (
    (r"mask_token", "the mask token"),
    (r"lm_head\..*", "the head over visual words"),
    (r"attn_pool\..*", "the attention pool"),
    (r"local_cls_norm\..*|projectors\..*|(?:dino|ibot)_head\..*", "parts of pretraining"),
    (r"head\..*", "the projection or classifier"),
)
KEY_THIRD = "blocks.{}.attn.qkv.bias"
DINOV3_HEADS = {1280: 20, 4096: 32}  # where the table of widths has others


def to_plain_attention(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return fused queries, keys and values, fused gates, and a LayerScale of the MLP where only attention has one.

    Keys and values that several heads share (grouped-query attention, Ainslie et al. 2023) are repeated for each head,
    which computes the same.
    """
    tensors = {
        name: value for name, value in tensors.items() if not name.endswith("qkv.bias_mask")
    } | _zero_masked_key_biases(tensors)
    tensors = {
        re.sub(r"\.attn\.([qv])_bias$", r".attn.\1.bias", name) if _has_own_bias(tensors, name) else name: value
        for name, value in tensors.items()
    }
    tensors = fuse_qv_biases(fuse_qkv(_repeat_grouped_heads(tensors)))
    for name in [name for name in tensors if ".mlp.gate." in name]:
        halves = [tensors.pop(name), tensors.pop(name.replace(".gate.", ".value."))]
        tensors[name.replace(".gate.", ".fc1.")] = torch.cat(halves)
    for name in [name for name in tensors if name.endswith(".ls1.gamma")]:
        tensors.setdefault(name.replace(".ls1.", ".ls2."), torch.ones_like(tensors[name]))
    return tensors


def _zero_masked_key_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return DINOv3's biases with zeros for the keys, where a mask of the same shape marks them."""
    masked = {}
    for name in tensors:
        if name.endswith("qkv.bias_mask"):
            bias = tensors[name.removesuffix("_mask")].clone()
            bias[len(bias) // 3 : 2 * len(bias) // 3] = 0
            masked[name.removesuffix("_mask")] = bias
    return masked


def _has_own_bias(tensors: Mapping[str, Tensor], name: str) -> bool:
    """Return whether a bias belongs to queries or values that have a weight of their own."""
    return name.endswith(("q_bias", "v_bias")) and f"{name.rpartition('.')[0]}.q.weight" in tensors


def _repeat_grouped_heads(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return keys and values with one copy for each head of the queries."""
    plain = dict(tensors)
    for name in tensors:
        if not name.endswith(".attn.q.weight"):
            continue
        stem = name.removesuffix("q.weight")
        inner, grouped = len(tensors[name]), len(tensors[f"{stem}k.weight"])
        if grouped == inner:
            continue
        norm = tensors.get(f"{stem}q_norm.weight")
        if norm is None or grouped % norm.numel() or inner % grouped:
            raise InputError(
                f"{stem}k.weight has {grouped} rows for {inner} of the queries, and no norm shows the heads"
            )
        for part in ("k.weight", "k.bias", "v.weight", "v.bias"):
            if f"{stem}{part}" in tensors:
                value = tensors[f"{stem}{part}"]
                heads = value.reshape(grouped // norm.numel(), norm.numel(), *value.shape[1:])
                plain[f"{stem}{part}"] = heads.repeat_interleave(inner // grouped, 0).flatten(0, 1)
    return plain


def _is_eva02(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether config.json states rotary positions, or queries have a bias of their own and the MLP is gated."""
    if lookup_dotted_path(contents.sidecars.get("config.json"), "model_args.use_rot_pos_emb") is not None:
        return True
    own = any(f"blocks.0.attn.{name}" in tensors for name in ("q_bias", "q_proj.weight"))
    return own and _is_gated(tensors)


def _is_gated(tensors: Tensors) -> bool:
    """Return whether the MLP is gated, as EVA-02's is and the first EVA's is not."""
    if any(f"blocks.0.mlp.{name}.weight" in tensors for name in ("fc1_g", "w1")):
        return True
    first = next(
        (tensors[f"blocks.0.mlp.{n}.weight"] for n in ("fc1", "w12") if f"blocks.0.mlp.{n}.weight" in tensors), None
    )
    second = next(
        (tensors[f"blocks.0.mlp.{n}.weight"] for n in ("fc2", "w3") if f"blocks.0.mlp.{n}.weight" in tensors), None
    )
    return (
        first is not None
        and second is not None
        and first.ndim == second.ndim == 2
        and len(first) == 2 * second.shape[1]
    )


def _named_rope_vit(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether frequencies, a name or the lack of a table shows rotary positions."""
    return "rope.freqs" in tensors or "pos_embed" not in tensors or "_rope_" in stated_model_name(contents)[0]


def _rope_vit_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the mixed form where the frequencies are learned, beside the values of names and timm's config.json."""
    mixed = {"rotary": ConfigValue(ROPE_VIT_MIXED, "rope.freqs", "inferred from shapes")}
    return (mixed if "rope.freqs" in tensors else {}) | config_values_from_timm(contents, tensors)


def _dinov3_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of names and of timm's config.json, and RMS norms where norms have no bias."""
    norm = (
        {}
        if "norm.bias" in tensors
        else {
            "norm_kind": ConfigValue("rms", "names, norms without a bias", "inferred from shapes"),
            "eps": ConfigValue(1e-6, "Sapiens2's", "assumed"),
        }
    )
    heads = DINOV3_HEADS.get(embed_dim(tensors))
    stated = {} if heads is None else {"heads": ConfigValue(heads, "DINOv3's of this width", "assumed")}
    return norm | stated | config_values_from_timm(contents, tensors)


def _perception_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the first row and column, which are one where there is a cls token."""
    offset = 1.0 if "cls_token" in tensors else 0.0
    positions = RotaryPositions("axial", offset=offset, column_first=True)
    found = {
        "rotary": ConfigValue(
            positions, "a norm before the blocks, as in a Perception Encoder at its own size", "assumed"
        )
    }
    if embed_dim(tensors) == 1536:
        found["heads"] = ConfigValue(16, "the Perception Encoder's of this width", "assumed")
    return found | config_values_from_timm(contents, tensors)


def _is_perception_encoder(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether a norm before the blocks comes without one after them or with an attention pool."""
    return "norm.weight" not in tensors or "attn_pool.latent" in tensors


FIELDS: Mapping[str, Any] = {
    "state_dict_paths": STATE_DICT_PATHS,
    "prefixes": PREFIXES,
    "rename": RENAME,
    "unused": UNUSED,
    "convert": to_plain_attention,
    "antialias": True,
    "recompute_sincos": False,
}
NO_TABLE = {"positions": "none", "position_prefix": 0, "image_size": 224}
EVA_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "EVA-02",
        "PyTorch code of Fang et al. 2023 and timm's, with rotary positions beside a table",
        required=(PATCHES, TABLE, QKV),
        forbidden=(*RELATIVE, r"norm_pre\..*", REGISTERS),
        evidence=_is_eva02,
        config_values=config_values_from_timm,
        defaults={**COMMON_DEFAULTS, "rotary": EVA, "mean": CLIP_MEAN_STD[0], "std": CLIP_MEAN_STD[1]},
        **FIELDS,
    ),
    Dialect(
        "RoPE-ViT",
        "PyTorch code of Heo et al. 2024 and timm's, a Vision Transformer with LayerScale and rotary positions",
        required=(PATCHES, QKV, CLS, LAYER_SCALE, r"blocks\.0\.attn\.qkv\.bias"),
        forbidden=(*RELATIVE, REGISTERS, r"norm_pre\..*"),
        evidence=_named_rope_vit,
        config_values=_rope_vit_values,
        defaults={**COMMON_DEFAULTS, "rotary": ROPE_VIT, **NO_TABLE},
        **FIELDS,
    ),
    Dialect(
        "DINOv3",
        "PyTorch code of Siméoni et al. 2025, timm's, or code derived from it (Sapiens2, LingBot)",
        required=(PATCHES, QKV, CLS, REGISTERS, LAYER_SCALE),
        forbidden=(*RELATIVE, TABLE, r"norm_pre\..*"),
        config_values=_dinov3_values,
        defaults={**COMMON_DEFAULTS, "eps": 1e-5, "rotary": DINOV3, **NO_TABLE},
        **FIELDS,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers with registers and EVA-02's rotary positions, without cls token and table",
        required=(PATCHES, QKV, REGISTERS, LAYER_SCALE),
        forbidden=(*RELATIVE, TABLE, CLS, r"norm_pre\..*"),
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu", "rotary": EVA, **NO_TABLE, "image_size": 256},
        **FIELDS,
    ),
    Dialect(
        "Perception Encoder",
        "timm's port of the code of Bolya et al. 2025, with rotary positions beside a table",
        required=(PATCHES, QKV, TABLE, r"norm_pre\.weight"),
        forbidden=(*RELATIVE, REGISTERS),
        evidence=_is_perception_encoder,
        config_values=_perception_values,
        defaults={**COMMON_DEFAULTS, "eps": 1e-5, "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        **FIELDS,
    ),
)
