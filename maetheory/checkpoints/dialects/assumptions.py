"""Notes on the values that nothing in a file states: what was assumed, why, and how to change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.encoder_config import format_size, two_sides

NAMES = {
    "mean": "mean",
    "std": "std",
    "heads": "the number of heads",
    "eps": "LayerNorm's eps",
    "activation": "the activation",
}
GROUPS = (("mean", "std"), ("heads",), ("eps", "activation"))


def assumption_notes(values: Mapping[str, ConfigValue]) -> list[str]:
    """Return one sentence for each group of values that nothing in the file states.

    Examples
    --------
    >>> for note in assumption_notes({"heads": ConfigValue(3, "the table of widths", "assumed")}):
    ...     print(note)
    the file does not state the number of heads: 3 assumed (the table of widths); set heads= (--heads) to change it
    """
    notes = []
    for group in GROUPS:
        assumed = {name: values[name] for name in group if name in values and values[name].assumed}
        if assumed:
            names = " and ".join(NAMES[name] for name in assumed)
            words = " and ".join(_format_value(value.value) for value in assumed.values())
            sources = " and ".join(dict.fromkeys(value.source for value in assumed.values()))
            options = " and ".join(f"{name}= (--{name})" for name in assumed)
            it = "them" if len(assumed) > 1 else "it"
            notes.append(f"the file does not state {names}: {words} assumed ({sources}); set {options} to change {it}")
    block = values.get("block")
    if block is not None and block.assumed:
        notes.append(
            "the file does not state whether blocks norm their inputs or their outputs: "
            f"{block.value} assumed ({block.source}); the name of the model in a config.json beside the file states it"
        )
    rotary = values.get("rotary")
    if rotary is not None and rotary.assumed:
        notes.append(
            f"no tensor shows rotary positions: {rotary.value} assumed ({rotary.source}); the name of the model in a "
            "config.json beside the file states them"
        )
    size = values.get("image_size")
    if size is not None and size.assumed:
        if "rows of positions" in size.source:
            height, width = two_sides(size.value)
            notes.append(f"the file does not state that images are square: {height} x {width} assumed ({size.source})")
        else:
            notes.append(
                f"the file does not state the image size: {format_size(size.value)} assumed ({size.source}); set "
                "image_size= (--image-size) to change it"
            )
    return notes


def _format_value(value: Any) -> str:
    """Return a value in few characters."""
    if isinstance(value, tuple):
        return "(" + ", ".join(f"{one:.4g}" for one in value) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
