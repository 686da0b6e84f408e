"""Theorem 3.6, as printed and for decoders that know the mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS, Verdict, certify, check

PRINTED, AWARE = "full-collapse-costs-variance", "full-collapse-costs-variance-given-the-mask"


def variance(targets, mass):
    total = sum(mass)
    mean = sum(m * x for m, x in zip(mass, targets)) / total
    return sum(m * sum((x - mean) ** 2) for m, x in zip(mass, targets))


@pytest.mark.parametrize("embedding", ["zero", "packed"])
def test_both_forms_on_an_enumerated_world(embedding):
    graph = MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.2), UniformMasks(3, 1))
    targets, masks, mass = graph.targets(embedding), graph.target_masks, graph.degrees[1]
    h = np.tile(generator(0).normal(size=targets.shape[1]), (graph.shape[0], 1))
    features = np.ones((graph.shape[0], 2))
    printed = check(PRINTED, graph, features=features, h=h, targets=targets)
    aware = check(AWARE, graph, features=features, h=h, targets=targets)
    assert printed.rhs == pytest.approx(variance(targets, mass), rel=1e-12)
    each = [variance(targets[masks == m], mass[masks == m]) for m in set(masks)]
    assert aware.rhs == pytest.approx(sum(each), rel=1e-12)
    assert printed.verdict is aware.verdict is Verdict.HOLDS
    assert aware.rhs <= printed.rhs + 1e-15
    mean = sum(m * x for m, x in zip(mass, targets))
    assert printed.slack == pytest.approx(sum((h[0] - mean) ** 2), rel=1e-12)


def test_the_variance_given_the_mask_is_the_same_in_both_embeddings():
    graph = MaskGraph.enumerate(worlds.mixture(3, 3, 2, 0.3), UniformMasks(3, 1))
    collapsed = {"features": np.ones((graph.shape[0], 1))}
    rhs = {}
    for embedding in ("zero", "packed"):
        targets = graph.targets(embedding)
        world = {**collapsed, "h": np.zeros((graph.shape[0], targets.shape[1])), "targets": targets}
        rhs[embedding] = [check(slug, graph, **world).rhs for slug in (PRINTED, AWARE)]
    assert rhs["zero"][1] == pytest.approx(rhs["packed"][1], rel=1e-12)
    assert abs(rhs["zero"][0] - rhs["packed"][0]) > 1e-3


def test_a_decoder_that_knows_the_position_beats_the_printed_bound_by_a_quarter():
    found = THEOREMS[PRINTED].check(**THEOREMS[PRINTED].broken()["position-blind decoder"])
    assert (found.lhs, found.rhs, found.slack) == (0.0, 0.25, -0.25)
    objects = THEOREMS[PRINTED].broken()["position-blind decoder"]
    aware = THEOREMS[AWARE].check(masks=np.array([0, 1]), **objects)
    assert (aware.verdict, aware.lhs, aware.rhs) == (Verdict.VACUOUS, 0.0, 0.0)


@pytest.mark.parametrize("name", ["features are collapsed", "decoder sees the mask alone"])
def test_without_its_assumptions_the_aware_form_fails_too(name):
    assert THEOREMS[AWARE].check(**THEOREMS[AWARE].broken()[name]).slack == pytest.approx(-0.25)


@pytest.mark.parametrize("slug", [PRINTED, AWARE])
def test_five_percent_more_or_the_uniform_law_is_caught_at_equality(slug):
    theorem = THEOREMS[slug]
    more = replace(theorem, rhs=lambda **world: 1.05 * float(theorem.check(**world).rhs))
    uniform = replace(theorem, rhs=lambda targets, masks=None: float(((targets - targets.mean(0)) ** 2).sum(1).mean()))
    assert more.check(**theorem.tight()).verdict is Verdict.VIOLATED
    assert uniform.check(**theorem.tight()).verdict is Verdict.VIOLATED


def test_the_masks_are_asked_for_where_the_graph_does_not_know_them():
    with pytest.raises(ValueError, match="mask"):
        THEOREMS[AWARE].check(**{k: v for k, v in THEOREMS[AWARE].tight().items() if k != "masks"})


@pytest.mark.parametrize("slug", [PRINTED, AWARE])
def test_features_that_differ_by_rounding_error_tell_a_decoder_nothing(slug):
    """They count as collapsed, so a decoder that reads their last digits is not blind to the position."""
    world = dict(THEOREMS[PRINTED].tight())
    graph, targets = world["graph"], world["targets"]
    world["features"] = 1 + np.array([[0.0], [1e-14], [2e-14]])
    world["h"] = graph.joint @ targets / graph.degrees[0][:, None]
    masks = {"masks": np.zeros(3, int)} if slug == AWARE else {}
    found = check(slug, **world, **masks)
    assert found.verdict is Verdict.INAPPLICABLE
    assert [a.holds for a in found.assumptions] == [True, False]


def test_a_rare_mask_of_large_predictions_buys_no_tolerance_for_the_others():
    """Beside predictions of 1e8 a difference of 5e-5 would pass for rounding error of the largest."""
    masses = np.array([0.5, 0.5, 1e-20])
    graph = MaskGraph.from_joint(np.diag(masses / masses.sum()))
    h = np.array([[1.0], [1.00005], [1e8]])
    world = {"features": np.ones((3, 1)), "h": h, "targets": h, "masks": np.array([0, 0, 1])}
    for found in (check(AWARE, graph, **world), certify(AWARE, graph, **world)):
        assert found.verdict is Verdict.INAPPLICABLE
