"""Range of a metric over untrained networks of all usual initialisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maetheory.evaluation.collapse.measurement import ModelMeasurements, measure_model
from maetheory.evaluation.collapse.metric_specs import MetricEstimate, MetricSpec
from maetheory.evaluation.collapse.random_initialisation import initialisation_rules, random_init_models

ASSESSED_METRICS = ("effective_rank", "mean_cosine", "stable_rank")  # the metrics that `assess_collapse` reads
NO_SPAN: Mapping[str, Any] = {
    "random_span_low": np.nan,
    "random_span_high": np.nan,
    "random_lowest": "",
    "random_highest": "",
}


def assessed_metrics(metric_specs: Sequence[MetricSpec]) -> tuple[MetricSpec, ...]:
    """Return the metrics that `assess_collapse` reads: the first convention of each assessed metric."""
    first = {one.metric: one for one in reversed(metric_specs)}
    return tuple(first[name] for name in ASSESSED_METRICS if name in first)


def measure_other_initialisations(
    encoder: Any, images: Any, metric_specs: Sequence[MetricSpec], count: int, *, seed: int, **options: Any
) -> dict[str, list[ModelMeasurements]]:
    """Measure `count` untrained networks of each usual initialisation except the code base's own, by name of the rule.

    Parameters
    ----------
    encoder, images, seed, **options
        As for `measure_model`.
    metric_specs : sequence of MetricSpec
        Those of `assessed_metrics`; if empty, nothing is measured.
    count : int
    """
    if not metric_specs:
        return {}
    return {
        rule.name: [
            measure_model(model, images, metric_specs, with_baselines=False, is_baseline=True, seed=seed, **options)
            for model in random_init_models(encoder, count, initialisation=rule, seed=seed)
        ]
        for rule in initialisation_rules(encoder)[1:]
    }


def union_of_intervals(intervals: Mapping[str, MetricEstimate]) -> dict[str, Any]:
    """Return the union of the intervals of all rules, with the names of the lowest and the highest rule.

    Parameters
    ----------
    intervals : mapping from name of rule to MetricEstimate

    Returns
    -------
    dict
        random_span_low, random_span_high, random_lowest and random_highest; the last two are names of rules.
    """
    known = {name: interval for name, interval in intervals.items() if not np.isnan(interval.low)}
    if not known:
        return dict(NO_SPAN)
    lowest, highest = min(known, key=lambda name: known[name].low), max(known, key=lambda name: known[name].high)
    return {
        "random_span_low": known[lowest].low,
        "random_span_high": known[highest].high,
        "random_lowest": lowest,
        "random_highest": highest,
    }
