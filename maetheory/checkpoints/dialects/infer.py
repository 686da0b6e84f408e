"""Infer the encoder configuration from tensor shapes, stated values, arguments and defaults.

Shapes and names settle most of a Vision Transformer; the heads, LayerNorm's ε, the activation and the scale of images
have to be stated by the file or assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, get_args

from torch import Tensor

from maetheory.checkpoints.dialects.assumptions import assumption_notes
from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, ConfigValue
from maetheory.checkpoints.dialects.infer_heads import infer_heads
from maetheory.checkpoints.dialects.infer_positions import infer_positions
from maetheory.checkpoints.encoder_config import GATED_ACTIVATIONS, Activation, EncoderConfig, one_size
from maetheory.core import InputError, printable_value

BLOCK_INDEX = re.compile(r"blocks\.(\d+)\.")
ASSUMABLE_FIELDS = ("image_size", "heads", "eps", "final_eps", "activation", "rotary", "mean", "std")
BLOCK_KINDS = ("pre-norm", "post-norm", "parallel")
MAX_BLOCKS = 1000
MAX_COUNT = 2**20
MAX_MAGNITUDE = 1e6
CONFIG_FIELDS = tuple(field.name for field in fields(EncoderConfig))


class InferredConfig(NamedTuple):
    """An encoder configuration, the source of each of its fields, and notes on what was assumed."""

    config: EncoderConfig
    sources: dict[str, str]
    notes: tuple[str, ...]


def infer_config(
    tensors: Mapping[str, Tensor],
    config_values: Mapping[str, ConfigValue],
    defaults: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
) -> InferredConfig:
    """Return the configuration of canonical tensors, at the image size of the file.

    Parameters
    ----------
    tensors : mapping from canonical name to Tensor
        See `Dialect`.
    config_values : mapping from field of `EncoderConfig` to `ConfigValue`
        Values that the file states; shapes take precedence over them.
    defaults : mapping from field to value
        Values that the code base always uses.
    arguments : mapping from field to value
        Values of the caller; they take precedence over everything but must not contradict a shape. `image_size` only
        settles which rows of the position table belong to patches.

    Raises
    ------
    InputError
        If the tensors are no Vision Transformer, two configurations fit or none, or the heads cannot be known.
    """
    overrides = {name: value for name, value in (arguments or {}).items() if value is not None}
    for name, stated in config_values.items():
        _check_value(name, stated)
    for name, value in overrides.items():
        _check_value(name, ConfigValue(value, "the argument"))
    shapes = _values_from_shapes(tensors)
    known = {
        name: ConfigValue(value, "the dialect's default", "assumed")
        for name, value in defaults.items()
        if name in CONFIG_FIELDS
    }
    known |= {name: stated for name, stated in config_values.items() if name in CONFIG_FIELDS}
    if "activation" in shapes and "activation" in known and known["activation"].value in GATED_ACTIVATIONS:
        shapes["activation"] = known["activation"]  # shapes show that there is a gate, not which one
    notes = _notes_on_contradicted_values(known, shapes)
    known |= shapes
    if "patch" not in known or "channels" not in known:
        raise InputError("its patches come from a convolutional network, and nothing says which")
    known |= infer_positions(tensors, known, overrides)
    if "eps" in overrides:
        given = ConfigValue(overrides["eps"], "argument", "given by the caller")
        known |= {"eps": given, "final_eps": given}
    if "activation" in overrides:
        known["activation"] = _activation_override(overrides["activation"], known.get("activation"))
    known["heads"], heads_notes = infer_heads(tensors, known, overrides)
    notes += heads_notes
    for name in ("mean", "std"):
        known[name] = _infer_channel_values(name, known, overrides)
    for name, value in COMMON_DEFAULTS.items():
        known.setdefault(name, ConfigValue(value, "as most do", "assumed"))
    notes += assumption_notes(known)
    config = EncoderConfig(**{name: entry.value for name, entry in known.items()})
    sources = {name: _describe_source(name, known.get(name)) for name in CONFIG_FIELDS}
    return InferredConfig(config, sources, tuple(notes))


def _notes_on_contradicted_values(known: Mapping[str, ConfigValue], shapes: Mapping[str, ConfigValue]) -> list[str]:
    """Return a note for each value that the file states and its shapes contradict."""
    return [
        f"{known[name].source} says {name} {known[name].value}, but the {shape.source} say {shape.value}, "
        "which was used"
        for name, shape in shapes.items()
        if name in known and known[name].value != shape.value and not known[name].assumed
    ]


def _check_value(name: str, stated: ConfigValue) -> None:
    """Refuse a stated value that no architecture has; JSON files beside the weights may hold anything."""
    values = stated.value if isinstance(stated.value, list | tuple) else (stated.value,)
    count = f"at most {MAX_COUNT}" if _are_positive_integers(values) else "a whole number of at least 1"
    ok, requirement = {
        "heads": (_is_positive_integer(values), count),
        "image_size": (_is_size(stated.value), f"{count}, or two of them"),
        "block": (stated.value in BLOCK_KINDS, "one of " + ", ".join(BLOCK_KINDS) + ", as other blocks are not read"),
        "eps": (_are_finite_numbers(values) and 0 < values[0] < 1, "a number between 0 and 1"),
        "final_eps": (_are_finite_numbers(values) and 0 < values[0] < 1, "a number between 0 and 1"),
        "mean": (_are_finite_numbers(values), "finite numbers"),
        "std": (_are_finite_numbers(values) and min(values) > 0, "positive numbers"),
        "activation": (values[:1] and values[0] in get_args(Activation), "one of " + ", ".join(get_args(Activation))),
    }.get(name, (True, ""))
    if not ok:
        raise InputError(f"{name} must be {requirement}, but {stated.source} says {printable_value(stated.value)}")


def _are_positive_integers(values: Sequence[Any]) -> bool:
    """Return whether these are integers of at least 1, of any size."""
    return all(type(value) is int and value >= 1 for value in values)


def _is_positive_integer(values: Sequence[Any]) -> bool:
    """Return whether this is one integer from 1 to `MAX_COUNT`."""
    return len(values) == 1 and type(values[0]) is int and 1 <= values[0] <= MAX_COUNT


def _is_size(value: Any) -> bool:
    """Return whether this is a side of images, or height and width."""
    sides = value if isinstance(value, tuple) else (value,)
    return len(sides) in (1, 2) and all(_is_positive_integer((side,)) for side in sides)


def _are_finite_numbers(values: Sequence[Any]) -> bool:
    """Return whether these are finite numbers of at most `MAX_MAGNITUDE`, at least one."""
    kinds = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return len(values) > 0 and kinds and all(abs(value) <= MAX_MAGNITUDE for value in values)


def _values_from_shapes(tensors: Mapping[str, Tensor]) -> dict[str, ConfigValue]:
    """Return the fields that the shapes and names of the tensors determine."""
    stem = any(name.startswith("patch_embed.backbone.") for name in tensors)
    patch = None if stem else _require_tensor(tensors, "patch_embed.proj.weight", 4)
    depth = _count_blocks(tensors)
    qkv, fc1, fc2 = (
        _require_tensor(tensors, f"blocks.0.{name}.weight", 2) for name in ("attn.qkv", "mlp.fc1", "mlp.fc2")
    )
    gated = fc1.shape[0] == 2 * fc2.shape[1]
    values: dict[str, Any] = {
        "width": qkv.shape[1] if patch is None else patch.shape[0],
        "depth": depth,
        "inner": qkv.shape[0] // 3,
        "hidden": fc2.shape[1],
    }
    if patch is not None:
        values |= {"patch": one_size(patch.shape[2], patch.shape[3]), "channels": patch.shape[1]}
    present: dict[str, Any] = {
        "qkv_bias": "blocks.0.attn.qkv.bias" in tensors,
        "cls": "cls_token" in tensors,
        "layer_scale": "blocks.0.ls1.gamma" in tensors,
        "qk_norm": "blocks.0.attn.q_norm.weight" in tensors,
        "attention_norm": "blocks.0.attn.norm.weight" in tensors,
        "mlp_norm": "blocks.0.mlp.norm.weight" in tensors,
        "mlp_input_norm": "blocks.0.mlp.norm_in.weight" in tensors,
        "norm_pre": "norm_pre.weight" in tensors,
        "patch_norm": "patch_embed.norm_in.weight" in tensors,
        "norm": "final" if "norm.weight" in tensors else "pooled" if "fc_norm.weight" in tensors else "none",
    }
    values["registers"] = tensors["reg_token"].shape[-2] if "reg_token" in tensors else 0
    if gated:
        values["activation"] = "swiglu"
    shapes = {name: ConfigValue(value, "shapes", "inferred from shapes") for name, value in values.items()}
    return shapes | {name: ConfigValue(value, "names", "inferred from shapes") for name, value in present.items()}


def _require_tensor(tensors: Mapping[str, Tensor], name: str, ndim: int) -> Tensor:
    """Return a tensor of a given number of dimensions, not empty."""
    if name not in tensors:
        raise InputError(
            f"these weights are no whole Vision Transformer: {name} is missing among "
            f"{_abbreviate_names(sorted(tensors))}"
        )
    if tensors[name].ndim != ndim or not tensors[name].numel():
        raise InputError(
            f"{name} must have {ndim} dimensions and values, but its shape is {tuple(tensors[name].shape)}"
        )
    return tensors[name]


def _count_blocks(tensors: Mapping[str, Tensor]) -> int:
    """Return the number of blocks, numbered from 0 without a gap."""
    numbers = {int(found[1]) for name in tensors if (found := BLOCK_INDEX.match(name))}
    if max(numbers, default=0) >= MAX_BLOCKS:
        raise InputError(
            f"a Vision Transformer has fewer than {MAX_BLOCKS} blocks, but this file names blocks.{max(numbers)}"
        )
    gaps = sorted(set(range(max(numbers, default=0) + 1)) - numbers)
    if gaps:
        raise InputError(
            f"blocks must be numbered from 0 without a gap, but of {max(numbers, default=0) + 1} "
            f"{_abbreviate_names([f'blocks.{i}' for i in gaps])} is missing"
        )
    return len(numbers)


def _infer_channel_values(name: str, known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]) -> ConfigValue:
    """Return mean or std with one value a channel; without a source, ImageNet's or 0.5 in other than 3 channels."""
    channels = known["channels"].value
    stated = known.get(name)
    if name in overrides:
        stated = ConfigValue(overrides[name], "argument", "given by the caller")
    if stated is None and channels == 3:
        return ConfigValue(COMMON_DEFAULTS[name], "ImageNet's, as most do", "assumed")
    values = () if stated is None else stated.value if isinstance(stated.value, list | tuple) else (stated.value,)
    if len(values) == 1:
        values = tuple(values) * channels
    if stated is None or (stated.assumed and len(values) != channels):
        return ConfigValue((0.5,) * channels, f"0.5 in each of {channels} channels", "assumed")
    return ConfigValue(tuple(float(value) for value in values), stated.source, stated.basis)


def _activation_override(activation: str, known: ConfigValue | None) -> ConfigValue:
    """Return the caller's activation if the shapes do not contradict it."""
    gated = known is not None and known.value in GATED_ACTIVATIONS
    if gated != (activation in GATED_ACTIVATIONS):
        names = " or ".join(GATED_ACTIVATIONS)
        shapes = f"must be {names}, as the shapes say" if gated else f"cannot be {activation}: the shapes have no gate"
        raise InputError(f"activation= (--activation) {shapes}, but it is {activation}")
    return ConfigValue(activation, "argument", "given by the caller")


def _describe_source(name: str, value: ConfigValue | None) -> str:
    """Return where a value comes from; that of a value which shapes seldom show with the basis before it."""
    if value is None:
        return "as the rest"
    return str(value) if name in ASSUMABLE_FIELDS or value.assumed else value.source


def _abbreviate_names(names: list[str]) -> str:
    """Return the first ten names and how many there are."""
    rest = f" … ({len(names)} in all)" if len(names) > 10 else ""
    return ", ".join(names[:10]) + rest
