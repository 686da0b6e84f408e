"""Spectral contrast, its minimum, and theorem 4.2 with its constant written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory.core import generator
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser

EPS = np.finfo(float).eps


def world(seed: int, n1: int = 5, n2: int = 4, k: int = 2):
    rng = generator(seed, "umae")
    joint = rng.random((n1, n2)) ** 3 + 1e-4
    graph = MaskGraph.from_joint(joint / joint.sum())
    h, h_g = rng.normal(size=(n1, 3)), rng.normal(size=(n2, 3))
    return graph, {"features": rng.normal(size=(n1, k)), "h": h, "h_g": h_g, "targets": h_g + 0.1}


def contrast_by_loops(graph, f):
    joint = graph.joint.toarray()
    n1, n2 = joint.shape
    d1, d2 = joint.sum(1), joint.sum(0)
    total = 0.0
    for a in range(n1):
        for b in range(n1):
            pair = sum(joint[a][j] * joint[b][j] / d2[j] for j in range(n2))
            total += -2 * pair * sum(f[a] * f[b]) + d1[a] * d1[b] * sum(f[a] * f[b]) ** 2
    return total


@pytest.mark.parametrize("seed", range(4))
def test_both_sides_of_the_factorisation_equal_the_sums(seed):
    graph, objects = world(seed)
    found = check("spectral-contrast-is-factorisation", graph, features=objects["features"])
    expected = contrast_by_loops(graph, objects["features"])
    assert found.verdict is Verdict.TIGHT
    for side in (found.lhs, found.rhs):
        assert side == pytest.approx(expected, abs=200 * EPS * found.scale, rel=0)


@pytest.mark.parametrize("wrong", [lambda f: f * 1.025, lambda f: f + 1e-4])
def test_a_wrong_factor_breaks_the_identity(wrong):
    theorem = THEOREMS["spectral-contrast-is-factorisation"]
    planted = replace(theorem, rhs=lambda graph, features: theorem.rhs(graph, wrong(features)))
    assert planted.check(**theorem.tight()).verdict is Verdict.VIOLATED


def test_the_uniform_law_instead_of_the_degrees_breaks_the_identity():
    theorem = THEOREMS["spectral-contrast-is-factorisation"]

    def uniform(graph, features):
        flat = np.full(len(features), 1 / len(features))
        moment = features.T @ (flat[:, None] * features)
        return float(
            2 * check("asymmetric-alignment-bounds-alignment", graph, h=features, h_g=aligned(graph, features)).lhs
            + (moment**2).sum()
        )

    def aligned(graph, features):
        return graph.joint.T @ features / graph.degrees[1][:, None]

    planted = replace(theorem, lhs=uniform)
    assert planted.check(**theorem.tight()).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_the_minimum_is_reached_by_eigenvectors_and_five_percent_better_is_not(k):
    graph, _ = world(7)
    theorem = THEOREMS["spectral-contrast-is-bounded-by-eigenvalues"]
    found = theorem.check(graph, features=minimiser(graph, k))
    lam = np.linalg.eigvalsh(graph.augmentation.toarray())[::-1]
    assert found.verdict is (Verdict.VACUOUS if k == 1 else Verdict.TIGHT)  # λ₁ = 1 on every graph
    assert found.rhs == pytest.approx(-sum(lam[:k] ** 2), rel=1e-12)
    assert found.terms["tail"] == pytest.approx(sum(lam[k:] ** 2), abs=1e-12)
    planted = replace(theorem, rhs=lambda graph, features: 0.95 * theorem.rhs(graph, features))
    assert planted.check(graph, features=minimiser(graph, k)).verdict is Verdict.VIOLATED


@given(st.integers(0, 10**6), st.floats(-7, 0), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_nothing_near_the_minimum_goes_below_it(seed, exponent, k):
    graph, _ = world(seed)
    noise = generator(seed, "noise").normal(size=(graph.shape[0], k))
    found = check(
        "spectral-contrast-is-bounded-by-eigenvalues", graph, features=minimiser(graph, k) + 10**exponent * noise
    )
    assert found.slack >= 0


@pytest.mark.parametrize("weight", [None, 0.01, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_spectral_bound_is_the_scaled_contrast_and_its_slack_is_that_of_theorem_3_5(seed, weight):
    graph, objects = world(seed)
    given_weight = {} if weight is None else {"weight": weight}
    found = check("umae-bounds-spectral-contrast", graph, lipschitz=50.0, **given_weight, **objects)
    without = check("reconstruction-bounds-encoder-alignment", graph, lipschitz=50.0, **objects)
    assert found.slack == pytest.approx(without.slack, abs=1e-12 * found.scale)
    w = 1.0 if weight is None else 4 * 50 * weight
    norm = graph.degrees[0] @ (objects["features"] ** 2).sum(1)
    spec = contrast_by_loops(graph, np.sqrt(w) * objects["features"])
    eps = graph.degrees[1] @ ((objects["h_g"] - objects["targets"]) ** 2).sum(1)
    assert found.rhs == pytest.approx(spec / (4 * 50 * w) + norm / 100 - eps, abs=1e-12 * found.scale)
    assert found.verdict is not Verdict.VIOLATED


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_the_graph_tail_bound_is_vacuous_on_every_world(seed, weight, k):
    graph, objects = world(seed, k=k)
    for extra in ({}, {"weight": weight}):
        found = check("umae-bounded-by-graph-tail", graph, **extra, **{**objects, "h_g": objects["targets"]})
        assert found.verdict is Verdict.VACUOUS
        assert found.rhs < 0 <= found.lhs


@pytest.mark.parametrize("weight", [None, 0.3])
def test_the_terms_of_theorem_4_2_and_its_slack_identity(weight):
    graph, objects = world(5)
    extra = {} if weight is None else {"weight": weight}
    found = check("umae-bounded-by-graph-tail", graph, lipschitz=20.0, **extra, **objects)
    w = 1.0 if weight is None else 80 * weight
    lam = np.linalg.eigvalsh(graph.augmentation.toarray())[::-1]
    rows = np.sqrt(graph.degrees[0])[:, None] * objects["features"]
    assert found.terms["printed tail"] == pytest.approx(sum(lam[2:] ** 2) / (80 * w), rel=1e-12)
    assert found.terms["constant"] == pytest.approx(-sum(lam**2) / (80 * w), rel=1e-12)
    whole = found.terms["printed tail"] + found.terms["constant"] - found.terms["epsilon"]
    assert found.rhs == pytest.approx(whole, rel=1e-12)
    contrast = check("umae-bounds-spectral-contrast", graph, lipschitz=20.0, **extra, **objects)
    excess = ((graph.augmentation.toarray() - w * rows @ rows.T) ** 2).sum() - sum(lam[2:] ** 2)
    expected = contrast.slack + excess / (80 * w) + (rows**2).sum() / 40
    assert found.slack == pytest.approx(expected, abs=1e-11 * found.scale)


def test_the_printed_tail_alone_is_refuted():
    """Forgetting the constant: two views of one target, told apart by nothing, U-MAE loss 0 at f = 0."""
    theorem = THEOREMS["umae-bounded-by-graph-tail"]
    forgotten = replace(theorem, rhs=lambda **world: theorem.check(**world).terms["printed tail"])
    graph = MaskGraph.from_joint(np.diag([0.5, 0.5]))
    zero = np.zeros((2, 1))
    found = forgotten.check(graph, features=zero, h=zero, h_g=zero, targets=zero)
    assert found.verdict is Verdict.VIOLATED
    assert found.rhs == pytest.approx(0.25)
