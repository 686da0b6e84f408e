"""Theorem and Check: verdicts, errors of sampled sides, error messages."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from maetheory.core import Estimate, InputError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import positive_pair_distance, reconstruction_loss
from maetheory.theory import THEOREMS, Theorem, Verdict, check, combine, falsify

GRAPH = SimpleNamespace(joint=np.full((2, 3), 1 / 6))

PLAIN = Theorem(
    slug="plain",
    statement="a >= b",
    reference="none",
    objects=("h", "targets"),
    lhs=lambda h: float(h.sum()),
    rhs=lambda targets: float(targets.sum()),
    assumptions={"h is not negative": lambda h: (bool((h >= 0).all()), f"least entry {h.min():.3g}")},
)


def sides(lhs: float, rhs: float, **changes) -> Theorem:
    return replace(PLAIN, objects=(), assumptions={}, lhs=lambda: lhs, rhs=lambda: rhs, **changes)


@pytest.mark.parametrize(
    ("direction", "lhs", "rhs", "slack", "verdict"),
    [
        (">=", 3.0, 1.0, 2.0, Verdict.HOLDS),
        (">=", 1.0, 3.0, -2.0, Verdict.VIOLATED),
        ("<=", 1.0, 3.0, 2.0, Verdict.HOLDS),
        ("<=", 3.0, 1.0, -2.0, Verdict.VIOLATED),
        ("==", 3.0, 1.0, -2.0, Verdict.VIOLATED),
        ("==", 3.0, 3.0, 0.0, Verdict.TIGHT),
        (">=", 3.0, 3.0, 0.0, Verdict.TIGHT),
        (">=", math.nan, 0.0, math.nan, Verdict.VIOLATED),
    ],
)
def test_slack_is_non_negative_exactly_when_the_claim_holds(direction, lhs, rhs, slack, verdict):
    result = sides(lhs, rhs, direction=direction).check(GRAPH)
    assert result.verdict is verdict
    assert result.slack == pytest.approx(slack, nan_ok=True)


def test_rounding_error_is_not_counted_against_the_claim_but_more_is():
    within, beyond = 0.5e-10, 2e-10
    assert sides(1.0 - within, 1.0).check(GRAPH).slack == 0.0
    assert sides(1.0 - within, 1.0).check(GRAPH).verdict is Verdict.TIGHT
    assert sides(1.0 - beyond, 1.0).check(GRAPH).verdict is Verdict.VIOLATED
    assert sides(1.0 + beyond, 1.0).check(GRAPH).verdict is Verdict.HOLDS
    assert sides(1.0 - beyond, 1.0, scale=lambda: 10.0).check(GRAPH).verdict is Verdict.TIGHT


def test_small_worlds_are_judged_on_their_own_scale():
    assert sides(1e-15, 2e-15).check(GRAPH).verdict is Verdict.VIOLATED


def test_a_sampled_side_decides_nothing_within_its_error():
    sampled = Estimate(1.0, 0.2, sampled=True)
    assert sides(sampled, 0.9).check(GRAPH).verdict is Verdict.UNDECIDED
    assert sides(sampled, 1.1).check(GRAPH).verdict is Verdict.UNDECIDED
    assert sides(sampled, 0.7).check(GRAPH).verdict is Verdict.HOLDS
    assert sides(sampled, 1.3).check(GRAPH).verdict is Verdict.VIOLATED
    assert sides(sampled, 1.3).check(GRAPH).lhs.sampled


def test_a_bound_no_better_than_what_is_known_anyway_is_vacuous():
    below = sides(1.0, -1.0, trivial=0.0).check(GRAPH)
    assert below.verdict is Verdict.VACUOUS
    assert "trivial bound 0" in below.note
    assert sides(1.0, 0.5, trivial=lambda: 0.0).check(GRAPH).verdict is Verdict.HOLDS
    assert sides(0.5, 6.0, trivial=1.0, direction="<=").check(GRAPH).verdict is Verdict.VACUOUS
    assert sides(0.5, 0.9, trivial=1.0, direction="<=").check(GRAPH).verdict is Verdict.HOLDS
    assert sides(-2.0, -1.0, trivial=0.0).check(GRAPH).verdict is Verdict.VIOLATED


def test_a_failing_assumption_is_named_and_measured():
    result = PLAIN.check(GRAPH, h=-np.ones((2, 1)), targets=np.ones((3, 1)))
    assert result.verdict is Verdict.INAPPLICABLE
    (assumption,) = result.assumptions
    assert (assumption.name, assumption.holds) == ("h is not negative", False)
    assert "least entry -1" in result.note


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["h", "targets"])
def test_what_is_not_a_number_violates_even_when_an_assumption_fails(name, bad):
    world = {"h": -np.ones((2, 1)), "targets": np.ones((3, 1))}
    world[name] = world[name] * bad
    result = PLAIN.check(GRAPH, **world)
    assert result.verdict is Verdict.VIOLATED
    assert math.isnan(result.slack)
    assert result.note.startswith(name)


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({"h": np.ones((2, 1))}, ["targets=", "h, targets"]),
        ({"h": np.ones((4, 1)), "targets": np.ones((3, 1))}, ["h must have shape (N1, d)", "(2, d)", "(4, 1)"]),
        ({"h": np.ones(2), "targets": np.ones((3, 1))}, ["h must", "(2,)"]),
        ({"h": np.ones((2, 5)), "targets": np.ones((3, 1))}, ["targets must", "(3, 5)", "(3, 1)"]),
        ({"h": "no", "targets": np.ones((3, 1))}, ["h must be an array of numbers", "str"]),
        ({"h": np.ones((2, 1)), "targets": np.ones((3, 1)), "hg": 1}, ["does not know hg="]),
    ],
)
def test_bad_objects_are_named_with_what_was_found_and_expected(objects, words):
    with pytest.raises(InputError) as error:
        PLAIN.check(GRAPH, **objects)
    for word in words:
        assert word in str(error.value)


def test_the_graph_and_the_slug_are_asked_for():
    with pytest.raises(InputError, match="needs graph="):
        PLAIN.check(h=np.ones((2, 1)), targets=np.ones((3, 1)))
    with pytest.raises(InputError, match="must be a MaskGraph, but a list"):
        PLAIN.check([[1.0]], h=np.ones((2, 1)), targets=np.ones((3, 1)))
    with pytest.raises(InputError, match="no theorem 'nonsense'"):
        check("nonsense")
    with pytest.raises(InputError, match="direction"):
        replace(PLAIN, direction="<")


def test_numbers_given_as_objects_are_positive():
    scaled = replace(PLAIN, optional=("weight",), lhs=lambda h, weight=1.0: weight * float(h.sum()))
    world = {"h": np.ones((2, 1)), "targets": np.zeros((3, 1))}
    assert scaled.check(GRAPH, **world).lhs == 2.0
    assert scaled.check(GRAPH, weight=3, **world).lhs == 6.0
    with pytest.raises(InputError, match="weight must be a positive number, but -1"):
        scaled.check(GRAPH, weight=-1, **world)


def test_combinations_carry_the_worst_error():
    total = combine((-2.0, Estimate(1.0, 0.1, sampled=True)), (3.0, 2.0), constant=1.0)
    assert total == pytest.approx(5.0)
    assert total.error == pytest.approx(0.2)
    assert total.sampled


GRAPH_2 = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]], labels=[0, 1])
NARROW = {
    "features": np.array([[1], [255]], np.uint8),
    "h": np.array([[200], [30]], np.uint8),
    "h_g": np.array([[0], [255]], np.uint8),
    "targets": np.array([[10], [240]], np.uint8),
}
WIDENINGS = [np.float64, np.uint8, np.uint64, np.int16, np.int64, np.longdouble, torch.uint8, torch.bfloat16]


@pytest.mark.parametrize("dtype", WIDENINGS)
@pytest.mark.parametrize("slug", [s for s, t in THEOREMS.items() if set(t.objects) <= set(NARROW) and t.needs_graph])
def test_a_check_does_not_depend_on_the_dtype_of_its_objects(slug, dtype):
    def stored(value):
        if isinstance(dtype, torch.dtype):
            return torch.tensor(value).to(dtype)
        return value.astype(dtype)

    given = {name: stored(NARROW[name]) for name in THEOREMS[slug].objects}
    given |= {"masks": np.zeros(2, int)} if "masks" in THEOREMS[slug].optional else {}
    wide = {
        name: value.double().numpy() if isinstance(value, torch.Tensor) else np.asarray(value, float)
        for name, value in given.items()
    }
    narrow, as_floats = (THEOREMS[slug].check(GRAPH_2, **world) for world in (given, wide))
    assert (narrow.verdict, narrow.lhs, narrow.rhs) == (as_floats.verdict, as_floats.lhs, as_floats.rhs)
    assert narrow.verdict is not Verdict.VIOLATED


def test_complex_objects_are_refused():
    with pytest.raises(InputError, match="h must hold real numbers"):
        check("alignment-split", GRAPH_2, h=np.ones((2, 1)) * 1j, targets=np.ones((2, 1)))


LOSSES = [s for s, t in THEOREMS.items() if set(t.objects) <= set(NARROW) and t.objects and t.needs_graph]


@pytest.mark.parametrize("factor", [1e160, 1e200, 1e300])
@pytest.mark.parametrize("slug", LOSSES)
def test_objects_whose_squares_overflow_decide_nothing(slug, factor):
    world = {name: factor * NARROW[name].astype(float) for name in THEOREMS[slug].objects}
    world |= {"masks": np.zeros(2, int)} if "masks" in THEOREMS[slug].optional else {}
    found = THEOREMS[slug].check(GRAPH_2, **world)
    if found.verdict is not Verdict.INAPPLICABLE:  # a probe depends on directions alone
        plain = THEOREMS[slug].check(GRAPH_2, **{name: value / factor for name, value in world.items()})
        assert set(THEOREMS[slug].objects) == {"features"}
        assert found.verdict is plain.verdict
        assert (found.lhs.value, found.rhs.value) == pytest.approx((plain.lhs.value, plain.rhs.value))


@pytest.mark.parametrize("name", ["h", "h_g", "targets"])
def test_one_object_that_overflows_decides_nothing(name):
    world = {"h": np.ones((2, 1)), "h_g": np.ones((2, 1)), "targets": np.zeros((2, 1))}
    world[name] = np.array([[1e200], [2.0]])
    found = check("reconstruction-bounds-alignment", GRAPH_2, **world)
    assert found.verdict is Verdict.INAPPLICABLE
    assert found.note.startswith("squares overflow")


def test_squares_that_underflow_are_not_equal():
    world = {"h": np.array([[1e-200], [2e-200]]), "h_g": np.zeros((2, 1)), "targets": np.zeros((2, 1))}
    found = check("reconstruction-bounds-alignment", GRAPH_2, **world)
    assert found.verdict is Verdict.INAPPLICABLE
    assert "squares underflow" in found.note
    world = {name: 1e100 * value for name, value in world.items()}
    assert check("reconstruction-bounds-alignment", GRAPH_2, **world).verdict is Verdict.HOLDS


@pytest.mark.parametrize("direction", [">=", "<=", "=="])
@pytest.mark.parametrize(("lhs", "rhs"), [(1.0, math.inf), (1.0, -math.inf), (math.inf, math.inf), (-math.inf, 1.0)])
def test_an_infinite_side_decides_nothing(direction, lhs, rhs):
    assert sides(lhs, rhs, direction=direction).check(GRAPH).verdict is Verdict.INAPPLICABLE
    assert sides(rhs, lhs, direction=direction).check(GRAPH).verdict is Verdict.INAPPLICABLE
    assert sides(1.0, 1.0, direction=direction, scale=lambda: math.inf).check(GRAPH).verdict is Verdict.INAPPLICABLE


HALF_DISTANCE = Theorem(
    slug="half-distance",
    statement="L_MAE(h) >= ½ E‖h - h⁺‖²",
    reference="a weaker form of alignment-split, written without the size of what is subtracted",
    objects=("h", "targets"),
    lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    rhs=lambda graph, h: 0.5 * positive_pair_distance(graph, h),
)


def test_rounding_errors_of_squared_differences_are_no_counterexample():
    """Both sides are exactly 0; in float64 they are squares of rounding errors, and the right one may be larger."""
    h = np.full((2, 1), 1.7742)
    joint = np.array([[0.0333, 0.027], [0.2951, 0.6447]])
    found = HALF_DISTANCE.check(MaskGraph.from_joint(joint / joint.sum()), h=h, targets=h)
    assert found.verdict is Verdict.TIGHT
    assert falsify(HALF_DISTANCE) is None
    squares = replace(HALF_DISTANCE, lhs=lambda: 3.3e-32, rhs=lambda: 4.9e-32)
    graph = MaskGraph.from_joint(joint / joint.sum())
    assert squares.check(graph, h=h, targets=h).verdict is Verdict.TIGHT
    assert replace(squares, size=lambda: 0.0).check(graph, h=h, targets=h).verdict is Verdict.VIOLATED


def test_a_violation_beyond_rounding_errors_needs_no_size():
    """Targets are the means of h given the target, so that L = ½ E‖h - h⁺‖², which is less than 0.6 E‖h - h⁺‖²."""
    h = np.array([[1.7742], [1.7742 + 1e-5]])
    joint = np.array([[0.0333, 0.027], [0.2951, 0.6446]])
    graph = MaskGraph.from_joint(joint)
    means = joint.T @ h / joint.sum(0)[:, None]
    steeper = replace(HALF_DISTANCE, rhs=lambda graph, h: 0.6 * positive_pair_distance(graph, h))
    assert HALF_DISTANCE.check(graph, h=h, targets=means).verdict is Verdict.TIGHT
    assert steeper.check(graph, h=h, targets=means).verdict is Verdict.VIOLATED


def test_check_takes_a_theorem_of_the_users_own_beside_names_and_numbers():
    graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]], labels=[0, 1])
    own = Theorem(
        "own", "φ <= 1", "nobody", (), lhs=lambda graph: graph.pair_label_error(), rhs=lambda: 1.0, direction="<="
    )
    assert check(own, graph) == own.check(graph)
    assert check(own, graph).verdict in (Verdict.HOLDS, Verdict.VACUOUS)
