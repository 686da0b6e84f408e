"""The cost of an assumption that is missed covers what the claim then falls short by, and is not much larger.

The worlds are built for the purpose: the assumption is missed by a thousandth, and the claim fails for that.
"""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS
from maetheory.theory.certified.assumptions import LeastLipschitz, bi_lipschitz
from maetheory.theory.certified.balls import ball, precision
from maetheory.theory.certified.certificate import _evaluate_sides, _to_balls
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
