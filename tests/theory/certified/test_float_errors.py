"""The error that a check states covers the distance of its float sides from their enclosures, and is needed."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Theorem, Verdict, certify
from maetheory.theory.certified.balls import ball, precision
from maetheory.theory.certified.certificate import _evaluate_sides, _to_balls
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.small_worlds import draw_world
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser

EPS = float(np.finfo(float).eps)
CHANNEL = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])
# Theorem, and how many times the rounding error 4 ε of its scale the largest distance on the worlds below exceeds.
MAGNIFIED = {
    "factorisation-bounds-probe-residual": 1e5,
    "probe-residual-bounds-view-error": 1e5,
    "probe-residual-bounds-image-error": 1e5,
    "excess-loss-bounds-downstream-error": 1e5,
    "certificate-bounds-downstream-error": 1e5,
    "spectral-features-bound-downstream-error": 1e5,
    "perfect-alignment-is-constant-on-components": 1e-3,
    "pair-error-lower-bound": 1e-3,
    "pair-error-bounded-by-label-errors": 1e-3,
    "data-processing-raises-pair-error": 1e-3,
}


def worlds(slug):
    """Graphs with a gap of 1e-3 to 1e-9, with independent, nearly dependent and large features."""
    rng = np.random.default_rng(0)
    for gap in (1e-3, 1e-6, 1e-9):
        joint = np.array([[0.3, 0.2, gap * 0.3], [0.1, 0.3, gap * 0.7], [gap, 0.0, 0.1]])
        graph = MaskGraph.from_joint(joint / joint.sum(), [0, 1, 0])
        for _ in range(3):
            column = rng.normal(size=(3, 1))
            close = np.hstack([column, column + gap * rng.normal(size=(3, 1))])
            for features in (column, 100 * column, close):
                if slug == "spectral-features-bound-downstream-error":
                    features = minimiser(graph, features.shape[1])
                named = {"features": features, "h": features, "channel": CHANNEL}
                yield graph, {name: named[name] for name in THEOREMS[slug].objects}


def exact_sides(slug, graph, objects):
    """Sides in balls of 212 bits."""
    theorem = THEOREMS[slug]
    world = theorem.validate_objects(graph, objects)
    with precision(212):
        found = _evaluate_sides(theorem, CERTIFIED_SIDES[slug], _to_balls(world, world, {}), {})
        return found.lhs, found.rhs


def distance(side: Estimate, exact):
    """Distance of a float from the nearest point of a ball."""
    if not np.isfinite(side.value):
        return 0.0
    with precision(212):
        return float((abs(ball(float(side.value)) - exact.mid()) - exact.rad()).max(ball(0)))


@pytest.mark.parametrize("slug", MAGNIFIED)
def test_the_stated_error_covers_the_distance_and_without_it_there_is_one(slug):
    needed = 0.0
    for graph, objects in worlds(slug):
        found = THEOREMS[slug].check(graph, **objects)
        for side, exact in zip((found.lhs, found.rhs), exact_sides(slug, graph, objects)):
            off = distance(side, exact)
            rounding = 8 * EPS * max(abs(float(side.value)), 1e-3)
            assert off <= side.error + rounding, (slug, graph.joint.toarray(), objects, off, side)
            if np.isfinite(side.error) and side.error > 0:
                needed = max(needed, off / (4 * EPS * found.scale))
    assert needed >= MAGNIFIED[slug]


@pytest.mark.parametrize("slug", [s for s, t in THEOREMS.items() if t.trivial is not None])
def test_a_bound_that_is_trivial_in_floats_is_so_in_balls(slug):
    """Every theorem with a trivial bound has it in balls too, and a bound equal to it is vacuous in both."""
    assert CERTIFIED_SIDES[slug].trivial is not None or isinstance(THEOREMS[slug].trivial, float)


@pytest.mark.parametrize("slug", [s for s, t in THEOREMS.items() if t.trivial is not None])
def test_the_trivial_bound_is_the_same_in_both_modes(slug):
    theorem, compared = THEOREMS[slug], 0
    for seed in range(8):
        world = draw_world(theorem, np.random.default_rng(seed)).all_objects()
        world = dict(theorem.conform(world)) if theorem.conform else world
        found = theorem.check(**world)
        if found.trivial is None:
            continue  # the sides overflow or a value is no number
        objects = theorem.validate_objects(world.pop("graph", None), world)
        with precision(106):
            proved = _evaluate_sides(theorem, CERTIFIED_SIDES[slug], _to_balls(objects, objects, {}), {})
            if proved.trivial is not None:
                assert float(proved.trivial) == pytest.approx(found.trivial, rel=1e-9, abs=1e-12)
                compared += 1
    assert compared >= 4


def test_a_bound_equal_to_the_trivial_one_is_vacuous_in_balls_too():
    graph = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]])
    rows = np.array([[1.0], [3.0]])  # one feature: λ₁ = 1, so that water-filling gives λτ² and no more
    slug = "effective-rank-grows-with-uniformity"
    world = {"features": rows, "h": rows, "targets": rows, "weight": 1.0}
    assert THEOREMS[slug].check(graph, **world).verdict is Verdict.VACUOUS
    assert certify(slug, graph, **world).verdict is Verdict.VACUOUS


@pytest.mark.parametrize(("part", "verdict"), [(0.9, Verdict.VACUOUS), (1.1, Verdict.HOLDS)])
@pytest.mark.parametrize("direction", [">=", "<="])
def test_a_bound_in_balls_is_better_than_the_trivial_one_by_more_than_a_part_of_the_scale(direction, part, verdict):
    toward = 1.0 if direction == ">=" else -1.0
    sides = Sides(
        lhs=lambda graph: ball(toward * 5.0),
        rhs=lambda graph: ball(toward * part * 5e-10) + 2,
        trivial=lambda graph: ball(2.0),
    )
    theorem = Theorem("bare", "a, b", "nobody", (), lhs=lambda: 0.0, rhs=lambda: 0.0, direction=direction)
    assert certify(theorem, MaskGraph.from_joint([[1.0]]), sides=sides).verdict is verdict
