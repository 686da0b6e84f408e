"""Read configuration values from the attributes of pickled modules, as the number of heads or LayerNorm's ε."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.reading.contents import CheckpointContents

SOURCE = "the pickled module"


def config_values_from_module(contents: CheckpointContents, fields: Mapping[str, str]) -> dict[str, ConfigValue]:
    """Return the fields whose attribute is found.

    Parameters
    ----------
    contents : CheckpointContents
    fields : mapping from field of `EncoderConfig` to the last parts of an attribute's dotted name
    """
    found = {field: find_module_attribute(contents, name) for field, name in fields.items()}
    return {field: ConfigValue(value, SOURCE) for field, value in found.items() if value is not None}


def find_module_attribute(contents: CheckpointContents, ending: str) -> Any:
    """Return the first attribute outside a decoder whose dotted name ends so, None if there is none."""
    for name, value in contents.module_attributes.items():
        if (name == ending or name.endswith("." + ending)) and "decoder" not in name:
            return value
    return None
