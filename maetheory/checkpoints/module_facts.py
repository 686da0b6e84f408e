"""A pickled module says in plain attributes what no shape tells: how many heads, which ε."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialect import Fact
from maetheory.checkpoints.read import Contents

SOURCE = "the pickled module"


def of_module(contents: Contents, fields: Mapping[str, str]) -> dict[str, Fact]:
    """Return the fields whose attribute is found.

    Parameters
    ----------
    contents : Contents
    fields : mapping from field of `EncoderConfig` to the dotted name of an attribute, whatever stands before it
    """
    found = {field: attribute(contents, name) for field, name in fields.items()}
    return {field: Fact(value, SOURCE) for field, value in found.items() if value is not None}


def attribute(contents: Contents, ending: str) -> Any:
    """Return the first plain attribute of that dotted name outside a decoder, None where there is none."""
    for name, value in contents.attributes.items():
        if (name == ending or name.endswith("." + ending)) and "decoder" not in name:
            return value
    return None
