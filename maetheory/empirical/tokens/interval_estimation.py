"""Interval estimates of label errors and eigenvalues of the graph behind a sample.

The graph of a sample is optimistic: its label errors are too small and its singular values too large. A percentile
bootstrap does not correct this, because resampling repeats the bias. Here each quantity has a downward-biased and an
upward-biased estimate, and the interval reaches from below the one to above the other by its sampling error over images
and, where masks were drawn, over masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.empirical.tokens.interval_estimate import Bracket, IntervalEstimate, monotone_interval, residual_bound
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.sample import TokenSample
from maetheory.empirical.tokens.spectrum_brackets import spectrum_brackets

MIN_IMAGES = 20
N_TAIL_VALUES = 8  # values beyond λ_{k+1} that are computed for the tail energy


@final
@dataclass(frozen=True)
class GraphIntervals:
    """Interval estimates of the graph of all images, from a sample.

    Attributes
    ----------
    alpha, alpha2, phi : IntervalEstimate
        Label errors of views, of targets and of positive pairs.
    eigenvalues : tuple of IntervalEstimate
        λ₁..λ_{k+1} of the augmentation graph; λ₁ is 1.
    tail_energy : IntervalEstimate
        Σ_{i>k} λ_i².
    components : IntervalEstimate
        Number of connected components. Decided only if every edge occurs in two images or more; edges so rare that this
        sample may lack them are then assumed absent.
    sharp_bound : IntervalEstimate
        4φ/(1 − λ_{k+1}) + 2α, which bounds the downstream error of spectral features.
    k : int
    confidence : float
        Of each interval by itself.
    shared_view_fraction, shared_target_fraction : float
        Fraction of the weight of this sample whose view, or target, also occurs in another image.
    """

    alpha: IntervalEstimate
    alpha2: IntervalEstimate
    phi: IntervalEstimate
    eigenvalues: tuple[IntervalEstimate, ...]
    tail_energy: IntervalEstimate
    components: IntervalEstimate
    sharp_bound: IntervalEstimate
    k: int
    confidence: float
    shared_view_fraction: float
    shared_target_fraction: float


def graph_intervals(sample: TokenSample, k: int, *, confidence: float = 0.95, seed: int = 0) -> GraphIntervals:
    """Estimate label errors, eigenvalues and bound of the graph that images and masks were drawn from.

    Label errors are those of the law of masks. With positions kept and masks drawn, spectrum, tail energy, components
    and bound are those of the graph of the drawn masks: other masks give other blocks.

    Parameters
    ----------
    sample : TokenSample
        Of independent images.
    k : int
        Number of features, at least 1 and below the numbers of distinct views and targets.
    confidence : float, default 0.95
        Asymptotic coverage probability of each interval by itself.
    seed : int, default 0
        Splits the images into halves.

    Raises
    ------
    InputError
        If there are fewer than twenty images, or k or the confidence is out of range.

    Notes
    -----
    Ours. λ: held-out correlations of half-sample singular functions, and plug-in values; point estimate 2 λ̂_n −
    λ̂_{n/2}. φ: a U-statistic over pairs of images. α: the in-sample and the leave-one-out error of a vote. First-order
    errors by influence functions, z²/n beyond.

    Examples
    --------
    >>> from maetheory.data import worlds
    >>> from maetheory.empirical.tokens.sample import sample_from_codes
    >>> from maetheory.masks import UniformMasks
    >>> world, rng = worlds.mixture(4, 2, 2, 0.1), np.random.default_rng(0)
    >>> drawn = rng.choice(len(world.states), 2000, p=world.probability)
    >>> sample = sample_from_codes(world.states[drawn], world.labels[drawn], UniformMasks(4, 3), positions="dropped")
    >>> graph_intervals(sample, 1).alpha.decided
    True
    """
    check_sample_size(sample, confidence)
    if not 1 <= k < min(sample.shape):
        raise InputError(
            f"k must be at least 1 and below {min(sample.shape)}, the smaller number of distinct views "
            f"and targets, but it is {k}"
        )
    n = sample.n_images
    alpha, alpha2 = label_error_bracket(sample, sample.views), label_error_bracket(sample, sample.targets)
    phi, spectral = pair_error_bracket(sample), spectrum_brackets(sample, k, N_TAIL_VALUES, seed)
    return GraphIntervals(
        alpha=alpha.interval("the label error of views", n, confidence),
        alpha2=alpha2.interval("the label error of targets", n, confidence),
        phi=phi.interval("the label error of positive pairs", n, confidence),
        eigenvalues=tuple(
            bracket.interval(f"eigenvalue {i}", n, confidence) for i, bracket in enumerate(spectral.eigenvalues, 1)
        ),
        tail_energy=spectral.tail_energy.interval("the tail", n, confidence),
        components=_n_components_interval(sample),
        sharp_bound=sharp_bound_interval(alpha, phi, spectral.eigenvalues[k], n, confidence),
        k=k,
        confidence=confidence,
        shared_view_fraction=_shared_fraction(sample, sample.views),
        shared_target_fraction=_shared_fraction(sample, sample.targets),
    )


def check_sample_size(sample: TokenSample, confidence: float) -> None:
    """Raise InputError if there are too few images, or the confidence is out of range."""
    if sample.n_images < MIN_IMAGES:
        raise InputError(f"interval estimates need at least {MIN_IMAGES} images, but there are {sample.n_images}")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie strictly between 0 and 1, but it is {confidence}")


def sharp_bound_interval(
    alpha: Bracket, phi: Bracket, next_eigenvalue: Bracket, n: int, confidence: float
) -> IntervalEstimate:
    """Interval of 4φ/(1 − λ_{k+1}) + 2α, from those of its three arguments at a third of the error probability."""
    third = 1 - (1 - confidence) / 3
    return monotone_interval(
        lambda a, p, v: 4 * residual_bound(p, v) + 2 * a,
        alpha.interval("the label error of views", n, third),
        phi.interval("the label error of positive pairs", n, third),
        next_eigenvalue.interval("the next eigenvalue", n, third),
    )


def _n_components_interval(sample: TokenSample) -> IntervalEstimate:
    """Number of components, decided if no edge occurs in one image only."""
    found = sample.graph.n_components
    unshared = float((sample.weights * ~_in_other_images(_edge_indices(sample))).sum())
    if unshared == 0.0:
        return IntervalEstimate(found, found, found, True, "")
    why = (
        f"{unshared:.2g} of the weight lies on edges that occur in one image only, so this sample lacks edges that may "
        "join components or form new ones"
    )
    return IntervalEstimate(found, 1, math.inf, False, why)


def _edge_indices(sample: TokenSample) -> np.ndarray:
    """Index of the (view, target) pair of each image under each mask, (n, m)."""
    return sample.views.astype(np.int64) * sample.shape[1] + sample.targets


def _shared_fraction(sample: TokenSample, nodes: np.ndarray) -> float:
    """Fraction of the weight on nodes that occur in another image too."""
    return float(sample.mask_weights @ _in_other_images(nodes).mean(0))


def _in_other_images(nodes: np.ndarray) -> np.ndarray:
    """Whether another image has the same node, shape (n, m) of bool."""
    _, inverse = np.unique(nodes, return_inverse=True)
    inverse = inverse.reshape(nodes.shape).astype(np.int64)
    n, size = len(nodes), int(inverse.max()) + 1
    pairs = np.unique(inverse * n + np.arange(n)[:, None])  # distinct (node, image)
    return np.bincount(pairs // n, minlength=size)[inverse] > 1
