"""Notes on feature sets that a reader of their metrics should know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maetheory.evaluation.collapse.interval_limits import MIN_ROWS_PER_DIMENSION
from maetheory.evaluation.features.feature_sets import FeatureSet


def feature_notes(feature_sets: Sequence[FeatureSet]) -> list[str]:
    """Return notes on the last layer: repeated rows, few rows per dimension, and streamed moments."""
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
    return notes
