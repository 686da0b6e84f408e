"""Both implementations of a statement have the same sides on every world, whatever its assumptions and verdict say.

The worlds have images that share views, so that label errors are not zero, and are drawn, hard, tight and broken.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS
from maetheory.theory.certified.balls import precision
from maetheory.theory.certified.certificate import _evaluate_sides, _to_balls
from maetheory.theory.certified.probe import independent_columns
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.hard_worlds import FIRST_HARD, draw_random_or_hard_world


def shared_graph(seed, n1=5, n2=4, n_images=4):
    """Graph of images that share views and targets, with three classes."""
    rng = np.random.default_rng(seed)
    law = rng.random((n_images, n1, n2)) ** 3 * (rng.random((n_images, n1, n2)) < 0.6) + 1e-3
    law /= law.sum()
    parts = (sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1))
    return MaskGraph(*parts, rng.integers(0, 3, n_images))


@cache
def shared_worlds():
    """Graphs of shared images with Gaussian objects of two features, and constants that no default has."""
    found = []
    for seed in range(4):
        graph, rng = shared_graph(seed), np.random.default_rng([seed, 1])
        (n1, n2), d = graph.shape, 2
        h = rng.normal(size=(n1, d))
        found.append(
            {
                "graph": graph,
                "features": h @ rng.normal(size=(d, d)) if seed % 2 else rng.normal(size=(n1, d)),
                "h": h,
                "h_g": rng.normal(size=(n2, d)),
                "targets": rng.normal(size=(n2, d)),
                "masks": rng.integers(0, 2, n2),
                "channel": rng.dirichlet(np.ones(3), n2),
                "view_channel": rng.dirichlet(np.ones(3), n1),
                "view_labels": rng.integers(0, 3, n1),
                "target_labels": rng.integers(0, 3, n2),
                "sampled": rng.dirichlet(np.ones(n1 * n2)).reshape(n1, n2),
                "weight": 0.37,
                "heavier": 0.9,
                "lipschitz": 1.3,
                "distortion": 0.7,
                "complement": shared_graph(seed + 100).transpose(),
                "hides_more": shared_graph(seed + 200),
            }
        )
    return found


def worlds_of(slug):
    theorem = THEOREMS[slug]
    taken = ("graph", *theorem.objects, *theorem.optional)
    for world in shared_worlds():
        if set(theorem.objects) <= set(world):
            yield {name: value for name, value in world.items() if name in taken}
            yield {name: value for name, value in world.items() if name in ("graph", *theorem.objects)}
    for number in (*range(2), *range(FIRST_HARD, FIRST_HARD + 4)):
        yield draw_random_or_hard_world(theorem, number, np.random.default_rng(number)).all_objects()
    yield from [theorem.tight()] if theorem.tight else []
    yield from (theorem.broken() if theorem.broken else {}).values()


def is_blurred(world):
    """Whether features depend on one another up to rounding error, but not exactly: floats do not count these."""
    features = world.get("features", np.eye(1))
    return np.linalg.matrix_rank(features) < len(independent_columns(features))


@pytest.mark.parametrize("slug", THEOREMS)
def test_sides_are_the_same_in_both_modes_on_every_world(slug):
    theorem, compared = THEOREMS[slug], 0
    for world in worlds_of(slug):
        world = dict(world)
        try:
            found = theorem.check(**world)
        except InputError:
            continue  # it needs the masks of the graph, say
        if is_blurred(world) or not np.isfinite([found.lhs, found.rhs]).all():
            continue
        if any(("law" in a.name or "half" in a.name) and not a.holds for a in found.assumptions):
            continue  # balls divide a law by its sum; floats know a bound on votes below one half alone
        graph = world.pop("graph", None)
        objects = theorem.validate_objects(graph, world)
        with precision(159):
            try:
                proved = _evaluate_sides(theorem, CERTIFIED_SIDES[slug], _to_balls(objects, objects, {}), {})
            except InputError:
                continue  # the other mode refuses it for its size
        for side in ("lhs", "rhs"):
            value, exact = getattr(found, side), getattr(proved, side)
            if exact is None or not exact.is_finite():
                continue
            allowed = 1e-9 * max(abs(float(exact)), float(proved.scale), 1e-6) + getattr(value, "error", 0.0)
            assert abs(float(value) - float(exact)) <= allowed, (side, found, world, graph)
            compared += 1
    assert compared >= 4
