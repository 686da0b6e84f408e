"""Notes on feature sets that a reader of their metrics should know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maetheory.evaluation.collapse.interval_limits import MIN_ROWS_PER_DIMENSION
from maetheory.evaluation.collapse.metric_specs import MetricSpec
from maetheory.evaluation.features.feature_sets import FeatureSet


def feature_notes(feature_sets: Sequence[FeatureSet], metric_specs: Sequence[MetricSpec]) -> list[str]:
    """Return notes on the last layer: repeated rows, few rows per dimension, and rows that metrics leave out."""
    notes = []
    for one in feature_sets:
        if one.layer != feature_sets[-1].layer:
            continue
        if one.streamed_moments is None and (repeated := len(one.rows) - len(np.unique(one.rows, axis=0))):
            notes.append(f"{repeated} of the {one.n} rows of {one.readout} repeat another row")
        if one.n < MIN_ROWS_PER_DIMENSION * one.d:
            notes.append(
                f"{one.readout}: {one.n} rows are too few for {one.d} dimensions (n / d < {MIN_ROWS_PER_DIMENSION}): "
                "intervals of rank metrics may miss the n → ∞ value"
            )
        if one.streamed_moments is not None:
            notes.append(
                f"{one.readout}: moments of all {one.n} rows were streamed; metrics of rows and shuffled "
                f"columns use a random sample of {len(one.rows)} rows"
            )
        sampled = {spec.metric: used for spec in metric_specs if (used := spec.n_rows(len(one.rows))) < len(one.rows)}
        if sampled:
            notes.append(
                f"{one.readout}: {' and '.join(sampled)} compare pairs of rows, and use a random sample of "
                f"{min(sampled.values())} of the {len(one.rows)} rows"
            )
    return notes
