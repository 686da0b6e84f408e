"""Prediction intervals of a metric over untrained networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student_t

from maetheory.evaluation.collapse.metric_specs import NO_ESTIMATE, RANK_METRICS, MetricEstimate, MetricSpec

PREDICTION_LEVEL = 0.95  # probability that the interval contains the value of a further untrained network
COSINE_ROUNDING_ERROR = 1e-9  # of a mean cosine's distance from 1


def interval_over_initialisations(
    metric_spec: MetricSpec, estimates: Sequence[MetricEstimate | None], d: int
) -> MetricEstimate:
    """Return the mean of a metric over untrained networks of one rule, with the prediction interval of a further one.

    Parameters
    ----------
    metric_spec : MetricSpec
    estimates : sequence of MetricEstimate or None
        One for each network; None where there is none.
    d : int
        Dimension of the features, the upper bound of ranks.
    """
    upper_bound = float(d) if metric_spec.metric in RANK_METRICS else None
    return combine_initialisations(
        [one or NO_ESTIMATE for one in estimates], upper_bound, cosines=metric_spec.metric == "mean_cosine"
    )


def combine_initialisations(
    estimates: Sequence[MetricEstimate], upper_bound: float | None = None, *, cosines: bool = False
) -> MetricEstimate:
    """Return the mean over untrained networks, with a 95 % prediction interval for the limit of a further one.

    The half-width combines ``t s √(1 + 1/k)``, for k networks with standard deviation s and Student's t with k − 1
    degrees of freedom, with the error over images, which all networks share. For a single network the spread is
    unknown, and the interval is unbounded.

    Parameters
    ----------
    estimates : sequence of MetricEstimate
    upper_bound : float, optional
        For ranks, which lie between 1 and this: spread and interval are computed from logarithms.
    cosines : bool, default False
        For mean cosines, which are at most 1: spread and interval are computed from the logarithm of 1 − cosine.

    Examples
    --------
    >>> estimates = [MetricEstimate(value, value - 0.1, value + 0.1, 0.1, "") for value in (9.0, 10.0, 11.0)]
    >>> mean, rank = combine_initialisations(estimates), combine_initialisations(estimates, upper_bound=64)
    >>> mean.value, round(mean.low, 2), round(rank.low, 2), round(rank.high, 2)
    (10.0, 5.03, 6.05, 16.41)
    """
    if not estimates:
        return NO_ESTIMATE
    value, image_error = (float(np.mean([getattr(one, name) for one in estimates])) for name in ("value", "error"))
    middles = np.array([(one.low + one.high) / 2 for one in estimates])
    if upper_bound is not None:
        low, high = _log_interval(middles, image_error)
        low, high = float(np.clip(low, 1, upper_bound)), float(np.clip(high, 1, upper_bound))
    elif cosines:
        distances = np.maximum(1 - middles, COSINE_ROUNDING_ERROR)
        low, high = (1 - end for end in reversed(_log_interval(distances, image_error)))
    else:
        error = float(np.hypot(_prediction_half_width(middles), image_error))
        low, high = float(middles.mean()) - error, float(middles.mean()) + error
    return MetricEstimate(value, low, high, (high - low) / 2, estimates[0].method, estimates[0].note)


def _prediction_half_width(values: np.ndarray) -> float:
    """Return the half-width of the 95 % prediction interval around the mean."""
    k = len(values)
    if k < 2:
        return np.inf
    return float(student_t.ppf((1 + PREDICTION_LEVEL) / 2, k - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / k))


def _log_interval(values: np.ndarray, error: float) -> tuple[float, float]:
    """Return the prediction interval of a positive quantity, computed from logarithms."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        logs = np.log(values)
        centre = float(logs.mean())
        width = float(np.hypot(_prediction_half_width(logs), error / np.exp(centre)))
        return float(np.exp(centre - width)), float(np.exp(centre + width))
