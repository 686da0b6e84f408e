"""Dimensional collapse: features vary in fewer directions than those of untrained networks and shuffled columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from maetheory.evaluation.collapse.answer import (
    NO_INTERVAL,
    RANDOM_INIT_BASELINE,
    SHUFFLED_BASELINE,
    Answer,
    at_this_n,
    note_in_parentheses,
    record_interval,
)
from maetheory.evaluation.collapse.formatting import format_interval, format_number
from maetheory.evaluation.collapse.images_to_decide import images_sentence
from maetheory.evaluation.features.given_features import FEATURES_READOUT

ONE_DIRECTION_RANK = 1.05  # effective rank up to which the features span a single direction
# Without a random-initialisation baseline, ranks are low below this fraction of the rank of shuffled columns.
LOW_FRACTION_OF_SHUFFLED = 0.5
# With one, below this fraction of the lowest rank of untrained networks, since libraries differ in details.
LOW_FRACTION_OF_UNTRAINED = 0.8

Side = Literal["below", "above", "within"]


def assess_dimensional_collapse(rank: Mapping[Any, Any]) -> tuple[Answer, str]:
    """Return whether features vary in unusually few directions, and a sentence.

    Parameters
    ----------
    rank : mapping
        A row of `collapse_report` for effective_rank.
    """
    rank = at_this_n(rank)
    value = f"effective rank {format_interval(rank)} of {rank['d']}"
    if np.isnan(rank["low"]):
        return Answer.UNDECIDED, f"{NO_INTERVAL}: {value}{note_in_parentheses(rank)}."
    same_images = at_this_n(rank, "same_images") if np.isfinite(rank.get("same_images", np.nan)) else rank
    random_init, shuffled = _side_of_random_init(same_images), _side_of_shuffled(rank)
    if random_init is None and shuffled is None:
        return Answer.UNDECIDED, f"No baseline is available: {value}."
    sentence = f"{value[0].upper()}{value[1:]}"
    if random_init is not None and same_images["value"] != rank["value"]:
        sentence += f"; on {rank['random_images']} of the images it is {format_interval(same_images)}, which"
    phrases = [
        _comparison_phrase(name, side, interval)
        for name, side, interval in (
            (RANDOM_INIT_BASELINE, random_init, _interval(rank, "random_init")),
            (SHUFFLED_BASELINE, shuffled, at_this_n(rank, "shuffled")),
        )
        if side is not None
    ]
    sentence = f"{sentence} {' and '.join(phrases)}"
    if random_init is None:
        return _assess_without_random_init(rank, sentence, shuffled)
    return _assess_with_random_init(same_images, sentence, random_init, shuffled)


def _assess_without_random_init(rank: Mapping[Any, Any], sentence: str, shuffled: Side | None) -> tuple[Answer, str]:
    """Compare with shuffled columns alone; since trained features nearly always lie below them, half of it is low."""
    high = record_interval(rank)[1]
    if high <= ONE_DIRECTION_RANK:
        return Answer.YES, f"{sentence}: the features span a single direction."
    if rank.get("readout") == FEATURES_READOUT:
        return Answer.UNDECIDED, f"{sentence}; without their network there is no initialisation to compare with."
    sentence += f"; {RANDOM_INIT_BASELINE} is not available."
    if shuffled != "below":
        return Answer.NO, sentence
    return Answer.YES if high < LOW_FRACTION_OF_SHUFFLED * at_this_n(rank, "shuffled")[
        "low"
    ] else Answer.UNDECIDED, sentence


def _assess_with_random_init(
    rank: Mapping[Any, Any], sentence: str, random_init: Side, shuffled: Side | None
) -> tuple[Answer, str]:
    """Answer from untrained networks of all usual initialisations, and from shuffled columns."""
    high = record_interval(rank)[1]
    below_all = high < _lowest_untrained_rank(rank)
    if high <= ONE_DIRECTION_RANK:
        sentence += ": the features span a single direction"
        if random_init == "below" and below_all:
            return Answer.YES, f"{sentence}."
        return (
            Answer.UNDECIDED,
            f"{sentence}, and those of untrained networks may do so too{_lowest_rule_phrase(rank)}.",
        )
    if random_init == "within":
        return Answer.UNDECIDED, f"{sentence}{images_sentence(rank)}."
    if random_init == "above":
        low_end, high_end = (rank.get(f"random_span_{end}", np.nan) for end in ("low", "high"))
        if high < np.sqrt(low_end * high_end):
            return Answer.UNDECIDED, (
                f"{sentence}; but other initialisations give far higher ranks: {rank['random_highest']} gives up to "
                f"{format_number(high_end)}."
            )
        return Answer.NO, f"{sentence}."
    if not below_all:
        return Answer.UNDECIDED, (
            f"{sentence}; but other initialisations give similarly low ranks{_lowest_rule_phrase(rank)}."
        )
    if shuffled in ("within", "above"):
        return Answer.UNDECIDED, f"{sentence}: the rank is as high as the marginals of the features allow."
    return Answer.YES, f"{sentence}."


def _lowest_untrained_rank(rank: Mapping[Any, Any]) -> float:
    """Return the rank below which no usual initialisation comes, or the baseline's lower end without a span."""
    low = rank.get("random_span_low", np.nan)
    return float(rank["random_init_low"] if np.isnan(low) else LOW_FRACTION_OF_UNTRAINED * low)


def _lowest_rule_phrase(rank: Mapping[Any, Any]) -> str:
    """Return the name and value of the initialisation with the lowest rank, empty without a span."""
    low = rank.get("random_span_low", np.nan)
    return "" if np.isnan(low) else f": {rank['random_lowest']} gives down to {format_number(low)}"


def _side_of_random_init(rank: Mapping[Any, Any]) -> Side | None:
    """Return on which side of the untrained networks on the same images a rank lies; None without them."""
    baseline = _interval(rank, "random_init")
    return None if np.isnan(baseline["low"]) else _side(rank, baseline)


def _side_of_shuffled(rank: Mapping[Any, Any]) -> Side | None:
    """Return on which side of shuffled columns a rank of as many images lies; None without them."""
    baseline = at_this_n(rank, "shuffled")
    return None if np.isnan(baseline["low"]) else _side(rank, baseline)


def _side(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> Side:
    """Return whether an interval is below, above or within (overlaps) another."""
    return "below" if one["high"] < other["low"] else "above" if one["low"] > other["high"] else "within"


def _interval(record: Mapping[Any, Any], name: str) -> dict[str, Any]:
    """Return value, low and high of a baseline."""
    return {key: record.get(f"{name}{end}", np.nan) for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))}


def _comparison_phrase(baseline: str, side: Side, interval: Mapping[Any, Any]) -> str:
    """Return the comparison with a baseline, with the baseline's interval."""
    relation = "does not differ significantly from" if side == "within" else f"is {side}"
    return f"{relation} {baseline} ({format_interval(interval)})"
