"""Spectra beside those of features that learned nothing, and ranks as the number of images grows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory import metrics
from maetheory.evaluation.collapse.baselines import noise_moments
from maetheory.evaluation.features.feature_sets import FeatureSet
from maetheory.metrics import Moments, singular_values

NESTED_SUBSETS = (1, 2, 5, 10, 20)  # groups of images of twenty, each a random part of the next
SAMPLE_SIZE_METRICS = {"effective_rank": metrics.effective_rank, "rankme": metrics.rankme}
CHECKPOINT, RANDOM_INIT, SHUFFLED, NOISE = "checkpoint", "random twin", "shuffled", "noise"


def scaled_singular_values(feature_set: FeatureSet) -> NDArray[np.float64]:
    """Return the singular values over √n."""
    return singular_values(feature_set.merged) / np.sqrt(feature_set.n)


def noise_spectrum(n: int, d: int, like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the singular values of noise of a shape, of the same mean square as those of `like`."""
    noise = singular_values(noise_moments(n, d))
    return noise * np.linalg.norm(like) / np.linalg.norm(noise)


def ranks_by_sample_size(feature_set: FeatureSet) -> tuple[dict[str, Any], ...]:
    """Return effective rank and RankMe of nested random subsets of the images, to see whether they have settled."""
    rows: list[dict[str, Any]] = []
    parts = feature_set.parts
    seen, number = Moments(feature_set.d), 0
    for share in [share for share in NESTED_SUBSETS if share <= len(parts)]:
        for part in parts[number:share]:
            seen.merge(part)
        number = share
        if seen.count < 2:
            continue
        images = round(feature_set.images * share / len(parts))
        rows += [
            {"metric": name, "images": images, "n": seen.count, "value": float(metric(seen))}
            for name, metric in SAMPLE_SIZE_METRICS.items()
        ]
    return tuple(rows)
