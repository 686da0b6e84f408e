"""A linear masked autoencoder under one mask is reduced-rank regression of the hidden pixels on the visible ones.

Setting
-------
``images`` (n, D) are equally likely, one flattened image per row; ``visible`` (D,) is the mask, True where a value is
seen (repeat a patch mask over the values of a patch). x₁ is the image with zeros where it is hidden, x₂ the image with
zeros where it is seen. ``encoder`` E (k, D) and ``decoder`` B (D, k) predict BEx₁ without a bias (append a constant
pixel that is always seen for one), and only hidden values count: L = E‖x₂ − (BEx₁)[hidden]‖², a sum over pixels.
X₁ and X₂ have the rows x₁/√n and x₂/√n, Q is an orthonormal basis of the columns of X₁, s_i are the singular values of
QᵀX₂.

Assumptions
-----------
None.

Claim
-----
L(E, B) ≥ ‖X₂‖_F² − Σ_{i≤k} s_i² for all E and B of width k. With second moments Σ_ab = E x_a x_bᵀ the s_i are the
singular values of Σ₁₁^-½ Σ₁₂. Proof: split X₁EᵀBᵀ − X₂ into columns inside and outside of X₁ and use Eckart and Young.

Slack
-----
‖QᵀX₁EᵀBᵀ − QᵀX₂‖_F² − Σ_{i>k} s_i², on hidden columns.

Tight when
----------
BE is the optimum that :func:`linear_mae_optimum` returns; the encoder is unique up to an invertible change of features
if s_k > s_{k+1} and Σ₁₁ is invertible.

Reference
---------
Izenman 1975 for reduced-rank regression; for masks ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.core import InputError
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis

_IMAGES_MASK_SHAPES = {"images": ("n", "D"), "visible": ("D",), "encoder": ("k", "D"), "decoder": ("D", "k")}


@dataclass(frozen=True)
class LinearMAEOptimum:
    """Encoder and decoder of the optimal linear masked autoencoder of k features for one mask, with their loss.

    Attributes
    ----------
    encoder : ndarray, shape (k, D)
        Zero on hidden pixels.
    decoder : ndarray, shape (D, k)
        Zero on visible pixels; orthogonal columns.
    loss : float
        E‖x₂ − (decoder encoder x₁)[hidden]‖², a sum over hidden pixels: divide by their number for a mean.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    loss: float


def linear_mae_optimum(images: np.ndarray, visible: np.ndarray, k: int) -> LinearMAEOptimum:
    """Return the linear masked autoencoder of minimal loss, which training with one fixed mask must reach.

    Parameters
    ----------
    images : ndarray, shape (n, D)
    visible : ndarray of bool, shape (D,)
        True = visible.
    k : int
        Number of features, at least 1.

    Raises
    ------
    InputError
        If `k` is not positive, or mask and images differ in D.

    Examples
    --------
    >>> images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    >>> best = linear_mae_optimum(images, np.array([True, False]), 1)
    >>> round(best.loss, 12), np.round(best.decoder @ best.encoder, 12).tolist()
    (0.0, [[0.0, 0.0], [2.0, 0.0]])
    """
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but {k} was given")
    images, visible = validate_images_and_masks(images, visible)
    root = second_moment_factor(images)
    basis, aim, rest = _regress_hidden_on_visible(root, visible)
    left, size, right = np.linalg.svd(aim, full_matrices=False)
    used = min(k, len(size))
    encoder, decoder = np.zeros((k, len(visible))), np.zeros((len(visible), k))
    encoder[:used, visible] = (np.linalg.pinv(root[:, visible]) @ basis @ left[:, :used]).T  # (visible, used).T
    decoder[~visible, :used] = right[:used].T * size[:used]
    return LinearMAEOptimum(encoder, decoder, rest + float((size[k:] ** 2).sum()))


def linear_loss(images: np.ndarray, visible: np.ndarray, encoder: np.ndarray, decoder: np.ndarray) -> float:
    """Loss E‖x₂ − (BEx₁)[hidden]‖², summed over hidden pixels; ≥ 0, lower is better.

    Arguments as in :func:`linear_mae_optimum`.
    """
    hidden = ~np.asarray(visible, bool)
    predicted = np.where(hidden, 0.0, images) @ encoder.T @ decoder[hidden].T  # (n, D) @ (D, k) @ (k, hidden)
    return float(((images[:, hidden] - predicted) ** 2).sum()) / len(images)


def second_moment_factor(images: np.ndarray) -> np.ndarray:
    """Return a factor R (r, D) of the second moment RᵀR = E x xᵀ of `images` (n, D), with r = min(n, D)."""
    return np.asarray(np.linalg.qr(images / np.sqrt(len(images)), mode="r"))


def validate_images_and_masks(images: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return images as floats and the mask (or masks) as booleans; InputError if they differ in D."""
    images, visible = np.asarray(images, float), np.asarray(visible, bool)
    if images.ndim != 2 or images.shape[1] != visible.shape[-1]:
        raise InputError(
            f"images must be flattened to (n, D) with one entry of the mask for each of the D values, but "
            f"their shapes are {images.shape} and {visible.shape}"
        )
    return images, visible


def least_loss(images: np.ndarray, visible: np.ndarray, k: int) -> float:
    """Minimal loss ‖X₂‖_F² − Σ_{i≤k} s_i², as in :func:`linear_mae_optimum` but without computing the weights."""
    _, aim, rest = _regress_hidden_on_visible(second_moment_factor(images), visible)
    return rest + float((np.linalg.svd(aim, compute_uv=False)[k:] ** 2).sum())


def _regress_hidden_on_visible(root: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Q, QᵀX₂, and the part of ‖X₂‖_F² that no linear function of the visible pixels explains."""
    basis, hidden = column_basis(root[:, visible]), root[:, ~visible]  # (r, rank), (r, hidden)
    aim = basis.T @ hidden
    return basis, aim, float(((hidden - basis @ aim) ** 2).sum())


def _least_loss_at_rank(images: np.ndarray, visible: np.ndarray, encoder: np.ndarray) -> float:
    return least_loss(images, np.asarray(visible, bool), len(encoder))


def _size(images: np.ndarray, visible: np.ndarray, encoder: np.ndarray, decoder: np.ndarray) -> float:
    seen = np.where(visible, images, 0.0)
    return float((images**2).sum() + ((seen @ encoder.T @ decoder.T) ** 2).sum()) / len(images)


def _sample(rng: np.random.Generator) -> Objects:
    """Draw correlated images, and an autoencoder that is random or a perturbation of the optimum."""
    n, d, k = rng.integers(1, 9), rng.integers(2, 6), int(rng.integers(1, 4))
    images = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) ** 3
    visible = np.arange(d) < rng.integers(1, d)
    best, near = linear_mae_optimum(images, visible, k), 10 ** rng.uniform(-4, 0)
    keep = float(rng.random() < 0.5)
    return {
        "images": images,
        "visible": visible,
        "encoder": keep * best.encoder + near * rng.normal(size=(k, d)),
        "decoder": keep * best.decoder + near * rng.normal(size=(d, k)),
    }


def tight() -> Objects:
    """Return six correlated images of five pixels, three of them hidden, and the optimal single feature."""
    images = np.array(
        [[1, 2, 0, 1, 0], [0, 1, 1, 0, 2], [2, 0, 1, 1, 1], [1, 1, 1, 3, 0], [0, 2, 1, 1, 1], [-1, 0, 2, 1, 1]]
    )
    visible = np.array([True, False, True, False, False])
    best = linear_mae_optimum(images, visible, 1)
    return {"images": images.astype(float), "visible": visible, "encoder": best.encoder, "decoder": best.decoder}


THEOREM = Theorem(
    slug="linear-mae-optimum",
    statement="E‖x₂ - BEx₁‖² >= ‖X₂‖_F² - Σ_{i<=k} s_i(QᵀX₂)² for linear E, B of width k and one mask",
    reference="Izenman 1975; for masks ours",
    objects=("images", "visible", "encoder", "decoder"),
    shapes=_IMAGES_MASK_SHAPES,
    lhs=linear_loss,
    rhs=_least_loss_at_rank,
    size=_size,
    trivial=0.0,
    needs_graph=False,
    tight=tight,
    sample=_sample,
)
