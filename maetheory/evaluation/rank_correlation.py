"""Spearman rank correlations of several scores with permutation p-values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.stats import rankdata

from maetheory.core import InputError, generator

MIN_ITEMS = 4
PERMUTATIONS = 10_000


@final
@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ρ between a score and a measured quantity.

    Attributes
    ----------
    value : float
        In [-1, 1]; positive if the score predicts the order. NaN if all values of the score are equal.
    low, high : float
        95 % interval of this one correlation, not corrected for the number of scores.
    p : float
        Two-sided permutation p-value of this score alone.
    p_adjusted : float
        Fraction of permutations in which the best of all scores reaches this correlation: corrected for their number.
    partial : float
        Partial correlation given the ranks of a third quantity; NaN without one, or if it determines either ranking.
    reason : str
        Why there is no correlation, else empty.
    """

    value: float
    low: float
    high: float
    p: float
    p_adjusted: float
    partial: float
    reason: str = ""


def rank_correlations(
    scores: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
    *,
    control: np.ndarray | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[tuple[str, str], RankCorrelation]:
    """Correlate the ranks of every score with those of every measured quantity, over the same n items.

    Parameters
    ----------
    scores : mapping from name to array, shape (n,)
        Oriented so that higher predicts more; infinity is allowed. At least one.
    measured : mapping from name to array, shape (n,)
        Finite; for instance accuracies, means over seeds. At least one.
    control : ndarray, shape (n,), optional
        The quantity that partial correlations are conditioned on.
    permutations : int, default 10000
        Number of random permutations; p-values count the identity as one more.
    seed : int, default 0

    Returns
    -------
    dict
        From (score, measured) to its correlation.

    Raises
    ------
    InputError
        If there are fewer than four items, lengths differ, a score is NaN, or a measured number is not finite.

    Notes
    -----
    The interval is ours: it is centred at Fisher's z = artanh ρ, and its half-width is the 95 % quantile of ``|z|``
    over permutations, times √(1 + ρ²/2) (Bonett and Wright 2000). It contains 0 whenever the permutation test at 5
    % does not reject, hence under independence in at least 95 % of cases for any n. ρ = ±1 is replaced by the
    nearest value half a step of ρ away. All pairs use the same permutations of the items, so that p_adjusted
    accounts for the correlation between scores (Westfall and Young 1993).

    Examples
    --------
    >>> found = rank_correlations({"size": np.arange(6.0)}, {"speed": np.array([1, 2, 3, 4, 6, 5.0])})
    >>> round(found["size", "speed"].value, 3)
    0.943
    """
    n = _check_lengths(scores, measured)
    left = {name: _unit_ranks(values) for name, values in scores.items()}
    right = {name: _unit_ranks(values) for name, values in measured.items()}
    control_ranks = None if control is None else _unit_ranks(np.asarray(control, dtype=float))
    rng = generator(seed, "permutations")
    orders = rng.permuted(np.broadcast_to(np.arange(n), (permutations, n)), axis=1)  # (q, n)
    shuffled = {(a, b): right[b][orders] @ left[a] for a in left for b in right}  # (q, n) @ (n,) -> (q,)
    best = np.max([np.abs(each) for each in shuffled.values()], axis=0)  # (q,)
    return {
        (a, b): _correlation(a, left[a], right[b], control_ranks, np.abs(shuffled[a, b]), best, b)
        for a in left
        for b in right
    }


def _check_lengths(scores: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray]) -> int:
    """Return the common number of items, or raise `InputError`."""
    everything = {**scores, **measured}
    if not scores or not measured:
        raise InputError("a rank correlation needs at least one score and one measured quantity")
    sizes = {len(values) for values in everything.values()}
    if len(sizes) > 1 or min(sizes) < MIN_ITEMS:
        raise InputError(
            f"rank correlations need the same {MIN_ITEMS} items or more everywhere, but there are "
            f"{', '.join(map(str, sorted(sizes)))}"
        )
    for name, values in everything.items():
        bad = np.isnan(values) if name in scores else ~np.isfinite(values)
        if bad.any():
            raise InputError(
                f"{name} is {np.asarray(values)[bad][0]} for {bad.sum()} of {len(bad)} items, which has no rank"
            )
    return sizes.pop()


def _unit_ranks(values: np.ndarray) -> np.ndarray:
    """Return mid-ranks, centred and of unit norm; zeros if all values are tied."""
    ranks = rankdata(values)
    centred = ranks - ranks.mean()
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 0 else centred


def _correlation(
    score: str,
    left: np.ndarray,
    right: np.ndarray,
    control_ranks: np.ndarray | None,
    permuted_values: np.ndarray,
    best: np.ndarray,
    quantity: str,
) -> RankCorrelation:
    if not left.any() or not right.any():
        constant = score if not left.any() else quantity
        reason = f"{constant} is the same for all {len(left)}, so it ranks nothing"
        return RankCorrelation(np.nan, -1.0, 1.0, 1.0, 1.0, np.nan, reason)
    value = float(np.clip(left @ right, -1, 1))
    low, high = _correlation_interval(value, len(left), permuted_values)
    p, p_adjusted = (_permutation_p_value(permuted, abs(value)) for permuted in (permuted_values, best))
    return RankCorrelation(value, low, high, p, p_adjusted, _partial_correlation(value, left, right, control_ranks))


def _permutation_p_value(permuted_values: np.ndarray, value: float) -> float:
    return float((1 + (permuted_values >= value - 1e-9).sum()) / (1 + len(permuted_values)))


def _correlation_interval(value: float, n: int, permuted_values: np.ndarray) -> tuple[float, float]:
    most = 1 - 6 / (n**3 - n)  # half a step of ρ below 1
    quantile = float(np.quantile(permuted_values, 0.95, method="higher"))
    half = np.arctanh(min(quantile, most)) * np.sqrt(1 + value**2 / 2)
    centre = np.arctanh(np.clip(value, -most, most))
    return min(float(np.tanh(centre - half)), value), max(float(np.tanh(centre + half)), value)


def _partial_correlation(value: float, left: np.ndarray, right: np.ndarray, control_ranks: np.ndarray | None) -> float:
    if control_ranks is None:
        return np.nan
    a, b = float(left @ control_ranks), float(right @ control_ranks)
    rest = (1 - a**2) * (1 - b**2)
    return (value - a * b) / float(np.sqrt(rest)) if rest > 1e-12 else np.nan
