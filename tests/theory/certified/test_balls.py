"""Balls contain the exact rational results, and spectra with any multiplicities."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory.certified import graph as ball_graph
from maetheory.theory.certified.balls import (
    Enclosure,
    UndecidedError,
    ball,
    ball_around,
    ball_matrix,
    enclosure,
    from_rows,
    power,
    precision,
    working_bits,
)
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.probe import independent_columns
from maetheory.theory.certified.spectrum import eigenvalues


def rational(x):
    return Fraction(float(x))


def contains(where, exact):
    """Whether the ball holds a rational number, decided exactly."""
    found = enclosure(where)
    return rational(found.low) <= exact <= rational(found.high)


@pytest.fixture(scope="module")
def world():
    """Stored weights that do not sum to one, images that share views, and rows of features."""
    rng = np.random.default_rng(3)
    law = rng.random((4, 5, 3)) * (rng.random((4, 5, 3)) < 0.7)
    law[0] += 0.01
    law /= law.sum()
    joint, views, targets = (sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1))
    graph = MaskGraph(joint, views, targets, np.array([0, 1, 1, 2]))
    return graph, rng.normal(size=(5, 2)), rng.normal(size=(3, 2))


@pytest.fixture(scope="module")
def law(world):
    """The joint law in rational numbers."""
    joint = [[rational(w) for w in row] for row in world[0].joint.toarray()]
    mass = sum(sum(row) for row in joint)
    return [[w / mass for w in row] for row in joint]


def gap(a, b):
    return sum((rational(x) - rational(y)) ** 2 for x, y in zip(a, b))


def test_losses_contain_the_rational_sums(world, law):
    graph, h, x = world
    views, targets = range(5), range(3)
    d2 = [sum(law[i][j] for i in views) for j in targets]
    reconstruction = sum(law[i][j] * gap(h[i], x[j]) for i in views for j in targets)
    distance = sum(law[i][j] * law[k][j] / d2[j] * gap(h[i], h[k]) for i in views for k in views for j in targets)
    d1 = [sum(row) for row in law]
    products = [[sum(rational(a) * rational(b) for a, b in zip(h[i], h[k])) for k in views] for i in views]
    uniformity = sum(d1[i] * d1[k] * products[i][k] ** 2 for i in views for k in views)
    for bits in (53, 212):
        with precision(bits):
            balls, rows = BallGraph(graph), ball_matrix(h)
            assert contains(ball_graph.mean_squared_difference(balls, rows, ball_matrix(x)), reconstruction)
            assert contains(ball_graph.pair_distance(balls, rows), distance)
            assert contains(ball_graph.uniformity_loss(balls, rows), uniformity)


def test_label_errors_contain_the_rational_sums(world, law):
    graph, labels = world[0], world[0].view_labels
    d1 = [sum(row) for row in law]
    d2 = [sum(law[i][j] for i in range(5)) for j in range(3)]
    phi = sum(
        law[i][j] * law[k][j] / d2[j] for i in range(5) for k in range(5) for j in range(3) if labels[i] != labels[k]
    )
    images = [[rational(w) for w in row] for row in graph.image_views.toarray()]
    alpha = sum(
        d1[i] * images[s][i] / sum(row[i] for row in images)
        for i in range(5)
        for s in range(4)
        if graph.image_labels[s] != labels[i]
    )
    with precision(106):
        assert contains(BallGraph(graph).pair_label_error(), phi)
        assert contains(BallGraph(graph).label_error(), alpha)
        assert BallGraph(graph).target_label_error() > 0


def test_the_law_sums_to_one_and_its_image_law_has_the_same_marginals(world):
    with precision(106):
        balls = BallGraph(world[0])
        masses = [ball(0)] * 5
        for _, view, w in balls.image_views():
            masses[view] += w
        assert contains(sum(balls.degrees[0], ball(0)), 1)
        assert all(float((mass - d).abs_upper()) < 1e-30 for mass, d in zip(masses, balls.degrees[0]))


def near_multiples():
    """Blocks that differ in the thirteenth digit."""
    rng = np.random.default_rng(0)
    joint = np.kron(np.eye(3), rng.random((4, 4))) + 1e-13 * rng.random((12, 12))
    return joint @ joint.T


@pytest.mark.parametrize("bits", [53, 106, 424])
@pytest.mark.parametrize(
    ("symmetric", "known"),
    [
        (np.ones((6, 6)), [6, 0, 0, 0, 0, 0]),
        (np.kron(np.eye(3), [[2.0, 1.0], [1.0, 2.0]]), [3, 3, 3, 1, 1, 1]),
        (np.kron(np.ones((3, 3)) + np.eye(3), np.ones((4, 4))), [16, 4, 4] + 9 * [0]),
        (np.diag([1.0, 1.0 + 2**-40, 0.5]), [1 + Fraction(1, 2**40), 1, Fraction(1, 2)]),
        (np.kron(np.eye(10), np.ones((8, 8))), 10 * [8] + 70 * [0]),
        (np.zeros((2, 2)), [0, 0]),
        (np.array([[-7.0]]), [-7]),
    ],
)
def test_multiple_eigenvalues_are_enclosed(symmetric, known, bits):
    with precision(bits):
        values, _ = eigenvalues(ball_matrix(symmetric))
        assert all(contains(value, exact) for value, exact in zip(values, known, strict=True))
        assert all(float(value.rad()) <= 2.0 ** (16 - bits) for value in values)


@pytest.mark.parametrize("bits", [106, 212, 424])
def test_close_eigenvalues_are_told_apart(bits):
    """Trace and square trace tie the enclosures to the matrix."""
    symmetric = near_multiples()
    with precision(bits):
        values, vectors = eigenvalues(ball_matrix(symmetric))
        again, _ = eigenvalues(ball_matrix(symmetric), vectors)
        exact = ball_matrix(symmetric)
        assert sum(values, ball(0)).overlaps(exact.trace())
        assert sum((v * v for v in values), ball(0)).overlaps((exact * exact).trace())
        assert max(float(v.rad()) for v in values) < 1e-14
        assert all(a.overlaps(b) for a, b in zip(values, again))
        if bits > 106:
            assert all(a > b for a, b in pairwise(values))
    assert [float(v) for v in values] == pytest.approx(np.linalg.eigvalsh(symmetric)[::-1], abs=1e-13)


def test_eigenvalues_closer_than_floats_can_say_are_told_apart():
    with precision(424):
        turn = ball_matrix(np.array([[3.0, -4.0, 0.0], [4.0, 3.0, 0.0], [0.0, 0.0, 5.0]])) / 5
        wanted = [ball(1) + ball(2.0**-100), ball(1), ball(0.5)]
        diagonal = from_rows([[wanted[i] if i == j else ball(0) for j in range(3)] for i in range(3)], 3, 3)
        values, _ = eigenvalues(turn * diagonal * turn.transpose())
        assert all(value.contains(exact) for value, exact in zip(values, wanted))
        assert max(float(value.rad()) for value in values) < 2.0**-400


def test_vectors_that_are_not_orthogonal_prove_nothing():
    with precision(53), pytest.raises(UndecidedError, match="not orthogonal"):
        eigenvalues(ball_matrix(np.eye(2)), ball_matrix(np.zeros((2, 2))))


def test_a_matrix_that_is_not_finite_has_no_spectrum():
    with precision(53), pytest.raises(UndecidedError, match="not finite"):
        eigenvalues(ball_matrix(np.eye(2)) / 0)


def test_the_rank_is_exact():
    column = np.array([0.1, 0.2, 0.7])
    assert independent_columns(np.column_stack([column, 2 * column])) == [0]
    assert independent_columns(np.column_stack([column, np.nextafter(2 * column, 9)])) == [0, 1]
    assert independent_columns(np.zeros((3, 2))) == []
    assert independent_columns(np.column_stack([np.zeros(3), 1e-300 * column, 1e200 * column[::-1]])) == [1, 2]


def test_a_power_of_a_ball_centred_on_zero_is_finite():
    with precision(53):
        around_zero = ball_around(ball(0), ball(2.0**-40))
        assert all(contains(power(around_zero, n), Fraction(1, 2 ** (40 * n))) for n in (1, 2, 3))
        assert enclosure(power(around_zero, 2)).width < 2.0**-78
        assert enclosure(power(ball(3), 4)) == Enclosure(81.0, 81.0)
        assert enclosure(power(ball(0), 0)) == Enclosure(1.0, 1.0)


def test_intervals_are_rounded_outward():
    with precision(212):
        third = ball(1) / 3
        found = enclosure(third)
        assert rational(found.low) < Fraction(1, 3) < rational(found.high)
        assert found.width <= 2 * math.ulp(1 / 3)
        assert enclosure(ball(0.1)) == Enclosure(0.1, 0.1)
        assert enclosure(ball(1) / 0) == Enclosure(-math.inf, math.inf)
        assert working_bits() == 212
    assert rational(found.mid) - rational(found.radius) <= rational(found.low)
    assert rational(found.high) <= rational(found.mid) + rational(found.radius)
    assert str(Enclosure(0.5, 0.5)) == "0.5"
    assert str(Enclosure(-math.inf, math.inf)) == "anything"


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 0.3), (1.0, math.nextafter(1.0, 2.0)), (-1.0, 1e300), (5e-324, 1.5e-323), (-0.3, -0.1)]
)
def test_an_interval_lies_within_its_radius_of_its_centre_and_is_no_longer_than_its_width(low, high):
    found = Enclosure(low, high)
    mid, radius, width = (rational(x) for x in (found.mid, found.radius, found.width))
    assert mid - radius <= rational(low) < rational(high) <= mid + radius
    assert rational(high) - rational(low) <= width
    assert found.radius <= math.nextafter(max(high - found.mid, found.mid - low), math.inf)
    assert found.width <= math.nextafter(high - low, math.inf)
    assert low in found
    assert high in found
    assert math.nextafter(low, -math.inf) not in found
    assert math.nextafter(high, math.inf) not in found


def test_a_point_is_an_interval_of_no_length():
    point = Enclosure(0.1, 0.1)
    assert (point.mid, point.radius, point.width) == (0.1, 0.0, 0.0)
    assert str(Enclosure(0.25, 0.75)) == "0.5 ± 0.25"
    for low, high in ((-math.inf, 1.0), (1.0, math.inf)):
        assert str(Enclosure(low, high)) == "anything"
