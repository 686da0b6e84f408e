"""The rank-k optimum of a linear MAE with its loss on all pixels and independent patches is a generalised eigenproblem.

Setting
-------
``images`` (n, D) are equally likely, one flattened image per row. ``patches`` (D,) gives the patch of each value. Every
patch is hidden independently with probability m, ``mask_probability``; R ⊙ x is the image with zeros where it is
hidden. Unlike :class:`maetheory.masks.BernoulliMasks`, masks that hide or show everything are not excluded. The
autoencoder predicts W(R ⊙ x), with one matrix ``weights`` W (D, D), or W = BE of width k with ``encoder`` E (k, D) and
``decoder`` B (D, k), and **all** values count, visible ones too: L(W) = E_R E‖x − W(R ⊙ x)‖², a sum over pixels. C is
E x xᵀ, B_C its patch-block-diagonal part, and x_b the image with zeros outside patch b.

Assumptions
-----------
``mask_probability is at most one``.

Claim
-----
L(W) = E‖x − (1−m)Wx‖² + m(1−m) Σ_b E‖W x_b‖², because the hidden patches are independent. With
V = (1−m)C + m B_C this is tr C − 2(1−m) tr WC + (1−m) tr W V Wᵀ, so that
L(BE) ≥ tr C − (1−m) Σ_{i≤k} μ_i, where μ_1 ≥ μ_2 ≥ … are the eigenvalues of C V⁺ C (V⁺ the pseudoinverse; the range
of V contains that of C). The μ_i solve the generalised eigenproblem C²u = μVu.

The same autoencoder with its loss on hidden pixels only has no closed form at rank k: the rows of W then have different
second moments, and the problem is low-rank approximation in a norm that differs from row to row. See
:mod:`shared_linear_mae_is_regression_row_by_row` for its bounds.

Slack
-----
Of the first claim none. Of the second (1−m)(‖V^½Wᵀ − V^{+½}C‖_F² − Σ_{i>k} μ_i).

Tight when
----------
Always, the first. The second where BE is the optimum that :func:`all_pixel_linear_mae_optimum` returns, which is unique
as a product if m < 1, μ_k > μ_{k+1} and V is invertible.

Reference
---------
Bisulco, Ramesh, Balestriero and Chaudhari, ICCV 2025 (arXiv 2508.15404), theorem 1; the factor form that computes it,
and the treatment of singular V, are ours.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.theory.statements.linear_mae_is_reduced_rank_regression import LinearMAEOptimum, second_moment_factor
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis

MAX_ENUMERATED_PATCHES = 16
_WORLD: dict[str, tuple[str, ...]] = {"images": ("n", "D"), "patches": ("D",), "mask_probability": ()}


def all_pixel_linear_mae_optimum(
    images: np.ndarray, patches: np.ndarray, mask_probability: float, k: int
) -> LinearMAEOptimum:
    """Return the linear autoencoder of width k of minimal loss on all pixels under independently hidden patches.

    Parameters
    ----------
    images : ndarray, shape (n, D)
    patches : ndarray of int, shape (D,)
        Patch of each value.
    mask_probability : float
        Probability that a patch is hidden, above 0 and at most 1.
    k : int
        Number of features, at least 1.

    Raises
    ------
    InputError
        If `k` or the probability is out of range, or patches and images differ in D.

    Examples
    --------
    >>> images = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> best = all_pixel_linear_mae_optimum(images, np.array([0, 1]), 0.5, 1)
    >>> round(best.loss, 12), np.round(best.decoder @ best.encoder, 12).tolist()
    (0.666666666667, [[0.666666666667, 0.666666666667], [0.666666666667, 0.666666666667]])
    """
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but {k} was given")
    if not 0 < mask_probability <= 1:
        raise InputError(f"mask_probability must be above 0 and at most 1, but {mask_probability} was given")
    images, patches = np.asarray(images, float), np.asarray(patches)
    if images.ndim != 2 or patches.shape != images.shape[1:]:
        raise InputError(
            f"images must be flattened to (n, D) with the patch of each of the D values, but their shapes are "
            f"{images.shape} and {patches.shape}"
        )
    design, basis, aim = _regression(images, patches, mask_probability)
    left, size, right = np.linalg.svd(aim, full_matrices=False)
    used = min(k, len(size))
    encoder, decoder = np.zeros((k, len(patches))), np.zeros((len(patches), k))
    encoder[:used] = (np.linalg.pinv(design) @ basis @ left[:, :used]).T  # (D, used).T
    decoder[:, :used] = right[:used].T * size[:used]
    loss = (images**2).sum() / len(images) - (1 - mask_probability) * (size[:k] ** 2).sum()
    return LinearMAEOptimum(encoder, decoder, float(loss))


def all_pixel_linear_mae_loss(
    images: np.ndarray, patches: np.ndarray, mask_probability: float, weights: np.ndarray
) -> float:
    """Expected loss L(W) on all pixels in closed form; ≥ 0, lower is better.

    Arguments as in :func:`all_pixel_linear_mae_optimum`, with ``weights`` (D, D).
    """
    shown = 1 - mask_probability
    missed = ((images - shown * images @ weights.T) ** 2).sum()
    return float(missed + mask_probability * shown * _energy_by_patch(images, patches, weights)) / len(images)


def enumerated_loss(images: np.ndarray, patches: np.ndarray, mask_probability: float, weights: np.ndarray) -> float:
    """Loss L(W) as its definition says, by a sum over all masks, of which there are 2 to the number of patches.

    Raises
    ------
    InputError
        If there are more than sixteen patches.
    """
    names, patch_of_value = np.unique(patches, return_inverse=True)
    if len(names) > MAX_ENUMERATED_PATCHES:
        raise InputError(
            f"the masks of at most {MAX_ENUMERATED_PATCHES} patches can be enumerated, but there are {len(names)}"
        )
    total = 0.0
    for mask in product((False, True), repeat=len(names)):
        visible = np.array(mask)
        probability = np.where(visible, 1 - mask_probability, mask_probability).prod()
        predicted = np.where(visible[patch_of_value], images, 0.0) @ weights.T  # (n, D) @ (D, D)
        total += float(probability * ((images - predicted) ** 2).sum())
    return total / len(images)


def _energy_by_patch(images: np.ndarray, patches: np.ndarray, weights: np.ndarray) -> float:
    """Sum over patches and images of ‖W x_b‖²."""
    blocks = (patches == patch for patch in np.unique(patches))
    return float(sum(((images[:, b] @ weights[:, b].T) ** 2).sum() for b in blocks))


def _regression(
    images: np.ndarray, patches: np.ndarray, mask_probability: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S with SᵀS = V, an orthonormal basis U of its columns, and UᵀT with SᵀT = C: the optimum regresses T on S.

    Rows of S are √(1−m) times those of a root of C and √m times each of its patches alone; T repeats that root. So V
    is never formed, and no digits are lost by squaring.
    """
    root = second_moment_factor(images)  # (r, D)
    alone = [np.where(patches == patch, root, 0.0) for patch in np.unique(patches)]
    hidden = min(mask_probability, 1.0)  # V is defined where the assumption fails, too
    shown, hidden = np.sqrt(1 - hidden), np.sqrt(hidden)
    design = np.vstack([shown * root, *(hidden * block for block in alone)])  # ((1 + P) r, D)
    repeated = np.vstack([shown * root, *(hidden * root for _ in alone)])
    basis = column_basis(design)
    return design, basis, basis.T @ repeated


def _loss_at_rank(
    images: np.ndarray, patches: np.ndarray, mask_probability: float, encoder: np.ndarray, decoder: np.ndarray
) -> float:
    return all_pixel_linear_mae_loss(images, patches, mask_probability, decoder @ encoder)  # (D, k) @ (k, D)


def least_all_pixel_loss(
    images: np.ndarray, patches: np.ndarray, mask_probability: float, encoder: np.ndarray
) -> float:
    """Minimal loss tr C − (1−m) Σ_{i≤k} μ_i at the width k of ``encoder`` (k, D)."""
    _, _, aim = _regression(images, patches, mask_probability)
    gains = np.linalg.svd(aim, compute_uv=False)[: len(encoder)] ** 2
    return float((images**2).sum() / len(images) - (1 - mask_probability) * gains.sum())


def _size(images: np.ndarray, patches: np.ndarray, mask_probability: float, weights: np.ndarray) -> float:
    """Mean square of images plus that of predictions, E‖W(R ⊙ x)‖²."""
    shown = abs(1 - mask_probability)
    predicted = shown**2 * ((images @ weights.T) ** 2).sum()
    predicted += mask_probability * shown * _energy_by_patch(images, patches, weights)
    return float((images**2).sum() + predicted) / len(images)


def _size_at_rank(
    images: np.ndarray, patches: np.ndarray, mask_probability: float, encoder: np.ndarray, decoder: np.ndarray
) -> float:
    return _size(images, patches, mask_probability, decoder @ encoder)


def _is_probability(mask_probability: float) -> tuple[bool, str]:
    return bool(mask_probability <= 1), f"mask_probability {mask_probability:.15g}"


def _conform(world: dict[str, Any]) -> Objects:
    return {**world, "mask_probability": min(float(world["mask_probability"]), 1.0)}


def _draw(rng: np.random.Generator) -> dict[str, Any]:
    n, d = rng.integers(1, 9), rng.integers(2, 6)
    return {
        "images": rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) ** 3,
        "patches": rng.integers(0, rng.integers(1, 5), d),
        "mask_probability": float(rng.uniform(0.05, 1.0)),
    }


def _sample(rng: np.random.Generator) -> Objects:
    """Draw correlated images, any patches, and weights of every size."""
    world = _draw(rng)
    d = world["images"].shape[1]
    return {**world, "weights": 10 ** rng.uniform(-1, 1) * rng.normal(size=(d, d))}


def _sample_at_rank(rng: np.random.Generator) -> Objects:
    """Draw correlated images, any patches, and an autoencoder that is random or a perturbation of the optimum."""
    world, k = _draw(rng), int(rng.integers(1, 4))
    best, near = all_pixel_linear_mae_optimum(**world, k=k), 10 ** rng.uniform(-4, 0)
    keep = float(rng.random() < 0.5)
    return {
        **world,
        "encoder": keep * best.encoder + near * rng.normal(size=best.encoder.shape),
        "decoder": keep * best.decoder + near * rng.normal(size=best.decoder.shape),
    }


def _example() -> dict[str, Any]:
    images = [[1, 2, 0, 1, 0], [0, 1, 1, 0, 2], [2, 0, 1, 1, 1], [1, 1, 1, 3, 0], [0, 2, 1, 1, 1], [-1, 0, 2, 1, 1]]
    return {"images": np.array(images, float), "patches": np.array([0, 0, 1, 2, 1]), "mask_probability": 0.75}


def tight_identity() -> Objects:
    """Return six correlated images of three patches, and weights without structure."""
    weights = np.array([[1, 0, 2, 0, 1], [0, 1, 1, 0, 0], [1, -1, 0, 2, 0], [0, 0, 1, 0, 3], [2, 1, 0, 1, 1]])
    return {**_example(), "weights": weights.astype(float)}


def tight() -> Objects:
    """Return six correlated images of three patches, and the optimal two features."""
    best = all_pixel_linear_mae_optimum(**_example(), k=2)
    return {**_example(), "encoder": best.encoder, "decoder": best.decoder}


def broken_identity() -> dict[str, Objects]:
    """Return a probability of 3/2."""
    return {"mask_probability is at most one": {**tight_identity(), "mask_probability": 1.5}}


def broken() -> dict[str, Objects]:
    """Return a probability of 3/2, with which what should be minimal is maximal."""
    return {"mask_probability is at most one": {**tight(), "mask_probability": 1.5}}


LOSS = Theorem(
    slug="all-pixel-linear-mae-loss",
    statement="E_R E‖x - W(R⊙x)‖² == E‖x - (1-m)Wx‖² + m(1-m) Σ_b E‖W x_b‖²",
    reference="Bisulco et al. 2025, a step of theorem 1",
    objects=("images", "patches", "mask_probability", "weights"),
    shapes={**_WORLD, "weights": ("D", "D")},
    lhs=enumerated_loss,
    rhs=all_pixel_linear_mae_loss,
    direction="==",
    assumptions={"mask_probability is at most one": _is_probability},
    size=_size,
    needs_graph=False,
    tight=tight_identity,
    broken=broken_identity,
    sample=_sample,
    conform=_conform,
)

THEOREM = Theorem(
    slug="all-pixel-linear-mae-optimum",
    statement="E_R E‖x - BE(R⊙x)‖² >= tr C - (1-m) Σ_{i<=k} μ_i(C V⁺ C), V = (1-m)C + m blockdiag C",
    reference="Bisulco et al. 2025, theorem 1",
    objects=("images", "patches", "mask_probability", "encoder", "decoder"),
    shapes={**_WORLD, "encoder": ("k", "D"), "decoder": ("D", "k")},
    lhs=_loss_at_rank,
    rhs=least_all_pixel_loss,
    assumptions={"mask_probability is at most one": _is_probability},
    size=_size_at_rank,
    trivial=0.0,
    needs_graph=False,
    tight=tight,
    broken=broken,
    sample=_sample_at_rank,
    conform=_conform,
)
