"""Principal directions of features, and scores of each image along directions that were found without it.

A direction found from n images in d dimensions fits the noise of these images, so that their variance along it is too
large, by (1 + √(d/n))² for isotropic features. Therefore the images are split into folds, and the scores of a fold are
computed along the directions of all other folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from maetheory.core import Estimate, generator

FOLDS = 10
FLOAT32_ERROR = 1e-6  # standard deviation along a direction, relative to the features, that may be rounding error
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class CrossFittedDirections:
    """Leading principal directions of features (n, d), the eigenvectors of their covariance.

    Attributes
    ----------
    mean : ndarray (d,)
    directions : ndarray (d, m)
        Unit columns, found from all images; the entry of largest absolute value is positive.
    scores : ndarray (n, m)
        Of each image, minus the mean of the images outside its fold, along the directions found outside its fold.
    shares : tuple of Estimate
        Share of the variance of images not used to find the direction that it carries, 0 to 1; ± two standard errors
        over images.
    share : Estimate
        The same of all directions together.
    mean_share : Estimate
        Share of the mean square of the features that is that of their mean, 0 to 1.
    stability : ndarray (m,)
        Mean over folds of the absolute cosine between the direction found from all images and that found without the
        fold, 0 to 1; low where two neighbouring directions carry nearly the same variance.
    fold_of_image : ndarray of int (n,)
    fold_directions : ndarray (folds, d, m)
    """

    mean: Floats
    directions: Floats
    scores: Floats
    shares: tuple[Estimate, ...]
    share: Estimate
    mean_share: Estimate
    stability: Floats
    fold_of_image: NDArray[np.intp]
    fold_directions: Floats

    @property
    def m(self) -> int:
        """Number of directions."""
        return int(self.directions.shape[1])

    def scores_of(self, features: Floats, images: NDArray[np.intp]) -> Floats:
        """Return scores (r, m) of features (r, d): minus the mean of rows outside the fold, along its directions.

        Parameters
        ----------
        features : ndarray (r, d)
            Of real images, or of others that are made from them.
        images : ndarray of int (r,)
            Position of the real image of each row, whose fold counts.
        """
        folds = self.fold_of_image[images]
        found = np.empty((len(features), self.m))
        for fold in np.unique(folds):
            inside = folds == fold
            centred = features[inside] - features[~inside].mean(0)
            found[inside] = centred @ self.fold_directions[fold]  # (r, d) @ (d, m) -> (r, m)
        return found


def cross_fitted_directions(Z: Floats, m: int, *, folds: int = FOLDS, seed: int = 0) -> CrossFittedDirections:
    """Find the leading principal directions of features, and scores along them by cross-fitting.

    Parameters
    ----------
    Z : ndarray (n, d)
        One row per image, n at least twice the number of folds.
    m : int
        Number of directions; fewer are returned where fewer carry any variance.
    folds : int, default 10
    seed : int
        Seed of the folds.

    Examples
    --------
    >>> Z = np.random.default_rng(0).standard_normal((400, 3)) * [3.0, 1.0, 0.5]
    >>> found = cross_fitted_directions(Z, 1)
    >>> abs(found.directions[:, 0]).round(1).tolist(), bool(abs(found.shares[0] - 9 / 10.25) < found.shares[0].error)
    ([1.0, 0.0, 0.0], True)
    """
    Z = np.asarray(Z, dtype=np.float64)
    n, d = Z.shape
    fold_of_image = generator(seed, "explanation", "folds").permutation(np.arange(n) % folds)
    mean, directions = leading_directions(Z, m)
    m = directions.shape[1]
    scores, squares = np.empty((n, m)), np.empty(n)
    fold_directions, cosines = np.zeros((folds, d, m)), np.zeros((folds, m))
    for fold in range(folds):
        inside = fold_of_image == fold
        fold_mean, found = leading_directions(Z[~inside], m)
        found = np.pad(found, ((0, 0), (0, m - found.shape[1])))
        dots = (found * directions).sum(0)
        found *= np.where(dots < 0, -1.0, 1.0)
        centred = Z[inside] - fold_mean
        scores[inside], squares[inside] = centred @ found, np.square(centred).sum(1)
        fold_directions[fold], cosines[fold] = found, np.abs(dots)
    return CrossFittedDirections(
        mean,
        directions,
        scores,
        tuple(ratio_of_means(np.square(scores[:, k]), squares) for k in range(m)),
        ratio_of_means(np.square(scores).sum(1), squares),
        _mean_share(Z, mean),
        cosines.mean(0),
        fold_of_image,
        fold_directions,
    )


def ratio_of_means(a: Floats, b: Floats) -> Estimate:
    """Return mean(a) / mean(b) of paired numbers (n,), ± two standard errors by the delta method; NaN where b is 0.

    Examples
    --------
    >>> ratio_of_means(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    0.5 (sampled)
    """
    below = float(b.mean())
    if below <= 0:
        return Estimate(np.nan, np.inf, sampled=True)
    ratio = float(a.mean()) / below
    return Estimate(ratio, 2 * float(np.std(a - ratio * b, ddof=1)) / np.sqrt(len(a)) / below, sampled=True)


def leading_directions(Z: Floats, m: int) -> tuple[Floats, Floats]:
    """Return the mean (d,) of features (n, d) and at most m leading eigenvectors (d, m) of their covariance.

    Directions along which the standard deviation is at most 1e-6 of the features are rounding error and left out.
    """
    mean = Z.mean(0)
    centred = Z - mean
    n, d = Z.shape
    if not m:
        return mean, np.zeros((d, 0))
    gram = centred.T @ centred if d <= n else centred @ centred.T
    size = len(gram)
    values, vectors = eigh(gram, subset_by_index=(max(0, size - m), size - 1))
    smallest = n * float(np.square(Z).sum(1).mean()) * FLOAT32_ERROR**2
    kept = np.flatnonzero(values > smallest)[::-1]
    found = vectors[:, kept] if d <= n else centred.T @ vectors[:, kept]
    found = found / np.maximum(np.linalg.norm(found, axis=0), np.finfo(np.float64).tiny)
    largest = found[np.abs(found).argmax(0), np.arange(found.shape[1])] if found.size else np.ones(found.shape[1])
    return mean, found * np.where(largest < 0, -1.0, 1.0)


def _mean_share(Z: Floats, mean: Floats) -> Estimate:
    """Return |mean|² over the mean square, ± two standard errors by the delta method."""
    squares = np.square(Z).sum(1)
    total, share = float(squares.mean()), float(mean @ mean)
    if total <= 0:
        return Estimate(np.nan, np.inf, sampled=True)
    influence = (2 * (Z @ mean - share) - share / total * (squares - total)) / total
    return Estimate(share / total, 2 * float(np.std(influence, ddof=1)) / np.sqrt(len(Z)), sampled=True)
