"""Conclusions about complete and dimensional collapse, drawn from the intervals of metrics and baselines.

Complete collapse: all features point in one direction. The mean cosine is near 1, and nearer than that of untrained
networks. Dimensional collapse: features vary in few directions only. The effective rank is below that of untrained
networks of the same architecture, and below that of shuffled columns, which have the same marginals and the same mean
vector.

The effective rank of an untrained network depends on how its weights were drawn, by a factor of two and more.
Therefore "yes" needs a rank below the baselines of all usual initialisations, not only of the code base's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from maetheory.evaluation.collapse.answer import Answer
from maetheory.evaluation.collapse.complete_collapse import assess_complete_collapse
from maetheory.evaluation.collapse.dimensional_collapse import assess_dimensional_collapse

__all__ = ["Answer", "Finding", "assess_collapse"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question about one readout, with a sentence that gives the numbers.

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
    if table.empty:
        return ()
    table = table.rename(columns=lambda name: str(name).replace("random_twin", "random_init"))
    last = table[table.layer == table.layer.iloc[-1]]
    findings: list[Finding] = []
    for readout, rows in last.groupby("readout", sort=False):
        first = rows.drop_duplicates("metric").set_index("metric")
        records: dict[str, Mapping[Any, Any]] = {str(name): row.to_dict() for name, row in first.iterrows()}
        layer = rows.layer.iloc[0]
        if "mean_cosine" in records:
            answer, sentence = assess_complete_collapse(records["mean_cosine"], records.get("direction_std"))
            findings.append(Finding(str(readout), layer, "complete collapse", answer, sentence))
        if "effective_rank" in records:
            answer, sentence = assess_dimensional_collapse(records["effective_rank"])
            findings.append(Finding(str(readout), layer, "dimensional collapse", answer, sentence))
    return tuple(findings)
