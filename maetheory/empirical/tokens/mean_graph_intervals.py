"""With positions kept, masks do not meet: each has a graph of its own, and a law of masks the mean of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.empirical.tokens.graph_intervals import MIN_IMAGES, N_TAIL_VALUES, sharp_bound_interval
from maetheory.empirical.tokens.intervals import Bracket, IntervalEstimate, student_half_width
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.sample import Sample
from maetheory.empirical.tokens.spectrum_brackets import spectrum_brackets


@final
@dataclass(frozen=True)
class MeanGraphIntervals:
    """Means over masks of what a sample says of the graph of each mask by itself.

    Attributes
    ----------
    alpha, alpha2, phi : Band
        Those of the graph of all masks, positions kept, because label errors are means over masks.
    following : Band
        λ_{k+1} of one mask's graph, in the mean. Side by side the graphs of m masks have λ = 1 m times, and for k < m
        there would be no bound.
    sharp_bound : Band
        4φ/(1 − λ_{k+1}) + 2α, in the mean: k spectral features under each mask.
    k, n_masks : int
    """

    alpha: IntervalEstimate
    alpha2: IntervalEstimate
    phi: IntervalEstimate
    following: IntervalEstimate
    sharp_bound: IntervalEstimate
    k: int
    n_masks: int


def mean_graph_intervals(sample: Sample, k: int, *, confidence: float = 0.95, seed: int = 0) -> MeanGraphIntervals:
    """Estimate the numbers of each mask's own graph and average them, with bands.

    Parameters
    ----------
    sample : Sample
        Positions kept.
    k : int
        Features under each mask. Where the sample shows no more than k views or targets under a mask, its λ_{k+1} is 0,
        and the band reaches up to that of its last eigenvalue.
    confidence, seed
        As for `bands`.

    Returns
    -------
    MeanBands
        A band is the mean of the masks' bands, which holds the mean of the masks' numbers at least as surely as they
        hold each (by images, which the masks share), and where masks were drawn is as much wider as the number differs
        between them, by Student's quantile. It is decided where it is under every mask, and there is more than one.

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
    _check(sample, k, confidence)
    each = [_intervals_under_one_mask(sample, mask, k, confidence, seed) for mask in range(sample.views.shape[1])]
    drawn = confidence if sample.masks_drawn else None
    most = {"sharp_bound": np.inf}
    means = {
        name: _weighted_mean_interval([one[name] for one in each], sample.mask_weights, drawn, most.get(name, 1.0))
        for name in each[0]
    }
    return MeanGraphIntervals(**means, k=k, n_masks=len(each))


def _check(sample: Sample, k: int, confidence: float) -> None:
    if sample.positions != "kept":
        raise InputError(
            "masks have graphs of their own where positions are kept only, but in this sample they are dropped"
        )
    if sample.n_images < MIN_IMAGES:
        raise InputError(f"bands need at least {MIN_IMAGES} images, but there are {sample.n_images}")
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but it is {k}")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie strictly between 0 and 1, but it is {confidence}")


def _intervals_under_one_mask(
    sample: Sample, mask: int, k: int, confidence: float, seed: int
) -> dict[str, IntervalEstimate]:
    alone = _restrict_to_mask(sample, mask)
    n = alone.n_images
    alpha, alpha2 = label_error_bracket(alone, alone.views), label_error_bracket(alone, alone.targets)
    phi, following = pair_error_bracket(alone), _next_eigenvalue_bracket(alone, k, seed)
    return {
        "alpha": alpha.band("the label error of views", n, confidence),
        "alpha2": alpha2.band("the label error of targets", n, confidence),
        "phi": phi.band("the label error of positive pairs", n, confidence),
        "following": following.band("the next eigenvalue", n, confidence),
        "sharp_bound": sharp_bound_interval(alpha, phi, following, n, confidence),
    }


def _restrict_to_mask(sample: Sample, mask: int) -> Sample:
    """The sample of one mask, its views and targets numbered anew."""
    views, targets = (
        np.unique(side[:, mask], return_inverse=True)[1].reshape(-1, 1).astype(np.int32)
        for side in (sample.views, sample.targets)
    )
    return Sample(views, targets, sample.labels, np.ones(1), False, "kept", sample.collision_probability)


def _next_eigenvalue_bracket(alone: Sample, k: int, seed: int) -> Bracket:
    """Bracket λ_{k+1}; of a graph seen with no more than k nodes on a side it is 0, or below the last one found."""
    fewest = min(alone.shape)
    if fewest == 1:
        return Bracket(0.0, 0.0, 0.0, 0.0, 0.0)
    last = spectrum_brackets(alone, min(k, fewest - 1), N_TAIL_VALUES, seed).eigenvalues[-1]
    return last if fewest > k else replace(last, lower=0.0, lower_error=0.0, lower_terms=0, value=0.0)


def _weighted_mean_interval(
    parts: Sequence[IntervalEstimate], weights: np.ndarray, confidence: float | None, most: float
) -> IntervalEstimate:
    """Weighted mean of bands up to `most`, wider by what masks that were drawn differ, at a confidence."""
    value, low, high = (float(weights @ [getattr(part, end) for part in parts]) for end in ("value", "low", "high"))
    wider = student_half_width([part.value for part in parts], confidence) if confidence and np.isfinite(value) else 0.0
    why = next((part.why for part in parts if not part.decided), "")
    if np.isinf(wider):
        why = why or "one mask was drawn, which does not say how far masks differ"
    return IntervalEstimate(value, max(low - wider, 0.0), min(high + wider, most), not why, why)
