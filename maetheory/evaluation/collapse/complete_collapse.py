"""Complete collapse: all features point in one direction, so that their mean cosine is 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maetheory.evaluation.collapse.answer import (
    NO_INTERVAL,
    RANDOM_INIT_BASELINE,
    Answer,
    note_in_parentheses,
    record_interval,
)
from maetheory.evaluation.collapse.formatting import format_interval, format_number

COMPLETE_COLLAPSE_COSINE = 0.99  # mean cosine from which the collapse is complete
SHARED_VECTOR_COSINE = 0.5  # mean cosine from which one shared vector makes up most of every feature
COSINE_DISTANCE_FRACTION = 0.5  # of untrained networks' distance from 1, below which a mean cosine is nearer to 1
COSINE_ROUNDING_ERROR = 1e-6  # of a mean cosine of float32 features


def assess_complete_collapse(cosine: Mapping[Any, Any], spread: Mapping[Any, Any] | None) -> tuple[Answer, str]:
    """Return whether all features point in one direction, and a sentence.

    Parameters
    ----------
    cosine, spread : mapping
        Rows of `collapse_report` for mean_cosine and direction_std.
    """
    low, high = record_interval(cosine)
    value = f"mean cosine {format_interval(cosine)}"
    if np.isnan(low):
        return Answer.UNDECIDED, f"{NO_INTERVAL}: {value}{note_in_parentheses(cosine)}."
    if low >= COMPLETE_COLLAPSE_COSINE:
        return _compare_with_untrained(cosine, f"{value} (1 means that all features point in one direction)")
    if high >= COMPLETE_COLLAPSE_COSINE:
        return Answer.UNDECIDED, (
            f"The interval reaches {COMPLETE_COLLAPSE_COSINE}, so complete collapse is possible: {value}."
        )
    if spread is not None and not np.isnan(spread["value"]):
        value += f", standard deviation of directions {spread['value'] * np.sqrt(spread['d']):.2g} times the isotropic"
    sentence = f"{value}{_random_init_phrase(cosine)}."
    if low > SHARED_VECTOR_COSINE:
        return Answer.NO, f"Yet one shared vector makes up most of every feature: {sentence}"
    return Answer.NO, f"{sentence[0].upper()}{sentence[1:]}"


def _compare_with_untrained(cosine: Mapping[Any, Any], value: str) -> tuple[Answer, str]:
    """Return yes if the mean cosine is nearer to 1 than that of untrained networks, else undecided."""
    value += _also_random_init_phrase(cosine)
    reached = cosine.get("random_span_high", np.nan)
    if 1 - reached <= (1 - record_interval(cosine)[0]) / COSINE_DISTANCE_FRACTION + COSINE_ROUNDING_ERROR:
        return Answer.UNDECIDED, (
            f"{value[0].upper()}{value[1:]}; but untrained networks reach {format_number(reached)} "
            f"({cosine['random_highest']})."
        )
    return Answer.YES, f"Complete collapse: {value}."


def _random_init_phrase(record: Mapping[Any, Any]) -> str:
    value = record.get("random_init", np.nan)
    return "" if np.isnan(value) else f"; {format_number(value)} for {RANDOM_INIT_BASELINE}"


def _also_random_init_phrase(record: Mapping[Any, Any]) -> str:
    """Return the baseline's value, or the remark that the baseline is as near to 1."""
    low = record.get("random_init_low", np.nan)
    if low >= COMPLETE_COLLAPSE_COSINE:
        return f", as for {RANDOM_INIT_BASELINE}"
    return _random_init_phrase(record)
