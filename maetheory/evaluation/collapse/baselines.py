"""Baselines computed from features or their shape alone: shuffled columns and Gaussian noise.

Shuffled columns keep the marginal distribution of each dimension and destroy what dimensions share. The spectrum of
Gaussian noise of the same shape is the Marchenko–Pastur law. The third baseline, untrained networks, is in
`random_initialisation`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from maetheory.core import generator
from maetheory.evaluation.collapse.metric_specs import MetricSpec
from maetheory.evaluation.features.feature_sets import MAX_ROWS_IN_MEMORY, FeatureSet
from maetheory.metrics import Moments, marchenko_pastur, shuffled_columns
from maetheory.metrics.shared_results import once


def shuffle_columns(feature_set: FeatureSet, *, seed: int = 0) -> FeatureSet:
    """Return the kept rows of a feature set with each column shuffled independently."""
    rng = generator(seed, "collapse", "shuffled", feature_set.readout, str(feature_set.layer))
    rows = shuffled_columns(feature_set.rows, rng)
    return FeatureSet(feature_set.readout, feature_set.layer, feature_set.n_images, rows, feature_set.groups)


@lru_cache(maxsize=16)  # the same for every metric of one shape
def noise_moments(n: int, d: int) -> Moments:
    """Return the expected moments of `n` rows of unit Gaussian noise in `d` dimensions.

    Singular values follow the Marchenko–Pastur law, so that every metric of moments has its value for noise of this
    shape without any draw; the mean cosine is 0 and the mean squared cosine 1/d.
    """
    squares = np.pad(marchenko_pastur(n, d) ** 2, (0, max(d - n, 0)))
    moments = Moments(d)
    moments.count = n
    moments.fourth_moment = float(n * d * (d + 2))
    moments.second_moment = np.diag(squares)
    moments.direction_sum = np.full(d, np.sqrt(n / d))
    moments.direction_second_moment = np.diag(squares / squares.sum() * n)
    return moments


def noise_baseline(metric_spec: MetricSpec, shape: tuple[int, ...], *, seed: int = 0) -> float:
    """Return a metric of unit Gaussian noise: from its expected moments, or from one draw of rows or views."""
    n, d = shape[0], shape[-1]
    if metric_spec.metric == "direction_std":
        return float(1 / np.sqrt(d))  # depends on the diagonal alone, whose expected entries are equal
    features = noise_moments(n, d) if metric_spec.needs == "moments" else gaussian_noise(shape, seed=seed)
    return float(metric_spec(features))


def gaussian_noise(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Return unit Gaussian noise, for metrics that need rows."""
    drawn = (min(shape[0], MAX_ROWS_IN_MEMORY), *shape[1:])
    return once(("noise", drawn, seed), lambda: generator(seed, "collapse", "noise").standard_normal(drawn))
