"""A linear masked autoencoder for random masks is a separate regression for each pixel, over the masks that hide it.

Setting
-------
``images`` (n, D) are equally likely; ``visible`` (M, D) are masks, True where a value is seen, drawn with probability
``mask_law`` (M,), both as :meth:`maetheory.masks.MaskLaw.support` gives them. P_m sets hidden pixels to 0. One matrix
``weights`` W (D, D) serves every mask: L(W) = E_m E‖(I − P_m)(x − W P_m x)‖², a sum over hidden pixels. Σ = E x xᵀ.

Assumptions
-----------
``mask_law is a law``: it is not negative and sums to one.

Claim
-----
L(W) ≥ L(W*), where row j of W* solves (E_m 1[j∉m] P_m Σ P_m) w_j = E_m 1[j∉m] P_m Σ e_j, because the rows of W do not
share a term. With W = BE of width k this stays a lower bound, but at k below full rank it is not reached: the problem
is low-rank approximation in a norm that differs from row to row, without closed form. There the second theorem bounds
as well: L(BE) ≥ E_m min L_m, the mean over masks of the reduced-rank optimum of each alone. The larger of the two is
a lower bound of training at width k.

Slack
-----
Exactly Σ_j (w_j − w*_j)ᵀ (E_m 1[j∉m] P_m Σ P_m) (w_j − w*_j). That of the second is the mean over masks of the slack
of the linear MAE for one mask.

Tight when
----------
W = W*, unique up to the null spaces of those D matrices. The second when one rank-k matrix is optimal for all masks at
once, as a multiple of 11ᵀ is for exchangeable pixels.

Reference
---------
Ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.theory.statements.linear_mae_is_reduced_rank_regression import (
    least_loss,
    linear_loss,
    second_moment_factor,
    validate_images_and_masks,
)
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects

_MASKS = {"images": ("n", "D"), "visible": ("M", "D"), "mask_law": ("M",)}


@dataclass(frozen=True)
class SharedLinearMAEOptimum:
    """Optimal matrix shared by all masks, with its loss.

    Attributes
    ----------
    weights : ndarray, shape (D, D)
        W*, of least norm where it is not unique; row j predicts pixel j from the visible ones.
    loss : float
        L(W*), a sum over hidden pixels.
    """

    weights: np.ndarray
    loss: float


def shared_linear_mae_optimum(images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray) -> SharedLinearMAEOptimum:
    """Return the matrix of minimal loss over random masks, which training with shared weights at full rank must reach.

    Parameters
    ----------
    images : ndarray, shape (n, D)
    visible : ndarray of bool, shape (M, D)
        Masks, True = visible.
    mask_law : ndarray, shape (M,)
        Their probabilities.

    Raises
    ------
    InputError
        If masks and images differ in D.

    Examples
    --------
    >>> images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    >>> best = shared_linear_mae_optimum(images, np.eye(2, dtype=bool), np.array([0.5, 0.5]))
    >>> round(best.loss, 12), np.round(best.weights, 12).tolist()
    (0.0, [[0.0, 0.5], [2.0, 0.0]])
    """
    images, visible = validate_images_and_masks(images, visible)
    root = second_moment_factor(images)
    rows = [_regress_pixel(root, visible, mask_law, pixel) for pixel in range(images.shape[1])]
    return SharedLinearMAEOptimum(np.array([row for row, _ in rows]), sum(loss for _, loss in rows))


def shared_loss(images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, weights: np.ndarray) -> float:
    """Loss L(W) = E_m E‖(I − P_m)(x − W P_m x)‖²; ≥ 0, lower is better.

    Arguments as in :func:`shared_linear_mae_optimum`.
    """
    identity = np.eye(images.shape[1])
    return float(sum(q * linear_loss(images, mask, identity, weights) for q, mask in zip(mask_law, visible)))


def _regress_pixel(root: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, pixel: int) -> tuple[np.ndarray, float]:
    """Row of W* for one pixel and its residual: least squares over the masks that hide it, one block of rows each."""
    hiding = np.flatnonzero(~visible[:, pixel] & (mask_law > 0))
    size = np.sqrt(mask_law[hiding])
    seen = (size[:, None, None] * root * visible[hiding, None, :]).reshape(-1, root.shape[1])  # (M r, D)
    aim = np.outer(size, root[:, pixel]).ravel()  # (M r,)
    row = np.linalg.lstsq(seen, aim)[0]
    return row, float(((aim - seen @ row) ** 2).sum())


def _loss_at_rank(
    images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, encoder: np.ndarray, decoder: np.ndarray
) -> float:
    return shared_loss(images, visible, mask_law, decoder @ encoder)  # (D, k) @ (k, D)


def _least_shared_loss(images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray) -> float:
    return shared_linear_mae_optimum(images, visible, mask_law).loss


def _least_loss_per_mask(images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, encoder: np.ndarray) -> float:
    return float(sum(q * least_loss(images, mask, len(encoder)) for q, mask in zip(mask_law, visible.astype(bool))))


def _size(images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, weights: np.ndarray) -> float:
    sizes = [((np.where(mask, images, 0.0) @ weights.T) ** 2).sum() for mask in visible]
    return float((images**2).sum() + np.abs(mask_law) @ sizes) / len(images)


def _size_at_rank(
    images: np.ndarray, visible: np.ndarray, mask_law: np.ndarray, encoder: np.ndarray, decoder: np.ndarray
) -> float:
    return _size(images, visible, mask_law, decoder @ encoder)


def _is_law(mask_law: np.ndarray) -> tuple[bool, str]:
    least, total = float(mask_law.min()), float(mask_law.sum())
    holds = least >= 0 and abs(total - 1) <= ROUNDING_TOLERANCE * len(mask_law)
    return holds, f"least entry {least:.3g}, sum {total:.15g}"


def _conform(world: dict[str, Any]) -> Objects:
    law = np.abs(world["mask_law"])
    return {**world, "mask_law": law / law.sum() if law.sum() > 0 else np.full(len(law), 1 / len(law))}


def _draw_images_and_masks(rng: np.random.Generator) -> dict[str, Any]:
    n, d, m = rng.integers(1, 9), rng.integers(2, 5), rng.integers(1, 5)
    visible = rng.random((m, d)) < 0.5
    return {
        "images": rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) ** 3,
        "visible": visible,
        "mask_law": rng.dirichlet(np.ones(m)),
    }


def _sample(rng: np.random.Generator) -> Objects:
    """Draw correlated images, any masks, and weights that are random or a perturbation of the optimum."""
    world, near, keep = _draw_images_and_masks(rng), 10 ** rng.uniform(-4, 0), float(rng.random() < 0.5)
    best = shared_linear_mae_optimum(**world).weights
    return {**world, "weights": keep * best + near * rng.normal(size=best.shape)}


def _sample_at_rank(rng: np.random.Generator) -> Objects:
    world, k = _draw_images_and_masks(rng), rng.integers(1, 3)
    d = world["images"].shape[1]
    return {**world, "encoder": rng.normal(size=(k, d)), "decoder": rng.normal(size=(d, k))}


def tight() -> Objects:
    """Return four images of four pixels under three masks of unequal probability, and W*."""
    images = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0], [2.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 3.0]])
    visible = np.array([[True, True, False, False], [False, True, True, False], [True, False, False, True]])
    world = {"images": images, "visible": visible, "mask_law": np.array([0.5, 0.3, 0.2])}
    return {**world, "weights": shared_linear_mae_optimum(**world).weights}


def tight_mask_by_mask() -> Objects:
    """Return four exchangeable pixels, E x xᵀ = I + 11ᵀ, two visible: W = 11ᵀ/3 is optimal for both masks."""
    images = 2 * (np.eye(4) + (np.sqrt(5) - 1) / 4)  # twice the root of I + 11ᵀ, so that four images have this moment
    visible = np.array([[True, True, False, False], [False, False, True, True]])
    world = {"images": images, "visible": visible, "mask_law": np.array([0.4, 0.6])}
    return {**world, "encoder": np.ones((1, 4)), "decoder": np.full((4, 1), 1 / 3)}


def broken() -> dict[str, Objects]:
    """Return masks of total probability one half: the loss is halved."""
    world = dict(tight())
    return {"mask_law is a law": {**world, "mask_law": world["mask_law"] / 2}}


def broken_mask_by_mask() -> dict[str, Objects]:
    """Return a mask of negative probability."""
    world = dict(tight_mask_by_mask())
    return {"mask_law is a law": {**world, "mask_law": np.array([1.5, -0.5])}}


THEOREM = Theorem(
    slug="shared-linear-mae-optimum",
    statement="E_m E‖(I - P_m)(x - W P_m x)‖² >= its value at W*, a least-squares problem for each row",
    reference="Ours",
    objects=("images", "visible", "mask_law", "weights"),
    shapes={**_MASKS, "weights": ("D", "D")},
    lhs=shared_loss,
    rhs=_least_shared_loss,
    assumptions={"mask_law is a law": _is_law},
    size=_size,
    trivial=0.0,
    needs_graph=False,
    tight=tight,
    broken=broken,
    sample=_sample,
    conform=_conform,
)

MASK_BY_MASK = Theorem(
    slug="shared-linear-mae-bounded-mask-by-mask",
    statement="E_m E‖(I - P_m)(x - BE P_m x)‖² >= E_m min L_m over linear maps of width k",
    reference="Ours",
    objects=("images", "visible", "mask_law", "encoder", "decoder"),
    shapes={**_MASKS, "encoder": ("k", "D"), "decoder": ("D", "k")},
    lhs=_loss_at_rank,
    rhs=_least_loss_per_mask,
    assumptions={"mask_law is a law": _is_law},
    size=_size_at_rank,
    trivial=0.0,
    needs_graph=False,
    tight=tight_mask_by_mask,
    broken=broken_mask_by_mask,
    sample=_sample_at_rank,
    conform=_conform,
)
