"""The cost of an assumption that is missed covers what the claim then falls short by, and is not much larger.

The worlds are built for the purpose: the assumption is missed by a thousandth, and the claim fails for that.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, certify, check
from maetheory.theory.certified import assumptions
from maetheory.theory.certified.assumptions import LeastLipschitz, bi_lipschitz, no_tied_images, no_tied_views
from maetheory.theory.certified.balls import ball, ball_matrix, precision
from maetheory.theory.certified.certificate import _evaluate_sides, _to_balls
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.labels_and_ranks import _ties_at_half
from maetheory.theory.certified.probe import BallProbe
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES

OFF = 1e-3
ONE = np.ones((2, 1))
SIGN = np.array([[1.0], [-1.0]])
OWN_TARGET = MaskGraph.from_joint(np.diag([0.5, 0.5]))

MISSED = {
    "norms below one": (
        "reconstruction-bounds-asymmetric-alignment",
        {"h": ONE * (1 - OFF), "h_g": ONE * (1 - OFF), "targets": ONE * (1 - OFF)},
    ),
    "a norm above one": ("asymmetric-alignment-bounds-alignment", {"h": ONE, "h_g": ONE * (1 + OFF)}),
    "a decoder that knows the view a little": (
        "full-collapse-costs-variance",
        {"features": ONE, "h": ONE + OFF * SIGN, "targets": ONE + SIGN},
    ),
    "a decoder that knows more than the mask": (
        "full-collapse-costs-variance-given-the-mask",
        {"features": ONE, "h": ONE + OFF * SIGN, "targets": ONE + SIGN, "masks": np.array([0, 0])},
    ),
    "a decoder of two coordinates that knows the view a little": (
        "full-collapse-costs-variance",
        {
            "features": ONE,
            "h": np.hstack([ONE + OFF * SIGN] * 2),
            "targets": np.hstack([ONE + SIGN] * 2),
        },
    ),
    "a decoder that is not quite linear": (
        "linear-decoder-optimum-given-features",
        {"features": ONE, "h": ONE + OFF * SIGN, "targets": ONE + SIGN},
    ),
}


def evaluated(slug, objects):
    """Margins and sides at 106 bits, whatever the assumptions say."""
    theorem = THEOREMS[slug]
    world = theorem.validate_objects(OWN_TARGET, objects)
    with precision(106):
        return _evaluate_sides(theorem, CERTIFIED_SIDES[slug], _to_balls(world, world, {}), {})


@pytest.mark.parametrize("name", MISSED)
def test_a_cost_covers_the_shortfall_and_is_of_its_size(name):
    slug, objects = MISSED[name]
    found = evaluated(slug, objects)
    with precision(106):
        missed = [margin for margin in found.margins.values() if margin.value < 0]
        shortfall, cost = found.rhs - found.lhs, found.scale * missed[0].cost
    assert len(missed) == 1
    assert shortfall > OFF / 2
    assert shortfall <= cost
    assert cost <= 20 * shortfall


@pytest.mark.parametrize(("ignored", "most"), [(0, 1e-12), (5, 2e-12)])
def test_a_lipschitz_constant_may_be_short_by_its_rounding_and_by_the_pairs_that_were_ignored(ignored, most):
    for least, holds in ((3.0, True), (3.0 * (1 + 0.9e-12), True), (3.0 * (1 + 1.1e-12), False)):
        with precision(106):
            margin = bi_lipschitz(LeastLipschitz(ball(least), ignored), ball(3.0))
            assert bool(margin.value >= -margin.allowed) is holds
            assert float(margin.allowed) == pytest.approx(3.0 * most, rel=1e-12)
            assert float(margin.cost) == pytest.approx(40 * most, rel=1e-12)
            assert bool(margin.value >= 0) is (least == 3.0 and not ignored)


def rows(values):
    return np.array(values, float)


# Margin, shortfall that counts as rounding error and cost of each assumption, for what is missed by a thousandth.
FORMULAS = {
    "norms below one": (
        lambda b: assumptions.norms_at_least_one(b, ball_matrix(ONE * 0.9), ball_matrix(ONE * 0.8)),
        ((0.81 + 0.64) / 2 - 1, 1e-12, 1 - (0.81 + 0.64) / 2),
    ),
    "a norm above one": (
        lambda b: assumptions.norm_at_most_one(b, ball_matrix(ONE * 1.1)),
        (1 - 1.21, 1e-12, 0.105),
    ),
    "features that differ": (
        lambda b: assumptions.features_collapsed({"features": rows([[4.0, 2.0], [4.0, 2.0 + OFF]])}),
        (-OFF / 4, 1e-12, OFF * math.sqrt(2)),
    ),
    "features that differ from nothing": (
        lambda b: assumptions.features_collapsed({"features": rows([[0.0], [OFF]])}),
        (-math.inf, 1e-12, math.inf),
    ),
    "predictions of equal features that differ": (
        lambda b: assumptions.position_blind(
            {"features": rows([[1.0], [1.0], [2.0]]), "h": rows([[2.0], [2.0 + OFF], [9.0]])}
        ),
        (-OFF / 2, 1e-12, 2 * OFF),
    ),
    "predictions of features that differ by all that counts as rounding": (
        lambda b: assumptions.position_blind(
            {"features": rows([[4.0, 0.0], [4.0, 4e-12]]), "h": rows([[2.0], [2.0 + OFF]])}
        ),
        (-OFF / 2, 1e-12, 2 * OFF),
    ),
    "predictions of features that differ by more": (
        lambda b: assumptions.position_blind(
            {"features": rows([[4.0, 0.0], [4.0, 4.4e-12]]), "h": rows([[2.0], [2.0 + OFF]])}
        ),
        (0.0, 1e-12, 0.0),
    ),
    "predictions of a mask that differ": (
        lambda b: assumptions.depends_on_mask_alone(
            b, {"features": ONE, "h": rows([[2.0], [2.0 + OFF]])}, np.array([7, 7])
        ),
        (-OFF / 2, 1e-12, 2 * OFF),
    ),
    "predictions of two masks": (
        lambda b: assumptions.depends_on_mask_alone(
            b, {"features": ONE, "h": rows([[2.0], [2.0 + OFF]])}, np.array([7, 8])
        ),
        (0.0, 1e-12, 0.0),
    ),
    "predictions outside the features": (
        lambda b: assumptions.linear_decoder(b, ball_matrix(4 * ONE + OFF * SIGN), {"features": ONE}),
        (-OFF, 1e-12 * math.hypot(4, OFF), 3 * OFF / math.hypot(4, OFF)),
    ),
    "no predictions": (
        lambda b: assumptions.linear_decoder(b, ball_matrix(0 * ONE), {"features": ONE}),
        (0.0, 0.0, 0.0),
    ),
    "rows of a channel that are too long": (
        lambda b: assumptions.targets_are_sent_by_a_law(ball_matrix(rows([[0.5, 0.5 + OFF], [1.0, 0.0]]))),
        (1e-12 - OFF, 0.0, None),
    ),
    "rows of a channel that are negative": (
        lambda b: assumptions.views_are_sent_by_a_law(ball_matrix(rows([[1.5, -0.5], [1.0, 0.0]]))),
        (-0.5, 0.0, None),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_margin_is_missed_by_what_it_says_and_costs_its_formula(name):
    function, (value, allowed, cost) = FORMULAS[name]
    with precision(106):
        found = function(BallGraph(OWN_TARGET))
        assert float(found.value) == pytest.approx(value, rel=1e-9, abs=1e-20)
        assert float(found.allowed) == pytest.approx(allowed, rel=1e-9)
        if cost is None:
            assert found.cost is None
        else:
            assert float(found.cost) == pytest.approx(cost, rel=1e-9, abs=1e-20)


def voters(shares):
    """Images of two views each, the second of which no feature tells, with these masses of their two views."""
    views = np.zeros((len(shares), len(shares) + 1))
    for image, (told, untold) in enumerate(shares):
        views[image, image], views[image, -1] = told, untold
    law = sparse.csr_array(np.diag(views.sum(0)))
    graph = MaskGraph(law, sparse.csr_array(views), sparse.csr_array(views), np.arange(len(shares)))
    return BallProbe(BallGraph(graph), np.vstack([np.eye(len(shares)), np.zeros((1, len(shares)))]))


def test_ties_cost_a_part_of_their_mass_and_near_one_half_of_what_is_left():
    with precision(106):
        views, images = (
            tied(voters([(0.3, 0.1), (0.2, 0.2), (0.15, 0.05)])) for tied in (no_tied_views, no_tied_images)
        )
        assert (float(views.value), float(views.allowed)) == (-1e-12, 1e-12)
        assert views.measured.startswith("1 views tied")
        assert float(views.cost) == pytest.approx(1e-11 * 0.35)
        assert images.measured.startswith("2 views and images tied")
        assert float(images.cost) == pytest.approx(1e-11 * (0.35 + 0.4))
        at_half = _ties_at_half(voters([(0.3, 0.1), (0.2, 0.2), (0.15, 0.05)]))
        assert float(at_half.cost) == pytest.approx(1e-12 / (0.5 - 0.35))
        assert float(_ties_at_half(voters([(0.2, 0.3), (0.2, 0.3)])).cost) == math.inf


@pytest.mark.parametrize(("share", "rank"), [(0.9, 1), (1.1, 2)])
def test_a_rank_counts_directions_beyond_what_equal_rows_may_differ_by(share, rank):
    """Twice 1e-12 for each of four views and two features, of the largest singular value."""
    graph = MaskGraph.from_joint(np.kron(np.eye(2), np.full((2, 1), 0.25)))
    features = np.kron(np.diag([7.0, 7.0 * share * 2e-12 * math.sqrt(8)]), np.ones((2, 1)))
    slug = "aligned-features-have-rank-of-components"
    assert check(slug, graph, features=features).lhs == rank
    assert certify(slug, graph, features=features).lhs.mid == rank
