"""Build a model of timm by name, without weights of others, from arguments that a file may state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL_ARGUMENTS = (
    "img_size",
    "patch_size",
    "in_chans",
    "embed_dim",
    "depth",
    "num_heads",
    "mlp_ratio",
    "qkv_bias",
    "qk_norm",
    "init_values",
    "class_token",
    "reg_tokens",
    "num_reg_tokens",
    "no_embed_class",
    "pre_norm",
    "global_pool",
    "use_rot_pos_emb",
    "use_abs_pos_emb",
    "num_classes",
    "dynamic_img_size",
    "act_layer",
    "scale_attn_norm",
    "scale_mlp_norm",
    "pos_embed",
    "final_norm",
    "fc_norm",
    "attn_type",
    "qkv_fused",
    "swiglu_mlp",
    "scale_mlp",
    "scale_attn_inner",
    "use_post_norm",
    "use_pre_transformer_norm",
    "use_post_transformer_norm",
    "use_fc_norm",
    "rope_type",
    "rope_temperature",
    "rope_grid_offset",
    "rope_grid_indexing",
    "rope_rotate_half",
    "ref_feat_shape",
    "use_rel_pos_bias",
    "use_shared_rel_pos_bias",
)
MAX_ARGUMENT = 2**16


def timm_model(name: str, arguments: Any = None) -> Any:
    """Return timm's model of a name with untrained weights, None where timm or the name is unknown.

    Only arguments of `MODEL_ARGUMENTS` with plain values are used, as a file may state anything.
    """
    try:
        import timm
    except (ImportError, RuntimeError, OSError):  # not installed, or its torchvision does not fit this torch
        return None
    if not timm.is_model(name):
        return None
    given = arguments if isinstance(arguments, Mapping) else {}
    known = {key: given[key] for key in MODEL_ARGUMENTS if key in given and _is_small_argument(given[key])}
    try:
        return timm.create_model(name, pretrained=False, **known)
    except (TypeError, ValueError, AssertionError, RuntimeError, AttributeError, KeyError):
        return None


def _is_small_argument(value: Any) -> bool:
    """Return whether an argument is a plain value that builds no huge model."""
    if isinstance(value, list | tuple):
        return len(value) <= 2 and all(map(_is_small_argument, value))
    if isinstance(value, int | float):
        return abs(value) <= MAX_ARGUMENT
    return value is None or isinstance(value, str)
