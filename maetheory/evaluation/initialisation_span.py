"""The span of a metric over the usual initialisations: what an untrained network could have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maetheory.evaluation.baselines import initialisation_rules, of_initialisations, random_twins
from maetheory.evaluation.look import Look, look
from maetheory.evaluation.measures import NOTHING, RANKS, Measure, Measured

DECISIVE = ("effective_rank", "mean_cosine")  # the metrics that `verdict` reads
NO_SPAN: Mapping[str, Any] = {"random_span_low": np.nan, "random_span_high": np.nan,
                              "random_lowest": "", "random_highest": ""}  # fmt: skip
Span = Mapping[str, Look]


def decisive(chosen: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the measures that `verdict` reads: the first convention of each decisive metric."""
    first = {measure.metric: measure for measure in reversed(chosen)}
    return tuple(first[name] for name in DECISIVE if name in first)


def measure_span(
    encoder: Any, images: Any, chosen: Sequence[Measure], count: int, *, seed: int, **how: Any
) -> dict[str, list[Look]]:
    """Measure `count` untrained networks of each usual initialisation but the code base's own, by the rule's name.

    Parameters
    ----------
    encoder, images, seed, **how
        As for `look`.
    chosen : sequence of Measure
        Those of `decisive`; where there are none nothing is measured.
    count : int
    """
    if not chosen:
        return {}
    return {
        rule.name: [look(twin, images, chosen, full=False, twin=True, seed=seed, **how)
                    for twin in random_twins(encoder, count, rule=rule, seed=seed)]
        for rule in initialisation_rules(encoder)[1:]
    }  # fmt: skip


def band_over_initialisations(measure: Measure, numbers: Sequence[Measured | None], d: int) -> Measured:
    """Return the mean of a metric over untrained networks of one rule, with the band of a further one."""
    most = float(d) if measure.metric in RANKS else None
    return of_initialisations([one or NOTHING for one in numbers], most, cosines=measure.metric == "mean_cosine")


def span_of(bands: Mapping[str, Measured]) -> dict[str, Any]:
    """Return the union of the bands of all rules, and which rule is lowest and which is highest.

    Parameters
    ----------
    bands : mapping from name of rule to Measured

    Returns
    -------
    dict
        random_span_low, random_span_high, and random_lowest and random_highest: names of rules.
    """
    known = {name: band for name, band in bands.items() if not np.isnan(band.low)}
    if not known:
        return dict(NO_SPAN)
    lowest, highest = min(known, key=lambda name: known[name].low), max(known, key=lambda name: known[name].high)
    return {"random_span_low": known[lowest].low, "random_span_high": known[highest].high, "random_lowest": lowest,
            "random_highest": highest}  # fmt: skip
