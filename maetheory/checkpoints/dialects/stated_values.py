"""Read heads, ε, activation, image size and scale from pickled modules and stored configurations of any code base.

A pickled module states its number of heads in every attention layer, and most training scripts store their arguments.
Both come before what a table of usual widths or a code base's habit suggests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import ConfigValue, Tensors
from maetheory.checkpoints.dialects.match import DialectMatch
from maetheory.checkpoints.dialects.pickled_modules import SOURCE
from maetheory.checkpoints.dialects.rotary import rotary_positions_of_module
from maetheory.checkpoints.encoder_config import Size, one_size
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.reading.safetensors_metadata import METADATA_SIDECAR

CONFIGURATION_PATHS = ("", "args", "config", "hyper_parameters", "hparams", "cfg", "opt", "model_args", "model_config")
NAMES_BY_FIELD: Mapping[str, tuple[str, ...]] = {
    "heads": ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead", "encoder_num_heads", "heads"),
    "eps": ("layer_norm_eps", "norm_eps", "ln_eps"),
    "image_size": ("img_size", "image_size", "input_size"),
    "mean": ("mean", "image_mean", "pixel_mean", "norm_mean"),
    "std": ("std", "image_std", "pixel_std", "norm_std"),
}
OTHER_NETWORK = re.compile(r".*(text|decoder|predictor|language|llm|head|optim|sched|loss).*")
HEADS_ATTRIBUTE = re.compile(r"(?:.*\.)?\d+\.(?:.*\.)?(?:num_heads|num_attention_heads|heads|n_heads)")
BLOCK_EPS = re.compile(r"(?:.*\.)?\d+\.(?!.*(?:[qk]_norm|query_norm|key_norm)).*\.eps")
LAST_EPS = re.compile(r"(?:\w+\.)?(?:norm|ln|layer_?norm|fc_norm|final_norm|ln_post|layernorm)\.eps")
IMAGE_SIZE_ATTRIBUTE = re.compile(r"(?:.*\.)?(?:patch_embed\w*\.(?:img_size|image_size)|image_size|img_size)")
ACTIVATION_BY_CLASS = {
    "GELU": "gelu",
    "GELUActivation": "gelu",
    "GELUTanh": "gelu-tanh",
    "GELUTanhActivation": "gelu-tanh",
    "PytorchGELUTanh": "gelu-tanh",
    "NewGELUActivation": "gelu-tanh",
    "FastGELUActivation": "gelu-tanh",
    "QuickGELU": "quick-gelu",
    "QuickGELUActivation": "quick-gelu",
    "QuickGelu": "quick-gelu",
    "SiLU": "swiglu",
    "ReLU": "relu",
    "LeakyReLU": "another",
    "Tanh": "another",
}


def pickled_module_values(contents: CheckpointContents, dialect_match: DialectMatch) -> dict[str, ConfigValue]:
    """Return heads, ε, activation and image size that the attributes of the matched pickled module state.

    Raises
    ------
    InputError
        If the module has rotary positions of an unknown form.
    """
    attributes = _names_relative_to_encoder(contents.module_attributes, dialect_match)
    classes = _names_relative_to_encoder(contents.module_classes, dialect_match)
    found: dict[str, Any] = {
        "heads": _common_value(attributes, HEADS_ATTRIBUTE),
        "eps": _common_value(attributes, BLOCK_EPS),
        "final_eps": _common_value(attributes, LAST_EPS),
        "activation": _find_activation(attributes, classes),
        "image_size": stated_image_size(_common_value(attributes, IMAGE_SIZE_ATTRIBUTE)),
    }
    rotary = rotary_positions_of_module(attributes, classes)
    values = {name: ConfigValue(value, SOURCE) for name, value in found.items() if value is not None}
    return values | ({"rotary": rotary} if rotary else {})


def stored_configuration_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values that stored arguments and JSON files state under usual names, where they fit the tensors."""
    qkv, patch = tensors.get("blocks.0.attn.qkv.weight"), tensors.get("patch_embed.proj.weight")
    if qkv is None or patch is None or patch.ndim != 4:
        return {}
    found: dict[str, ConfigValue] = {}
    for source, record in _iter_configurations(contents):
        for field, names in NAMES_BY_FIELD.items():
            for name in names:
                value = record.get(name)
                if field not in found and _is_plausible(field, value, qkv.shape[0] // 3, patch.shape[1]):
                    place = f"{source}.{name}" if source else name
                    value = stated_image_size(value) if field == "image_size" else value
                    found[field] = ConfigValue(tuple(value) if isinstance(value, list) else value, place)
    return found


def stated_image_size(size: Any) -> Size | None:
    """Return a stated size of images: its side, height and width of rectangles, None of what is no size.

    Examples
    --------
    >>> stated_image_size([32, 32]), stated_image_size((1024, 128)), stated_image_size("large")
    (32, (1024, 128), None)
    """
    if isinstance(size, list | tuple) and len(size) == 2 and all(type(side) is int for side in size):
        return one_size(*size)
    return size if type(size) is int else None


def _names_relative_to_encoder(values: Mapping[str, Any], dialect_match: DialectMatch) -> dict[str, Any]:
    """Return attributes of the encoder's module under names without path, wrappers and prefix, decoders left out."""
    found = {}
    start = dialect_match.state_dict_path + "." if dialect_match.state_dict_path else ""
    for name, value in values.items():
        if not (name + ".").startswith(start):
            continue
        inner = name[len(start) :]
        for wrapper in dialect_match.wrappers:
            inner = inner.replace(wrapper, "")
        if inner.startswith(dialect_match.prefix) and "decoder" not in inner:
            found[inner[len(dialect_match.prefix) :]] = value
    return found


def _common_value(attributes: Mapping[str, Any], pattern: re.Pattern[str]) -> Any:
    """Return the value of all attributes whose names match if it is the same in all, else None."""
    values = {value for name, value in attributes.items() if pattern.fullmatch(name) and not isinstance(value, str)}
    return values.pop() if len(values) == 1 else None


def _find_activation(attributes: Mapping[str, Any], classes: Mapping[str, str]) -> str | None:
    """Return the activation of the blocks, None where no module of a known class computes it."""
    kinds = {
        "gelu-tanh" if attributes.get(f"{name}.approximate") == "tanh" else ACTIVATION_BY_CLASS[kind]
        for name, kind in classes.items()
        if kind in ACTIVATION_BY_CLASS and re.match(r"(?:.*\.)?\d+\.", name)
    }
    return kinds.pop() if len(kinds) == 1 else None


def _iter_configurations(contents: CheckpointContents) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Iterate over stored configurations and the records in them that belong to no other network."""
    tree = contents.tree if isinstance(contents.tree, Mapping) else {}
    records = [(path, tree.get(path) if path else tree) for path in CONFIGURATION_PATHS]
    records += [(name, contents.sidecars.get(name)) for name in ("config.json", "args.json", METADATA_SIDECAR)]
    for source, record in records:
        if not isinstance(record, Mapping):
            continue
        yield source, record
        for name, child in record.items():
            if source and isinstance(name, str) and isinstance(child, Mapping) and not OTHER_NETWORK.fullmatch(name):
                yield f"{source}.{name}", child


def _is_plausible(field: str, value: Any, inner: int, channels: int) -> bool:
    """Return whether a stored value can be that field of an encoder of this width."""
    if isinstance(value, bool) or value is None:
        return False
    if field == "heads":
        return isinstance(value, int) and 0 < value <= inner and inner % value == 0
    if field == "eps":
        return isinstance(value, float) and 0 < value < 1
    if field == "image_size":
        return isinstance(value, int) or _is_number_sequence(value, 2)
    return _is_number_sequence(value, channels) and all(0 <= one <= 1 for one in value)


def _is_number_sequence(value: Any, n: int) -> bool:
    """Return whether a value is a sequence of n numbers."""
    return isinstance(value, list | tuple) and len(value) == n and all(isinstance(one, int | float) for one in value)
