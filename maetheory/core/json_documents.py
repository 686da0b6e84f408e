"""Conversion of results to values that JSON can hold, and their text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def finite_or_none(value: float) -> float | None:
    """Return a finite number as a float, and None for NaN and infinities.

    Examples
    --------
    >>> finite_or_none(1), finite_or_none(math.inf)
    (1.0, None)
    """
    return float(value) if math.isfinite(value) else None


def json_ready(value: Any) -> Any:
    """Return nested values as JSON types: None for NaN and infinities, text for types that JSON does not have.

    Arrays and tensors become lists, dataclasses mappings from field to value.

    Examples
    --------
    >>> from pathlib import Path
    >>> json_ready({"value": math.nan, "n": 3, "path": Path("runs")})
    {'value': None, 'n': 3, 'path': 'runs'}
    """
    if value is None or isinstance(value, str | bool):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, Mapping):
        return {str(name): json_ready(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_ready(getattr(value, field.name)) for field in fields(value)}
    for convert in ("toarray", "tolist", "item"):  # sparse arrays, then arrays and tensors, then scalars
        if callable(getattr(value, convert, None)):
            return json_ready(getattr(value, convert)())
    return str(value)


def strict_json(document: Any, *, indent: int | None = None) -> str:
    """Return one document of standard JSON, which has no NaN and no infinities: they become null.

    Examples
    --------
    >>> strict_json({"slack": math.inf})
    '{"slack": null}'
    """
    return json.dumps(json_ready(document), indent=indent, allow_nan=False)
