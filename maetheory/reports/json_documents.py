"""Conversion of results to values that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

    Examples
    --------
    >>> from pathlib import Path
    >>> json_ready({"value": math.nan, "n": 3, "path": Path("runs")})
    {'value': None, 'n': 3, 'path': 'runs'}
    """
    if isinstance(value, Mapping):
        return {str(name): json_ready(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return finite_or_none(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)
