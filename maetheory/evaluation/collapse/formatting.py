"""Numbers and intervals as text, with the digits that the width of the interval supports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def format_interval(record: Mapping[Any, Any]) -> str:
    """Return a value and its interval with as many digits as the interval's width supports, "8.62 [8.47, 8.77]".

    Parameters
    ----------
    record : mapping with keys value, low and high

    Examples
    --------
    >>> format_interval({"value": 39.2431, "low": 38.81, "high": 39.68})
    '39.2 [38.8, 39.7]'
    >>> format_interval({"value": -0.0002, "low": -0.003, "high": 0.0026})
    '0.000 [-0.003, 0.003]'
    """
    value, low, high = (float(record[name]) for name in ("value", "low", "high"))
    if np.isnan(value):
        return "–"
    if np.isnan(low):
        return format_number(value)
    width = max(high - low, abs(value) * 1e-4)
    if width == 0:
        return f"{value:g} [{low:g}, {high:g}]"
    places = int(max(0, -np.floor(np.log10(width / 4))))  # one significant digit of the error, two if the first is 1
    if abs(value) >= 1e6 or places > 6:
        return f"{value:.3g} [{low:.3g}, {high:.3g}]"
    texts = [_strip_trailing_zeros(f"{one:z.{places}f}", low == high) for one in (value, low, high)]  # z: no "-0.00"
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def format_value_with_error(value: float, error: float) -> str:
    """Return a value with its error, with as many digits as the error supports, "39.2 ± 0.4".

    Examples
    --------
    >>> format_value_with_error(39.2431, 0.435), format_value_with_error(2.0, 0.0), format_value_with_error(2.0, np.nan)
    ('39.2 ± 0.4', '2 ± 0', '2.00')
    """
    if not np.isfinite(error) or not np.isfinite(value):
        return format_number(value)
    interval = {"value": value, "low": value - error, "high": value + error}
    places = len(format_interval(interval).split(" ")[0].partition(".")[2])
    return (
        f"{format_interval(interval).split(' ')[0]} ± {error:.{places}f}"
        if abs(value) < 1e6
        else f"{value:.3g} ± {error:.2g}"
    )


def format_number(value: float) -> str:
    """Return a number with three digits, "–" for NaN.

    Examples
    --------
    >>> format_number(25.0), format_number(0.5), format_number(102.2), format_number(8.4e7), format_number(2e-19)
    ('25.0', '0.500', '102', '8.4e+07', '0')
    """
    if np.isnan(value):
        return "–"
    if abs(value) < 1e-12:
        return "0"
    return f"{value:#.3g}".rstrip(".") if 1e-3 < abs(value) < 1e3 else f"{value:.3g}"


def _strip_trailing_zeros(text: str, trim: bool) -> str:
    return text.rstrip("0").rstrip(".") if trim and "." in text else text
