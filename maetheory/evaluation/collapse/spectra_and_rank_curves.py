"""Singular values of features and of noise, and ranks as functions of the number of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory import metrics
from maetheory.evaluation.collapse.baselines import noise_moments
from maetheory.evaluation.features.feature_sets import FeatureSet
from maetheory.metrics import Moments, singular_values

NESTED_SUBSETS = (1, 2, 5, 10, 20)  # how many of the twenty groups of images; each subset contains the one before
SAMPLE_SIZE_METRICS = {"effective_rank": metrics.effective_rank, "rankme": metrics.rankme}
CHECKPOINT, RANDOM_INIT, SHUFFLED, NOISE = "checkpoint", "random init", "shuffled", "noise"


def scaled_singular_values(feature_set: FeatureSet) -> NDArray[np.float64]:
    """Return the singular values of the feature matrix, divided by √n."""
    return singular_values(feature_set.moments) / np.sqrt(feature_set.n)


def noise_spectrum(n: int, d: int, like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the singular values of (n, d) Gaussian noise, scaled to the mean square of `like`."""
    noise = singular_values(noise_moments(n, d))
    return noise * np.linalg.norm(like) / np.linalg.norm(noise)


def ranks_by_sample_size(feature_set: FeatureSet) -> tuple[dict[str, Any], ...]:
    """Return effective rank and RankMe of nested random subsets of the images, one record per subset and metric."""
    rows: list[dict[str, Any]] = []
    group_moments = feature_set.group_moments
    subset, n_merged = Moments(feature_set.d), 0
    for n_groups in [size for size in NESTED_SUBSETS if size <= len(group_moments)]:
        for moments in group_moments[n_merged:n_groups]:
            subset.merge(moments)
        n_merged = n_groups
        if subset.count < 2:
            continue
        images = round(feature_set.n_images * n_groups / len(group_moments))
        rows += [
            {"metric": name, "images": images, "n": subset.count, "value": float(metric(subset))}
            for name, metric in SAMPLE_SIZE_METRICS.items()
        ]
    return tuple(rows)
