"""Interval estimates of each mask's graph, averaged over masks.

With positions kept, views of different masks differ, so each mask has a graph of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.empirical.tokens.interval_estimate import Bracket, IntervalEstimate, student_half_width
from maetheory.empirical.tokens.interval_estimation import N_TAIL_VALUES, check_sample_size, sharp_bound_interval
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.sample import TokenSample
from maetheory.empirical.tokens.spectrum_brackets import spectrum_brackets


@final
@dataclass(frozen=True)
class MeanGraphIntervals:
    """Means over masks of the interval estimates of each mask's graph.

    Attributes
    ----------
    alpha, alpha2, phi : IntervalEstimate
        Equal to those of the graph of all masks, positions kept, because label errors are means over masks.
    next_eigenvalue : IntervalEstimate
        Mean of λ_{k+1} of one mask's graph. The disjoint union of the graphs of m masks has λ = 1 m times, and for
        k < m no bound.
    sharp_bound : IntervalEstimate
        Mean of 4φ/(1 − λ_{k+1}) + 2α: k spectral features under each mask.
    k, n_masks : int
    """

    alpha: IntervalEstimate
    alpha2: IntervalEstimate
    phi: IntervalEstimate
    next_eigenvalue: IntervalEstimate
    sharp_bound: IntervalEstimate
    k: int
    n_masks: int


def mean_graph_intervals(sample: TokenSample, k: int, *, confidence: float = 0.95, seed: int = 0) -> MeanGraphIntervals:
    """Estimate label errors, λ_{k+1} and bound of each mask's graph, and average them over masks.

    Parameters
    ----------
    sample : TokenSample
        Positions kept.
    k : int
        Features under each mask. If the sample has no more than k views or targets under a mask, its λ_{k+1} is 0, and
        the interval reaches up to that of its last eigenvalue.
    confidence, seed
        As for `graph_intervals`.

    Returns
    -------
    MeanGraphIntervals
        An interval is the mean of the masks' intervals, which covers the mean at least as surely as they cover each (by
        images, which the masks share); where masks were drawn, it is widened by the spread between masks with
        Student's quantile. It is decided if it is decided under every mask, and more than one was drawn.

    Raises
    ------
    InputError
        If positions are dropped, there are fewer than twenty images, or k or the confidence is out of range.

    Examples
    --------
    >>> from maetheory.empirical.tokens.sample import sample_from_codes
    >>> from maetheory.masks import UniformMasks
    >>> codes = np.repeat([[0, 0], [1, 1]], 50, axis=0)
    >>> found = mean_graph_intervals(sample_from_codes(codes, codes[:, 0], UniformMasks(2, 1)), 1)
    >>> found.phi.value, found.n_masks
    (0.0, 2)
    """
    _check_arguments(sample, k, confidence)
    n_masks = sample.views.shape[1]
    per_mask = [_intervals_under_one_mask(sample, mask, k, confidence, seed) for mask in range(n_masks)]
    drawn = confidence if sample.masks_drawn else None
    maximum = {"sharp_bound": np.inf}
    means = {
        name: _weighted_mean_interval(
            [intervals[name] for intervals in per_mask], sample.mask_weights, drawn, maximum.get(name, 1.0)
        )
        for name in per_mask[0]
    }
    return MeanGraphIntervals(**means, k=k, n_masks=len(per_mask))


def _check_arguments(sample: TokenSample, k: int, confidence: float) -> None:
    if sample.positions != "kept":
        raise InputError(
            "masks have graphs of their own only where positions are kept, but in this sample they are dropped"
        )
    check_sample_size(sample, confidence)
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but it is {k}")


def _intervals_under_one_mask(
    sample: TokenSample, mask: int, k: int, confidence: float, seed: int
) -> dict[str, IntervalEstimate]:
    alone = _restrict_to_mask(sample, mask)
    n = alone.n_images
    alpha, alpha2 = label_error_bracket(alone, alone.views), label_error_bracket(alone, alone.targets)
    phi, next_eigenvalue = pair_error_bracket(alone), _next_eigenvalue_bracket(alone, k, seed)
    return {
        "alpha": alpha.interval("the label error of views", n, confidence),
        "alpha2": alpha2.interval("the label error of targets", n, confidence),
        "phi": phi.interval("the label error of positive pairs", n, confidence),
        "next_eigenvalue": next_eigenvalue.interval("the next eigenvalue", n, confidence),
        "sharp_bound": sharp_bound_interval(alpha, phi, next_eigenvalue, n, confidence),
    }


def _restrict_to_mask(sample: TokenSample, mask: int) -> TokenSample:
    """Restrict a sample to one mask, its views and targets numbered anew."""
    views, targets = (
        np.unique(side[:, mask], return_inverse=True)[1].reshape(-1, 1).astype(np.int32)
        for side in (sample.views, sample.targets)
    )
    return TokenSample(views, targets, sample.labels, np.ones(1), False, "kept", sample.collision_probability)


def _next_eigenvalue_bracket(alone: TokenSample, k: int, seed: int) -> Bracket:
    """Bracket λ_{k+1}; with no more than k views or targets, it lies between 0 and the last eigenvalue found."""
    fewest = min(alone.shape)
    if fewest == 1:
        return Bracket(0.0, 0.0, 0.0, 0.0, 0.0)
    last = spectrum_brackets(alone, min(k, fewest - 1), N_TAIL_VALUES, seed).eigenvalues[-1]
    return last if fewest > k else replace(last, lower=0.0, lower_error=0.0, lower_terms=0, value=0.0)


def _weighted_mean_interval(
    parts: Sequence[IntervalEstimate], weights: np.ndarray, confidence: float | None, maximum: float
) -> IntervalEstimate:
    """Weighted mean of intervals; with a confidence, widened by Student's half-width of the spread over drawn masks."""
    value, low, high = (float(weights @ [getattr(part, end) for part in parts]) for end in ("value", "low", "high"))
    half_width = 0.0
    if confidence is not None and np.isfinite(value):
        half_width = student_half_width([part.value for part in parts], confidence)
    why = next((part.why for part in parts if not part.decided), "")
    if np.isinf(half_width):
        why = why or "only one mask was drawn, so the spread over masks is unknown"
    return IntervalEstimate(value, max(low - half_width, 0.0), min(high + half_width, maximum), not why, why)
