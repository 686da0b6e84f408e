"""Bound on the downstream error of the ideal predictor of target codes, over all images, from a sample.

Targets are quantised to k codes by a rule that does not depend on the sample; views are not quantised. Their graph has
rank at most k, so λ_{k+1} = 0, and `spectral-features-bound-downstream-error` bounds the probe residual of its k
spectral features, which span the probabilities of the k codes given the view, by φ alone. Its proof holds for any
labelling ỹ of views, if φ and α are of that labelling; and φ = E‖1[ỹ(x₁)] − E[1[ỹ(x₁)] | x₂]‖² is at most E‖1[ỹ(x₁)] −
q(x₂)‖², the Brier score of any rule q. With ỹ and q fixed on other images, both are means of independent bounded
numbers, which have exact confidence bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError, generator

_LARGEST_BET = 0.75  # a draw loses at most this share of the capital
_RESOLUTION = 1e-6
_ORDERS = 16  # in which the draws are bet on


@final
@dataclass(frozen=True)
class PopulationBound:
    """Estimates of φ and α, and upper bounds of both that hold together with the stated confidence.

    Attributes
    ----------
    phi, alpha : float
        Means over the sample; `phi` is a Brier score, which is at least φ of the graph on average.
    phi_bound, alpha_bound : float
        Upper confidence bounds over images and masks.
    n_images : int
    confidence : float
    """

    phi: float
    alpha: float
    phi_bound: float
    alpha_bound: float
    n_images: int
    confidence: float

    @property
    def residual(self) -> float:
        """Bound on the probe residual ‖(I − P_F)Y‖_F², φ; lower is better, and 1 says nothing."""
        return self.phi_bound

    @property
    def view_error(self) -> float:
        """Bound 2φ on the error of the probe for the labels of views."""
        return 2 * self.phi_bound

    @property
    def one_view_error(self) -> float:
        """Bound 2φ + α on the error for the label of an image, from one masked view of it."""
        return 2 * self.phi_bound + self.alpha_bound

    @property
    def image_error(self) -> float:
        """Bound 4φ + 2α on the error of the majority vote of all views of an image."""
        return 4 * self.phi_bound + 2 * self.alpha_bound


def population_bound(
    view_labels: np.ndarray, image_labels: np.ndarray, scores: np.ndarray, *, confidence: float = 0.95
) -> PopulationBound:
    """Bound residual and error of the k spectral features of views and coded targets, over all images and masks.

    Parameters
    ----------
    view_labels : ndarray of int, shape (n,)
        ỹ(x₁) of one view of each image, under a mask drawn for this image alone, by a rule fixed on other images.
    image_labels : ndarray of int, shape (n,)
    scores : ndarray, shape (n, r)
        q(x₂), a function of the code of the hidden part, fixed on other images: non-negative, rows of sum 1.
    confidence : float, default 0.95
        Probability that both bounds hold; half of the error probability for each.

    Raises
    ------
    InputError
        If shapes do not fit together, a row of scores is no probability distribution, or the confidence is no share.

    Notes
    -----
    Ours. The images are independent draws; no asymptotics.

    Examples
    --------
    >>> labels = np.tile([0, 1], 500)
    >>> found = population_bound(labels, labels, np.eye(2)[labels])
    >>> found.phi, found.phi_bound < 0.02, found.image_error < 0.1
    (0.0, True, True)
    """
    view_labels, image_labels, scores = np.asarray(view_labels), np.asarray(image_labels), np.asarray(scores, float)
    if scores.ndim != 2 or not len(scores) or not view_labels.shape == image_labels.shape == scores.shape[:1]:
        raise InputError(
            f"labels of views, of images and scores must have one row for each image, but their shapes are "
            f"{view_labels.shape}, {image_labels.shape} and {scores.shape}"
        )
    if (scores < 0).any() or np.abs(scores.sum(1) - 1).max() > 1e-9:
        raise InputError("each row of scores must be non-negative and sum to 1")
    if view_labels.min() < 0 or view_labels.max() >= scores.shape[1]:
        raise InputError(f"labels of views must lie between 0 and {scores.shape[1] - 1}, the classes of the scores")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie strictly between 0 and 1, but it is {confidence}")
    brier = ((np.eye(scores.shape[1])[view_labels] - scores) ** 2).sum(1)  # (n, r) -> (n,)
    brier = np.minimum(brier, 2.0)  # which rounding may exceed
    wrong = (view_labels != image_labels).astype(float)
    half = (1 - confidence) / 2
    return PopulationBound(
        phi=float(brier.mean()),
        alpha=float(wrong.mean()),
        phi_bound=2 * upper_mean(brier / 2, half),
        alpha_bound=upper_mean(wrong, half),
        n_images=len(brier),
        confidence=confidence,
    )


def upper_mean(values: np.ndarray, error_probability: float) -> float:
    """Return a number that the mean of independent draws in [0, 1] exceeds with at most the given probability.

    A gambler who bets that the mean is below m multiplies the capital 1 by 1 + b(m − x) at each draw, b a function of
    earlier draws. If the mean is m or more, the final capital is at most 1 on average, also averaged over orders of the
    draws, so it reaches 1/δ with probability at most δ (Markov), and m is excluded if it does.

    Raises
    ------
    InputError
        If there are no values, one is outside [0, 1], or the probability is not between 0 and 1.

    References
    ----------
    Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by betting.

    Examples
    --------
    >>> 0.0 < upper_mean(np.zeros(1000), 0.05) < 0.01
    True
    >>> upper_mean(np.ones(10), 0.05)
    1.0
    """
    values = np.asarray(values, float)
    if not values.size or not (values >= 0).all() or not (values <= 1).all():
        raise InputError("the values must be at least one number, all in [0, 1]")
    if not 0 < error_probability < 1:
        raise InputError(f"the error probability must lie strictly between 0 and 1, but it is {error_probability}")
    n, rng = len(values), generator(0, "order of bets")
    orders = np.stack([rng.permutation(values) for _ in range(_ORDERS)])  # (o, n)
    count = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(orders, axis=1)) / (count + 1)
    variance = (0.25 + np.cumsum((orders - mean) ** 2, axis=1)) / (count + 1)
    before = np.concatenate([np.full((_ORDERS, 1), 0.25), variance[:, :-1]], axis=1)  # of the draws before each
    bets = np.minimum(np.sqrt(2 * np.log(1 / error_probability) / (n * before)), _LARGEST_BET)  # (o, n)

    def excluded(m: float) -> bool:
        capital = np.log1p(bets * (m - orders)).sum(1)  # (o,), logarithms, increasing in m
        return bool(np.logaddexp.reduce(capital) - np.log(_ORDERS) >= np.log(1 / error_probability))

    possible, beyond = 0.0, 1.0
    if not excluded(beyond):
        return 1.0
    while beyond - possible > _RESOLUTION:
        middle = (possible + beyond) / 2
        possible, beyond = (possible, middle) if excluded(middle) else (middle, beyond)
    return beyond
