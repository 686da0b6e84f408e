"""The coding rate and its second-order term, against explicit sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory.core import generator
from maetheory.graph import MaskGraph
from maetheory.theory import Verdict, check

BELOW, ABOVE = "uniformity-approximates-coding-rate", "uniformity-approximates-coding-rate-from-above"


def world(seed: int, k: int = 3):
    rng = generator(seed, "rate")
    joint = rng.random((5, 4)) ** 2 + 1e-3
    return MaskGraph.from_joint(joint / joint.sum()), rng.normal(size=(5, k))


@pytest.mark.parametrize("distortion", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_equal_determinants_and_sums_over_pairs_and_triples(seed, distortion):
    graph, f = world(seed)
    d1 = graph.joint.toarray().sum(1)
    gram = [[f[a] @ f[b] for b in range(5)] for a in range(5)]
    energy = sum(d1[a] * gram[a][a] for a in range(5))
    pairs = sum(d1[a] * d1[b] * gram[a][b] ** 2 for a in range(5) for b in range(5))
    triples = sum(
        d1[a] * d1[b] * d1[c] * gram[a][b] * gram[b][c] * gram[c][a]
        for a in range(5)
        for b in range(5)
        for c in range(5)
    )
    rate = np.log(np.linalg.det(np.eye(3) + sum(d1[a] * np.outer(f[a], f[a]) for a in range(5)) / distortion))
    second = energy / distortion - pairs / (2 * distortion**2)
    below, above = (check(slug, graph, features=f, distortion=distortion) for slug in (BELOW, ABOVE))
    assert below.lhs == above.lhs == pytest.approx(rate, rel=1e-12)
    assert below.rhs == pytest.approx(second, rel=1e-11)
    assert above.rhs == pytest.approx(second + triples / (3 * distortion**3), rel=1e-11)


@given(st.integers(0, 10**6), st.floats(-4, 3), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_the_remainder_keeps_its_sign_and_size_for_small_and_large_features(seed, exponent, k):
    graph, f = world(seed, k)
    for slug in (BELOW, ABOVE):
        assert check(slug, graph, features=f, distortion=10**exponent).verdict is not Verdict.VIOLATED


def test_the_remainder_is_a_third_of_the_cube_to_leading_order():
    """At one feature f ≡ 1 the eigenvalue is t = 1/μ, and (log(1 + t) - t + t²/2) / t³ tends to ⅓ - t/4."""
    graph = MaskGraph.from_joint([[0.5], [0.5]])
    found = check(BELOW, graph, features=np.ones((2, 1)), distortion=100.0)
    assert found.slack * 100.0**3 == pytest.approx(1 / 3 - 0.01 / 4, abs=1e-4)


def test_large_features_make_both_sides_vacuous():
    graph, f = world(0)
    assert check(BELOW, graph, features=f, distortion=1e-3).verdict is Verdict.VACUOUS
    assert check(ABOVE, graph, features=f, distortion=1e-3).verdict is Verdict.VACUOUS
    assert check(BELOW, graph, features=f, distortion=20.0).verdict is Verdict.HOLDS
    assert check(ABOVE, graph, features=f, distortion=20.0).verdict is Verdict.HOLDS
