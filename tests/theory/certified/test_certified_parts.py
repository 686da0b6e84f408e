"""Parts of the certificates of ranks, bounds, optima and samples against slow rational computations."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, certify, check
from maetheory.theory.certified import feature_ranks
from maetheory.theory.certified.balls import UndecidedError, ball, ball_around, enclosure, from_rows, precision
from maetheory.theory.certified.feature_ranks import _effective_rank, _spectrum_shares, _x_log_x
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.labels_and_ranks import _water_filling, water_level
from maetheory.theory.certified.linear_maes import LINEAR_MAE_SIDES
from maetheory.theory.certified.probe_bounds import (
    _enclose_minimum,
    _excess_contrast,
    _lower_bound_between,
    _lower_bound_outside,
)
from maetheory.theory.certified.sampled_graphs import SAMPLED_GRAPH_SIDES
from maetheory.theory.statements.excess_loss_bounds_downstream_error import excess_contrast
from maetheory.theory.statements.label_error_alone_is_not_enough import label_blind_pair
from maetheory.theory.theorem_quantities import eigenvalues

RANK = "aligned-features-have-rank-of-components"
BIAS = "sampled-spectrum-is-biased-upward"


def rational(x):
    return Fraction(float(x))


def contains(where, exact, width):
    """Whether a narrow ball holds a number."""
    found = enclosure(where)
    return found.width <= width and rational(found.low) <= exact <= rational(found.high)


@pytest.fixture
def graph():
    joint = [[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]]
    return MaskGraph.from_joint(joint, np.array([0, 1, 0, 1]))


def two_parts(features):
    """A graph of two components, two views each."""
    return certify(RANK, MaskGraph.from_joint(np.kron(np.eye(2), np.full((2, 1), 0.25))), features=features)


def test_a_rank_counts_what_stands_out():
    rows = np.repeat([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], 2, 0)
    assert (two_parts(rows).lhs.mid, two_parts(rows).verdict, two_parts(rows).bits) == (2.0, Verdict.TIGHT, 106)
    assert (two_parts(np.ones((4, 3))).lhs.mid, two_parts(np.ones((4, 3))).verdict) == (1.0, Verdict.HOLDS)
    assert two_parts(np.zeros((4, 3))).lhs.mid == 0.0
    assert two_parts(rows * [1.0, 1e-9, 0.0]).lhs.mid == 2.0
    assert two_parts(rows * [1.0, 1e-13, 0.0]).lhs.mid == 1.0
    rows[1, 2] += 1e-13
    assert two_parts(rows).lhs.mid == 2.0
    rows[1, 2] += 1e-11
    assert two_parts(rows).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize("energy", [0.01, 0.3, 40.0])
def test_shares_are_what_water_filling_pours(graph, energy):
    """The float side sorts and sums; here bisection finds the level."""
    features = np.sqrt(energy / 3) * np.ones((4, 3))
    height = eigenvalues(graph, 3) / 0.6
    low, high = height[0] - energy, height[0]
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(height - middle, 0).sum() > energy else (low, middle)
    with precision(106):
        rows = from_rows(features.tolist(), 4, 3)
        shares = _spectrum_shares(BallGraph(graph), rows, ball(0.3), ball(1))
        assert [float(s) for s in shares] == pytest.approx(np.maximum(height - low, 0) / energy, abs=1e-12 / energy)
        assert sum(shares, ball(0)).contains(ball(1))
        assert max(float(s.rad()) for s in shares) < 1e-26 / energy


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e-7, 1.0])
def test_what_is_poured_is_enclosed_however_little_it_is(graph, size):
    """At 53 bits the level of little energy cannot be told from the lowest cost."""
    features = size * np.array([[1.0, 0.5], [0.2, -1.0], [0.0, 2.0], [0.3, 0.3]])
    found = []
    for bits in (53, 106, 424):
        with precision(bits):
            rows = from_rows(features.tolist(), 4, 2)
            found.append(_water_filling(BallGraph(graph), rows, ball(0.3), ball(0.7)))
    coarse, fine, exact = found
    with precision(424):
        energy = ball(float(graph.degrees[0] @ (features**2).sum(1)))
        assert coarse.overlaps(exact)
        assert fine.overlaps(exact)
        assert float(exact.rad() / exact.mid()) < 1e-50
        assert float(coarse.rad()) < 1e-27 + 1e-12 * float(energy)
        spread = exact / energy**2 / 0.3
        assert spread > 0.5
        assert size == 1.0 or spread < 1 + 1e-12  # all of it in the first direction, whose cost is zero


def test_nothing_poured_costs_nothing(graph):
    with precision(53):
        assert _water_filling(BallGraph(graph), from_rows([[0.0]] * 4, 4, 1), ball(0.3), ball(0.7)) == 0


def test_a_bad_level_widens_the_shares(graph, monkeypatch):
    with precision(106):
        arguments = (BallGraph(graph), from_rows(np.ones((4, 3)).tolist(), 4, 3), ball(0.3), ball(1))
        good = _spectrum_shares(*arguments)
        monkeypatch.setattr(feature_ranks, "water_level", lambda *_: water_level(*_) - 0.01)
        assert all(
            wide.contains(narrow) and wide.rad() > 0.001 for wide, narrow in zip(_spectrum_shares(*arguments), good)
        )


def test_an_entropy_takes_nothing_as_nothing():
    with precision(106):
        assert contains(_effective_rank([ball(0.5), ball(0.5), ball(0)]), 2, 1e-15)
        small = ball_around(ball(0), ball(1e-20))
        assert _x_log_x(small).contains(ball(1e-20) * ball(1e-20).log())
        assert _x_log_x(small).contains(ball(0))
        assert _x_log_x(ball_around(ball(0.5), ball(0.5))).contains(ball(-1).exp() * -1)
        assert _effective_rank([ball(1) - small, small]) < ball(1) + 1e-17


def test_an_excess_is_the_sum_of_squares_that_floats_take(graph):
    features = np.random.default_rng(0).normal(size=(4, 2))
    with precision(106):
        assert float(_excess_contrast(BallGraph(graph), {"features": features}, 2)) == pytest.approx(
            excess_contrast(graph, features)
        )


CONVEX = [
    (lambda x: (x - ball(1) / 3) ** 2 + 1, 1 / 3, 1),
    (lambda x: (x - 2).max((ball(1) - x) * 3) + 1, 1.25, Fraction(1, 4)),
    (lambda x: x + 5, 0.0, 5),
    (lambda x: ball(0) + 5, 7.0, 5),
    (lambda x: (1 - x * 2).max(ball(0)), 30.0, 0),
    (lambda x: 1 / (1 + x), 1e9, Fraction(1, 1 + 10**9)),
    (lambda x: abs(x - 2.0**-20) + 1, 2.0**-20, 1),
]


@pytest.mark.parametrize(("at", "guess", "least"), CONVEX)
def test_the_least_value_of_a_convex_function_is_enclosed(at, guess, least):
    with precision(212):
        assert contains(_enclose_minimum(at, guess), least, 1e-9)


@pytest.mark.parametrize(("at", "guess", "least"), CONVEX)
def test_a_bad_guess_widens_the_enclosure_and_proves_nothing_false(at, guess, least):
    with precision(212):
        for wrong in (0.0, 0.1 + guess / 3, min(2 * guess + 1, 1e9)):
            assert contains(_enclose_minimum(at, wrong), least, math.inf)


@pytest.mark.parametrize("guess", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("off", [-1.2, -0.4, 0.2, 0.4, 1.2])
def test_a_kink_beside_the_guess_is_enclosed(guess, off):
    kink = max(guess + off * max(guess, 1.0) * 2.0**-24, 0.0)
    with precision(212):
        assert contains(_enclose_minimum(lambda x: (x - kink).max((kink - x) * 3), guess), 0, 1e-3)


@pytest.mark.parametrize("steps", [0.0, 0.5, 1.0, 1.5, 1.99, 2.0, 2.5])
def test_a_function_is_asked_for_no_negative_number(steps):
    def root(x):
        assert x >= 0
        return (x - 1e-9).max((1e-9 - x) * 3) + 2

    with precision(106):
        assert contains(_enclose_minimum(root, steps * 2.0**-24), 2, 1e-6)


@pytest.mark.parametrize("bits", [53, 106])
@pytest.mark.parametrize("at", [0.0, -1.0, 0.75, 1.0])
def test_two_secants_that_meet_between_two_points_bound_from_below_where_they_meet(at, bits):
    """The share of each secant is rounded, so that a slope of rounding error is left: it may lower the bound alone."""
    with precision(bits):
        for falling, rising in product(range(1, 12), repeat=2):
            below, above = ball(falling) * (1 + at), ball(rising) * (1 - at)
            found = _lower_bound_between(ball(-falling), below, above, ball(rising))
            assert found.lower() <= 0
            assert found.upper() >= 0
            assert float(found.rad()) < 2.0 ** (8 - bits)


@pytest.mark.parametrize(
    ("falling", "rising", "least"), [(1, 3, Fraction(1)), (-3, -1, Fraction(1)), (0, 0, Fraction(2))]
)
def test_secants_of_one_slope_bound_between_two_points_by_the_lower_one(falling, rising, least):
    below, above = (2, 2) if falling == rising else (1, 7) if falling > 0 else (7, 1)
    with precision(106):
        found = _lower_bound_between(ball(falling), ball(below), ball(above), ball(rising))
        assert rational(found.lower()) <= least


@pytest.mark.parametrize(
    ("value", "near", "far", "steps", "least"),
    [
        (0, 1, 3, 10.0, 1),  # rises, and so beyond `near`
        (3, 1, 3, 10.0, -1),  # falls by two before `near`, and so by two at most before `far`
        (3, 2, 1, 10.0, -9),  # falls by one a step
        (1, 1, 1, 10.0, 1),
    ],
)
def test_a_secant_bounds_outward_from_the_nearer_point(value, near, far, steps, least):
    with precision(53):
        assert float(_lower_bound_outside(ball(value), ball(near), ball(far), steps)) == least


def test_nothing_is_certified_where_the_features_cannot_be_told_from_dependent_ones(graph):
    nearly = np.ones((4, 2))
    nearly[0, 1] += 2.0**-40
    found = certify("excess-loss-bounds-downstream-error", graph, features=nearly, max_bits=53)
    assert found.verdict is Verdict.UNDECIDED
    assert certify("excess-loss-bounds-downstream-error", graph, features=nearly).verdict is not Verdict.UNDECIDED


def test_a_mean_over_samples_contains_the_sum_over_sequences():
    """Every sequence of pairs, weighed by its probability, in rational numbers."""
    joint = np.array([[0.1, 0.2, 0.05], [0.25, 0.0, 0.4]])
    stored = [[rational(w) for w in row] for row in joint]
    mass = sum(map(sum, stored))
    law = {(i, j): stored[i][j] / mass for i, j in product(range(2), range(3))}
    mean = Fraction(0)
    for pairs in product(law, repeat=4):
        seen = {cell: pairs.count(cell) for cell in pairs}
        rows = {i: sum(n for cell, n in seen.items() if cell[0] == i) for i in range(2)}
        columns = {j: sum(n for cell, n in seen.items() if cell[1] == j) for j in range(3)}
        squares = sum(Fraction(n * n, rows[i] * columns[j]) for (i, j), n in seen.items())
        mean += prod(law[cell] for cell in pairs) * squares
    d1 = [sum(law[i, j] for j in range(3)) for i in range(2)]
    d2 = [sum(law[i, j] for i in range(2)) for j in range(3)]
    known = sum(w * w / (d1[i] * d2[j]) for (i, j), w in law.items())
    graph = MaskGraph.from_joint(joint)
    with precision(106):
        assert contains(SAMPLED_GRAPH_SIDES[BIAS].lhs(BallGraph(graph), 4), mean - known, 1e-15)


def test_a_certificate_sums_what_has_too_many_tables():
    graph = MaskGraph.from_joint(np.outer([0.3, 0.7], np.full(8, 0.125)))
    with pytest.raises(InputError, match="ways"):
        check(BIAS, graph, draws=20)
    assert certify(BIAS, graph, draws=20).verdict is Verdict.TIGHT
    with pytest.raises(InputError, match=r"a sum of .* terms"):
        certify(BIAS, graph, draws=200)
    with pytest.raises(InputError, match="whole number"):
        certify(BIAS, graph, draws=2.5)


def test_a_single_draw_is_no_sample():
    proved = certify(BIAS, THEOREMS[BIAS].tight()["graph"], draws=1)
    assert proved.verdict is Verdict.INAPPLICABLE
    assert proved.rhs.low == proved.rhs.high == 0.0


@pytest.mark.parametrize("classes", [0, -1, 1.5])
def test_a_pair_of_graphs_needs_a_positive_number_of_classes(classes):
    with pytest.raises(InputError, match="positive integer"):
        label_blind_pair(classes)


def test_a_least_loss_contains_the_rational_regression():
    """One visible pixel: what is left of each hidden one is its energy less c²/s."""
    images = np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 3.0], [2.0, 0.1, 0.7]])
    a, b, c = ([rational(x) for x in column] for column in images.T)
    left = sum(
        (sum(x * x for x in other) - sum(x * y for x, y in zip(a, other)) ** 2 / sum(x * x for x in a)) / 3
        for other in (b, c)
    )
    floats = {"images": images, "visible": np.array([[True, False, False]]), "mask_law": np.array([1.0])}
    with precision(106):
        rows = from_rows(images.tolist(), 3, 3)
        wide = from_rows(np.eye(3).tolist(), 3, 3)
        assert contains(LINEAR_MAE_SIDES["linear-mae-optimum"].rhs(rows, floats, wide), left, 1e-14)
        assert contains(LINEAR_MAE_SIDES["shared-linear-mae-optimum"].rhs(rows, floats), left, 1e-14)


def test_a_mask_that_is_never_drawn_shows_nothing():
    images = np.random.default_rng(0).normal(size=(4, 3))
    visible = np.array([[True, False, False], [True, True, False]])
    world = {"images": images, "weights": np.zeros((3, 3))}
    drawn, both = (
        certify("shared-linear-mae-optimum", **world, visible=shown, mask_law=law)
        for shown, law in ((visible[:1], np.ones(1)), (visible, np.array([1.0, 0.0])))
    )
    assert both.rhs == drawn.rhs


def test_too_few_bits_to_regress_is_said():
    images = np.array([[1.0, 1.0, 0.5], [1.0, 1.0 + 2.0**-40, 3.0], [1.0, 1.0, 0.7]])
    floats = {"images": images, "visible": np.array([True, True, False])}
    rows = from_rows(images.tolist(), 3, 3)
    with precision(53), pytest.raises(UndecidedError, match="too close to dependent"):
        LINEAR_MAE_SIDES["linear-mae-optimum"].rhs(rows, floats, rows)
