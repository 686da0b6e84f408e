"""Linear masked autoencoders on real images, from second moments of images and masks alone.

For a random mask r over patches, R ⊙ x is the image x with zeros where it is hidden, and a linear masked autoencoder of
width k predicts W(R ⊙ x) with W of rank k. Its loss on **all** pixels depends on the images through C = E x xᵀ and on
the mask law through its joint visibility E r rᵀ only, whatever the law. With S = E r rᵀ and q = diag S, each repeated
for the values of a patch,

    E‖x − W(R ⊙ x)‖² = tr C − 2 tr W diag(q) C + tr W V Wᵀ,   V = S ∘ C,

because E (R ⊙ x)(R ⊙ x)ᵀ = S ∘ C and E (R ⊙ x) xᵀ = diag(q) C. V is positive semidefinite (Schur), and its range holds
that of diag(q) C: V and C are the diagonal blocks, and diag(q) C the other one, of the second moments of the pair
(R ⊙ x, x). So with A = V^{+½} diag(q) C the loss is tr C − ‖A‖² + ‖W V^½ − Aᵀ‖², and by Eckart and Young its minimum at
rank k is tr C − Σ_{i≤k} μ_i, where μ_1 ≥ μ_2 ≥ … are the eigenvalues of AᵀA = C diag(q) V⁺ diag(q) C. Independent
patches, each hidden with probability m, have q = 1 − m and V = (1−m) ((1−m) C + m blockdiag C), which is
:mod:`maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem`, the case that Bisulco,
Ramesh, Balestriero and Chaudhari (2025) prove. The loss on hidden pixels only has no such form.

`linear_mae_loss_share` is the minimal loss, `linear_mae_kept_share` a score of mask laws. Neither needs labels or
training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from maetheory.core import Estimate, InputError, generator
from maetheory.empirical.pixel_averages import average_squares, averaging_factor
from maetheory.masks import MaskLaw, patchify
from maetheory.masks.law import exchangeable_visibility

DRAWN_MASKS = 20_000  # where a mask law has no closed form and too many masks to list
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class _Optimum:
    """Loss, encoder (D, k) and decoder (k, D), for rows of patches."""

    loss: float
    encoder: np.ndarray
    decoder: np.ndarray


@dataclass(frozen=True)
class _Regression:
    """Whitened least squares of all values on the visible ones, of which rank-k optima are truncations.

    Attributes
    ----------
    lower : ndarray, shape (D, D)
        L with L Lᵀ = V in the whitened values.
    aim : ndarray, shape (D, D)
        A = L⁻¹ diag(q) C, whose squared singular values are the gains μ.
    whitening : list of ndarray, shape (c, c)
        One for each patch.
    """

    lower: np.ndarray
    aim: np.ndarray
    whitening: list[np.ndarray]

    def weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Weights (D, d) of the visible values, for coefficients (D, d) of the rows of the aim."""
        solved = solve_triangular(self.lower.T, coefficients, lower=False)  # (D, d)
        size = len(self.whitening[0])
        return np.concatenate([w @ solved[i * size : (i + 1) * size] for i, w in enumerate(self.whitening)])


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
    shown = 1 - mask_probability
    best = _optimum(moment, exchangeable_visibility(n_patches, shown, shown**2), k)
    variance = float(np.trace(moment))
    share = min(max(best.loss / variance, 0.0), 1.0)
    losses = _loss_by_image(rows, best, mask_probability)
    influence = (losses - share * (flat**2).sum(1)) / variance
    return Estimate(share, 2 * float(np.std(influence, ddof=1)) / np.sqrt(n), sampled=True)


def linear_mae_kept_share(images: np.ndarray, law: MaskLaw, *, patch: int, k: int) -> Estimate:
    """Return the share of what a linear masked autoencoder can predict that one of width k predicts.

    That is Σ_{i≤k} μ_i / Σ_i μ_i, the variance that k linear features of the visible patches explain of all pixels,
    divided by what linear prediction without a limit on its width explains under the same law. So tasks of different
    difficulty are comparable: on images whose patches are uncorrelated every law that shows all patches equally often
    has the same share, at any mask ratio, and on images of equal pixels every law has the share 1. The minimal loss
    itself, `linear_mae_loss_share`, orders the first by their mask ratio alone.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        At least two, of any scale. Of images of more than 2500 values, squares of pixels within a patch are averaged
        first, the smallest that leave at most 2500, or whole patches.
    law : MaskLaw
        Over the patches of an image.
    patch : int
        Side of a patch in pixels; must divide H and W.
    k : int
        Number of features, at least 1; from the number of values on, the share is 1.

    Returns
    -------
    Estimate
        The share for these images, in (0, 1], with two standard errors over images by the infinitesimal jackknife: an
        image's influence is its gain under the optimum of width k, less the share times that without a limit, over
        Σ_i μ_i. The interval does not include the bias of fitting and measuring on the same images, of order D/N.

    Raises
    ------
    InputError
        If an argument is out of range, the law is over another number of patches, a pixel is not finite, all images are
        equal, or the patches that the law shows do not vary.

    Notes
    -----
    Memory O(D² + ND), time O(ND² + D³). Laws without a closed form and with too many masks to list are replaced by
    20 000 of their masks.

    References
    ----------
    Bisulco, Ramesh, Balestriero and Chaudhari 2025, theorem 1, for independent patches; other laws and the share ours.

    Examples
    --------
    >>> from maetheory.data import load_images
    >>> from maetheory.masks import UniformMasks
    >>> linear_mae_kept_share(load_images("digits").images, UniformMasks(16, 4), patch=2, k=10)
    0.887... ± 0.00... (sampled)
    """
    share, influence = kept_share_and_influence(images, law, patch=patch, k=k)
    return Estimate(share, 2 * float(np.std(influence, ddof=1)) / np.sqrt(len(influence)), sampled=True)


def kept_share_and_influence(images: np.ndarray, law: MaskLaw, *, patch: int, k: int) -> tuple[float, np.ndarray]:
    """Return the share of `linear_mae_kept_share`, and the influence (N,) of each image on it, of mean zero."""
    images = np.asarray(images)
    factor = averaging_factor(images.shape, patch)
    rows = _centred_patches(average_squares(images, factor), patch // factor)  # (n, p, c)
    n, n_patches, n_values = rows.shape
    if law.n_patches != n_patches:
        raise InputError(
            f"the mask law is over {law.n_patches} patches, but the images have {n_patches} of side {patch}"
        )
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but {k} was given")
    flat, joint = rows.reshape(n, -1), _joint_visibility(law)
    d = flat.shape[1]
    found = _regression(flat.T @ flat / n, joint)  # (D, n) @ (n, D)
    squared = found.aim @ found.aim.T
    total, kept = float(np.trace(squared)), min(k, d)
    if not total > d * _EPSILON * float((flat**2).mean()):
        raise InputError("the patches that the mask law shows are the same in all images, so they predict nothing")
    gains, vectors = eigh(squared, subset_by_index=(d - kept, d - 1))
    share = min(float(gains.sum()) / total, 1.0)
    influence = _gain_form(found.weights(vectors) @ (vectors.T @ found.aim), joint, n_values)
    influence -= share * _gain_form(found.weights(found.aim), joint, n_values)
    return share, ((flat @ influence) * flat).sum(1) / total  # (n, D) @ (D, D)


def _joint_visibility(law: MaskLaw) -> np.ndarray:
    """Joint visibility (p, p) of a law, exact or of drawn masks."""
    try:
        return law.joint_visibility()
    except InputError:
        masks = law.sample(generator(0, "joint visibility"), DRAWN_MASKS).astype(float)
        return masks.T @ masks / len(masks)


def _gain_form(weights: np.ndarray, joint: np.ndarray, n_values: int) -> np.ndarray:
    """Quadratic form Q (D, D) with xᵀQx = ‖x‖² − E‖x − (R ⊙ x)ᵀ weights‖² for every image x."""
    pairs = np.repeat(np.repeat(joint, n_values, 0), n_values, 1)
    return 2 * np.diag(pairs)[:, None] * weights - pairs * (weights @ weights.T)


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


def _regression(moment: np.ndarray, joint: np.ndarray) -> _Regression:
    """Least squares for second moments (D, D) of p patches and the joint visibility (p, p).

    The patches are whitened, which turns the diagonal blocks of V = S ∘ C into multiples of the identity. Directions
    of a patch whose variance is rounding error are left out; a direction of V that is rounding error adds none.
    """
    d, n_patches = len(moment), len(joint)
    size, shown = d // n_patches, np.diag(joint)
    blocks = [slice(i * size, (i + 1) * size) for i in range(n_patches)]
    whitening = [_whitening(moment[block, block]) for block in blocks]
    whitened = np.concatenate([w.T @ moment[block] for w, block in zip(whitening, blocks, strict=True)])  # (D, D)
    mixed = np.concatenate([whitened[:, block] @ w for w, block in zip(whitening, blocks, strict=True)], axis=1)
    mixed *= np.repeat(np.repeat(joint, size, 0), size, 1)
    mixed[np.diag_indices(d)] = np.repeat(shown, size) + d * _EPSILON * shown.max()
    lower = cholesky(mixed, lower=True)
    aim = solve_triangular(lower, np.repeat(shown, size)[:, None] * whitened, lower=True)  # (D, D)
    return _Regression(lower, aim, whitening)


def _optimum(moment: np.ndarray, joint: np.ndarray, k: int) -> _Optimum:
    """Optimum of rank k for second moments (D, D) and the joint visibility (p, p) of the patches."""
    found, d = _regression(moment, joint), len(moment)
    gains, vectors = eigh(found.aim @ found.aim.T, subset_by_index=(d - k, d - 1))
    return _Optimum(float(np.trace(moment) - gains.sum()), found.weights(vectors), vectors.T @ found.aim)


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
