"""Conclusions about collapse by several yardsticks, drawn from the intervals of metrics and baselines.

Complete collapse: all features point in one direction. The mean cosine is near 1, and nearer than that of untrained
networks. Dimensional collapse: features vary in few directions only. The effective rank is below that of untrained
networks of the same architecture, and below that of shuffled columns, which have the same marginals and the same mean
vector.

Two more yardsticks compare with nothing untrained. Few directions in absolute terms: the effective rank is below a
tenth of the dimension. One vector dominates: the largest direction holds more than half of the mean square. Both are
common in untrained networks, so that "yes" to them is not called collapsed.

The effective rank of an untrained network depends on how its weights were drawn, by a factor of two and more.
Therefore "yes" needs a rank below the baselines of all usual initialisations, not only of the code base's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from maetheory.evaluation.collapse.answer import Answer, at_this_n
from maetheory.evaluation.collapse.complete_collapse import COMPLETE_COLLAPSE_COSINE, assess_complete_collapse
from maetheory.evaluation.collapse.dimensional_collapse import assess_dimensional_collapse
from maetheory.evaluation.collapse.dominant_vector import assess_dominant_vector
from maetheory.evaluation.collapse.few_directions import assess_few_directions
from maetheory.evaluation.collapse.formatting import format_value_with_error

__all__ = ["Answer", "Finding", "assess_collapse"]
YARDSTICKS: Mapping[str, str] = {
    "complete collapse": f"mean cosine of two images, against {COMPLETE_COLLAPSE_COSINE:g}",
    "dimensional collapse": "effective rank, against untrained networks on the same images",
    "few directions": "effective rank, against a tenth of the dimension",
    "one vector dominates": "share of the largest direction, against one half",
}
"""Question -> the number that decides it and what it is compared with."""
ONE_DIMENSION = (
    "Features of one dimension have one direction whatever they are, so that nothing can be said of collapse."
)
COLLAPSE_QUESTIONS = ("complete collapse", "dimensional collapse")  # those whose "yes" is called collapsed


@dataclass(frozen=True)
class Finding:
    """The answer to one question about one readout, with a sentence that gives the numbers.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    question : str
        "complete collapse", "dimensional collapse", "few directions" or "one vector dominates".
    answer : Answer
    sentence : str
    number : str
        The number that decides, with its error.
    """

    readout: str
    layer: Any
    question: str
    answer: Answer
    sentence: str
    number: str = ""

    @property
    def yardstick(self) -> str:
        """What decides the question: a number, and what it is compared with."""
        return YARDSTICKS[self.question]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "readout": self.readout,
            "layer": self.layer,
            "question": self.question,
            "yardstick": self.yardstick,
            "number": self.number,
            "answer": self.answer.value,
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        return f"{self.readout}, {self.question}: {self.answer}. {self.sentence}"


def assess_collapse(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Decide for each readout of the last layer whether its features have collapsed completely or in dimension.

    Parameters
    ----------
    table : DataFrame
        The result of `collapse_report`, with mean_cosine, direction_std and effective_rank in their default
        conventions. Old tables, with columns named random_twin, are read too.

    Examples
    --------
    >>> import numpy as np
    >>> from maetheory.evaluation import collapse_report
    >>> images = np.random.default_rng(0).random((60, 1, 4, 4))
    >>> constant = collapse_report(lambda x: 0 * x.flatten(1) + 1, images, full=True)
    >>> print(assess_collapse(constant)[1])
    output, dimensional collapse: yes. Effective rank 1 [1, 1] of 16 does not differ significantly from the
    shuffled-column baseline (1 [1, 1]): the features span a single direction.
    """
    return tuple(one for one in assess_yardsticks(table) if one.question in COLLAPSE_QUESTIONS)


def assess_yardsticks(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Answer four questions about each readout of the last layer, each by its own yardstick.

    Parameters
    ----------
    table : DataFrame
        As for `assess_collapse`, with stable_rank too; a question whose metric is missing is left out.
    """
    if table.empty:
        return ()
    table = table.rename(columns=lambda name: str(name).replace("random_twin", "random_init"))
    last = table[table.layer == table.layer.iloc[-1]]
    findings: list[Finding] = []
    for readout, rows in last.groupby("readout", sort=False):
        first = rows.drop_duplicates("metric").set_index("metric")
        records: dict[str, Mapping[Any, Any]] = {str(name): row.to_dict() for name, row in first.iterrows()}
        layer = rows.layer.iloc[0]
        for question, (answer, sentence) in _answers(records):
            if (rows.d == 1).all():
                answer, sentence = Answer.UNDECIDED, ONE_DIMENSION
            findings.append(Finding(str(readout), layer, question, answer, sentence, _number(question, records)))
    return tuple(findings)


def _answers(records: Mapping[str, Mapping[Any, Any]]) -> Iterator[tuple[str, tuple[Answer, str]]]:
    """Yield each question whose metric was measured, with its answer and sentence."""
    if "mean_cosine" in records:
        yield "complete collapse", assess_complete_collapse(records["mean_cosine"], records.get("direction_std"))
    if "effective_rank" in records:
        yield "dimensional collapse", assess_dimensional_collapse(records["effective_rank"])
        yield "few directions", assess_few_directions(records["effective_rank"])
    if "stable_rank" in records:
        yield "one vector dominates", assess_dominant_vector(records["stable_rank"])


def _number(question: str, records: Mapping[str, Mapping[Any, Any]]) -> str:
    """Return the number that decides a question, with its error."""
    if question == "complete collapse":
        return _with_error(at_this_n(records["mean_cosine"]))
    rank = at_this_n(records["effective_rank"]) if "effective_rank" in records else {}
    if question == "few directions":
        return f"{_with_error(rank)} of {rank['d']}"
    if question == "dimensional collapse":
        same_images = np.isfinite(rank.get("same_images", np.nan)) and rank["same_images"] != rank["value"]
        return (
            f"{_with_error(at_this_n(rank, 'same_images'))} (n = {rank['random_images']})"
            if same_images
            else _with_error(rank)
        )
    stable = at_this_n(records["stable_rank"])
    percent = 100 / stable["value"] if stable["value"] > 0 else np.nan
    error = percent * stable["error"] / stable["value"] if stable["value"] else np.nan  # features that are all zero
    return f"{format_value_with_error(percent, error)} %"


def _with_error(record: Mapping[Any, Any]) -> str:
    return format_value_with_error(record["value"], record["error"])
