"""Water-filling against a general minimiser, the bound it gives, and the growth of the ranks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import Verdict, check
from maetheory.theory.statements.effective_rank_grows_with_uniformity import (
    minimiser,
    predicted_spectrum,
    rank_measures,
)

BOUND = "effective-rank-grows-with-uniformity"


@pytest.mark.parametrize("seed", range(5))
def test_water_filling_is_the_minimum_a_general_solver_finds(seed):
    rng = np.random.default_rng(seed)
    lam = np.sort(rng.random(4))[::-1]
    weight, lipschitz, energy = np.exp(rng.normal(size=3) / 2)

    def cost(s):
        return weight * sum(v**2 for v in s) + sum(v * (1 - x) for v, x in zip(s, lam)) / lipschitz

    found = minimize(
        cost,
        np.full(4, energy / 4),
        bounds=[(0, None)] * 4,
        method="SLSQP",
        tol=1e-14,
        constraints={"type": "eq", "fun": lambda s: s.sum() - energy},
    )
    mine = predicted_spectrum(lam, weight=weight, lipschitz=lipschitz, energy=energy)
    assert mine.sum() == pytest.approx(energy, rel=1e-12)
    assert cost(mine) <= found.fun + 1e-12
    np.testing.assert_allclose(mine, found.x, atol=1e-5)


def test_the_limits_are_the_components_and_all_dimensions():
    lam = np.array([1.0, 1.0, 0.6, 0.0])
    light = rank_measures(predicted_spectrum(lam, weight=1e-6, lipschitz=1.0, energy=1.0))
    heavy = rank_measures(predicted_spectrum(lam, weight=1e6, lipschitz=1.0, energy=1.0))
    assert list(light.values()) == pytest.approx([2.0] * 3, rel=1e-9)
    assert list(heavy.values()) == pytest.approx([4.0] * 3, rel=1e-5)


def test_the_ranks_of_a_spectrum_in_closed_form():
    found = rank_measures(np.array([2.0, 1.0, 1.0, 0.0]))
    assert found == pytest.approx(
        {"effective rank": 2 * math.sqrt(2), "participation ratio": 8 / 3, "stable rank": 2.0}
    )


@given(st.integers(0, 10**6), st.floats(-8, 1))
@settings(max_examples=40, deadline=None)
def test_the_bound_holds_near_the_minimiser(seed, exponent):
    rng = np.random.default_rng(seed)
    joint = rng.random((5, 4)) ** 3 + 1e-3
    graph = MaskGraph.from_joint(joint / joint.sum())
    features = minimiser(graph, 3, weight=0.7, lipschitz=1.0, energy=1.0)
    exact = {"h": features, "targets": graph.joint.T @ features / graph.degrees[1][:, None]}
    assert check(BOUND, graph, features=features, weight=0.7, lipschitz=1.0, **exact).verdict is Verdict.TIGHT
    moved = features + 10**exponent * rng.normal(size=features.shape)
    near = {"h": moved, "targets": exact["targets"] + 10**exponent * rng.normal(size=(4, 3))}
    assert check(BOUND, graph, features=moved, weight=0.7, lipschitz=1.0, **near).slack >= 0


def test_numbers_out_of_range_are_refused():
    with pytest.raises(InputError, match="descending"):
        predicted_spectrum(np.array([0.1, 0.2]), weight=1.0, lipschitz=1.0, energy=1.0)
    with pytest.raises(InputError, match="must be positive"):
        predicted_spectrum(np.array([1.0]), weight=0.0, lipschitz=1.0, energy=1.0)


def poured(lam, weight, lipschitz, energy):
    """The spectrum of the minimiser by halving an interval that holds its water level."""
    low, high = -energy - 1 / (2 * weight * lipschitz), 1 / (2 * weight * lipschitz)
    for _ in range(200):
        level = (low + high) / 2
        size = [max(x / (2 * weight * lipschitz) - level, 0.0) for x in lam]
        low, high = (level, high) if sum(size) > energy else (low, level)
    return size


def ranks_by_loops(graph, features, weight):
    """Effective rank, participation ratio and stable rank, from the law of positive pairs written out."""
    joint, (n1, n2) = graph.joint.toarray(), graph.shape
    step = [[0.0] * n1 for _ in range(n1)]  # from a view to one that shares its target
    for a in range(n1):
        for b in range(n1):
            step[a][b] = sum(joint[a, j] * joint[b, j] / sum(joint[:, j]) for j in range(n2)) / sum(joint[a])
    lam = sorted(np.linalg.eigvals(np.array(step)).real, reverse=True)
    lam = (lam + [0.0] * features.shape[1])[: features.shape[1]]
    energy = sum(sum(joint[a]) * sum(v * v for v in features[a]) for a in range(n1))
    share = [s / energy for s in poured(lam, weight, 1.0, energy)]
    return {
        "effective-rank": math.exp(-sum(p * math.log(p) for p in share if p > 0)),
        "participation-ratio": 1 / sum(p * p for p in share),
        "stable-rank": 1 / max(share),
    }


@pytest.mark.parametrize("seed", range(6))
def test_both_sides_of_the_growth_are_those_of_explicit_water_filling(seed):
    rng = np.random.default_rng(seed)
    joint = rng.random((4, 3)) ** 3 * (rng.random((4, 3)) < 0.7) + 1e-4
    graph, features = MaskGraph.from_joint(joint / joint.sum()), rng.normal(size=(4, 1 + seed))
    ladder = np.exp(np.linspace(-4, 3, 8))
    by_hand = [ranks_by_loops(graph, features, weight) for weight in ladder]
    for name in by_hand[0]:
        for (light, before), (heavy, after) in pairwise(zip(ladder, by_hand)):
            found = check(f"{name}-of-the-minimiser-grows", graph, features=features, weight=light, heavier=heavy)
            assert found.rhs == pytest.approx(before[name], rel=1e-9)
            assert found.lhs == pytest.approx(after[name], rel=1e-9)
            assert after[name] >= before[name] * (1 - 1e-12)
        assert by_hand[-1][name] > by_hand[0][name] or seed == 0
