"""Ball-arithmetic sides of the theorems about masked coefficients of Gaussian images, by determinants.

The float sides take correlations first; here the determinants are those of covariances, which are sums of products of
the numbers as they are stored. A coefficient whose variance is exactly zero is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_matrix,
    ball_max,
    enclosure,
    from_rows,
    nonnegative_sqrt,
    power,
)
from maetheory.theory.certified.sides import Sides
from maetheory.theory.statements.gaussian_components_are_independent import PRINCIPAL


def _covariance(factor: BallMatrix, basis: BallMatrix) -> BallMatrix:
    """Covariance of the coefficients, shape (D, D)."""
    coefficients = factor * basis.transpose()
    return coefficients.transpose() * coefficients


def _determinant(covariance: BallMatrix, chosen: list[int]) -> Ball:
    varying = [i for i in chosen if not covariance[i, i].is_zero()]
    if not varying:
        return ball(1)
    return from_rows([[covariance[i, j] for j in varying] for i in varying], len(varying), len(varying)).det()


def _sides_of_mask(floats: dict[str, np.ndarray]) -> tuple[list[int], list[int]]:
    seen = np.asarray(floats["visible"]).astype(bool)
    return [int(i) for i in np.flatnonzero(seen)], [int(i) for i in np.flatnonzero(~seen)]


def _energy(factor: BallMatrix, basis: BallMatrix, floats: dict[str, np.ndarray]) -> Ball:
    covariance = _covariance(factor, basis)
    view, target = _sides_of_mask(floats)
    parts = _determinant(covariance, view) * _determinant(covariance, target)
    return parts / _determinant(covariance, sorted(view + target)) - 1


def _largest_cross_correlation(factor: BallMatrix, basis: BallMatrix, floats: dict[str, np.ndarray]) -> Ball:
    covariance = _covariance(factor, basis)
    view, target = _sides_of_mask(floats)
    found = []
    for i in view:
        for j in target:
            variances, square = covariance[i, i] * covariance[j, j], power(covariance[i, j], 2)
            found.append(ball(0) if variances.is_zero() else square / (variances - square))
    return ball_max(found)


def _largest_correlation(covariance: BallMatrix) -> Ball:
    """Largest |r| of two different entries; 0 with one that has no variance."""
    size = covariance.nrows()
    pairs = [(i, j) for i in range(size) for j in range(i)]
    squares = [covariance[i, i] * covariance[j, j] for i, j in pairs]
    return ball_max(
        ball(0) if square.is_zero() else abs(covariance[i, j]) / nonnegative_sqrt(square)
        for (i, j), square in zip(pairs, squares)
    )


def _are_principal(factor: BallMatrix, basis: BallMatrix) -> Margin:
    """Margin of principal components; with correlations up to r, Σρ² ≤ (Dr)²/4(1 − Dr)², so Σ_{i≥2} σ_i² ≤ (2Dr)²."""
    unit = ball_matrix(np.eye(basis.ncols()))
    vectors, coefficients = _largest_correlation(_covariance(unit, basis)), _covariance(factor, basis)
    off = _largest_correlation(coefficients)
    spread = basis.nrows() * off
    cost = power(2 * spread, 2) if spread < 0.25 else ball(math.inf)
    words = f"two vectors correlate by up to {enclosure(vectors)}, two coefficients by up to {enclosure(off)}"
    return Margin(-vectors.max(off), ball(ROUNDING_TOLERANCE), f"{words}, 0 is needed", cost)


GAUSSIAN_SIDES: Mapping[str, Sides] = {
    "gaussian-components-are-independent": Sides(
        lhs=_energy, rhs=lambda: ball(0), assumptions={PRINCIPAL: _are_principal}, scale=lambda: ball(1)
    ),
    "correlated-coefficients-of-gaussians-are-predictable": Sides(lhs=_energy, rhs=_largest_cross_correlation),
}
