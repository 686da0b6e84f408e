"""Values that timm's own definition of a model states, where a file names the model and timm is installed.

The model is built without weights on the meta device, so that nothing is computed, downloaded or taken from the file
but its name and a few numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.dialects.rotary import rotary_positions_of_module
from maetheory.checkpoints.dialects.stated_values import ACTIVATION_BY_CLASS, stated_image_size
from maetheory.checkpoints.encoder_config import one_size
from maetheory.checkpoints.timm_models import timm_model

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
    with torch.device("meta"):
        model = timm_model(name, arguments)
    blocks = getattr(model, "blocks", None)
    patches = getattr(model, "patch_embed", getattr(model, "embeds", None))  # of NaFlexVit
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not len(blocks) or patches is None:
        return {}
    block = blocks[0]
    last_norms = [getattr(model, name, None) for name in ("norm", "fc_norm")]
    found: dict[str, Any] = {
        "heads": _first_attribute(block, "num_heads"),
        "eps": _first_attribute(block, "eps"),
        "final_eps": next((one.eps for one in last_norms if one is not None and hasattr(one, "eps")), None),
        "activation": _mlp_activation(block),
        "block": BLOCKS.get(type(block).__name__, type(block).__name__),
        "norm_kind": "rms"
        if any(type(module).__name__ == "RmsNorm" for module in (getattr(block, n, None) for n in ("norm1", "in_norm")))
        else "layer",
    }
    values = {field: ConfigValue(value, source) for field, value in found.items() if value is not None}
    size = stated_image_size(getattr(patches, "img_size", None))
    if size is not None:  # a model of that name may have been trained at any size
        values["image_size"] = ConfigValue(size, source, "assumed")
    if _has_convolutional_stem(model):
        values |= _stem_values(model, name, source)
    rotary = rotary_positions_of_module(*_rotary_attributes(model))
    return values | ({"rotary": ConfigValue(rotary.value, source)} if rotary else {})


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


def _has_convolutional_stem(model: Any) -> bool:
    """Return whether patches come from a convolutional network."""
    return hasattr(model, "patch_embed") and any(
        name.startswith("backbone.") for name, _ in model.patch_embed.named_parameters()
    )


def _stem_values(model: Any, name: str, source: str) -> dict[str, ConfigValue]:
    """Return name, channels and size of patches of a convolutional stem."""
    size, grid = model.patch_embed.img_size, model.patch_embed.grid_size
    first = next(value for _, value in model.patch_embed.named_parameters() if value.ndim == 4)
    found = {
        "stem": name.split(".")[0],
        "patch": one_size(size[0] // grid[0], size[1] // grid[1]),
        "channels": first.shape[1],
    }
    return {field: ConfigValue(value, source) for field, value in found.items()}
