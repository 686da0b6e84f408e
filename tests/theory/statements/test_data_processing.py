"""Data-processing inequalities against sums in loops, enumerated graphs, and planted falsehoods."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Verdict

LOEWNER = "data-processing-shrinks-spectrum"
SIDES = "channels-on-both-sides-shrink-singular-values"
ERROR = "data-processing-raises-pair-error"


@pytest.mark.parametrize("slug", [LOEWNER, SIDES, ERROR])
def test_a_short_search_finds_nothing(slug):
    assert_holds(THEOREMS[slug], worlds=60, seed=1, descend=False)


@pytest.mark.parametrize("seed", range(5))
def test_sides_are_the_sums_they_stand_for(seed):
    rng = np.random.default_rng(seed)
    joint, channel = rng.dirichlet(np.ones(15)).reshape(3, 5), rng.dirichlet(np.ones(2), 5)
    labels = np.array([0, 1, 0])
    graph = MaskGraph.from_joint(joint, labels)
    sent = np.zeros((3, 2))
    for i in range(3):
        for t in range(2):
            sent[i, t] = sum(joint[i, j] * channel[j, t] for j in range(5))
    phi, quadratic = 0.0, []
    for i in range(3):
        for other in range(3):
            if labels[i] != labels[other]:
                phi += sum(sent[i, t] * sent[other, t] / sent[:, t].sum() for t in range(2))
    assert THEOREMS[ERROR].check(graph, channel=channel).rhs == pytest.approx(phi, abs=1e-14)
    gap = THEOREMS[LOEWNER].check(graph, channel=channel).lhs
    for _ in range(200):
        z = rng.normal(size=3)
        z -= joint.sum(1) @ z
        energy = [sum((m[:, t] @ z) ** 2 / m[:, t].sum() for t in range(m.shape[1])) for m in (joint, sent)]
        quadratic.append((energy[0] - energy[1]) / (joint.sum(1) @ z**2))
    assert -1e-15 <= gap <= min(quadratic) + 1e-14
    assert min(quadratic) <= gap + 0.05


@pytest.mark.parametrize("visible", [1, 2, 3])
def test_forgetting_positions_lowers_every_singular_value(visible):
    world = worlds.random(4, 2, 2, seed=5)
    kept, dropped = (
        np.linalg.svd(
            MaskGraph.enumerate(world, UniformMasks(4, visible), positions).normalized_matrix.toarray(),
            compute_uv=False,
        )
        for positions in ("kept", "dropped")
    )
    assert (dropped <= kept[: len(dropped)] + 1e-13).all()
    assert (dropped < kept[: len(dropped)] - 0.01).any()


@pytest.mark.parametrize("size", [9e-10, 3e-12])
def test_rows_that_sum_to_one_only_nearly_are_no_law(size):
    """At 9e-10 the pair error already falls by more than rounding error."""
    objects = dict(THEOREMS[ERROR].tight())
    for signs in product([-1, 0, 1], repeat=3):
        if any(signs):
            found = THEOREMS[ERROR].check(**{**objects, "channel": np.diag(1 + size * np.array(signs))})
            assert found.verdict is Verdict.INAPPLICABLE


def test_a_channel_of_negative_entries_is_no_law_and_no_crash():
    joint = np.array([[0.2, 0.1], [0.1, 0.6]])
    graph = MaskGraph.from_joint(joint, [0, 1])
    for slug in (slug for slug in THEOREMS if "channel" in THEOREMS[slug].objects):
        world = {"channel": np.array([[0.5, -3.0], [2.0, -1.0]]), "view_channel": np.eye(2)}
        found = THEOREMS[slug].check(graph, **{name: world[name] for name in THEOREMS[slug].objects})
        assert found.verdict is Verdict.INAPPLICABLE
        assert "least entry -3" in found.note
