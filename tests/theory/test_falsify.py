"""The search finds false theorems, shrinks their counterexamples, and finds nothing against true ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import FALSE, plant

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import (
    mean_square,
)
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Theorem, falsify, replay, search
from maetheory.theory.small_worlds import coordinates, draw_world, to_small_world, with_coordinates

PAIRS, DOWNSTREAM = "pair-error-bounded-by-label-errors", "umae-bounds-downstream-error"


@pytest.mark.parametrize("slug", THEOREMS)
def test_the_theorems_survive_a_short_search(slug):
    assert_holds(THEOREMS[slug], worlds=25, seed=3, descend=False)


@pytest.mark.slow
@pytest.mark.parametrize("slug", THEOREMS)
@pytest.mark.parametrize("seed", range(2))
def test_the_theorems_survive_a_long_search(slug, seed):
    assert_holds(THEOREMS[slug], worlds=500, seed=seed)


NEARLY = Theorem(
    slug="nearly-true",
    statement="E‖h‖² >= 1.3 (E‖h‖)² - 0.3 E‖h‖² max‖h‖ / (1 + max‖h‖)",
    reference="planted",
    objects=("h",),
    lhs=lambda graph, h: mean_square(graph.degrees[0], h) + 0.02,
    rhs=lambda graph, h: 2 * float(graph.degrees[0] @ np.linalg.norm(h, axis=1)) - 1 + 0.03,
    sample=lambda rng: {"graph": MaskGraph.from_joint([[0.5], [0.5]]), "h": 5 + rng.random((2, 1))},
)


def test_descent_finds_what_drawing_does_not():
    """E‖h‖² + 0.02 >= 2 E‖h‖ - 0.97 fails only within 0.1 of ‖h‖ = 1, and worlds are drawn from 5 to 6."""
    assert falsify(NEARLY, worlds=20, descend=False) is None
    found = falsify(NEARLY, worlds=20)
    assert found is not None
    assert found.descended
    assert np.allclose(np.abs(found.world.objects["h"]), 1.0, atol=0.15)


def test_the_same_seed_finds_the_same_world_and_the_number_replays_it():
    one, two = (search(NEARLY, worlds=10, seed=7) for _ in range(2))
    assert one.smallest.check == two.smallest.check
    assert one.smallest.number == two.smallest.number
    here = search(THEOREMS[PAIRS], worlds=3, seed=2).smallest
    again = replay(THEOREMS[PAIRS], seed=2, number=here.number, descend=here.descended)
    assert again.check == here.check
    other = search(THEOREMS[PAIRS], worlds=8, seed=5, descend=False).smallest
    assert not np.array_equal(other.world.law, here.world.law)


def test_a_shrunk_world_is_small_and_reads_well():
    planted = plant(*FALSE["4.1 with c₄ = 0"])
    found = falsify(planted, worlds=50)
    assert found.world.law.size <= 8
    text = str(found)
    for word in ("seed 0", "joint = [", "labels = ", "features = ", "VIOLATED", "slack"):
        assert word in text


def test_assert_holds_fails_with_the_world_in_its_message():
    slug, rhs = FALSE["φ without α₂"]
    with pytest.raises(AssertionError, match=r"(?s)is violated: φ <= 2α.*joint = \["):
        assert_holds(replace(THEOREMS[slug], rhs=rhs, terms=None))


def test_a_search_that_meets_no_assumption_says_so_rather_than_nothing():
    never = replace(NEARLY, assumptions={"impossible": lambda: (False, "never")})
    assert search(never, worlds=5).applicable == 0
    with pytest.raises(InputError, match="none of 5 worlds met the assumptions of nearly-true"):
        assert_holds(never, worlds=5)


def test_what_cannot_be_drawn_is_asked_for():
    strange = replace(NEARLY, objects=("decoder",), sample=None)
    with pytest.raises(InputError, match=r"needs sample= .* shape of decoder"):
        falsify(strange, worlds=3)
    with pytest.raises(InputError, match="worlds must be at least 1, but 0"):
        search(NEARLY, worlds=0)


@pytest.mark.parametrize("number", range(10))
def test_reading_a_world_as_a_vector_and_writing_it_back_changes_nothing(number):
    world = draw_world(THEOREMS[DOWNSTREAM], np.random.default_rng(number))
    back = with_coordinates(world, coordinates(world))
    np.testing.assert_allclose(back.law, world.law, rtol=1e-12)
    for name, value in world.objects.items():
        np.testing.assert_array_equal(back.objects[name], value)
    graph = world.all_objects()["graph"]
    assert graph.joint.sum() == pytest.approx(1)
    assert all(np.all(degrees > 0) for degrees in graph.degrees)


def test_a_graph_of_own_images_is_written_down_and_another_is_kept():
    tight = THEOREMS["reconstruction-bounds-asymmetric-alignment"].tight()
    world = to_small_world(tight)
    np.testing.assert_array_equal(world.law.sum(0), tight["graph"].joint.toarray())
    shared = THEOREMS["probe-residual-bounds-image-error"].tight()
    assert to_small_world(shared).law is None
    assert to_small_world(shared).all_objects()["graph"] is shared["graph"]


def test_progress_is_told_of_every_world():
    told = []
    search(THEOREMS[PAIRS], worlds=7, descend=False, progress=lambda done, total, _: told.append((done, total)))
    assert told == [(n, 7) for n in range(1, 8)]
