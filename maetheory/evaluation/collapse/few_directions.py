"""Few directions in absolute terms: the effective rank is below a tenth of the dimension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maetheory.evaluation.collapse.answer import NO_INTERVAL, Answer, note_in_parentheses, record_interval
from maetheory.evaluation.collapse.formatting import format_number, format_value_with_error

FEW_DIRECTIONS_FRACTION = 0.1  # of the dimension, below which directions are few; a convention of ours


def assess_few_directions(rank: Mapping[Any, Any]) -> tuple[Answer, str]:
    """Return whether the effective rank of infinitely many images is below a tenth of the dimension, and a sentence.

    The rank of finitely many images is biased downwards. So a rank of at least a tenth decides the question at any
    number of images; a lower one decides it only where the n → ∞ value is known.

    Parameters
    ----------
    rank : mapping
        A row of `collapse_report` for effective_rank.
    """
    few = FEW_DIRECTIONS_FRACTION * rank["d"]
    low, high = record_interval(rank)
    share = (
        f"effective rank {format_value_with_error(rank['value'], (high - low) / 2)}, {rank['value'] / rank['d']:.1%} of"
    )
    value = f"{share} {rank['d']} dimensions"
    if np.isnan(low):
        return Answer.UNDECIDED, f"{NO_INTERVAL}: {value}{note_in_parentheses(rank)}."
    sentence = f"{value[0].upper()}{value[1:]}"
    if low >= few:
        return Answer.NO, f"{sentence}, at least {FEW_DIRECTIONS_FRACTION:.0%}."
    limit = float(rank.get("limit_high", np.nan))
    if np.isnan(limit):
        return Answer.UNDECIDED, f"{sentence}; more images may give more than {FEW_DIRECTIONS_FRACTION:.0%}."
    reached = f"infinitely many images would give at most {format_number(limit)}"
    if limit < few and high < few:
        return Answer.YES, f"{sentence}, below {FEW_DIRECTIONS_FRACTION:.0%}; {reached}."
    return Answer.UNDECIDED, f"{sentence}; {FEW_DIRECTIONS_FRACTION:.0%} is within the error: {reached}."
