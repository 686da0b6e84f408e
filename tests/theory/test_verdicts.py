"""TIGHT is equality to rounding error: offsets, small masses, small gaps and common terms change no verdict."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.component_offsets import remove_offsets
from maetheory.theory.propagated_errors import projector_error, quotient, square_root
from maetheory.theory.verdicts import Comparison

GRAPH = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]], labels=[0, 1])
TWO = MaskGraph.from_joint([[0.2, 0.1, 0.0], [0.1, 0.1, 0.0], [0.0, 0.0, 0.5]], labels=[0, 1, 1])
SHIFTED = [slug for slug, theorem in THEOREMS.items() if theorem.offsets]


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("slug", SHIFTED)
def test_a_common_offset_of_each_component_changes_no_verdict(slug, offset):
    rng = np.random.default_rng(0)
    sizes = {"h": 3, "h_g": 3, "targets": 3, "features": 3}
    world = {n: rng.integers(-4, 5, (sizes[n], 1)) / 4 if n in sizes else 0.5 for n in THEOREMS[slug].objects}
    if "features" in world and "h" in world:
        world["h"] = 2 * world["features"]  # a decoder with a finite constant
    shift = offset * np.array([[1.0], [1.0], [-1.0]])  # views and targets 0, 1 are one component, 2 the other
    names = {name for group in THEOREMS[slug].offsets for name in group}
    moved = {name: value + shift if name in names else value for name, value in world.items()}
    plain, far = (THEOREMS[slug].check(TWO, **objects) for objects in (world, moved))
    assert far.verdict is plain.verdict
    assert far.slack == pytest.approx(plain.slack, rel=1e-6, abs=1e-12)


def test_the_printed_bound_with_an_offset_is_not_tight():
    world = {"h": [0, 3], "h_g": [1, 5], "targets": [1, 2]}
    moved = {name: 1e6 + np.array(value, float)[:, None] for name, value in world.items()}
    found = check("reconstruction-bounds-alignment", GRAPH, **moved)
    assert found.verdict is Verdict.VACUOUS
    assert found.slack == pytest.approx(6.3625)
    assert found.scale < 10


def test_clusters_far_apart_in_one_component_do_not_hide_the_slack():
    """A link of mass 1e-13 joins two clusters at ±1e6, so no common offset can be removed."""
    graph = MaskGraph.from_joint([[0.25, 0.0], [0.25, 1e-13], [0.0, 0.5 - 1e-13]])
    rows = np.array([[1e6], [1e6 + 3], [-1e6]])
    found = check("reconstruction-bounds-alignment", graph, h=rows, h_g=rows[[0, 2]], targets=rows[[1, 2]] + 1.0)
    assert found.verdict in {Verdict.HOLDS, Verdict.VACUOUS}
    assert found.slack > 1


@pytest.mark.parametrize("mass", [1e-3, 1e-9, 1e-13])
def test_small_probabilities_are_compared_with_each_other(mass):
    """Two views of different labels share a target of this mass: φ = mass / 2, α = 0 and α₂ = mass / 2."""
    rest = 1 - mass
    graph = MaskGraph.from_joint([[mass / 2, 0.0], [mass / 2, 0.0], [0.0, rest]], labels=[0, 1, 0])
    found = check("pair-error-bounded-by-label-errors", graph)
    assert found.verdict is Verdict.HOLDS
    assert found.relative_slack == pytest.approx(0.5, rel=1e-9)
    channel = np.array([[1.0, 0.0], [mass, 1 - mass]])
    raised = check("data-processing-raises-pair-error", graph, channel=channel)
    assert raised.verdict is Verdict.HOLDS


@pytest.mark.parametrize("mass", [1e-3, 1e-9, 1e-12])
def test_the_residual_of_a_small_class_is_not_equal_to_its_error(mass):
    """One feature misses a view of small mass: residual = mass, view error = mass, and the bound is twice that."""
    graph = MaskGraph.from_joint(np.diag([mass, 1 - mass]), labels=[1, 0])
    found = check("probe-residual-bounds-view-error", graph, features=np.array([[0.0], [1.0]]))
    assert found.verdict is Verdict.HOLDS
    assert found.rhs == pytest.approx(2 * mass)
    assert found.lhs == pytest.approx(mass)


@pytest.mark.parametrize("penalty", [1.0, 1e6, 1e10])
def test_a_penalty_on_both_sides_is_not_what_cancels(penalty):
    world = {"h": np.array([[1.0], [2.0]]), "h_g": np.array([[1.0], [3.0]]), "targets": np.array([[1.0], [3.0]])}
    world |= {"features": np.array([[1.0], [2.0]])}
    found = check("umae-bounds-spectral-contrast", GRAPH, weight=penalty, lipschitz=1.0, **world)
    assert found.verdict is Verdict.HOLDS
    assert found.scale < 10


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-10])
def test_a_quotient_by_a_small_gap_is_never_a_false_violation(gap):
    joint = np.array([[0.2, gap], [0.0, 0.8 - gap]])
    graph = MaskGraph.from_joint(joint, labels=[0, 0])
    for slope in (1.01, 1.1, 1.5, 3.0):
        found = check("excess-loss-bounds-downstream-error", graph, features=np.array([[1.0], [slope]]))
        assert found.verdict is not Verdict.VIOLATED, found


def test_nearly_dependent_features_have_an_uncertain_projector():
    rows = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9], [1.0, 1.0]])
    assert projector_error(rows) > 1e-7
    assert projector_error(np.eye(3)) < 1e-14


def test_a_quotient_is_unknown_where_the_error_covers_the_gap():
    assert quotient(Estimate(1.0), Estimate(1e-16, 1e-15)).error == math.inf
    assert quotient(Estimate(1.0), Estimate(1e-10, 1e-15)).error == pytest.approx(1e5, rel=1e-2)
    assert square_root(Estimate(0.0, 1e-16)).error == pytest.approx(1e-8)


def test_both_ends_of_the_rounding_error_decide():
    squares = {"lhs": Estimate(1e-20), "direction": ">=", "scale": 1e-20, "size": 1.0, "terms": 10}
    error = Comparison(rhs=Estimate(0.0), **squares).error
    assert Comparison(rhs=Estimate(1e-20 - 0.9 * error), **squares).verdict(None)[0] is Verdict.UNDECIDED
    assert Comparison(rhs=Estimate(1e-20 + 0.9 * error), **squares).verdict(None)[0] is Verdict.UNDECIDED
    assert Comparison(rhs=Estimate(1e-20 - 1.1 * error), **squares).verdict(None)[0] is Verdict.HOLDS
    assert Comparison(rhs=Estimate(1e-20 + 1.1 * error), **squares).verdict(None)[0] is Verdict.VIOLATED
    zero = Comparison(lhs=Estimate(0.0), rhs=Estimate(1e-32), direction=">=", scale=1e-32, size=1.0, terms=10)
    assert zero.verdict(None)[0] is Verdict.TIGHT


def test_a_slack_beyond_rounding_is_no_equality_where_equality_is_impossible():
    world = {"features": np.full((2, 1), 1e-3), "distortion": 1.0}
    found = check("uniformity-approximates-coding-rate", GRAPH, **world)
    assert 0 < found.relative_slack < 1e-10
    assert found.verdict is Verdict.HOLDS


@pytest.mark.parametrize("rhs", [0.0, 1e-17, -1.0])
def test_a_bound_equal_to_the_trivial_one_is_vacuous(rhs):
    compared = Comparison(Estimate(1.0), Estimate(rhs), ">=", scale=1.0)
    assert compared.verdict(0.0)[0] is Verdict.VACUOUS
    assert Comparison(Estimate(rhs), Estimate(rhs), ">=", scale=1.0).verdict(rhs)[0] is Verdict.VACUOUS


def test_ordinary_worlds_are_not_shifted():
    rows = np.array([[1.0], [2.0], [5.0]])
    kept = remove_offsets({"graph": TWO, "h": rows, "targets": rows}, (("targets", "h"),))
    assert kept["h"][:2].tolist() == rows[:2].tolist()


def test_trivial_bounds_are_the_best_known():
    """F of three features on two views has rank two, so that L_unif >= τ²/2 and L_spec >= -2."""
    features = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    world = {"features": features, "h": features, "targets": features}
    bound = check("effective-rank-grows-with-uniformity", GRAPH, weight=2.0, lipschitz=1.0, **world)
    assert bound.trivial == pytest.approx(2.0 * 1.0 / 2)
    assert check("spectral-contrast-is-bounded-by-eigenvalues", GRAPH, features=features).trivial == -2.0


def test_the_split_is_summed_over_pairs_on_small_graphs(monkeypatch):
    module = sys.modules["maetheory.theory.statements.reconstruction_is_alignment_plus_bias"]
    world = {"h": np.array([[1.0], [2.5]]), "targets": np.array([[0.5], [2.0]])}
    over_pairs = check("alignment-split", GRAPH, **world)
    monkeypatch.setattr(module, "positive_pair_distance", lambda *_: 7.0)
    assert check("alignment-split", GRAPH, **world).rhs == over_pairs.rhs
    monkeypatch.setattr(module, "_MAX_PAIRED_VIEWS", 1)
    assert check("alignment-split", GRAPH, **world).verdict is Verdict.VIOLATED
