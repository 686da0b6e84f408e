"""Ball-arithmetic sides of the theorems about sampled graphs.

A sample is read as it is stored and divided by its exact sum. The expectation over all samples is computed exactly: by
linearity it is a sum over cells, and a cell depends only on its own count, the rest of its row and the rest of its
column, so that four multinomial counts replace the sum over all tables of the float side.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_max,
    ball_sum,
    column_sums,
    enclosure,
    nonnegative_sqrt,
    power,
    row_sums,
    squared_norm,
)
from maetheory.theory.certified.graph import BallGraph, gram, normalised
from maetheory.theory.certified.sides import Sides, unit_scale

_LAW_TOLERANCE = 1e-9
_MAX_TERMS = 1_000_000


def _normalised_matrix(law: BallMatrix) -> BallMatrix:
    return normalised(law, row_sums(law), column_sums(law))


def _normalise_law(sampled: BallMatrix) -> BallMatrix:
    return sampled / ball_sum(sampled.entries())


def _largest_shift(graph: BallGraph, sampled: BallMatrix) -> Ball:
    """Largest difference |σ̂_i − σ_i| of singular values."""
    law = _normalise_law(sampled)
    found = graph.spectrum("sampled", gram(law, row_sums(law), column_sums(law)))
    return ball_max(
        abs(nonnegative_sqrt(mine) - nonnegative_sqrt(other)) for mine, other in zip(found, graph.eigenvalues)
    )


def _spectral_distance(graph: BallGraph, sampled: BallMatrix) -> Ball:
    """Spectral norm ‖Ā̂_M − Ā_M‖₂, from the largest eigenvalue of a Gram matrix of the difference."""
    difference = _normalised_matrix(_normalise_law(sampled)) - _normalised_matrix(graph.joint)
    transposed = difference.transpose()
    small = difference * transposed if difference.nrows() <= difference.ncols() else transposed * difference
    return nonnegative_sqrt(graph.spectrum("difference", small)[0])


def _is_law(sampled: BallMatrix) -> Margin:
    least, off = -ball_max(-x for x in sampled.entries()), abs(ball_sum(sampled.entries()) - 1)
    words = f"least entry {enclosure(least)} if below 0, sum one within {enclosure(off)}"
    return Margin(least.min(ball(_LAW_TOLERANCE) - off), ball(0), words)


def _is_unseen(graph: BallGraph, floats: dict[str, np.ndarray]) -> Margin:
    """Margin of an unseen component: some component has only zeros in its rows and columns."""
    views, targets = graph.float_graph.components
    x1, x2 = np.nonzero(floats["sampled"])
    unseen = graph.float_graph.n_components - len({*views[x1].tolist(), *targets[x2].tolist()})
    words = f"{unseen} of {graph.float_graph.n_components} components have no mass"
    return Margin(ball(min(unseen - 1, 0)), ball(0), words)


def _sampled_energy_bias(graph: BallGraph, pairs: int) -> Ball:
    """Bias E Σσ̂² − Σσ², with E Σσ̂² = Σ_ij E T_ij²/(R_i C_j) over samples T with row sums R and column sums C."""
    n1, n2 = graph.shape
    _refuse_if_many_terms(n1 * n2, pairs)
    law = graph.joint.tolist()
    cells = (_expected_cell_term(_cell_masses(law, i, j), pairs) for i in range(n1) for j in range(n2))
    return ball_sum(cells) - squared_norm(_normalised_matrix(graph.joint))


def _validated_draws(floats: dict[str, Any]) -> int:
    draws = floats["draws"]
    if not isinstance(draws, int | np.integer):
        raise InputError(f"draws must be a whole number of pairs, but {draws!r} was given")
    return int(draws)


def _refuse_if_many_terms(cells: int, draws: int) -> None:
    number = cells * comb(max(draws, 0) + 2, 3)
    if number > _MAX_TERMS:
        raise InputError(
            f"{draws} draws over {cells} cells are a sum of {number:,} terms, more than the {_MAX_TERMS:,} that are "
            "certified: take fewer draws or a smaller graph"
        )


def _cell_masses(law: list[list[Ball]], i: int, j: int) -> list[Ball]:
    """Mass of a cell, of the rest of its row, of the rest of its column, and of all other cells."""
    masses = {(same_row, same_column): ball(0) for same_row in (True, False) for same_column in (True, False)}
    for row, entries in enumerate(law):
        for column, w in enumerate(entries):
            masses[row == i, column == j] += w
    return list(masses.values())


def _expected_cell_term(masses: list[Ball], n: int) -> Ball:
    """Expectation of t²/((t + a)(t + b)), 0 at t = 0, over multinomial counts t, a, b, c of n draws."""
    powers = [[power(mass, count) for count in range(n + 1)] for mass in masses]
    mean = ball(0)
    for t in range(1, n + 1):
        for a in range(n - t + 1):
            for b in range(n - t - a + 1):
                ways = comb(n, t) * comb(n - t, a) * comb(n - t - a, b)
                chance = ways * powers[0][t] * powers[1][a] * powers[2][b] * powers[3][n - t - a - b]
                mean += chance * t * t / ((t + a) * (t + b))
    return mean


def _bias_under_independence(graph: BallGraph, pairs: int) -> Ball:
    if pairs < 2:
        return ball(0)
    rows, columns = (ball_sum(1 - power(1 - d, pairs) for d in side) for side in graph.degrees)
    return (rows - 1) * (columns - 1) / (pairs - 1)


def _is_independent(graph: BallGraph, pairs: int) -> Margin:
    """Margin of independence; with entries e off, the law of each draw is off by Σ √d₁√d₂ |e|, and Σσ² by Σ e²."""
    roots = [[d.sqrt() for d in side] for side in graph.degrees]
    entries = _normalised_matrix(graph.joint).tolist()
    gaps = [(a * b, abs(x - a * b)) for a, row in zip(roots[0], entries) for b, x in zip(roots[1], row)]
    off = ball_max(gap for _, gap in gaps)
    most = min(max(pairs, 0), *graph.shape)  # of Σσ̂²
    cost = pairs * most * ball_sum(weight * gap for weight, gap in gaps) + ball_sum(gap * gap for _, gap in gaps)
    return Margin(-off, ball(ROUNDING_TOLERANCE), f"Ā_M is √d₁√d₂ᵀ within {enclosure(off)}", cost)


def _has_two_draws(pairs: int) -> Margin:
    return Margin(ball(pairs - 2), ball(0), f"{pairs} draws")


_LAW = {"the sample is a law": _is_law}

SAMPLED_GRAPH_SIDES: Mapping[str, Sides] = {
    "sampled-spectrum-concentrates": Sides(
        lhs=_largest_shift, rhs=_spectral_distance, assumptions=_LAW, scale=unit_scale
    ),
    "unseen-component-costs-one": Sides(
        lhs=_spectral_distance,
        rhs=unit_scale,
        assumptions={**_LAW, "a component was never seen": _is_unseen},
        scale=unit_scale,
    ),
    "sampled-spectrum-is-biased-upward": Sides(
        lhs=_sampled_energy_bias,
        rhs=_bias_under_independence,
        assumptions={"view and target are independent": _is_independent, "there are two draws or more": _has_two_draws},
        derived={"pairs": _validated_draws},
        scale=unit_scale,
    ),
}
