"""One vector dominates: the largest singular direction holds more than half of the mean square of the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maetheory.evaluation.collapse.answer import NO_INTERVAL, Answer, note_in_parentheses, record_interval
from maetheory.evaluation.collapse.formatting import format_value_with_error

DOMINANT_SHARE = 0.5  # of the mean square of the features, above which one direction outweighs all others together


def assess_dominant_vector(stable_rank: Mapping[Any, Any]) -> tuple[Answer, str]:
    """Return whether one direction holds more than half of the mean square of the features, and a sentence.

    The share of the largest singular direction is the inverse of the stable rank, not centred. Where it is near 1, most
    of every feature is one vector that all images share, and what distinguishes images is small beside it.

    Parameters
    ----------
    stable_rank : mapping
        A row of `collapse_report` for stable_rank, not centred.
    """
    value = float(stable_rank["value"])
    if not value > 0:
        return Answer.UNDECIDED, "All features are zero, so no direction holds any of them."
    low, high = record_interval(stable_rank)
    share, error = 1 / value, (high - low) / 2 / value**2
    sentence = f"The largest direction holds {format_value_with_error(100 * share, 100 * error)} % of the mean square"
    sentence += _untrained_phrase(stable_rank)
    if np.isnan(error):
        if str(stable_rank.get("no_limit", "")).startswith("the largest singular values") and share < DOMINANT_SHARE:
            return Answer.NO, f"{sentence}, and the second is about as large."
        return Answer.UNDECIDED, f"{NO_INTERVAL}: {sentence}{note_in_parentheses(stable_rank)}."
    if share - error > DOMINANT_SHARE:
        return Answer.YES, f"{sentence}, more than all others together."
    if share + error < DOMINANT_SHARE:
        return Answer.NO, f"{sentence}, less than all others together."
    return Answer.UNDECIDED, f"{sentence}; one half is within the error."


def _untrained_phrase(stable_rank: Mapping[Any, Any]) -> str:
    """Return the share in untrained networks in parentheses, empty without them."""
    value = float(stable_rank.get("random_init", np.nan))
    return "" if np.isnan(value) else f" ({100 / value:.0f} % in untrained networks)"
