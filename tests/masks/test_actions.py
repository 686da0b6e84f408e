"""The law of a world model has one joint law for each action, and every statement on graphs runs on it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import ActionLaw
from maetheory.theory import THEOREMS, Verdict, check

TRANSITIONS = np.random.default_rng(0).dirichlet(np.full(4, 0.4), (3, 4))
START = np.array([0.4, 0.3, 0.2, 0.1])
WORLD = FiniteWorld(np.arange(4)[:, None], START, np.array([0, 0, 1, 1]), np.arange(4.0))
EPS = np.finfo(float).eps


@pytest.mark.parametrize("action", range(3))
def test_the_graph_of_an_action_is_its_joint_law(action):
    law = ActionLaw(TRANSITIONS)
    graph = MaskGraph.enumerate(WORLD, law.of_action(action))
    expected = np.array([[START[x] * TRANSITIONS[action, x, y] for y in range(4)] for x in range(4)])
    np.testing.assert_allclose(graph.joint.toarray(), expected, atol=8 * EPS)
    np.testing.assert_allclose(law.joints(START)[action], expected, rtol=2 * EPS)


def test_the_graph_of_all_actions_pairs_state_and_action_with_the_next_state():
    weights = (0.5, 0.3, 0.2)
    graph = MaskGraph.enumerate(WORLD, ActionLaw(TRANSITIONS, weights))
    expected = defaultdict(float)
    for action, weight in enumerate(weights):
        for x in range(4):
            for y in range(4):
                expected[(x, action), y] += weight * START[x] * TRANSITIONS[action, x, y]
    assert graph.shape == (12, 4)
    np.testing.assert_allclose(np.sort(graph.joint.toarray().ravel()), np.sort(list(expected.values())), atol=8 * EPS)
    assert graph.view_contents is None
    rows = graph.joint.toarray()  # views are ordered by state, then by action
    assert rows[5, 2] == pytest.approx(expected[(1, 2), 2])


def test_a_move_that_never_happens_has_no_mass():
    certain = np.array([[[0.1, 0.9 - 1e-17, 0.0], [1.0, 0, 0], [0.3, 0.3, 0.4]]])
    world = FiniteWorld(np.arange(3)[:, None], np.full(3, 1 / 3), None, np.arange(3.0))
    joint = MaskGraph.enumerate(world, ActionLaw(certain)).joint.toarray()
    assert (joint[0, 2], joint[1, 1], joint[1, 2]) == (0, 0, 0)
    assert joint.sum() == pytest.approx(1, abs=4 * EPS)


def test_no_statement_is_violated_on_a_world_with_actions():
    graph = MaskGraph.enumerate(WORLD, ActionLaw(TRANSITIONS))
    rng, (n1, n2) = np.random.default_rng(1), graph.shape
    objects = {"features": rng.normal(size=(n1, 2)), "h": rng.normal(size=(n1, 3)), "h_g": rng.normal(size=(n2, 3))}
    objects |= {"targets": rng.normal(size=(n2, 3)), "weight": np.array(0.5), "lipschitz": np.array(100.0)}
    verdicts = []
    for slug, theorem in THEOREMS.items():
        if theorem.needs_graph and set(theorem.objects) <= set(objects):
            given = {name: objects[name] for name in theorem.objects}
            if "masks" in theorem.optional:
                given["masks"] = np.zeros(n2, int)
            verdicts.append(check(slug, graph, **given).verdict)
    assert Verdict.VIOLATED not in verdicts
    assert sum(verdict in (Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS) for verdict in verdicts) >= 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ActionLaw(np.eye(2)), r"shape \(actions, states, states\), but it is \(2, 2\)"),
        (lambda: ActionLaw(np.full((1, 2, 2), 0.4)), "a distribution over next states"),
        (lambda: ActionLaw(np.array([[[1.5, -0.5], [0, 1]]])), "the least entry is -0.5"),
        (lambda: ActionLaw(np.array([[[np.nan, 1], [0, 1]]])), "a distribution over next states"),
        (lambda: ActionLaw(TRANSITIONS, (0.5, 0.5)), "one for each action"),
        (lambda: ActionLaw(TRANSITIONS).of_action(3), "actions run from 0 to 2"),
        (lambda: MaskGraph.enumerate(WORLD, ActionLaw(TRANSITIONS[:, :3, :3] * 0 + np.eye(3))), "from 0 to 2"),
        (lambda: ActionLaw(TRANSITIONS).mask_pairs(), "ActionLaw is none: it shows states and actions"),
    ],
)
def test_what_is_no_law_of_actions_is_one_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()
