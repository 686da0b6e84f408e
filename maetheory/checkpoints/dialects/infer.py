"""The shapes of a Vision Transformer's weights say nearly everything about it, but never how many heads it has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite, isqrt
from typing import Any, NamedTuple, get_args

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.encoder import Activation, EncoderConfig
from maetheory.core import InputError

HEADS_BY_WIDTH = {192: 3, 384: 6, 512: 8, 768: 12, 1024: 16, 1152: 16, 1280: 16, 1408: 16, 1536: 24}
BLOCK_INDEX = re.compile(r"blocks\.(\d+)\.")
ROTARY_KEY = re.compile(r"(.*\.)?(rope\w*|rotary\w*|periods|inv_freq|freqs_cis)(\..*)?")
RELATIVE_TABLE_NAME = "attn.relative_position_bias_table"
SHARED_RELATIVE_TABLE_NAME = "rel_pos_bias.relative_position_bias_table"
FALLBACK_VALUES: Mapping[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
CONFIG_FIELDS = tuple(field.name for field in fields(EncoderConfig))


class InferredConfig(NamedTuple):
    """An architecture, where each of its fields came from, and what had to be assumed."""

    config: EncoderConfig
    sources: dict[str, str]
    notes: tuple[str, ...]


def infer_config(
    tensors: Mapping[str, Tensor],
    config_values: Mapping[str, ConfigValue],
    defaults: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
) -> InferredConfig:
    """Return the architecture of canonical tensors, at the image size the file was made for.

    Parameters
    ----------
    tensors : mapping from canonical name to Tensor
        See `Dialect`.
    config_values : mapping from field of `EncoderConfig` to `ConfigValue`
        What stands beside the tensors; shapes come before it where both speak.
    defaults : mapping from field to value
        What the code base always does.
    arguments : mapping from field to value
        What the caller knows; comes before everything but must not contradict a shape. `image_size` only settles
        which rows of the position table belong to patches.

    Raises
    ------
    InputError
        If the tensors are no Vision Transformer, two readings fit or none, or the heads cannot be known.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    shapes, notes = _values_from_shapes(tensors), list[str]()
    for name, fact in [
        *config_values.items(),
        *((name, ConfigValue(value, "the argument")) for name, value in given.items()),
    ]:
        _check_value(name, fact)
    known = {
        name: ConfigValue(value, "the dialect's default") for name, value in defaults.items() if name in CONFIG_FIELDS
    }
    known |= {name: fact for name, fact in config_values.items() if name in CONFIG_FIELDS}
    for name, fact in shapes.items():
        if name in known and known[name].value != fact.value and not known[name].source.startswith("the dialect"):
            notes.append(
                f"{known[name].source} says {name} {known[name].value}, but the {fact.source} say "
                f"{fact.value}, which was used"
            )
    known |= shapes
    known |= _infer_positions(tensors, known, given)
    if "eps" in given:
        known |= {"eps": ConfigValue(given["eps"], "argument"), "final_eps": ConfigValue(given["eps"], "argument")}
    known["heads"] = _infer_heads(tensors, known, given, notes)
    for name in ("mean", "std"):
        known[name] = _infer_channel_values(name, known, given, notes)
    for name, value in FALLBACK_VALUES.items():
        known.setdefault(name, ConfigValue(value, "assumed, as most do"))
    notes += [
        f"{name} {fact.value}: {fact.source}"
        for name, fact in known.items()
        if config_values.get(name) is fact and fact.source.startswith("assumed")
    ]
    config = EncoderConfig(**{name: fact.value for name, fact in known.items()})
    sources = {name: known[name].source if name in known else "as the rest" for name in CONFIG_FIELDS}
    return InferredConfig(config, sources, tuple(notes))


def _check_value(name: str, fact: ConfigValue) -> None:
    """Refuse what no architecture has; a file's neighbours may say anything."""
    values = fact.value if isinstance(fact.value, list | tuple) else (fact.value,)
    right, words = {
        "heads": (_is_count(values), "a whole number of at least 1"),
        "image_size": (_is_count(values), "a whole number of at least 1"),
        "eps": (_all_finite_numbers(values) and 0 < values[0] < 1, "a number between 0 and 1"),
        "final_eps": (_all_finite_numbers(values) and 0 < values[0] < 1, "a number between 0 and 1"),
        "mean": (_all_finite_numbers(values), "finite numbers"),
        "std": (_all_finite_numbers(values) and min(values) > 0, "positive numbers"),
        "activation": (values[0] in get_args(Activation), "one of " + ", ".join(get_args(Activation))),
    }.get(name, (True, ""))
    if not right:
        raise InputError(f"{name} must be {words}, but {fact.source} says {fact.value!r}")


def _is_count(values: Sequence[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], int) and not isinstance(values[0], bool) and values[0] >= 1


def _all_finite_numbers(values: Sequence[Any]) -> bool:
    return len(values) > 0 and all(isinstance(value, int | float) and isfinite(value) for value in values)


def _values_from_shapes(tensors: Mapping[str, Tensor]) -> dict[str, ConfigValue]:
    """Return the fields that shapes and names settle."""
    patch = _require_tensor(tensors, "patch_embed.proj.weight", 4)
    if patch.shape[2] != patch.shape[3]:
        raise InputError(f"patches must be square, but this file's are {patch.shape[2]} x {patch.shape[3]} pixels")
    depth = _count_blocks(tensors)
    qkv, fc1, fc2 = (
        _require_tensor(tensors, f"blocks.0.{name}.weight", 2) for name in ("attn.qkv", "mlp.fc1", "mlp.fc2")
    )
    gated = fc1.shape[0] == 2 * fc2.shape[1]
    values: dict[str, Any] = {
        "patch": patch.shape[2],
        "channels": patch.shape[1],
        "width": patch.shape[0],
        "depth": depth,
        "inner": qkv.shape[0] // 3,
        "hidden": fc2.shape[1],
    }
    present: dict[str, Any] = {
        "qkv_bias": "blocks.0.attn.qkv.bias" in tensors,
        "cls": "cls_token" in tensors,
        "layer_scale": "blocks.0.ls1.gamma" in tensors,
        "qk_norm": "blocks.0.attn.q_norm.weight" in tensors,
        "norm_pre": "norm_pre.weight" in tensors,
        "patch_norm": "patch_embed.norm_in.weight" in tensors,
        "norm": "final" if "norm.weight" in tensors else "pooled" if "fc_norm.weight" in tensors else "none",
    }
    values["registers"] = tensors["reg_token"].shape[-2] if "reg_token" in tensors else 0
    if gated:
        values["activation"] = "swiglu"
    shapes = {name: ConfigValue(value, "shapes") for name, value in values.items()}
    return shapes | {name: ConfigValue(value, "names") for name, value in present.items()}


def _require_tensor(tensors: Mapping[str, Tensor], name: str, ndim: int) -> Tensor:
    if name not in tensors:
        raise InputError(
            f"these weights are no whole Vision Transformer: {name} is missing among {_first_names(sorted(tensors))}"
        )
    if tensors[name].ndim != ndim or not tensors[name].numel():
        raise InputError(
            f"{name} must have {ndim} dimensions and values, but its shape is {tuple(tensors[name].shape)}"
        )
    return tensors[name]


def _count_blocks(tensors: Mapping[str, Tensor]) -> int:
    numbers = {int(found[1]) for name in tensors if (found := BLOCK_INDEX.match(name))}
    gaps = sorted(set(range(max(numbers, default=0) + 1)) - numbers)
    if gaps:
        raise InputError(
            f"blocks must be numbered from 0 without a gap, but of {max(numbers, default=0) + 1} "
            f"{_first_names([f'blocks.{i}' for i in gaps])} is missing"
        )
    return len(numbers)


def _infer_positions(
    tensors: Mapping[str, Tensor], known: Mapping[str, ConfigValue], given: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    """Return image_size, positions and position_prefix."""
    per_block, shared = f"blocks.0.{RELATIVE_TABLE_NAME}", SHARED_RELATIVE_TABLE_NAME
    if "pos_embed" in tensors:
        if per_block in tensors or shared in tensors:
            raise InputError(
                "this file holds a position table and relative positions at once, which no encoder here computes"
            )
        return _infer_absolute_positions(tensors["pos_embed"], known, given)
    for name, kind in ((per_block, "relative"), (shared, "shared relative")):
        if name in tensors:
            return _infer_relative_positions(tensors[name], kind, known)
    if any(ROTARY_KEY.fullmatch(name) for name in tensors) or "positions" not in known:
        raise InputError(
            "this file holds neither a position table nor relative positions, so its positions are "
            "rotary (DINOv3, EVA-02) or come from elsewhere, and it cannot be loaded"
        )
    size = given.get("image_size", known["image_size"].value if "image_size" in known else None)
    if size is None:
        raise InputError("without positions no shape tells the image size: pass image_size= (--image-size)")
    return {
        "image_size": ConfigValue(size, "argument" if "image_size" in given else known["image_size"].source),
        "position_prefix": ConfigValue(0, "names"),
    }


def _infer_absolute_positions(
    table: Tensor, known: Mapping[str, ConfigValue], given: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    rows, patch = table.shape[-2], known["patch"].value
    cls, registers = int(known["cls"].value), known["registers"].value
    may = sorted({0, cls, cls + registers})
    if "position_prefix" in known:
        may = [known["position_prefix"].value]
    grids = {k: isqrt(rows - k) for k in may if rows > k and isqrt(rows - k) ** 2 == rows - k}
    if not grids:
        raise InputError(
            f"a position table of {rows} rows leaves no square grid of patches beside {cls} cls and "
            f"{registers} register tokens"
        )
    wanted = given.get("image_size", known["image_size"].value if "image_size" in known else None)
    if len(grids) > 1:
        grids = {k: grid for k, grid in grids.items() if wanted is not None and grid * patch == wanted}
    if len(grids) != 1:
        raise InputError(
            f"a position table of {rows} rows can be read in more than one way beside {cls} cls and "
            f"{registers} register tokens: pass image_size= (--image-size)"
        )
    (k, grid), *_ = grids.items()
    return {
        "positions": ConfigValue("table", "names"),
        "position_prefix": ConfigValue(k, f"{rows} rows of positions"),
        "image_size": ConfigValue(grid * patch, f"{rows} rows of positions"),
    }


def _infer_relative_positions(table: Tensor, kind: str, known: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    rows = table.shape[0] - 3 * int(known["cls"].value)
    side = isqrt(max(rows, 0))
    if side * side != rows or side % 2 == 0:
        raise InputError(
            f"a relative position table must have (2 G - 1)² rows, and three more for a cls token, but "
            f"it has {table.shape[0]}"
        )
    return {
        "positions": ConfigValue(kind, "names"),
        "position_prefix": ConfigValue(0, "names"),
        "image_size": ConfigValue((side + 1) // 2 * known["patch"].value, "rows of the relative table"),
    }


def _infer_heads(
    tensors: Mapping[str, Tensor], known: Mapping[str, ConfigValue], given: Mapping[str, Any], notes: list[str]
) -> ConfigValue:
    inner, width = known["inner"].value, known["width"].value
    shape = _heads_from_shapes(tensors, inner)
    heads = given.get("heads")
    if heads is not None:
        if heads < 1 or inner % heads or (shape is not None and shape.value != heads):
            right = f"must be {shape.value}, as the {shape.source} say" if shape else f"must divide {inner}"
            raise InputError(f"heads= (--heads) {right}, but it is {heads}")
        if "heads" in known and known["heads"].value != heads:
            notes.append(
                f"{heads} heads as asked for, though by {known['heads'].source} there are {known['heads'].value}"
            )
        return ConfigValue(heads, "argument")
    if shape is not None:
        return shape
    if "heads" in known:
        return known["heads"]
    if width in HEADS_BY_WIDTH and inner % HEADS_BY_WIDTH[width] == 0:
        return ConfigValue(HEADS_BY_WIDTH[width], "the table of widths")
    if inner % 64 == 0:
        notes.append(
            f"nothing says how many heads there are: {inner // 64} of 64 features were assumed; "
            "heads= (--heads) says otherwise"
        )
        return ConfigValue(inner // 64, "assumed, 64 features a head")
    raise InputError(
        f"nothing in this file says how many heads its {inner} attention features form: pass heads= (--heads)"
    )


def _heads_from_shapes(tensors: Mapping[str, Tensor], inner: int) -> ConfigValue | None:
    for name in (f"blocks.0.{RELATIVE_TABLE_NAME}", SHARED_RELATIVE_TABLE_NAME):
        if name in tensors:
            return ConfigValue(tensors[name].shape[1], "columns of the relative table")
    norm = tensors.get("blocks.0.attn.q_norm.weight")
    if norm is None:
        return None
    if norm.numel() == inner or inner % norm.numel():
        raise InputError(
            f"query norms must be of one head's width, but this file's is over {norm.numel()} of {inner} features"
        )
    return ConfigValue(inner // norm.numel(), "shapes of the query norms")


def _infer_channel_values(
    name: str, known: Mapping[str, ConfigValue], given: Mapping[str, Any], notes: list[str]
) -> ConfigValue:
    channels = known["channels"].value
    fact = ConfigValue(given[name], "argument") if name in given else known.get(name)
    if fact is None:
        if channels != 3:
            notes.append(f"nothing says the {name} of {channels} channels: 0.5 was assumed")
            return ConfigValue((0.5,) * channels, "assumed")
        return ConfigValue(FALLBACK_VALUES[name], "assumed, as most do")
    values = fact.value if isinstance(fact.value, list | tuple) else (fact.value,)
    if len(values) == 1:
        values = tuple(values) * channels
    elif len(values) != channels and name not in given and fact.source == "the dialect's default":
        notes.append(f"nothing says the {name} of {channels} channels: 0.5 was assumed")
        return ConfigValue((0.5,) * channels, "assumed")
    return ConfigValue(tuple(float(value) for value in values), fact.source)


def _first_names(names: list[str]) -> str:
    """Return the first ten names and how many there are."""
    rest = f" … ({len(names)} in all)" if len(names) > 10 else ""
    return ", ".join(names[:10]) + rest
