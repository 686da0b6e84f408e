"""Each term of an error, each tolerance and each tie rule decides a verdict: inside it one verdict, outside another."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory import Theorem, Verdict
from maetheory.theory.component_offsets import remove_offsets
from maetheory.theory.propagated_errors import (
    eigenvalue_error,
    projector_error,
    quotient,
    square_error,
    square_root,
    squared_sum,
)
from maetheory.theory.theorem_quantities import column_basis
from maetheory.theory.verdicts import Comparison

EPS = float(np.finfo(float).eps)
SQUARE = (1000 * EPS) ** 2  # of the rounding error of a sum of a thousand numbers of size one
BARE = Comparison(lhs=Estimate(0.0), rhs=Estimate(0.0), direction=">=", scale=0.0)

# What makes the error of the slack, alone, and how large it then is.
ERRORS = {
    "error of the left side": ({"scale": 1.0}, Estimate(0.0, 1e-3), Estimate(0.0), 1e-3),
    "error of the right side": ({"scale": 1.0}, Estimate(0.0), Estimate(0.0, 1e-3), 1e-3),
    "both errors": ({"scale": 1.0}, Estimate(0.0, 1e-3), Estimate(0.0, 2e-3), 3e-3),
    "common term": ({"scale": 1.0, "common": 1e10}, Estimate(0.0), Estimate(0.0), 4e10 * EPS),
    "squares": ({"scale": 1e-12, "size": 1.0, "terms": 1000}, Estimate(0.0), Estimate(0.0), 2e-6 * 1000 * EPS),
    "size of what is squared": ({"scale": 1e-8, "size": 1e8, "terms": 1}, Estimate(0.0), Estimate(0.0), 2 * EPS),
}


def at(name, share, direction=">="):
    """Comparison whose slack is this share of the error that the named part makes."""
    fields, lhs, rhs, error = ERRORS[name]
    slack = share * error
    if direction == "<=":
        return replace(BARE, lhs=lhs, rhs=Estimate(slack, rhs.error), direction="<=", **fields)
    return replace(BARE, lhs=Estimate(slack, lhs.error), rhs=rhs, direction=direction, **fields)


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("direction", [">=", "<="])
def test_each_part_of_the_error_decides(name, direction):
    assert at(name, 1.0).error == pytest.approx(ERRORS[name][3], rel=1e-4)
    for share, verdict in (
        (0.99, Verdict.UNDECIDED),
        (-0.99, Verdict.UNDECIDED),
        (1.01, Verdict.HOLDS),
        (-1.01, Verdict.VIOLATED),
    ):
        assert at(name, share, direction).verdict(None)[0] is verdict


@pytest.mark.parametrize("name", ERRORS)
def test_an_identity_is_violated_beyond_its_error_alone(name):
    assert at(name, 0.99, "==").verdict(None)[0] is Verdict.UNDECIDED
    assert at(name, -0.99, "==").verdict(None)[0] is Verdict.UNDECIDED
    assert at(name, 1.01, "==").verdict(None)[0] is Verdict.VIOLATED


def test_a_slack_equal_to_the_error_is_open():
    compared = replace(BARE, lhs=Estimate(1.0, 0.5), rhs=Estimate(0.5), scale=1.0)
    assert compared.slack == compared.error == 0.5
    assert compared.verdict(None)[0] is Verdict.UNDECIDED


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tight_is_a_part_of_the_scale_and_only_where_the_error_is_smaller(sign):
    for part, error, verdict in (
        (0.99e-10, 0.0, Verdict.TIGHT),
        (1.01e-10, 0.0, Verdict.HOLDS if sign > 0 else Verdict.VIOLATED),
        (0.5e-10, 0.99e-10, Verdict.TIGHT),
        (0.5e-10, 1.01e-10, Verdict.UNDECIDED),
    ):
        compared = replace(BARE, lhs=Estimate(sign * part * 7.0, error * 7.0), scale=7.0)
        assert compared.verdict(None)[0] is verdict


def test_a_shortfall_within_rounding_is_no_slack_and_an_excess_is_kept():
    for part, slack in ((-0.99e-10, 0.0), (0.99e-10, 0.99e-10), (-1.01e-10, -1.01e-10)):
        assert replace(BARE, lhs=Estimate(part), scale=1.0).slack == slack


@pytest.mark.parametrize(
    ("scale", "error", "verdict"),
    [
        (7.9, 0.0, Verdict.TIGHT),
        (8.1, 0.0, Verdict.UNDECIDED),
        (1.0, 4.9, Verdict.TIGHT),  # the squares add three to the error
        (1.0, 5.1, Verdict.UNDECIDED),
    ],
)
def test_two_squares_below_their_rounding_error_are_both_zero(scale, error, verdict):
    squares = replace(BARE, scale=scale * SQUARE, size=1.0, terms=1000)
    compared = replace(squares, lhs=Estimate(0.9 * SQUARE, error * SQUARE))
    assert compared.verdict(None)[0] is verdict


def test_two_squares_of_nothing_differ_by_the_square_of_the_error_at_most():
    for share, verdict in ((0.99, Verdict.TIGHT), (1.01, Verdict.HOLDS), (-1.01, Verdict.VIOLATED)):
        compared = replace(BARE, lhs=Estimate(share * SQUARE), size=1.0, terms=1000)
        assert compared.verdict(None)[0] is verdict


@pytest.mark.parametrize(
    ("slack", "error", "verdict"),
    [
        (0.0, 3.9, Verdict.TIGHT),  # the common term adds four
        (0.0, 4.1, Verdict.UNDECIDED),
        (1.0, 0.0, Verdict.UNDECIDED),
        (4.5, 0.0, Verdict.HOLDS),
    ],
)
def test_sides_that_are_only_their_common_term_are_equal(slack, error, verdict):
    unit = 1000 * EPS
    compared = replace(BARE, lhs=Estimate(slack * unit, error * unit), common=1000.0)
    assert compared.verdict(None)[0] is verdict
    if slack == 0 and error < 4:  # a scale that is not zero is compared with
        assert replace(compared, scale=1e-10).verdict(None)[0] is Verdict.UNDECIDED


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, Verdict.TIGHT), (1.1, Verdict.HOLDS)])
@pytest.mark.parametrize(("scale", "terms", "error"), [(1.0, 100, 0.0), (5.0, 100, 0.0), (1.0, 3, 1e-12)])
def test_what_is_never_tight_holds_beyond_its_rounding_error(factor, verdict, scale, terms, error):
    slack = factor * (error + 4 * EPS * terms * scale)
    compared = replace(BARE, lhs=Estimate(slack, error), scale=scale, terms=terms)
    assert replace(compared, never_tight=True).verdict(None)[0] is verdict
    assert compared.verdict(None)[0] is Verdict.TIGHT


@pytest.mark.parametrize("direction", [">=", "<="])
@pytest.mark.parametrize(("scale", "error"), [(1.0, 0.0), (1.0, 1e-3), (1e6, 0.0)])
def test_a_bound_is_better_than_the_trivial_one_by_more_than_rounding(direction, scale, error):
    least, trivial = max(1e-10 * scale, error), 2.0
    toward = 1.0 if direction == ">=" else -1.0
    for part, verdict in ((-1.0, Verdict.VACUOUS), (0.99, Verdict.VACUOUS), (1.01, Verdict.HOLDS)):
        rhs = Estimate(trivial + toward * part * least, error)
        compared = replace(BARE, lhs=Estimate(toward * 1e6), rhs=rhs, direction=direction, scale=scale)
        assert compared.verdict(trivial)[0] is verdict
    assert replace(compared, rhs=compared.lhs, direction="==").verdict(compared.lhs)[0] is Verdict.TIGHT


SIDES = {
    "the left side": ({"lhs": 3.0, "rhs": 1.0}, 3.0),
    "the right side": ({"lhs": 1.0, "rhs": -3.0}, 3.0),
    "the terms": ({"lhs": 1.0, "rhs": 1.0, "scale": -3.0}, 3.0),
    "the left side without the common term": ({"lhs": 10.0, "rhs": 8.0, "common": 7.0}, 3.0),
    "the right side without the common term": ({"lhs": 8.0, "rhs": 10.0, "common": 7.0}, 3.0),
}


@pytest.mark.parametrize("name", SIDES)
def test_the_scale_is_the_largest_of_what_cancels(name):
    numbers, scale = SIDES[name]
    sides = {field: lambda value=value: value for field, value in numbers.items()}
    theorem = Theorem("bare", "a >= b", "nobody", (), needs_graph=False, **sides)
    assert theorem.check().scale == scale


def test_the_rounding_error_grows_with_the_longest_sum_and_the_size_of_what_is_squared():
    """Rows of ten thousand numbers: an error of (8 + 10⁴) ε, squared, times the size."""

    def verdict(share, rows, size):
        square = ((8 + rows) * EPS) ** 2 * size
        theorem = Theorem(
            "bare",
            "a >= b",
            "nobody",
            ("z",),
            needs_graph=False,
            shapes={"z": ("n",)},
            lhs=lambda: share * square,
            rhs=lambda: 0.0,
            scale=lambda: 100 * square,
            size=lambda: size,
        )
        return theorem.check(z=np.ones(rows)).verdict

    for rows, size in ((10_000, 1.0), (10_000, 1e4), (3, 1.0)):
        assert verdict(20.5, rows, size) is Verdict.UNDECIDED  # 2 √100 + 1 = 21
        assert verdict(21.5, rows, size) is Verdict.HOLDS


def corners(function, *estimates):
    """Values of a function at all ends of the estimates."""
    return [function(*ends) for ends in itertools.product(*((e.low, e.high) for e in estimates))]


def covers_and_no_more(found, values):
    """Whether the error reaches the farthest of these values, to rounding error."""
    farthest = max(abs(value - found.value) for value in values)
    return farthest <= found.error <= farthest * (1 + 1e-12) + 8 * EPS * abs(found.value)


@pytest.mark.parametrize("numerator", [Estimate(1.0, 0.1), Estimate(1.0), Estimate(3e-13, 1e-13), Estimate(0.0, 0.1)])
@pytest.mark.parametrize("denominator", [Estimate(0.5, 0.25), Estimate(1e-11, 9e-12), Estimate(2.0)])
def test_a_quotient_reaches_every_end(numerator, denominator):
    found = quotient(numerator, denominator)
    ends = corners(lambda a, b: max(a, 0.0) / b, numerator, denominator)
    assert covers_and_no_more(found, ends)
    assert quotient(numerator, Estimate(1.0, 1.0)).error == math.inf
    assert quotient(numerator, Estimate(1.0, 0.999)).error < math.inf


@pytest.mark.parametrize("estimate", [Estimate(4.0, 1.0), Estimate(1e-13, 9e-14), Estimate(1e-3, 0.1), Estimate(0.0)])
def test_a_root_reaches_every_end_and_is_that_of_a_number_that_is_not_negative(estimate):
    assert covers_and_no_more(square_root(estimate), corners(lambda x: math.sqrt(max(x, 0.0)), estimate))


@pytest.mark.parametrize("terms", [(Estimate(1.0, 0.5), Estimate(2.0, 0.25)), (Estimate(0.1, 0.2),), (Estimate(3.0),)])
def test_a_squared_sum_reaches_every_end(terms):
    assert covers_and_no_more(squared_sum(*terms), corners(lambda *x: max(sum(x), 0.0) ** 2, *terms))


def test_what_is_unknown_stays_unknown():
    unknown = Estimate(1.0, math.inf)
    assert square_root(unknown).error == squared_sum(unknown, Estimate(1.0)).error == math.inf
    assert square_root(unknown).value == 1.0


def test_the_last_rounding_of_an_exact_result_is_counted():
    assert square_root(Estimate(2.0)).error == 4 * EPS * math.sqrt(2.0)
    assert quotient(Estimate(1.0), Estimate(3.0)).error == 4 * EPS / 3


@pytest.mark.parametrize(("square", "error"), [(4.0, 0.5), (0.0, 0.5), (1e-20, 1e-12), (-1e-20, 0.5)])
def test_the_error_of_a_square_is_that_of_its_root_at_the_far_end(square, error):
    root = math.sqrt(max(square, 0.0))
    assert square_error(square, error) == pytest.approx((root + error) ** 2 - root**2, rel=1e-12)


def test_eigenvalues_have_the_rounding_error_of_the_longer_side():
    tall = MaskGraph.from_joint(np.full((30, 2), 1 / 60))
    wide = MaskGraph.from_joint(np.full((2, 30), 1 / 60))
    assert eigenvalue_error(tall) == eigenvalue_error(wide) == 120 * EPS


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e9])
@pytest.mark.parametrize("shape", [(40, 2), (2, 40)])
def test_a_projector_has_the_rounding_error_of_its_condition(condition, shape):
    def rows_of_condition(condition):
        """Two columns (or rows) of equal size, with singular values 5 and 5 / condition."""
        rows = np.zeros(shape)
        rows[0, 0], rows[1, 1] = 5.0, 5.0 / condition
        half = np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)
        rows[:2, :2] = rows[:2, :2] @ half
        return rows

    assert projector_error(rows_of_condition(condition)) == pytest.approx(40 * EPS * condition, rel=1e-6)
    # Below the floor a direction is rounding error alone, and counts as dependent.
    assert projector_error(rows_of_condition(1 / (35 * EPS))) == pytest.approx(40 * EPS)
    assert projector_error(rows_of_condition(1 / (45 * EPS))) == pytest.approx(40 / 45, rel=0.05)
    assert projector_error(np.zeros(shape)) == 0.0


@pytest.mark.parametrize("size", [2.0**-19, 2.0**-21, 1e-20, 1e-160])
def test_a_small_column_is_a_direction_and_no_rounding_error(size):
    rows = np.array([[1.0, 1.0], [1.0, -1.0]]) * [1.0, size]
    assert column_basis(rows).shape == (2, 2)
    assert projector_error(rows) <= 2**20 * 2 * EPS


@pytest.mark.parametrize(("times", "removed"), [(99.0, False), (101.0, True)])
def test_an_offset_is_removed_where_it_is_a_hundred_times_the_spread(times, removed):
    graph = MaskGraph.from_joint([[0.2, 0.1, 0.0], [0.1, 0.1, 0.0], [0.0, 0.0, 0.5]])
    rows = {"h": np.array([[times], [times + 1.0], [3.0]]), "targets": np.array([[times], [times - 1.0], [3.5]])}
    found = remove_offsets({"graph": graph, **rows}, (("h", "targets"),))
    moved = times if removed else 0.0
    assert np.array_equal(found["h"][:2], rows["h"][:2] - moved)
    assert np.array_equal(found["targets"][:2], rows["targets"][:2] - moved)
    assert np.array_equal(found["h"][2:], rows["h"][2:])  # another component, with a small offset of its own
