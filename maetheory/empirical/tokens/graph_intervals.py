"""A sampled graph is optimistic, and its bands say by how much.

A percentile bootstrap of a sampled graph covers nothing, because resampling repeats the bias it should reveal. Here
each number has two estimates, one too small on average and one too large, and the band reaches from below the one to
above the other by its sampling error over images and, where they were drawn, over masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.empirical.tokens.intervals import Bracket, IntervalEstimate
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.sample import Sample
from maetheory.empirical.tokens.spectrum_brackets import spectrum_brackets

MIN_IMAGES = 20
ROUNDING = 1e-12  # of an eigenvalue that is 1
N_TAIL_VALUES = 8  # values beyond λ_{k+1} that the tail looks at one by one


@final
@dataclass(frozen=True)
class GraphIntervals:
    """What a sample says of the graph of all images.

    Attributes
    ----------
    alpha, alpha2, phi : Band
        Label errors of views, of targets and of positive pairs.
    eigenvalues : tuple of Band
        λ₁..λ_{k+1} of the augmentation graph; λ₁ is 1.
    tail : Band
        Σ_{i>k} λ_i².
    components : Band
        Decided only where every edge was shown by two images or more, and then all edges of a probability that this
        sample could have missed are supposed not to be there.
    sharp_bound : Band
        4φ/(1 − λ_{k+1}) + 2α, which bounds the downstream error of spectral features.
    k : int
    confidence : float
        Of each band by itself.
    shared_view_fraction, shared_target_fraction : float
        Share of the weight of this sample whose view, or target, another image shows too.
    """

    alpha: IntervalEstimate
    alpha2: IntervalEstimate
    phi: IntervalEstimate
    eigenvalues: tuple[IntervalEstimate, ...]
    tail: IntervalEstimate
    components: IntervalEstimate
    sharp_bound: IntervalEstimate
    k: int
    confidence: float
    shared_view_fraction: float
    shared_target_fraction: float


def bands(sample: Sample, k: int, *, confidence: float = 0.95, seed: int = 0) -> GraphIntervals:
    """Estimate the numbers of the graph that images and masks were drawn from, with bands.

    Label errors are those of the law of masks. With positions kept and masks drawn, spectrum, tail, components and
    bound are those of the graph of the masks drawn: other masks make other blocks.

    Parameters
    ----------
    sample : Sample
        Of independent images.
    k : int
        Number of features, at least 1 and below the numbers of distinct views and targets.
    confidence : float, default 0.95
        Probability with which each band covers its number, for many images.
    seed : int, default 0
        Splits the images into halves.

    Raises
    ------
    InputError
        If there are fewer than twenty images, or k or the confidence is out of range.

    Notes
    -----
    Ours. λ: correlations on one half of the singular functions of the other, and the plug-in; value 2 λ̂_n −
    λ̂_{n/2}. φ: a U-statistic over pairs of images. α: the vote of all images, and of all but one. Linear errors by
    influence functions, z²/n beyond.

    Examples
    --------
    >>> from maetheory.data import worlds
    >>> from maetheory.empirical.tokens.sample import sample_from_codes
    >>> from maetheory.masks import UniformMasks
    >>> world, rng = worlds.mixture(4, 2, 2, 0.1), np.random.default_rng(0)
    >>> drawn = rng.choice(len(world.states), 2000, p=world.probability)
    >>> sample = sample_from_codes(world.states[drawn], world.labels[drawn], UniformMasks(4, 3), positions="dropped")
    >>> bands(sample, 1).alpha.decided
    True
    """
    _check(sample, k, confidence)
    n = sample.n_images
    alpha, alpha2 = label_error_bracket(sample, sample.views), label_error_bracket(sample, sample.targets)
    phi, spectral = pair_error_bracket(sample), spectrum_brackets(sample, k, N_TAIL_VALUES, seed)
    return GraphIntervals(
        alpha=alpha.band("the label error of views", n, confidence),
        alpha2=alpha2.band("the label error of targets", n, confidence),
        phi=phi.band("the label error of positive pairs", n, confidence),
        eigenvalues=tuple(
            bracket.band(f"eigenvalue {i}", n, confidence) for i, bracket in enumerate(spectral.eigenvalues, 1)
        ),
        tail=spectral.tail.band("the tail", n, confidence),
        components=_components(sample),
        sharp_bound=sharp_bound_interval(alpha, phi, spectral.eigenvalues[k], n, confidence),
        k=k,
        confidence=confidence,
        shared_view_fraction=_shared_fraction(sample, sample.views),
        shared_target_fraction=_shared_fraction(sample, sample.targets),
    )


def _check(sample: Sample, k: int, confidence: float) -> None:
    if sample.n_images < MIN_IMAGES:
        raise InputError(f"bands need at least {MIN_IMAGES} images, but there are {sample.n_images}")
    if not 1 <= k < min(sample.shape):
        raise InputError(
            f"k must be at least 1 and below {min(sample.shape)}, the smaller number of distinct views "
            f"and targets, but it is {k}"
        )
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie strictly between 0 and 1, but it is {confidence}")


def sharp_bound_interval(
    alpha: Bracket, phi: Bracket, following: Bracket, n: int, confidence: float
) -> IntervalEstimate:
    """Increasing in all three, so it lies between its values at their ends, each taken at a third of the risk."""
    parts = [
        b.band(name, n, 1 - (1 - confidence) / 3)
        for b, name in (
            (alpha, "the label error of views"),
            (phi, "the label error of positive pairs"),
            (following, "the next eigenvalue"),
        )
    ]
    value, low, high = (_bound(*(getattr(part, end) for part in parts)) for end in ("value", "low", "high"))
    undecided = [part.why for part in parts if not part.decided]
    if math.isinf(high):
        undecided.append("the next eigenvalue may be 1, where there is no bound")
    return IntervalEstimate(value, low, high, not undecided, "; ".join(undecided))


def _bound(alpha: float, phi: float, following: float) -> float:
    return 4 * phi / (1 - following) + 2 * alpha if following < 1 - ROUNDING else math.inf


def _components(sample: Sample) -> IntervalEstimate:
    found = sample.graph.n_components
    once = float((sample.weights * ~_shown_by_other_images(_edges(sample))).sum())
    if once == 0.0:
        return IntervalEstimate(found, found, found, True, "")
    why = (
        f"{once:.2g} of the weight lies on edges that one image alone shows, so others are missing that may join "
        "components or be new ones"
    )
    return IntervalEstimate(found, 1, math.inf, False, why)


def _edges(sample: Sample) -> np.ndarray:
    return sample.views.astype(np.int64) * sample.shape[1] + sample.targets


def _shared_fraction(sample: Sample, nodes: np.ndarray) -> float:
    return float(sample.mask_weights @ _shown_by_other_images(nodes).mean(0))


def _shown_by_other_images(nodes: np.ndarray) -> np.ndarray:
    """Whether another image shows the same, shape (n, m) of bool."""
    _, inverse = np.unique(nodes, return_inverse=True)
    inverse = inverse.reshape(nodes.shape).astype(np.int64)
    n, size = len(nodes), int(inverse.max()) + 1
    pairs = np.unique(inverse * n + np.arange(n)[:, None])  # distinct (node, image)
    return np.bincount(pairs // n, minlength=size)[inverse] > 1
