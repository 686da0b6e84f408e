"""The theorems about sampled graphs, written a second time, in balls.

A sample is read as it is stored and divided by its exact sum. An average over all samples is no matter of chance: by
linearity it is a sum over cells, and a cell sees of a sample only its own count, the rest of its row and the rest of
its column, so that four numbers are multinomial where the float side weighs every table.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.theory.ball_graph import BallGraph, gram
from maetheory.theory.balls import Ball, BallMatrix, ball, enclosure, largest, power, root, scaled, square_sum, total
from maetheory.theory.certified_premises import ROUND_OFF, Margin
from maetheory.theory.certified_sides import Sides, one

_LAW_OFF = 1e-9
_MOST_TERMS = 1_000_000


def _column_sums(law: BallMatrix) -> list[Ball]:
    return [total(column) for column in law.transpose().tolist()]


def _row_sums(law: BallMatrix) -> list[Ball]:
    return [total(row) for row in law.tolist()]


def _normalised(law: BallMatrix) -> BallMatrix:
    """D₁^-½ M D₂^-½ with 0^-½ := 0."""
    sides = (_row_sums(law), _column_sums(law))
    return scaled(law, *([ball(0) if d.is_zero() else d.rsqrt() for d in side] for side in sides))


def _law_of(sampled: BallMatrix) -> BallMatrix:
    return sampled / total(sampled.entries())


def _largest_shift(graph: BallGraph, sampled: BallMatrix) -> Ball:
    """Largest |σ̂_i − σ_i|."""
    law = _law_of(sampled)
    found = graph.spectrum("sampled", gram(law, _row_sums(law), _column_sums(law)))
    return largest(abs(root(mine) - root(other)) for mine, other in zip(found, graph.eigenvalues))


def _distance(graph: BallGraph, sampled: BallMatrix) -> Ball:
    """‖Ā̂_M − Ā_M‖₂, the root of the largest eigenvalue of a Gram matrix of the difference."""
    apart = _normalised(_law_of(sampled)) - _normalised(graph.law)
    turned = apart.transpose()
    small = apart * turned if apart.nrows() <= apart.ncols() else turned * apart
    return root(graph.spectrum("apart", small)[0])


def _is_law(sampled: BallMatrix) -> Margin:
    least, off = -largest(-x for x in sampled.entries()), abs(total(sampled.entries()) - 1)
    words = f"least entry {enclosure(least)} if below 0, sum one within {enclosure(off)}"
    return Margin(least.min(ball(_LAW_OFF) - off), ball(0), words)


def _is_unseen(graph: BallGraph, floats: dict[str, np.ndarray]) -> Margin:
    """Some component has nothing but zeros in its rows and columns."""
    views, targets = graph.floats.components
    x1, x2 = np.nonzero(floats["sampled"])
    unseen = graph.floats.n_components - len({*views[x1].tolist(), *targets[x2].tolist()})
    words = f"{unseen} of {graph.floats.n_components} components have no mass"
    return Margin(ball(min(unseen - 1, 0)), ball(0), words)


def _bias(graph: BallGraph, pairs: int) -> Ball:
    """E Σσ̂² − Σσ², the first as Σ_ij E T_ij²/(R_i C_j) over samples T with row sums R and column sums C."""
    n1, n2 = graph.shape
    _refuse_if_many(n1 * n2, pairs)
    law = graph.law.tolist()
    cells = (_mean_of_cell(_around_cell(law, i, j), pairs) for i in range(n1) for j in range(n2))
    return total(cells) - square_sum(_normalised(graph.law))


def _whole(floats: dict[str, Any]) -> int:
    draws = floats["draws"]
    if not isinstance(draws, int | np.integer):
        raise InputError(f"draws must be a whole number of pairs, but {draws!r} was given")
    return int(draws)


def _refuse_if_many(cells: int, draws: int) -> None:
    number = cells * comb(max(draws, 0) + 2, 3)
    if number > _MOST_TERMS:
        raise InputError(
            f"{draws} draws over {cells} cells are a sum of {number:,} terms, more than the {_MOST_TERMS:,} that are "
            "certified: take fewer draws or a smaller graph"
        )


def _around_cell(law: list[list[Ball]], i: int, j: int) -> list[Ball]:
    """Mass of a cell, of the rest of its row, of the rest of its column, and of all else."""
    masses = {(same_row, same_column): ball(0) for same_row in (True, False) for same_column in (True, False)}
    for row, entries in enumerate(law):
        for column, w in enumerate(entries):
            masses[row == i, column == j] += w
    return list(masses.values())


def _mean_of_cell(masses: list[Ball], n: int) -> Ball:
    """E t²/((t + a)(t + b)) for counts t, a, b, c of n draws from these masses, 0 where t = 0."""
    powers = [[power(mass, count) for count in range(n + 1)] for mass in masses]
    mean = ball(0)
    for t in range(1, n + 1):
        for a in range(n - t + 1):
            for b in range(n - t - a + 1):
                ways = comb(n, t) * comb(n - t, a) * comb(n - t - a, b)
                chance = ways * powers[0][t] * powers[1][a] * powers[2][b] * powers[3][n - t - a - b]
                mean += chance * t * t / ((t + a) * (t + b))
    return mean


def _expected_bias(graph: BallGraph, pairs: int) -> Ball:
    if pairs < 2:
        return ball(0)
    rows, columns = (total(1 - power(1 - d, pairs) for d in side) for side in graph.degrees)
    return (rows - 1) * (columns - 1) / (pairs - 1)


def _is_independent(graph: BallGraph, pairs: int) -> Margin:
    """Off by entries e, the law is off by Σ √d₁√d₂ |e|, which each draw sees, and Σσ² by Σ e²."""
    roots = [[d.sqrt() for d in side] for side in graph.degrees]
    entries = _normalised(graph.law).tolist()
    gaps = [(a * b, abs(x - a * b)) for a, row in zip(roots[0], entries) for b, x in zip(roots[1], row)]
    off = largest(gap for _, gap in gaps)
    most = min(max(pairs, 0), *graph.shape)  # of Σσ̂²
    cost = pairs * most * total(weight * gap for weight, gap in gaps) + total(gap * gap for _, gap in gaps)
    return Margin(-off, ball(ROUND_OFF), f"Ā_M is √d₁√d₂ᵀ within {enclosure(off)}", cost)


def _is_two(pairs: int) -> Margin:
    return Margin(ball(pairs - 2), ball(0), f"{pairs} draws")


_LAW = {"the sample is a law": _is_law}

OF_SAMPLES: Mapping[str, Sides] = {
    "sampled-spectrum-concentrates": Sides(lhs=_largest_shift, rhs=_distance, premises=_LAW, scale=one),
    "unseen-component-costs-one": Sides(
        lhs=_distance, rhs=one, premises={**_LAW, "a component was never seen": _is_unseen}, scale=one
    ),
    "sampled-spectrum-is-biased-upward": Sides(
        lhs=_bias,
        rhs=_expected_bias,
        premises={"view and target are independent": _is_independent, "there are two draws or more": _is_two},
        derived={"pairs": _whole},
        scale=one,
    ),
}
