"""Answers that intervals allow, and the parts that all sentences about collapse share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np

RANDOM_INIT_BASELINE = "the random-initialisation baseline"
SHUFFLED_BASELINE = "the shuffled-column baseline"
NO_INTERVAL = "No interval is available, so no conclusion is drawn"


class Answer(StrEnum):
    """Answer to a question about collapse."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


def record_interval(record: Mapping[Any, Any]) -> tuple[float, float]:
    """Return ``value ± error`` of a row of `collapse_report`, the interval for another sample of as many images."""
    value, error = float(record["value"]), float(record.get("error", np.nan))
    if np.isnan(error):  # a record of another origin
        error = (float(record["high"]) - float(record["low"])) / 2
    return value - error, value + error


def at_this_n(record: Mapping[Any, Any], name: str = "") -> dict[Any, Any]:
    """Return a record with ``value ± error`` as its interval, or that of one of its baselines.

    Parameters
    ----------
    record : mapping
        A row of `collapse_report`.
    name : str
        "" for the row's own value, "shuffled" or "same_images" for others in it.
    """
    value = record.get(name or "value", np.nan)
    error = record.get(f"{name}_error" if name else "error", np.nan)
    if np.isnan(error):
        low, high = (record.get(f"{name}_{end}" if name else end, np.nan) for end in ("low", "high"))
        error = (high - low) / 2
    return {**record, "value": value, "error": error, "low": value - error, "high": value + error}


def note_in_parentheses(record: Mapping[Any, Any]) -> str:
    """Return the note of a row in parentheses, empty without a note."""
    return f" ({record['note']})" if record.get("note") else ""
