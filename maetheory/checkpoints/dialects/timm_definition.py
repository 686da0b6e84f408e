"""Values that timm's own definition of a model states, where a file names the model and timm is installed.

The model is built without weights on the meta device, so that nothing is computed, downloaded or taken from the file
but its name and a few numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.dialects.rotary import rotary_positions_of_module
from maetheory.checkpoints.dialects.stated_values import ACTIVATION_BY_CLASS, stated_image_size

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
BLOCKS = {
    "Block": "pre-norm",
    "EvaBlock": "pre-norm",
    "RelPosBlock": "pre-norm",
    "ResPostBlock": "post-norm",
    "EvaBlockPostNorm": "post-norm",
    "ResPostRelPosBlock": "post-norm",
    "ParallelScalingBlock": "parallel",
}


def timm_definition_values(name: str, arguments: Any, source: str) -> dict[str, ConfigValue]:
    """Return heads, ε, activation, kind of block and norm, rotary positions and image size of a model of timm.

    Parameters
    ----------
    name : str
        Name of the architecture, without or with the tag of its weights.
    arguments : mapping, optional
        ``model_args`` of timm's config.json; only the known ones with plain values are used.
    source : str
        Where the name stands.

    Returns
    -------
    mapping from field of `EncoderConfig` to `ConfigValue`
        Empty if timm is not installed, does not know the name, or defines no Vision Transformer under it.
    """
    model = timm_model_without_weights(name, arguments)
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not len(blocks) or not hasattr(model, "patch_embed"):
        return {}
    block = blocks[0]
    found: dict[str, Any] = {
        "heads": _first_attribute(block, "num_heads"),
        "eps": _first_attribute(block, "eps"),
        "final_eps": next(
            (m.eps for m in (getattr(model, "norm", None), getattr(model, "fc_norm", None)) if hasattr(m, "eps")), None
        ),
        "activation": _mlp_activation(block),
        "block": BLOCKS.get(type(block).__name__, type(block).__name__),
        "norm_kind": "rms"
        if any(type(module).__name__ == "RmsNorm" for module in (getattr(block, n, None) for n in ("norm1", "in_norm")))
        else "layer",
    }
    values = {field: ConfigValue(value, source) for field, value in found.items() if value is not None}
    size = stated_image_size(getattr(model.patch_embed, "img_size", None))
    if size is not None:  # a model of that name may have been trained at any size
        values["image_size"] = ConfigValue(size, source, "assumed")
    rotary = rotary_positions_of_module(*_rotary_attributes(model))
    return values | ({"rotary": ConfigValue(rotary.value, source)} if rotary else {})


def timm_model_without_weights(name: str, arguments: Any = None) -> Any:
    """Return timm's model of a name on the meta device, None where timm or the name is unknown."""
    try:
        import timm
    except (ImportError, RuntimeError, OSError):  # not installed, or its torchvision does not fit this torch
        return None
    if not timm.is_model(name):
        return None
    given = arguments if isinstance(arguments, Mapping) else {}
    known = {key: given[key] for key in MODEL_ARGUMENTS if key in given and _is_small_argument(given[key])}
    try:
        with torch.device("meta"):
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


def _first_attribute(block: nn.Module, name: str) -> Any:
    """Return an attribute of the first submodule that has it as a number."""
    found = (getattr(module, name, None) for module in block.modules())
    return next((value for value in found if isinstance(value, int | float)), None)


def _mlp_activation(block: nn.Module) -> str | None:
    """Return the activation of the MLP, None where it is gated or unknown."""
    kinds = {ACTIVATION_BY_CLASS.get(type(module).__name__) for module in block.modules()} - {None}
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    return "geglu" if kind == "gelu" and type(getattr(block, "mlp", None)).__name__ == "GeGluMlp" else kind


def _rotary_attributes(model: nn.Module) -> tuple[dict[str, Any], dict[str, str]]:
    """Return attributes and class of the module of rotary positions, as those of pickled modules are given."""
    rope = getattr(model, "rope", None)
    if not isinstance(rope, nn.Module):
        return {}, {}
    return {f"rope.{name}": value for name, value in vars(rope).items()}, {"rope": type(rope).__name__}
