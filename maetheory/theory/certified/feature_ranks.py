"""Ball-arithmetic sides of the theorems about the rank of aligned features and of the optimal features.

The rank counts singular values above the threshold that alignment up to 1e-12 leaves; it is decided if the balls of
their squares exclude the threshold, so that no exact zero needs a proof. Water-filling has one unknown, the level; the
poured amount decreases at least as fast as the level, which turns a residual into a radius.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    UndecidedError,
    ball,
    ball_around,
    ball_max,
    ball_sum,
    enclosure,
)
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.labels_and_ranks import water_level
from maetheory.theory.certified.sides import Sides, mean_squared_feature_norm
from maetheory.theory.certified.spectrum import eigenvalues

_ARGMIN_OF_X_LOG_X = 0.36
_MIN_OF_X_LOG_X = -0.37


def _feature_rank(features: BallMatrix) -> Ball:
    """Number of singular values above 2e-12 √(N k) of the largest; an undecided one widens the ball by one."""
    squares = eigenvalues(features.transpose() * features)[0]
    threshold = (2 * ROUNDING_TOLERANCE) ** 2 * features.nrows() * features.ncols() * squares[0]
    return ball_sum(_exceeds(square, threshold) for square in squares)


def _exceeds(value: Ball, threshold: Ball) -> Ball:
    if value > threshold:
        return ball(1)
    return ball(0) if value <= threshold else ball(0).union(ball(1))


def _n_components(graph: BallGraph) -> Ball:
    return ball(graph.float_graph.n_components)


def _aligned_margin(graph: BallGraph, floats: dict[str, np.ndarray]) -> Margin:
    """Margin of features equal within components; the threshold of the rank covers the allowed difference."""
    features, (member, _) = floats["features"], graph.float_graph.components
    first: dict[int, np.ndarray] = {}
    differences = [
        abs(ball(x) - ball(y))
        for row, component in zip(features, member)
        for x, y in zip(row, first.setdefault(int(component), row))
    ]
    spread, size = ball_max(differences), ball_max(abs(ball(x)) for x in features.ravel())
    words = f"features of one component differ by up to {enclosure(spread)}, 0 is needed"
    return Margin(-spread, ROUNDING_TOLERANCE * size, words, ball(0))


def _spectrum_shares(graph: BallGraph, features: BallMatrix, weight: Ball, lipschitz: Ball) -> list[Ball]:
    """Shares s_i/τ of s_i = (ν − c_i)_+/2λ, c_i = (1 − λ_i)/L, at the level ν with Σ s_i = τ; empty if τ = 0."""
    costs = [(1 - graph.eigenvalue(i)) / lipschitz for i in range(features.ncols())]
    energy = mean_squared_feature_norm(graph, features)
    if energy.is_zero():
        return []
    water = 2 * weight * energy
    guess = water_level([cost.mid() for cost in costs], water.mid())
    poured = ball_sum((guess - cost).nonnegative_part() for cost in costs)
    if not poured > 0:
        raise UndecidedError("the balls are too wide to decide whether the poured amount is positive")
    level = ball_around(guess, poured - water)
    return [((level - cost).nonnegative_part() / water).min(ball(1)) for cost in costs]


def _effective_rank(shares: list[Ball]) -> Ball:
    return (-ball_sum(_x_log_x(share) for share in shares)).exp()


def _x_log_x(x: Ball) -> Ball:
    """Function x log x on [0, 1], 0 at 0; if the ball of x contains 0, the hull of 0 and the value at the upper end."""
    if x.is_zero() or x > 0:
        return ball(0) if x.is_zero() else x * x.log()
    end = x.upper()
    return ball(0).union(end * end.log() if end < _ARGMIN_OF_X_LOG_X else ball(_MIN_OF_X_LOG_X))


def _participation_ratio(shares: list[Ball]) -> Ball:
    return 1 / ball_sum(share * share for share in shares)


def _stable_rank(shares: list[Ball]) -> Ball:
    return 1 / ball_max(shares)


def _is_heavier(weight: Ball, heavier: Ball) -> Margin:
    return Margin(heavier - weight, ball(0), f"weights {enclosure(weight)} and {enclosure(heavier)}")


def _monotone_sides(rank: Callable[[list[Ball]], Ball]) -> Sides:
    def rank_at_weight(graph: BallGraph, features: BallMatrix, weight: Ball, lipschitz: Ball) -> Ball:
        shares = _spectrum_shares(graph, features, weight, lipschitz)
        return rank(shares) if shares else ball(0)

    return Sides(
        lhs=lambda graph, features, heavier, lipschitz: rank_at_weight(graph, features, heavier, lipschitz),
        rhs=rank_at_weight,
        assumptions={"heavier weight": _is_heavier},
        derived={"lipschitz": lambda: ball(1)},
    )


RANK_SIDES: Mapping[str, Sides] = {
    "aligned-features-have-rank-of-components": Sides(
        lhs=_feature_rank,
        rhs=_n_components,
        assumptions={"features are aligned": _aligned_margin},
        trivial=lambda features: ball(min(features.nrows(), features.ncols())),
    ),
    "effective-rank-of-the-minimiser-grows": _monotone_sides(_effective_rank),
    "participation-ratio-of-the-minimiser-grows": _monotone_sides(_participation_ratio),
    "stable-rank-of-the-minimiser-grows": _monotone_sides(_stable_rank),
}
