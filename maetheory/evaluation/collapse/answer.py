"""Answers that intervals allow, and the parts that all sentences about collapse share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

RANDOM_INIT_BASELINE = "the random-initialisation baseline"
SHUFFLED_BASELINE = "the shuffled-column baseline"
NO_INTERVAL = "No interval is available, so no conclusion is drawn"


class Answer(StrEnum):
    """Answer to a question about collapse."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


def record_interval(record: Mapping[Any, Any]) -> tuple[float, float]:
    """Return the interval of a row of `collapse_report`."""
    return float(record["low"]), float(record["high"])


def note_in_parentheses(record: Mapping[Any, Any]) -> str:
    """Return the note of a row in parentheses, empty without a note."""
    return f" ({record['note']})" if record.get("note") else ""
