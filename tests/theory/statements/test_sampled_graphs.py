"""Sampled graphs: distance and bias against loops over every sample, and planted falsehoods."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Verdict, replay

WEYL, UNSEEN, BIAS = "sampled-spectrum-concentrates", "unseen-component-costs-one", "sampled-spectrum-is-biased-upward"


@pytest.mark.parametrize("slug", [WEYL, UNSEEN, BIAS])
def test_a_short_search_finds_nothing(slug):
    assert_holds(THEOREMS[slug], worlds=40, seed=1, descend=False)


@pytest.mark.parametrize("joint", [np.outer([0.3, 0.7], [0.4, 0.6]), np.array([[0.5, 0.1], [0.1, 0.3]])])
@pytest.mark.parametrize("draws", [2, 4])
def test_the_mean_over_samples_is_the_mean_over_sequences(joint, draws):
    graph, wanted = MaskGraph.from_joint(joint), 0.0
    for sequence in product([(0, 0), (0, 1), (1, 0), (1, 1)], repeat=draws):
        probability = float(np.prod([joint[pair] for pair in sequence]))
        share = 0.0
        for i, j in set(sequence):
            row, column = sum(p[0] == i for p in sequence), sum(p[1] == j for p in sequence)
            share += sequence.count((i, j)) ** 2 / (row * column)
        wanted += probability * share
    degrees = joint.sum(1), joint.sum(0)
    wanted -= sum(joint[i, j] ** 2 / (degrees[0][i] * degrees[1][j]) for i in range(2) for j in range(2))
    found = THEOREMS[BIAS].check(graph, draws=draws)
    assert found.lhs == pytest.approx(wanted, abs=1e-13)
    assert (found.verdict is Verdict.TIGHT) == (joint[0, 0] == 0.12)


def test_the_bias_nears_its_rule_of_thumb():
    graph = MaskGraph.from_joint(np.full((2, 2), 0.25))
    errors = [abs(THEOREMS[BIAS].check(graph, draws=n).lhs * n - 1) for n in (8, 16, 24)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


@pytest.mark.parametrize("number", range(20))
def test_the_slack_beside_an_unseen_component_is_what_the_rest_is_off_beyond_one(number):
    objects = dict(THEOREMS[UNSEEN].conform(THEOREMS[UNSEEN].sample(np.random.default_rng(number))))
    graph, sampled = objects["graph"], objects["sampled"]
    here = [np.flatnonzero(member > 0) for member in graph.components]
    true, found = graph.joint.toarray()[np.ix_(*here)], sampled[np.ix_(*here)]
    rest = np.zeros(true.shape)
    for law, sign in ((true, -1.0), (found, 1.0)):
        for i, j in np.ndindex(law.shape):
            size = law[i].sum() * law[:, j].sum()
            rest[i, j] += sign * law[i, j] / np.sqrt(size) if size > 0 else 0.0
    wanted = max(0.0, max(np.linalg.eigvalsh(rest.T @ rest)) ** 0.5 - 1)
    assert THEOREMS[UNSEEN].check(**objects).slack == pytest.approx(wanted, abs=1e-12)


def test_unseen_worlds_are_drawn_on_both_sides_of_equality():
    seen = {replay(THEOREMS[UNSEEN], seed=0, number=n).check.verdict for n in range(60)}
    assert seen == {Verdict.TIGHT, Verdict.HOLDS}


def test_a_rare_pair_that_always_meets_is_not_independent():
    """Its entry differs from the product by 1e-13 alone, yet the claim fails by one."""
    found = THEOREMS[BIAS].check(MaskGraph.from_joint(np.diag([1e-13, 1 - 1e-13])), draws=2)
    assert found.slack == pytest.approx(-1, abs=1e-9)
    assert found.verdict is Verdict.INAPPLICABLE


def test_sums_over_too_many_tables_are_refused():
    graph = MaskGraph.from_joint(np.full((20, 20), 1 / 400))
    with pytest.raises(InputError, match="more than the 1,000,000 that are summed"):
        THEOREMS[BIAS].check(graph, draws=20)
    with pytest.raises(InputError, match="whole number of pairs"):
        THEOREMS[BIAS].check(graph, draws=2.5)
