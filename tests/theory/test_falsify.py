"""The search finds false theorems, shrinks their counterexamples, and finds nothing against true ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import FALSE, plant

from maetheory.core import Estimate, InputError, generator
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import (
    mean_square,
    reconstruction_loss,
)
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Theorem, Verdict, falsify, replay, search
from maetheory.theory.falsify import SideError
from maetheory.theory.hard_worlds import _KINDS, FIRST_HARD, draw_random_or_hard_world, search_number
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


WITHOUT_ONE_ALPHA = replace(
    THEOREMS[PAIRS],
    slug="phi-a-2a2",
    statement="φ <= α + 2α₂",
    never_tight="",
    rhs=lambda graph: float(graph.label_error()) + 2 * float(graph.target_label_error()),
)
TEN_TIMES = Theorem(
    slug="ten-times",
    statement="L_MAE(h) >= 10 E‖h‖²",
    reference="planted",
    objects=("h", "targets"),
    lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    rhs=lambda graph, h: 10 * mean_square(graph.degrees[0], h),
)


@pytest.mark.parametrize("seed", range(5))
def test_pure_targets_with_rarely_shared_views_are_searched(seed):
    found = falsify(WITHOUT_ONE_ALPHA, worlds=60, seed=seed, descend=False)
    assert found is not None
    assert found.number >= FIRST_HARD
    again = replay(WITHOUT_ONE_ALPHA, seed=seed, number=found.number)
    assert again.check.verdict is Verdict.VIOLATED


def test_every_number_below_the_hard_worlds_leads_where_it_always_led():
    theorem = THEOREMS[PAIRS]
    for number in range(20):
        one, two = (
            draw(number)
            for draw in (
                lambda n: draw_random_or_hard_world(theorem, n, generator(0, "x", n)),
                lambda n: draw_world(theorem, generator(0, "x", n)),
            )
        )
        np.testing.assert_array_equal(one.law, two.law)
    assert [search_number(i) for i in range(6)] == [0, 1, FIRST_HARD, 2, 3, FIRST_HARD + 1]


@pytest.mark.parametrize("kind", _KINDS)
def test_hard_worlds_are_laws_of_their_kind(kind):
    least_mass, gaps = 1.0, []
    for seed in range(30):
        graph = kind(np.random.default_rng(seed)).all_objects()["graph"]
        assert graph.joint.sum() == pytest.approx(1)
        least_mass = min(least_mass, *(float(d.min()) for d in graph.degrees))
        sigma = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
        gaps.append(1 - sigma[1])
        if kind.__name__ == "pure_targets":
            assert graph.target_label_error() == 0
    if kind.__name__ == "nearly_separate":
        assert 0 < sorted(gaps)[len(gaps) // 2] < 1e-3
    if kind.__name__ == "tiny_masses":
        assert least_mass < 1e-9


def test_worlds_that_decide_nothing_are_no_evidence():
    unknown = replace(TEN_TIMES, rhs=lambda graph, h: Estimate(10 * mean_square(graph.degrees[0], h), np.inf))
    assert search(unknown, worlds=20).decided == 0
    with pytest.raises(AssertionError, match="ten-times was decided in 0 of 20 worlds, but 2 are needed: the slack"):
        assert_holds(unknown, worlds=20)
    assert_holds(unknown, worlds=20, decided=0)
    infinite = replace(TEN_TIMES, rhs=lambda: -np.inf)
    with pytest.raises(InputError, match=r"none of 20 worlds .* with finite sides .*a side or its scale is infinite"):
        assert_holds(infinite, worlds=20)
    true = THEOREMS["reconstruction-bounds-alignment"]
    assert search(true, worlds=20, descend=False).decided == 20
    with pytest.raises(AssertionError, match="decided in 20 of 20 worlds, but 21 are needed: draw more worlds"):
        assert_holds(true, worlds=20, decided=21)


@pytest.mark.parametrize("side", ["lhs", "rhs", "scale", "conform"])
def test_what_a_side_raises_carries_the_world(side):
    def broken(*_):
        raise ZeroDivisionError("no mass")

    raising = replace(TEN_TIMES, **{side: broken if side == "conform" else lambda: broken()})
    with pytest.raises(AssertionError, match=r"(?s)raised ZeroDivisionError: no mass.*world 0 of seed 4.*joint = \["):
        assert_holds(raising, worlds=5, seed=4)
    with pytest.raises(SideError) as error:
        falsify(raising, worlds=5, seed=4)
    assert error.value.found.world.law is not None
