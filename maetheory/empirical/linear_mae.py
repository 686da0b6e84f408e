"""Minimal loss of a linear masked autoencoder on real images, from their second moments alone.

The loss counts all pixels and hides patches independently, so that its rank-k optimum is a generalised eigenproblem
(:mod:`maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem`). It scores a pair of mask
ratio and patch size in seconds, without labels and without training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from maetheory.core import Estimate, InputError
from maetheory.masks import patchify

_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class _Optimum:
    """Loss, encoder (D, k) and decoder (k, D), for rows of patches."""

    loss: float
    encoder: np.ndarray
    decoder: np.ndarray


def linear_mae_loss_share(images: np.ndarray, *, patch: int, mask_probability: float, k: int) -> Estimate:
    """Return the minimal loss of a linear masked autoencoder of width k, as a share of the variance of the images.

    The mean image is subtracted. Each patch is hidden independently with probability m, hidden values are 0, and the
    squared error is summed over all pixels. 0 means that k linear features of the visible patches predict every pixel,
    1 that they predict none; the share falls with k and rises with m. Shares of different m compare tasks of different
    difficulty, so that a small one is not by itself a reason to choose m.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        At least two, of any scale: the share does not depend on it.
    patch : int
        Side of a patch in pixels; must divide H and W.
    mask_probability : float
        Probability m that a patch is hidden, strictly between 0 and 1.
    k : int
        Number of features, from 1 to D = C·H·W.

    Returns
    -------
    Estimate
        The share for these images, in [0, 1], with two standard errors over images by the infinitesimal jackknife: the
        loss of one image at the optimum is the derivative of the minimal loss with respect to its weight. The optimum
        is fitted to the same images, so that the share is below that of infinitely many; the interval does not include
        this bias, which is of order 1/N and exceeds the interval unless N is well above D.

    Raises
    ------
    InputError
        If an argument is out of range, a pixel is not finite, or all images are equal.

    Notes
    -----
    Memory O(D² + ND), time O(ND² + D³).

    References
    ----------
    Bisulco, Ramesh, Balestriero and Chaudhari 2025, theorem 1 (as a score ours); Jaeckel 1972, The Infinitesimal
    Jackknife.

    Examples
    --------
    >>> from maetheory.data import load_images
    >>> images = load_images("digits").images
    >>> linear_mae_loss_share(images, patch=2, mask_probability=0.75, k=10)
    0.637... ± 0.00... (sampled)
    """
    rows = _centred_patches(images, patch)  # (n, p, c)
    n, n_patches, n_values = rows.shape
    if not 0 < mask_probability < 1:
        raise InputError(f"mask_probability must lie strictly between 0 and 1, but {mask_probability} was given")
    if not 1 <= k <= n_patches * n_values:
        raise InputError(f"k must be from 1 to {n_patches * n_values}, the values of an image, but {k} was given")
    flat = rows.reshape(n, -1)
    moment = flat.T @ flat / n  # (D, n) @ (n, D)
    best = _optimum(moment, n_values, mask_probability, k)
    variance = float(np.trace(moment))
    share = min(max(best.loss / variance, 0.0), 1.0)
    losses = _loss_by_image(rows, best, mask_probability)
    influence = (losses - share * (flat**2).sum(1)) / variance
    return Estimate(share, 2 * float(np.std(influence, ddof=1)) / np.sqrt(n), sampled=True)


def _centred_patches(images: np.ndarray, patch: int) -> np.ndarray:
    """Patches (n, p, c) of the images less their mean, scaled so that no square leaves the range of float64."""
    images = np.asarray(images)
    if images.ndim != 4 or len(images) < 2:
        raise InputError(f"images must be at least two, of shape (N, C, H, W), but their shape is {images.shape}")
    rows = patchify(images, patch).astype(np.float64)
    if not np.isfinite(rows).all():
        raise InputError("images hold a pixel that is not a finite number")
    rows /= max(np.abs(rows).max(), np.finfo(float).tiny)
    rows -= rows.mean(0)
    if np.abs(rows).max() <= 8 * _EPSILON:  # rounding error of the mean
        raise InputError("all images are equal, so that there is no variance to predict")
    return rows


def _optimum(moment: np.ndarray, n_values: int, mask_probability: float, k: int) -> _Optimum:
    """Optimum of rank k for second moments (D, D) of patches of `n_values` values each.

    The patches are whitened, which turns V = (1−m)C + m blockdiag C into a matrix with eigenvalues of at least m.
    Directions of a patch whose variance is rounding error are left out.
    """
    d, shown = len(moment), 1 - mask_probability
    starts = range(0, d, n_values)
    whitening = [_whitening(moment[i : i + n_values, i : i + n_values]) for i in starts]
    whitened = np.concatenate([w.T @ moment[i : i + n_values] for w, i in zip(whitening, starts)])  # (D, D)
    mixed = shown * np.concatenate([whitened[:, i : i + n_values] @ w for w, i in zip(whitening, starts)], axis=1)
    mixed[np.diag_indices(d)] += mask_probability
    lower = cholesky(mixed, lower=True)
    aim = solve_triangular(lower, whitened, lower=True)  # (D, D)
    gains, vectors = eigh(aim @ aim.T, subset_by_index=(d - k, d - 1))
    unwhitened = solve_triangular(lower.T, vectors, lower=False)  # (D, k)
    encoder = np.concatenate([w @ unwhitened[i : i + n_values] for w, i in zip(whitening, starts)])
    return _Optimum(float(np.trace(moment) - shown * gains.sum()), encoder, vectors.T @ aim)


def _whitening(block: np.ndarray) -> np.ndarray:
    """Matrix W (c, c) with WᵀBW = I on the directions of the block B that have variance, and zero on the others."""
    values, vectors = np.linalg.eigh(block)
    kept = values > values.max() * len(values) * _EPSILON
    return vectors * np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)


def _loss_by_image(rows: np.ndarray, best: _Optimum, mask_probability: float) -> np.ndarray:
    """Expected loss (n,) of each image under the optimum, ‖x − (1−m)Wx‖² + m(1−m) Σ_b ‖W x_b‖²."""
    n, n_patches, n_values = rows.shape
    encoders, gram = best.encoder.reshape(n_patches, n_values, -1), best.decoder @ best.decoder.T
    features, noise = np.zeros((n, gram.shape[0])), np.zeros(n)
    for patch, encoder in enumerate(encoders):
        part = rows[:, patch] @ encoder  # (n, c) @ (c, k)
        features += part
        noise += ((part @ gram) * part).sum(1)
    shown = 1 - mask_probability
    missed = ((rows.reshape(n, -1) - shown * features @ best.decoder) ** 2).sum(1)
    return missed + mask_probability * shown * noise
