"""Intervals of metrics: the values that a metric can take, and the metrics whose interval would not cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from maetheory.evaluation.collapse.metric_specs import RANK_METRICS, MetricEstimate, MetricSpec
from maetheory.metrics import CONVENTIONS, Moments, participation_ratio, singular_values

SEPARATION = 4  # standard errors between the two largest eigenvalues, above which the largest has a bias of order 1/n
MIN_ROWS_PER_DIMENSION = 8  # rows per dimension from which intervals of ranks contain the n → ∞ value
LARGEST_CORRECTION = 0.05  # of the value, up to which it is shown with fewer rows
EXTRAPOLATED_RANKS = (*RANK_METRICS, "matrix_entropy", "iso_score")
LARGEST_VALUE_METRICS = ("stable_rank", "nesum")
WITHOUT_INTERVAL = {
    "condition_number": "the smallest singular value of finitely many images has a bias of larger order than 1/n",
    "alpha_req": "the exponent of finitely many images has a bias of larger order than 1/n",
}
SQUARED_SPECTRUM_METRICS = ("participation_ratio", "iso_score", *LARGEST_VALUE_METRICS)
MIN_GROUPS_FOR_TAILS = 8  # groups of rows from which the variation of their variances is known
MIN_ROWS_FOR_TAILS = 8  # of each group, whose shares of the variance would otherwise show few rows and not tails
LARGEST_SHARE_VARIATION = 4.0  # of principal directions between groups of rows, twice that of Gaussian rows
MAX_DIRECTIONS = 64  # principal directions that are looked at for tails
LARGEST_BIAS = 0.1  # of a participation ratio, beyond which heavy tails leave its interval no coverage
LARGEST_BIAS_WITH_TAILS = 0.05  # the same where single directions have tails heavier than Gaussian ones
GAUSSIAN_SHARE_VARIATION = 2.4  # 2, and what a sample adds
HEAVY_TAILS = "a few images carry most of the variance, so that others could change it by any amount"
TAILS_OF_DIRECTIONS = "directions have heavier tails than Gaussian ones, for which these are too few images"
CLOSE_LARGEST_VALUES = "the largest singular values are too close, so that their bias is of larger order than 1/n"


def reason_without_interval(metric_spec: MetricSpec, moments: Moments, groups: Sequence[Moments] = ()) -> str:
    """Return why the interval of a metric would not cover its n → ∞ value, or an empty string.

    The largest of nearly equal eigenvalues is biased upwards by more than the jackknife corrects. The estimated
    eigenvalue l has a standard error of about ``l √(2/n)`` for Gaussian rows. Metrics of squared eigenvalues have a
    relative bias of about ``PR (1 + c²) / n``, with c the coefficient of variation of the squared norm of centred rows.
    That is small for features as networks make them; with tails so heavy that c exceeds one, the images that would show
    the bias are not among these. Of 200 draws of rows with one scale each from t₃, t₄ or t₅ and a spectrum of 1/i or of
    steps, 89 to 100 % of the intervals that are given contained the limit; with `LARGEST_BIAS` at 0.2, 80 to 92 %. Of
    rows of independent exponential, t₅, Laplace or gamma directions, eight rows a dimension, 80 to 93 %; these few have
    an interval no more (`LARGEST_BIAS_WITH_TAILS`), 16 rows a dimension do, and cover in 86 to 92 %.

    Where single principal directions have heavy tails, every rank depends on images that are not among these. Between
    groups of m rows, the shares of the variance then vary by more than ``2 (1 + c²) / m`` (relative variance), as much
    as rows have whose directions share one scale, and by more than `LARGEST_SHARE_VARIATION` / m. Features of networks
    measured here have 1.5 to 2.2, Gaussian rows 2. Of rows of independent t₃ directions, intervals of ranks contained
    the limit in 75 to 90 of 100 draws; with one t₃ scale for each row, that of the effective rank in 98.

    Parameters
    ----------
    metric_spec : MetricSpec
    moments : Moments
        Of all rows.
    groups : sequence of Moments
        Of about equal parts of them, from which c is estimated.
    """
    shows_tails = len(groups) >= MIN_GROUPS_FOR_TAILS and min(one.count for one in groups) >= MIN_ROWS_FOR_TAILS
    of_shares = (
        float(moments.cached("share variation", lambda: np.array([_variation_of_shares(groups)]))[0])
        if shows_tails and metric_spec.metric in (*EXTRAPOLATED_RANKS, *SQUARED_SPECTRUM_METRICS)
        else 0.0
    )
    if metric_spec.metric in EXTRAPOLATED_RANKS and shows_tails:
        of_one_scale = 2 * (1 + _squared_variation_of_norms(groups))
        if of_shares > max(LARGEST_SHARE_VARIATION, of_one_scale):
            return HEAVY_TAILS
    if metric_spec.metric in SQUARED_SPECTRUM_METRICS and len(groups) >= MIN_GROUPS_FOR_TAILS:
        variation = _squared_variation_of_norms(groups)
        bias = float(participation_ratio(moments)) * (1 + variation) / moments.count
        if variation > 1 and bias > LARGEST_BIAS:
            return HEAVY_TAILS
        if of_shares > GAUSSIAN_SHARE_VARIATION and bias > LARGEST_BIAS_WITH_TAILS:
            return TAILS_OF_DIRECTIONS
    if metric_spec.metric in LARGEST_VALUE_METRICS:
        conventions = {one.name: one.centred for one in CONVENTIONS[metric_spec.metric]}
        squares = np.square(singular_values(moments, centred=conventions[metric_spec.convention]))
        standard_error = squares[0] * np.sqrt(2 / moments.count)
        if len(squares) > 1 and squares[0] > 0 and squares[0] - squares[1] < SEPARATION * standard_error:
            return CLOSE_LARGEST_VALUES
    return WITHOUT_INTERVAL.get(metric_spec.metric, "")


def _squared_variation_of_norms(groups: Sequence[Moments]) -> float:
    """Estimate c², the variance of ‖z − z̄‖² over its squared mean, from its mean in each group of rows."""
    counts = np.array([group.count for group in groups], float)
    variances = np.array([np.trace(group.scatter()) for group in groups]) / counts
    mean = float(counts @ variances) / float(counts.sum())
    return float(counts.mean() * variances.var(ddof=1)) / mean**2 if mean > 0 else 0.0


def _variation_of_shares(groups: Sequence[Moments]) -> float:
    """Return m times the relative variance, between groups of m rows, of the shares of principal directions.

    A mean over at most `MAX_DIRECTIONS` directions, weighted by their variances: 2 for Gaussian rows in many
    dimensions, less in few, κ − 1 for independent directions of kurtosis κ. 0 of rows that are all equal.
    """
    count = float(np.mean([group.count for group in groups]))
    covariances = [group.scatter() / group.count for group in groups]
    pooled = np.mean(covariances, axis=0)
    first = max(len(pooled) - MAX_DIRECTIONS, 0)
    variances, directions = scipy.linalg.eigh(pooled, subset_by_index=[first, len(pooled) - 1])
    kept = variances > len(pooled) * np.finfo(float).eps * variances[-1]
    if not kept.any():
        return 0.0
    directions = directions[:, kept]  # (d, k)
    along = np.array([np.einsum("dk,dk->k", one @ directions, directions) for one in covariances])  # (g, k)
    totals = np.array([np.trace(one) for one in covariances])[:, None]
    shares = along / np.where(totals > 0, totals, 1.0)
    relative = shares.var(axis=0, ddof=1) / np.square(shares.mean(axis=0))
    return count * float(np.average(relative, weights=variances[kept]))


def without_unreliable_extrapolation(
    estimate: MetricEstimate, metric_spec: MetricSpec, n: int, d: int
) -> MetricEstimate:
    """Return an estimate without its n → ∞ value where a rank is extrapolated too far, and with the reason.

    Of 60 draws of Gaussian rows with each of six spectra in 64 dimensions, the interval contained the limit in 88 to
    100 % with `MIN_ROWS_PER_DIMENSION` rows per dimension, or where the extrapolation moved the value by at most
    `LARGEST_CORRECTION`; with as many rows as dimensions, and corrections of a tenth to a half, in 77 to 100 %.
    """
    if metric_spec.metric not in EXTRAPOLATED_RANKS or np.isnan(estimate.limit) or n >= MIN_ROWS_PER_DIMENSION * d:
        return estimate
    correction = abs(estimate.limit - estimate.value)
    if correction <= LARGEST_CORRECTION * abs(estimate.value):
        return estimate
    reason = f"{n} rows in {d} dimensions would move it by {correction / abs(estimate.value):.0%}"
    return estimate._replace(limit=np.nan, no_limit=reason)


def metric_range(metric_spec: MetricSpec, d: int) -> tuple[float, float]:
    """Return the least and the greatest value of a metric of features in `d` dimensions."""
    if metric_spec.metric in ("rankme", "lidar"):  # their ε adds to each share, so that d equal shares exceed d
        (epsilon,) = (one.epsilon for one in CONVENTIONS[metric_spec.metric] if one.name == metric_spec.convention)
        share = 1 / d + epsilon
        rounding = 1 + d * np.finfo(float).eps  # of the metric, a sum of d terms
        return 1.0, max(float(d), float(share ** -(d * share) * rounding))
    if metric_spec.metric in RANK_METRICS:
        return 1.0, float(d)
    if metric_spec.metric == "matrix_entropy":
        return 0.0, float(np.log(d) / np.log(2 if metric_spec.convention == "giraldo-2014" else np.e))
    return {
        "iso_score": (0.0, 1.0),
        "umae_uniformity": (0.0, 1.0),
        "self_cluster": (-1 / max(d - 1, 1), 1.0),
        "mean_cosine": (-1.0, 1.0),
        "direction_std": (0.0, 1.0),
        "uniformity": (-np.inf, 0.0),
        "coherence": (1.0, np.inf),
        "twonn": (0.0, np.inf),
        "mask_pair_alignment": (0.0, 4.0),
    }.get(metric_spec.metric, (-np.inf, np.inf))


def clip_interval(estimate: MetricEstimate, metric_spec: MetricSpec, d: int) -> MetricEstimate:
    """Clip an interval to the range of its metric; where it is clipped, it includes ``value ± error``.

    A bias correction beyond the range would otherwise leave a single point that excludes the value. The error, that of
    another sample of images, does not change. The range contains the value: RankMe's ε may exceed the dimension, and
    collapsed features have rank 0.
    """
    least, greatest = metric_range(metric_spec, d)
    least, greatest = min(least, estimate.value), max(greatest, estimate.value)
    estimate = estimate._replace(limit=float(np.clip(estimate.limit, least, greatest)))
    if not np.isfinite(estimate.low) or (least <= estimate.low and estimate.high <= greatest):
        return estimate
    low = min(max(min(estimate.low, estimate.value - estimate.error), least), greatest)
    high = min(max(max(estimate.high, estimate.value + estimate.error), least), greatest)
    return estimate._replace(low=low, high=high)
