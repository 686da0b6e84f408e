"""The span of a metric over the usual initialisations: what an untrained network could have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maetheory.evaluation.collapse.baselines import combine_initialisations, initialisation_rules, random_init_models
from maetheory.evaluation.collapse.measurement import ModelMeasurements, measure_model
from maetheory.evaluation.collapse.metric_estimates import NO_ESTIMATE, RANK_METRICS, MetricEstimate, MetricSpec

DECISIVE = ("effective_rank", "mean_cosine")  # the metrics that `verdict` reads
NO_SPAN: Mapping[str, Any] = {
    "random_span_low": np.nan,
    "random_span_high": np.nan,
    "random_lowest": "",
    "random_highest": "",
}
Span = Mapping[str, ModelMeasurements]


def decisive(chosen: Sequence[MetricSpec]) -> tuple[MetricSpec, ...]:
    """Return the measures that `verdict` reads: the first convention of each decisive metric."""
    first = {measure.metric: measure for measure in reversed(chosen)}
    return tuple(first[name] for name in DECISIVE if name in first)


def measure_span(
    encoder: Any, images: Any, chosen: Sequence[MetricSpec], count: int, *, seed: int, **how: Any
) -> dict[str, list[ModelMeasurements]]:
    """Measure `count` untrained networks of each usual initialisation but the code base's own, by the rule's name.

    Parameters
    ----------
    encoder, images, seed, **how
        As for `measure_model`.
    chosen : sequence of Measure
        Those of `decisive`; where there are none nothing is measured.
    count : int
    """
    if not chosen:
        return {}
    return {
        rule.name: [
            measure_model(twin, images, chosen, full=False, twin=True, seed=seed, **how)
            for twin in random_init_models(encoder, count, initialisation=rule, seed=seed)
        ]
        for rule in initialisation_rules(encoder)[1:]
    }


def band_over_initialisations(measure: MetricSpec, numbers: Sequence[MetricEstimate | None], d: int) -> MetricEstimate:
    """Return the mean of a metric over untrained networks of one rule, with the band of a further one."""
    most = float(d) if measure.metric in RANK_METRICS else None
    return combine_initialisations(
        [one or NO_ESTIMATE for one in numbers], most, cosines=measure.metric == "mean_cosine"
    )


def span_of(bands: Mapping[str, MetricEstimate]) -> dict[str, Any]:
    """Return the union of the bands of all rules, and which rule is lowest and which is highest.

    Parameters
    ----------
    bands : mapping from name of rule to MetricEstimate

    Returns
    -------
    dict
        random_span_low, random_span_high, and random_lowest and random_highest: names of rules.
    """
    known = {name: band for name, band in bands.items() if not np.isnan(band.low)}
    if not known:
        return dict(NO_SPAN)
    lowest, highest = min(known, key=lambda name: known[name].low), max(known, key=lambda name: known[name].high)
    return {
        "random_span_low": known[lowest].low,
        "random_span_high": known[highest].high,
        "random_lowest": lowest,
        "random_highest": highest,
    }
