"""Prediction intervals of a metric over untrained networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student_t

from maetheory.evaluation.collapse.metric_specs import NO_ESTIMATE, RANK_METRICS, MetricEstimate, MetricSpec

PREDICTION_LEVEL = 0.95  # probability that the interval contains the value of a further untrained network
COSINE_ROUNDING_ERROR = 1e-9  # of a mean cosine's distance from 1


def interval_over_initialisations(
    metric_spec: MetricSpec,
    estimates: Sequence[MetricEstimate | None],
    d: int,
    other_rules: Sequence[Sequence[MetricEstimate | None]] = (),
) -> MetricEstimate:
    """Return the mean of a metric over untrained networks of one rule, with the prediction interval of a further one.

    Parameters
    ----------
    metric_spec : MetricSpec
    estimates : sequence of MetricEstimate or None
        One for each network; None where there is none.
    d : int
        Dimension of the features, the upper bound of ranks.
    other_rules : sequence of sequences of MetricEstimate or None
        The same for networks of other rules, whose spreads are pooled with this one.
    """
    upper_bound = float(d) if metric_spec.metric in RANK_METRICS else None
    return combine_initialisations(
        [one or NO_ESTIMATE for one in estimates],
        upper_bound,
        cosines=metric_spec.metric == "mean_cosine",
        other_rules=[[one or NO_ESTIMATE for one in rule] for rule in other_rules],
    )


def combine_initialisations(
    estimates: Sequence[MetricEstimate],
    upper_bound: float | None = None,
    *,
    cosines: bool = False,
    other_rules: Sequence[Sequence[MetricEstimate]] = (),
) -> MetricEstimate:
    """Return the mean over untrained networks, with a 95 % prediction interval for a further one on these images.

    The half-width combines ``t s √(1 + 1/k)``, for k networks with standard deviation s and Student's t with k − 1
    degrees of freedom, with the error over images, which all networks share. With networks of other rules, s is the
    larger of their pooled standard deviation and this rule's own, and t has the pooled degrees of freedom. For a single
    network the spread is unknown, and the interval is unbounded.

    Parameters
    ----------
    estimates : sequence of MetricEstimate
    upper_bound : float, optional
        For ranks, which lie between 1 and this: spread and interval are computed from logarithms.
    cosines : bool, default False
        For mean cosines, which lie between −1 and 1: spread and interval are computed from the logarithm of 1 − cosine.
    other_rules : sequence of sequences of MetricEstimate
        Networks of other rules, one sequence for each.

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
    if not all(np.isfinite(one.value) for one in estimates):
        return MetricEstimate(value, np.nan, np.nan, np.nan, estimates[0].method, estimates[0].note)
    values, *others = (np.array([one.value for one in rule]) for rule in (estimates, *other_rules))
    if upper_bound is not None:
        low, high = _log_interval(values, image_error, others)
        low, high = float(np.clip(low, 1, upper_bound)), float(np.clip(high, 1, upper_bound))
    elif cosines:
        distances, *far = (np.maximum(1 - one, COSINE_ROUNDING_ERROR) for one in (values, *others))
        low, high = (1 - end for end in reversed(_log_interval(distances, image_error, far)))
        low, high = max(low, -1.0), min(high, 1.0)
    else:
        error = float(np.hypot(_prediction_half_width(values, others), image_error))
        low, high = value - error, value + error
    return MetricEstimate(value, low, high, (high - low) / 2, estimates[0].method, estimates[0].note)


def _prediction_half_width(values: np.ndarray, others: Sequence[np.ndarray] = ()) -> float:
    """Return the half-width of the 95 % prediction interval around the mean."""
    k, freedom = len(values), sum(len(one) - 1 for one in (values, *others))
    if freedom < 1:
        return np.inf
    squares = [float(np.square(one - one.mean()).sum()) for one in (values, *others)]
    spread = max(np.sqrt(sum(squares) / freedom), np.sqrt(squares[0] / max(k - 1, 1)))
    return float(student_t.ppf((1 + PREDICTION_LEVEL) / 2, freedom) * spread * np.sqrt(1 + 1 / k))


def _log_interval(values: np.ndarray, error: float, others: Sequence[np.ndarray] = ()) -> tuple[float, float]:
    """Return the prediction interval of a positive quantity, computed from logarithms."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        logs, *others = (np.log(one) for one in (values, *others))
        centre = float(logs.mean())
        width = float(np.hypot(_prediction_half_width(logs, others), error / np.exp(centre)))
        return float(np.exp(centre - width)), float(np.exp(centre + width))
