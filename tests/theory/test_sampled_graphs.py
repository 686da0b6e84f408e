"""Sampled graphs: distance and bias held to loops over every sample, and against planted falsehoods."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from maetheory.graph import MaskGraph
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Verdict, falsify

WEYL, UNSEEN, BIAS = "sampled-spectrum-concentrates", "unseen-component-costs-one", "sampled-spectrum-is-biased-upward"
FALSE = {
    "Weyl five percent too strong": (WEYL, {"rhs": lambda **w: 0.95 * THEOREMS[WEYL].check(**w).rhs}),
    "Weyl the wrong way round": (WEYL, {"direction": ">="}),
    "an unseen component costs 1.05": (UNSEEN, {"rhs": lambda: 1.05}),
    "the bias with every node seen": (
        BIAS,
        {"rhs": lambda graph, draws: (graph.shape[0] - 1) * (graph.shape[1] - 1) / (draws - 1)},
    ),
    "the bias over n": (BIAS, {"rhs": lambda draws, **w: THEOREMS[BIAS].check(draws=draws, **w).rhs * (1 - 1 / draws)}),
    "no bias": (BIAS, {"rhs": lambda: 0.0}),
}


@pytest.mark.parametrize("name", FALSE)
def test_planted_false_versions_are_found(name):
    slug, changes = FALSE[name]
    assert falsify(replace(THEOREMS[slug], slug="planted", trivial=None, **changes), worlds=60) is not None


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
