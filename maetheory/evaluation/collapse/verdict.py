"""Answers to two questions about collapse, each with what it is compared with and no surer than the bands allow.

Complete collapse: all images get one direction. The mean cosine is near 1, and nearer than that of untrained networks.
Dimensional collapse: images differ, but in few directions. The effective rank lies below that of untrained networks of
the same architecture, and below that of shuffled columns, which have the same marginals and the same mean vector.

How many directions an untrained network gives depends on how its weights were drawn, by a factor of two and more. So
"yes" needs a rank below the baselines of all usual initialisations, not only of the code base's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from maetheory.evaluation.collapse.formatting import format_interval, number

COMPLETE_COLLAPSE_COSINE = 0.99  # mean cosine from which all images count as one direction
ONE_DIRECTION_RANK = 1.05  # effective rank up to which there is one direction
FEW_DIRECTIONS_FRACTION = (
    0.5  # share of the effective rank of shuffled columns below which directions are few, where there is no twin
)
FEWER = (
    0.8  # share of the lowest rank of untrained networks below which directions are fewer: libraries differ in details
)
NEARER = 0.5  # the same of the distance of a mean cosine from 1
ROUNDING = 1e-6  # of a mean cosine of float32 features
SHARED_VECTOR_COSINE = 0.5  # mean cosine from which one vector carries most of every feature


class Answer(StrEnum):
    """What a band allows to say."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Finding:
    """One question about one population, its answer, and the sentence that says it with numbers.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    question : str
        "complete collapse" or "dimensional collapse".
    answer : Answer
    sentence : str
    """

    readout: str
    layer: Any
    question: str
    answer: Answer
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "readout": self.readout,
            "layer": self.layer,
            "question": self.question,
            "answer": self.answer.value,
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        return f"{self.readout}, {self.question}: {self.answer}. {self.sentence}"


def verdict(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Read a table of `collapse_report`: for each readout of its last layer, what has collapsed compared with what.

    Parameters
    ----------
    table : DataFrame
        With rows for mean_cosine, direction_std and effective_rank in their default conventions.

    Examples
    --------
    >>> import numpy as np
    >>> from maetheory.evaluation import collapse_report
    >>> images = np.random.default_rng(0).random((60, 1, 4, 4))
    >>> constant = collapse_report(lambda x: 0 * x.flatten(1) + 1, images, full=True)
    >>> print(verdict(constant)[0])
    output, complete collapse: yes. All images have one direction: mean cosine 1 [1, 1], where 1 is complete collapse.
    """
    if table.empty:
        return ()
    last = table[table.layer == table.layer.iloc[-1]]
    found: list[Finding] = []
    for readout, rows in last.groupby("readout", sort=False):
        first = rows.drop_duplicates("metric").set_index("metric")
        records: dict[str, Mapping[Any, Any]] = {str(name): row.to_dict() for name, row in first.iterrows()}
        layer = rows.layer.iloc[0]
        if "mean_cosine" in records:
            answer, sentence = _assess_complete_collapse(records["mean_cosine"], records.get("direction_std"))
            found.append(Finding(str(readout), layer, "complete collapse", answer, sentence))
        if "effective_rank" in records:
            answer, sentence = _assess_dimensional_collapse(records["effective_rank"])
            found.append(Finding(str(readout), layer, "dimensional collapse", answer, sentence))
    return tuple(found)


def _assess_complete_collapse(cosine: Mapping[Any, Any], spread: Mapping[Any, Any] | None) -> tuple[Answer, str]:
    low, high = _interval(cosine)
    said = f"mean cosine {format_interval(cosine)}"
    if np.isnan(low):
        return Answer.UNDECIDED, f"Without a band nothing can be said: {said}{_note_phrase(cosine)}."
    if low >= COMPLETE_COLLAPSE_COSINE:
        said = f"All images have one direction: {said}, where 1 is complete collapse{_also_random_init_phrase(cosine)}"
        reached = cosine.get("random_span_high", np.nan)
        if 1 - reached <= (1 - low) / NEARER + ROUNDING:
            return Answer.UNDECIDED, (
                f"{said}; but untrained networks reach {number(reached)} ({cosine['random_highest']})"
            )
        return Answer.YES, f"{said}."
    if high >= COMPLETE_COLLAPSE_COSINE:
        return (
            Answer.UNDECIDED,
            f"Images nearly share one direction, and the band reaches {COMPLETE_COLLAPSE_COSINE}: {said}.",
        )
    if spread is not None and not np.isnan(spread["value"]):
        said += f", directions spread {spread['value'] * np.sqrt(spread['d']):.2g} times as far as even ones"
    if low > SHARED_VECTOR_COSINE:
        return (
            Answer.NO,
            f"Images differ, but one shared vector carries most of every feature: {said}{_random_init_phrase(cosine)}.",
        )
    return Answer.NO, f"Images have directions of their own: {said}{_random_init_phrase(cosine)}."


def _assess_dimensional_collapse(rank: Mapping[Any, Any]) -> tuple[Answer, str]:
    said = f"Effective rank {format_interval(rank)} of {rank['d']}"
    low, high = _interval(rank)
    if np.isnan(low):
        return Answer.UNDECIDED, f"Without a band nothing can be said: {said[0].lower()}{said[1:]}{_note_phrase(rank)}."
    twin, shuffled_side = _compare_with_baseline(rank, "random_twin"), _compare_with_baseline(rank, "shuffled")
    if shuffled_side is None and twin is None:
        return Answer.UNDECIDED, f"There is nothing to compare with: {said[0].lower()}{said[1:]}."
    sides = [
        _comparison_phrase(rank, name, side)
        for name, side in (("random_twin", twin), ("shuffled", shuffled_side))
        if side is not None
    ]
    said += f" {', and '.join(sides)}"
    if twin is None:
        if high <= ONE_DIRECTION_RANK:
            return Answer.YES, f"{said}: one direction is all there is."
        return _answer_from_shuffled(
            shuffled_side, high, rank["shuffled_low"]
        ), f"{said}; there is no random twin to compare with."
    if high <= ONE_DIRECTION_RANK:
        return _one_direction(rank, said, twin)
    if twin == "within":
        return Answer.UNDECIDED, f"{said}."
    low_end, high_end = (rank.get(f"random_span_{end}", np.nan) for end in ("low", "high"))
    if twin == "above" and high < np.sqrt(low_end * high_end):
        return Answer.UNDECIDED, (
            f"{said}; but other untrained networks have far more: {rank['random_highest']} gives "
            f"up to {number(high_end)}."
        )
    if twin == "above":
        return Answer.NO, f"{said}."
    if not high < _lowest(rank):
        return Answer.UNDECIDED, f"{said}; but other untrained networks have about as few{_as_few(rank)}."
    if shuffled_side in ("within", "above"):
        return Answer.UNDECIDED, f"{said}: as many as the marginals of the features allow."
    return Answer.YES, f"{said}."


def _one_direction(rank: Mapping[Any, Any], said: str, twin: str) -> tuple[Answer, str]:
    """Answer where one direction is all there is: it is collapse unless untrained networks may have no more."""
    said += ": one direction is all there is"
    if twin == "below" and _interval(rank)[1] < _lowest(rank):
        return Answer.YES, f"{said}."
    return Answer.UNDECIDED, f"{said}, and untrained networks may have no more{_as_few(rank)}."


def _lowest(rank: Mapping[Any, Any]) -> float:
    """Return the rank below which no usual initialisation comes; of one baseline where no span was measured."""
    low = rank.get("random_span_low", np.nan)
    return float(rank["random_twin_low"] if np.isnan(low) else FEWER * low)


def _as_few(rank: Mapping[Any, Any]) -> str:
    """Name the initialisation that reaches lowest, and where it does."""
    low = rank.get("random_span_low", np.nan)
    return "" if np.isnan(low) else f": {rank['random_lowest']} gives down to {number(low)}"


def _answer_from_shuffled(shuffled_side: str | None, high: float, null_low: float) -> Answer:
    """Answer from shuffled columns alone, below which trained features nearly always lie: half of them is few."""
    if shuffled_side != "below":
        return Answer.NO
    return Answer.YES if high < FEW_DIRECTIONS_FRACTION * null_low else Answer.UNDECIDED


def _comparison_phrase(record: Mapping[Any, Any], name: str, side: str) -> str:
    """Say on which side of a baseline a number lies."""
    baseline = {key: record[f"{name}{end}"] for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))}
    who = {"random_twin": "its random twin", "shuffled": "its shuffled columns"}[name]
    if side == "within":
        return f"cannot be told apart from {who} ({format_interval(baseline)})"
    return f"lies {side} {who} ({format_interval(baseline)})"


def _compare_with_baseline(record: Mapping[Any, Any], name: str) -> str | None:
    """Return "below", "above" or "within": where the band lies against a baseline's; None where there is none."""
    low, high = _interval(record)
    other_low, other_high = record.get(f"{name}_low", np.nan), record.get(f"{name}_high", np.nan)
    if np.isnan(other_low):
        return None
    return "below" if high < other_low else "above" if low > other_high else "within"


def _random_init_phrase(record: Mapping[Any, Any]) -> str:
    value = record.get("random_twin", np.nan)
    return "" if np.isnan(value) else f"; {number(value)} for its random twin"


def _also_random_init_phrase(record: Mapping[Any, Any]) -> str:
    """Say so when the network before training is as collapsed."""
    low = record.get("random_twin_low", np.nan)
    return ", as for its random twin" if low >= COMPLETE_COLLAPSE_COSINE else _random_init_phrase(record)


def _note_phrase(record: Mapping[Any, Any]) -> str:
    return f" ({record['note']})" if record.get("note") else ""


def _interval(record: Mapping[Any, Any]) -> tuple[float, float]:
    return float(record["low"]), float(record["high"])
