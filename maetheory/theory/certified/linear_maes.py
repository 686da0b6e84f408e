"""Ball-arithmetic sides of the theorems about linear masked autoencoders, by normal equations.

The float sides factor the images; here second moments are summed and spanning columns are found exactly, so that
Σ₂₁ Σ₁₁⁻¹ Σ₁₂ is solved for with an invertible matrix. Masks stay boolean arrays, since they only select entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

import numpy as np

from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_sum,
    enclosure,
    from_rows,
    power,
    solve_or_undecided,
    squared_norm,
)
from maetheory.theory.certified.probe import independent_columns
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.spectrum import eigenvalues

Floats = dict[str, np.ndarray]


def _second_moment(images: BallMatrix) -> BallMatrix:
    """Second moment Σ = E x xᵀ of the images, shape (D, D)."""
    return images.transpose() * images / images.nrows()


def _submatrix(symmetric: BallMatrix, rows: Iterable[int], columns: Iterable[int]) -> BallMatrix:
    rows, columns = list(rows), list(columns)
    return from_rows([[symmetric[i, j] for j in columns] for i in rows], len(rows), len(columns))


def _regression_weights(gram: BallMatrix, cross_moment: BallMatrix) -> BallMatrix:
    return solve_or_undecided(gram, cross_moment, "the visible pixels are too close to dependent to regress on them")


def _visible_masks(floats: Floats) -> np.ndarray:
    return np.atleast_2d(np.asarray(floats["visible"])).astype(bool)  # (M, D)


def _loss_under_mask(images: BallMatrix, visible: np.ndarray, weights: BallMatrix) -> Ball:
    """Loss E‖x₂ − (Wx₁)[hidden]‖² for one mask (D,), summed over images."""
    mask = visible.tolist()
    predicted = (_masked_images(images, visible) * weights.transpose()).tolist()
    missed = (
        power(x - y, 2)
        for row, guess in zip(images.tolist(), predicted)
        for x, y, seen in zip(row, guess, mask)
        if not seen
    )
    return ball_sum(missed) / images.nrows()


def _masked_images(images: BallMatrix, visible: np.ndarray) -> BallMatrix:
    """Visible part x₁ of every image, with zeros where hidden, shape (n, D)."""
    mask = visible.tolist()
    rows = [[x if seen else ball(0) for x, seen in zip(row, mask)] for row in images.tolist()]
    return from_rows(rows, images.nrows(), images.ncols())


def _least_loss_under_mask(images: BallMatrix, floats: Floats, visible: np.ndarray, k: int) -> Ball:
    """Minimal loss tr Σ₂₂ − Σ_{i≤k} λ_i(Σ₂₁ Σ₁₁⁻¹ Σ₁₂) for one mask (D,), with λ_i = s_i(QᵀX₂)²."""
    moment, shown, hidden = _second_moment(images), np.flatnonzero(visible), np.flatnonzero(~visible)
    spanning = [int(shown[j]) for j in independent_columns(floats["images"][:, shown])] if shown.size else []
    energy = ball_sum(moment[int(j), int(j)] for j in hidden)
    if not spanning or not hidden.size:
        return energy
    aim = _submatrix(moment, spanning, map(int, hidden))
    explained = aim.transpose() * _regression_weights(_submatrix(moment, spanning, spanning), aim)
    return energy - ball_sum(eigenvalues(explained)[0][:k])


def _single_mask_loss(images: BallMatrix, floats: Floats, encoder: BallMatrix, decoder: BallMatrix) -> Ball:
    return _loss_under_mask(images, _visible_masks(floats)[0], decoder * encoder)


def _single_mask_least_loss(images: BallMatrix, floats: Floats, encoder: BallMatrix) -> Ball:
    return _least_loss_under_mask(images, floats, _visible_masks(floats)[0], encoder.nrows())


def _single_mask_scale(images: BallMatrix, floats: Floats, encoder: BallMatrix, decoder: BallMatrix) -> Ball:
    predicted = _masked_images(images, _visible_masks(floats)[0]) * (decoder * encoder).transpose()
    return (squared_norm(images) + squared_norm(predicted)) / images.nrows()


def _weighted_masks(floats: Floats) -> list[tuple[Ball, np.ndarray]]:
    return [(ball(q), mask) for q, mask in zip(floats["mask_law"], _visible_masks(floats))]


def _shared_loss(images: BallMatrix, floats: Floats, weights: BallMatrix) -> Ball:
    return ball_sum(q * _loss_under_mask(images, mask, weights) for q, mask in _weighted_masks(floats))


def _shared_least_loss(images: BallMatrix, floats: Floats) -> Ball:
    return ball_sum(_shared_least_loss_of_pixel(images, floats, pixel) for pixel in range(images.ncols()))


def _shared_least_loss_of_pixel(images: BallMatrix, floats: Floats, pixel: int) -> Ball:
    """Unexplained energy Σ_jj Pr[j hidden] − bᵀA⁻¹b of a pixel j.

    A = E 1[j hidden] P_m Σ P_m and b = E 1[j hidden] P_m Σ e_j, restricted to columns where A has full rank.
    """
    hiding = [(q, mask) for q, mask in _weighted_masks(floats) if q > 0 and not mask[pixel]]
    if not hiding:
        return ball(0)
    spanning = independent_columns(np.vstack([floats["images"] * mask for _, mask in hiding]))
    moment = _second_moment(images)
    energy = ball_sum(q for q, _ in hiding) * moment[pixel, pixel]
    if not spanning:
        return energy
    together = [
        [ball_sum(q for q, mask in hiding if mask[i] and mask[j]) * moment[i, j] for j in spanning] for i in spanning
    ]
    aim = [[ball_sum(q for q, mask in hiding if mask[i]) * moment[i, pixel]] for i in spanning]
    size = len(spanning)
    column = from_rows(aim, size, 1)
    return energy - (column.transpose() * _regression_weights(from_rows(together, size, size), column))[0, 0]


def _shared_scale(images: BallMatrix, floats: Floats, weights: BallMatrix) -> Ball:
    transposed = weights.transpose()
    predicted = ball_sum(
        abs(q) * squared_norm(_masked_images(images, mask) * transposed) for q, mask in _weighted_masks(floats)
    )
    return (squared_norm(images) + predicted) / images.nrows()


def _least_loss_per_mask(images: BallMatrix, floats: Floats, encoder: BallMatrix) -> Ball:
    return ball_sum(
        q * _least_loss_under_mask(images, floats, mask, encoder.nrows()) for q, mask in _weighted_masks(floats)
    )


def _is_law(floats: Floats) -> Margin:
    """Margin of the law of the masks; both sides are linear in it, so that rounding error in its sum is harmless."""
    law = [ball(q) for q in floats["mask_law"]]
    least, off = ball(floats["mask_law"].min()), abs(ball_sum(law) - 1)
    words = f"least entry {enclosure(least)}, sum one within {enclosure(off)}"
    return Margin(least.min(ROUNDING_TOLERANCE * len(law) - off), ball(0), words)


def _patch_columns(floats: Floats) -> list[list[int]]:
    """Columns of each patch."""
    return [np.flatnonzero(floats["patches"] == patch).tolist() for patch in np.unique(floats["patches"])]


def _enumerated_loss(images: BallMatrix, floats: Floats, mask_probability: Ball, weights: BallMatrix) -> Ball:
    """Loss E_R E‖x − W(R ⊙ x)‖² on all pixels, by a sum over the masks of patches."""
    blocks, total = _patch_columns(floats), ball(0)
    for mask in product((False, True), repeat=len(blocks)):
        visible, probability = np.zeros(images.ncols(), bool), ball(1)
        for block, shown in zip(blocks, mask):
            visible[block] = shown
            probability *= (1 - mask_probability) if shown else mask_probability
        total += probability * squared_norm(images - _masked_images(images, visible) * weights.transpose())
    return total / images.nrows()


def _patch_energy(images: BallMatrix, floats: Floats, weights: BallMatrix) -> Ball:
    """Sum over patches of E‖W x_b‖²."""
    alone = (np.isin(np.arange(images.ncols()), block) for block in _patch_columns(floats))
    found = ball_sum(squared_norm(_masked_images(images, visible) * weights.transpose()) for visible in alone)
    return found / images.nrows()


def _all_pixel_loss(images: BallMatrix, floats: Floats, mask_probability: Ball, weights: BallMatrix) -> Ball:
    missed = squared_norm(images - images * weights.transpose() * (1 - mask_probability)) / images.nrows()
    return missed + mask_probability * (1 - mask_probability) * _patch_energy(images, floats, weights)


def _least_all_pixel_loss(images: BallMatrix, floats: Floats, mask_probability: Ball, encoder: BallMatrix) -> Ball:
    """Minimal loss tr C − (1−m) Σ_{i≤k} λ_i(C V⁻¹ C), on columns of each patch that are independent."""
    moment, blocks, n_pixels = _second_moment(images), _patch_columns(floats), images.ncols()
    spanning = [block[j] for block in blocks for j in independent_columns(floats["images"][:, block])]
    energy = ball_sum(moment[j, j] for j in range(n_pixels))
    if not spanning:
        return energy
    patches, shown = floats["patches"], 1 - mask_probability
    across = shown.max(ball(0))  # as in floats where the assumption fails
    mixed = [[moment[i, j] * (1 if patches[i] == patches[j] else across) for j in spanning] for i in spanning]
    aim = _submatrix(moment, spanning, range(n_pixels))
    explained = aim.transpose() * _regression_weights(from_rows(mixed, len(spanning), len(spanning)), aim)
    return energy - shown * ball_sum(eigenvalues(explained)[0][: encoder.nrows()])


def _all_pixel_scale(images: BallMatrix, floats: Floats, mask_probability: Ball, weights: BallMatrix) -> Ball:
    shown = abs(1 - mask_probability)
    whole = squared_norm(images) + power(shown, 2) * squared_norm(images * weights.transpose())
    return whole / images.nrows() + mask_probability * shown * _patch_energy(images, floats, weights)


def _is_probability(mask_probability: Ball) -> Margin:
    return Margin(1 - mask_probability, ball(0), f"mask_probability {enclosure(mask_probability)}")


def _autoencoder_matrix(encoder: BallMatrix, decoder: BallMatrix) -> BallMatrix:
    return decoder * encoder


_LAW = {"mask_law is a law": _is_law}
_PROBABILITY = {"mask_probability is at most one": _is_probability}

LINEAR_MAE_SIDES: Mapping[str, Sides] = {
    "linear-mae-optimum": Sides(lhs=_single_mask_loss, rhs=_single_mask_least_loss, scale=_single_mask_scale),
    "shared-linear-mae-optimum": Sides(lhs=_shared_loss, rhs=_shared_least_loss, assumptions=_LAW, scale=_shared_scale),
    "shared-linear-mae-bounded-mask-by-mask": Sides(
        lhs=_shared_loss,
        rhs=_least_loss_per_mask,
        assumptions=_LAW,
        derived={"weights": _autoencoder_matrix},
        scale=_shared_scale,
    ),
    "all-pixel-linear-mae-loss": Sides(
        lhs=_enumerated_loss, rhs=_all_pixel_loss, assumptions=_PROBABILITY, scale=_all_pixel_scale
    ),
    "all-pixel-linear-mae-optimum": Sides(
        lhs=_all_pixel_loss,
        rhs=_least_all_pixel_loss,
        assumptions=_PROBABILITY,
        derived={"weights": _autoencoder_matrix},
        scale=_all_pixel_scale,
    ),
}
