"""Estimates of metrics under every convention, with error and interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from maetheory.core import InputError, generator
from maetheory.evaluation.collapse.interval_limits import (
    clip_interval,
    reason_without_interval,
    without_unreliable_extrapolation,
)
from maetheory.evaluation.collapse.metric_specs import NO_ESTIMATE, MetricEstimate, MetricSpec
from maetheory.evaluation.features.feature_sets import FeatureSet
from maetheory.metrics.moments import leave_one_part_out, merge_moments
from maetheory.metrics.shared_results import shared_results
from maetheory.metrics.uncertainty import jackknife_error

N_HALF_SAMPLES = 12
FLOAT32_MAX_CONDITION_NUMBER = float(1 / np.finfo(np.float32).eps)
MIN_GROUPS = 8  # groups of rows from which half-samples are informative
JACKKNIFE_METHOD = "jackknife, extrapolated to n → ∞"
HALF_SAMPLE_METHOD = "random half-samples"
GRAM_METRICS = frozenset({"effective_rank", "stable_rank", "participation_ratio", "mean_cosine", "umae_uniformity"})
NOT_EXTRAPOLATED = "half-samples show the error at this n, not the bias"


def estimate_metrics(
    metric_specs: Sequence[MetricSpec], feature_set: FeatureSet, *, exact: bool = True, row_intervals: bool = True
) -> tuple[MetricEstimate | None, ...]:
    """Estimate the metrics of a feature set: those of moments by the jackknife, those of rows by half-samples.

    The value is the metric of these images, as its publication defines it. Ranks of few images are biased downwards,
    by more than the error that another sample of images would show. The interval of a metric of moments is therefore
    that of the n → ∞ value, from which the bias of order 1/n is removed, and need not contain the value itself. For
    effective ranks of Gaussian rows in 32 dimensions it contained the limit in 91 to 97 of 100 draws, depending on the
    spectrum, with `MIN_ROWS_PER_DIMENSION` rows per dimension, and in 89 to 92 with half as many; with fewer rows the
    correction overshoots. Metrics whose bias is of larger order than 1/n get no interval, and their note says why.

    Parameters
    ----------
    metric_specs : sequence of MetricSpec
    feature_set : FeatureSet
    exact : bool, default True
        Compute singular values from the rows themselves if all are kept, and compute metrics of rows, those of pairs
        from at most `MAX_ROWS_OF_PAIRS` of them. Otherwise only moments are used, and their squaring error widens the
        interval.
    row_intervals : bool, default True
        Whether metrics of rows get an interval, which costs seven times as much.

    Returns
    -------
    tuple of MetricEstimate or None
        None for metrics of views, and for those of rows unless `exact`.
    """
    d = feature_set.d
    if all(one.metric in GRAM_METRICS for one in metric_specs):
        feature_set = _as_few_columns_as_rows(feature_set)
    of_moments = _estimate_moment_metrics(
        [one for one in metric_specs if one.needs == "moments"], feature_set, exact, d
    )
    found: dict[MetricSpec, MetricEstimate] = dict(of_moments)
    row_specs = [one for one in metric_specs if one.needs == "rows" and exact]
    for max_rows in dict.fromkeys(one.max_rows for one in row_specs):
        alike = [one for one in row_specs if one.max_rows == max_rows]
        kept = _random_rows(len(feature_set.rows), max_rows)
        rows, groups = feature_set.rows[kept], feature_set.groups[kept]
        found |= zip(alike, estimate_by_half_sampling(alike, rows, groups, interval=row_intervals), strict=True)
    return tuple(found.get(one) for one in metric_specs)


def _random_rows(n: int, max_rows: int | None) -> slice | np.ndarray:
    """Return the indices of a random sample of `max_rows` of `n` rows, ascending; all where these are no more."""
    if max_rows is None or n <= max_rows:
        return slice(None)
    return np.sort(generator(0, "collapse", "rows of pairs").choice(n, max_rows, replace=False))


def _estimate_moment_metrics(
    metric_specs: Sequence[MetricSpec], feature_set: FeatureSet, exact: bool, d: int
) -> dict[MetricSpec, MetricEstimate]:
    """Return values and jackknife intervals; each group of images is left out once, for all metrics together."""
    if not metric_specs:
        return {}
    group_moments = feature_set.group_moments
    total = merge_moments(group_moments)
    from_rows = exact and feature_set.streamed_moments is None
    features = feature_set.rows.astype(np.float64) if from_rows else total
    with shared_results():
        values = {one: _metric_value_or_reason(one, features) for one in metric_specs}
        notes = {
            one: value if isinstance(value, str) else _metric_note(one, features, value)
            for one, value in values.items()
        }
    finite = [one for one, value in values.items() if not isinstance(value, str) and np.isfinite(value)]
    reasons = {one: reason_without_interval(one, total, group_moments) for one in finite}
    with_interval = [one for one in finite if not reasons[one]]
    jackknives = _jackknives(with_interval, total, leave_one_part_out(group_moments))
    if from_rows:
        hidden = [one for one, jackknife in jackknives.items() if jackknife.hidden_by_rounding]
        jackknives |= _jackknives(
            hidden, features, _leave_one_group_out(feature_set.rows.astype(np.float64), feature_set.groups)
        )
    estimates = {}
    for one, value in values.items():
        number, note, reason = np.nan if isinstance(value, str) else float(value), notes[one], reasons.get(one, "")
        if one in jackknives:
            squaring = 0.0 if from_rows else getattr(value, "error", 0.0)
            estimate = clip_interval(_jackknife_estimate(number, jackknives[one], squaring, note), one, d)
            estimates[one] = without_unreliable_extrapolation(estimate, one, feature_set.n, d)
        else:
            note = "; ".join(part for part in (note, f"no interval: {reason}" if reason else "") if part)
            estimates[one] = NO_ESTIMATE._replace(value=number, note=note, no_limit=reason)
    return estimates


def _as_few_columns_as_rows(feature_set: FeatureSet) -> FeatureSet:
    """Return features with the same Gram matrix ZZᵀ in as many columns as rows, if there are more columns than rows."""
    if feature_set.streamed_moments is not None or feature_set.n >= feature_set.d:
        return feature_set
    upper = scipy.linalg.qr(feature_set.rows.T.astype(np.float64), mode="r")[0][: feature_set.n]  # (d, n) -> (n, n)
    return replace(feature_set, rows=upper.T)


class _Jackknife(NamedTuple):
    """A metric of all images and without each group of them in turn, with the largest squaring error of these."""

    value: float
    without_group: tuple[float, ...]
    squaring_error: float

    @property
    def standard_error(self) -> float:
        return jackknife_error(self.without_group)

    @property
    def bias(self) -> float:
        return (len(self.without_group) - 1) * (float(np.mean(self.without_group)) - self.value)

    @property
    def second_order_bias(self) -> float:
        """Size of the bias of order 1/n² that the jackknife leaves: the square of its relative bias times the value."""
        return self.bias**2 / abs(self.value) if self.value else 0.0

    @property
    def rounding(self) -> float:
        """Bound on what squaring errors do to the standard error and, up to a factor of two, to the bias."""
        return len(self.without_group) * self.squaring_error

    @property
    def hidden_by_rounding(self) -> bool:
        """Whether squaring errors may exceed the variation between the groups; also where that is not finite."""
        with np.errstate(invalid="ignore"):
            return self.squaring_error > 0 and not self.rounding <= self.standard_error


def _jackknives(
    metric_specs: Sequence[MetricSpec], features: Any, without_group: Iterable[Any]
) -> dict[MetricSpec, _Jackknife]:
    """Return the jackknife of each metric, given features (rows or moments) of all images and without each group."""
    if not metric_specs:
        return {}
    values = [[one(others) for one in metric_specs] for others in (features, *without_group)]
    return {
        one: _Jackknife(
            float(found[0]), tuple(float(v) for v in found[1:]), max(getattr(v, "error", 0.0) for v in found)
        )
        for one, found in zip(metric_specs, zip(*values, strict=True), strict=True)
    }


def _leave_one_group_out(rows: np.ndarray, groups: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows (n, d) without each group in turn."""
    for name in np.unique(groups):
        yield rows[groups != name]


def _metric_value_or_reason(metric_spec: MetricSpec, features: Any) -> float | str:
    """Return the value, or the reason why there is none."""
    try:
        return metric_spec(features)
    except InputError as error:
        return str(error)


def _jackknife_estimate(value: float, jackknife: _Jackknife, squaring: float, note: str) -> MetricEstimate:
    """Return a value with the interval of its n → ∞ limit.

    The error is two standard errors and the squaring error. The half-width of the interval adds the size of the bias of
    second order, which decides where the bias is large: on isotropic features of few images.
    The bias is computed from values of one kind only, of moments or of rows: a difference between rows and moments
    would multiply the rounding error by the number of groups.
    """
    with np.errstate(invalid="ignore"):
        error = 2 * jackknife.standard_error + squaring
        if jackknife.hidden_by_rounding:
            error += jackknife.rounding
        limit = value - jackknife.bias
        estimate = _with_interval(value, limit, error, JACKKNIFE_METHOD, note)
        if np.isnan(estimate.low):
            return estimate._replace(no_limit=estimate.note)
        wider = jackknife.second_order_bias
        return estimate._replace(low=estimate.low - wider, high=estimate.high + wider, limit=limit)


def estimate_by_half_sampling(
    metric_specs: Sequence[MetricSpec], features: Any, groups: Any = None, *, interval: bool = True, seed: int = 0
) -> tuple[MetricEstimate, ...]:
    """Estimate metrics of rows (n, d) or views (n, q, d), with their spread over random half-samples.

    A half drawn without replacement varies around the full sample as the full sample varies around the truth. Unlike
    a bootstrap sample it repeats no image; distances between repeated images would be 0.

    Parameters
    ----------
    metric_specs : sequence of MetricSpec
    features : ndarray (n, d) or (n, q, d)
    groups : ndarray (n,), optional
        Rows of one group stay together, as all tokens of an image must; by default each row is its own group.
    interval : bool, default True
        Whether to draw half-samples.
    seed : int
        Seed of the half-samples.

    References
    ----------
    Politis, Romano and Wolf 1999, Subsampling, Section 2.2.
    """
    rows = np.asarray(features, np.float64)
    names, group_of_row = np.unique(np.arange(len(rows)) if groups is None else groups, return_inverse=True)
    found: dict[MetricSpec, MetricEstimate] = {}
    values: dict[MetricSpec, float] = {}
    with shared_results():
        for one in metric_specs:
            value = _metric_value_or_reason(one, rows)
            # With about as many rows as dimensions, the coherence is high for any features.
            few = len(names) < MIN_GROUPS or (one.metric == "coherence" and len(rows) < 4 * rows.shape[-1])
            if isinstance(value, str):
                found[one] = NO_ESTIMATE._replace(note=value)
            elif not interval or not np.isfinite(value) or few:
                note = "too few images for an interval" if few else ""
                found[one] = MetricEstimate(value, np.nan, np.nan, np.nan, "", note)
            else:
                values[one] = value
    spreads = _spread_over_half_samples(list(values), rows, group_of_row, len(names), seed)
    for one, spread in spreads.items():
        if isinstance(spread, str):
            found[one] = NO_ESTIMATE._replace(note=spread)
            continue
        estimate = _with_interval(values[one], values[one], 2 * spread, HALF_SAMPLE_METHOD)
        found[one] = clip_interval(estimate, one, rows.shape[-1])._replace(no_limit=NOT_EXTRAPOLATED)
    return tuple(found[one] for one in metric_specs)


def _spread_over_half_samples(
    metric_specs: Sequence[MetricSpec], rows: Any, group_of_row: Any, n_groups: int, seed: int
) -> dict[MetricSpec, float | str]:
    """Return the standard deviation of each metric over random halves of the groups, or why a half has no value."""
    rng = np.random.default_rng(seed)
    values: dict[MetricSpec, list[float]] = {one: [] for one in metric_specs}
    reasons: dict[MetricSpec, str] = {}
    for _ in range(N_HALF_SAMPLES if metric_specs else 0):
        half = rng.permutation(n_groups) < n_groups // 2
        chosen = rows[half[group_of_row]]
        with shared_results():
            for one in [one for one in metric_specs if one not in reasons]:
                value = _metric_value_or_reason(one, chosen)
                if isinstance(value, str):
                    reasons[one] = value
                else:
                    values[one].append(value)
    with np.errstate(invalid="ignore"):
        return {one: reasons.get(one) or float(np.std(values[one], ddof=1)) for one in metric_specs}


def _metric_note(metric_spec: MetricSpec, features: Any, value: float) -> str:
    """Return the range and quality of a power-law fit, or a remark on an infinite or very large value."""
    if metric_spec.metric == "condition_number" and value > FLOAT32_MAX_CONDITION_NUMBER:
        return "a direction is missing" + ("" if np.isinf(value) else ", up to the rounding error of float32 features")
    if metric_spec.metric != "alpha_req":
        return "infinite" if np.isinf(value) else ""
    fit = metric_spec.function(features, convention=metric_spec.convention)
    if np.isnan(fit.alpha):
        return "fewer than three covariance eigenvalues are positive in the ranks fitted"
    found = f"ranks {fit.range[0]} to {fit.range[1]}, r² {fit.r2:.2f}"
    if not fit.left_out:
        return found
    directions = "a null direction" if fit.left_out == 1 else f"{fit.left_out} null directions"
    return f"{found}; {directions}, such as a final LayerNorm makes, left out"


def _with_interval(value: float, middle: float, error: float, method: str, note: str = "") -> MetricEstimate:
    if not np.isfinite(error) or not np.isfinite(middle):
        return MetricEstimate(value, np.nan, np.nan, np.nan, "", note or "a part of the images gives no finite value")
    return MetricEstimate(value, middle - error, middle + error, error, method, note)
