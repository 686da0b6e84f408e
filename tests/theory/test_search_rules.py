"""Rules of the search for a counterexample: what counts, where it starts, which steps it takes, when it stops."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import Estimate, InputError
from maetheory.theory import THEOREMS, Theorem, Verdict, replay, search
from maetheory.theory import falsify as exported
from maetheory.theory.falsify import (
    SearchedWorld,
    SearchResult,
    _check_at,
    _descent_starts,
    _is_decided,
    _line_search,
    _most_frequent,
    _sort_key,
    _steepest_descent,
    _still_violated,
)
from maetheory.theory.small_worlds import SmallWorld, coordinates, with_coordinates

SPLIT = THEOREMS["alignment-split"]
CHECK = SPLIT.check(**SPLIT.tight())


def bowl(centre=(2.0, 5.0), floor=0.0):
    """Claim whose slack is the squared distance of two numbers from a centre, less a floor."""
    return Theorem(
        slug="bowl",
        statement="‖z − c‖² >= floor",
        reference="made",
        objects=("z",),
        shapes={"z": ("n",)},
        lhs=lambda z: float(((z - np.array(centre)) ** 2).sum()),
        rhs=lambda: floor,
        scale=lambda: 1e3,
        needs_graph=False,
        sample=lambda rng: {"z": np.array([3.0, 1.0])},
    )


def at(theorem, z):
    start = SearchedWorld(theorem.slug, 0, 0, SmallWorld({"z": np.array(z)}, None, None), CHECK)
    return _check_at(theorem, start, start.world)


def of(verdict, slack=1.0):
    return SearchedWorld(
        "bare", 0, 0, SmallWorld({}, None, None), replace(CHECK, verdict=verdict, slack=slack, scale=1.0)
    )


def test_one_world_is_a_search_and_none_is_not():
    assert search(bowl(), worlds=1, descend=False).worlds == 1
    with pytest.raises(InputError, match="at least 1"):
        search(bowl(), worlds=0)


def test_worlds_that_decide_come_before_those_that_do_not_and_small_slacks_before_large_ones():
    open_one, near, far = of(Verdict.UNDECIDED, -9.0), of(Verdict.HOLDS, 0.1), of(Verdict.HOLDS, 3.0)
    assert sorted([open_one, far, near], key=_sort_key) == [near, far, open_one]
    assert [_is_decided(one) for one in (open_one, near, of(Verdict.TIGHT), of(Verdict.VACUOUS))] == [
        False,
        *[True] * 3,
    ]


def test_the_three_most_frequent_reasons_are_told():
    assert _most_frequent(Counter("aabbbcddddee")) == ("d", "b", "a")


def test_a_search_is_violated_by_its_smallest_world_alone():
    for verdict in Verdict:
        assert SearchResult("bare", 1, 1, of(verdict)).violated is (verdict is Verdict.VIOLATED)
    assert not SearchResult("bare", 1, 0, None).violated


def test_descent_starts_from_the_smallest_slacks_and_from_the_smallest_that_are_not_tight():
    tight = [of(Verdict.TIGHT, 1e-13 * n) for n in range(5)]
    sloping = [of(Verdict.HOLDS, 1.0 + n) for n in range(9)]
    found = _descent_starts([*sloping[::-1], *tight[::-1]])
    assert found == [*tight[:3], *sloping[:3]]
    assert _descent_starts(sloping) == sloping[:6]
    assert _descent_starts(tight) == tight[:3]
    assert _descent_starts([sloping[0], tight[0]]) == [tight[0], sloping[0]]


def test_the_steepest_descent_is_against_the_gradient_and_as_long_as_the_point():
    theorem = bowl()
    for z in ([3.0, 1.0], [20.0, -15.0], [0.1, 0.2]):
        here = at(theorem, z)
        direction, spent = _steepest_descent(theorem, here, coordinates(here.world))
        downhill = np.array([2.0, 5.0]) - z
        assert spent == 2
        assert direction / np.linalg.norm(direction) == pytest.approx(downhill / np.linalg.norm(downhill), abs=1e-4)
        assert np.linalg.norm(direction) == pytest.approx(max(1.0, np.linalg.norm(z)))


def test_a_step_to_a_slack_that_is_no_number_says_nothing_of_the_steepest_descent():
    def walled(z):
        return math.nan if z.ravel()[0] > 3.0 else float(((z - np.array([2.0, 5.0])) ** 2).sum())

    theorem = replace(bowl(), lhs=walled)
    here = at(theorem, [3.0, 1.0])
    direction, _ = _steepest_descent(theorem, here, coordinates(here.world))
    assert direction == pytest.approx([0.0, np.sqrt(10.0)])


def test_a_flat_claim_has_no_steepest_descent():
    flat = replace(bowl(), lhs=lambda z: 7.0)
    here = at(flat, [3.0, 1.0])
    direction, _ = _steepest_descent(flat, here, coordinates(here.world))
    assert not direction.any()
    assert _line_search(flat, here, coordinates(here.world), np.ones(2), 1.0) is here


@pytest.mark.parametrize(
    ("step", "taken"), [(1.0, 1.0), (7.9, 0.25 * 7.9), (60.0, 0.03 * 60.0), (600.0, 0.003 * 600.0)]
)
def test_a_line_search_takes_the_first_step_that_lowers_the_slack(step, taken):
    """Along the first axis from 2 to 0, where the slack is that of a step between 0 and 4."""
    theorem = bowl(centre=(2.0, 1.0))
    here = at(theorem, [0.0, 1.0])
    there = _line_search(theorem, here, coordinates(here.world), np.array([1.0, 0.0]), step)
    assert there.world.objects["z"].tolist() == pytest.approx([taken, 1.0])


def test_a_step_into_what_is_not_decided_is_not_taken():
    theorem = replace(
        bowl(centre=(2.0, 1.0)), lhs=lambda z: Estimate(float(((z - [2.0, 1.0]) ** 2).sum()), 1e3 * (z[0] > 1))
    )
    here = at(theorem, [0.0, 1.0])
    there = _line_search(theorem, here, coordinates(here.world), np.array([1.0, 0.0]), 2.0)
    assert there.world.objects["z"].tolist() == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize(("slack", "kept"), [(-1.0, True), (-0.1, True), (-0.099, False)])
def test_a_simpler_world_keeps_a_tenth_of_the_violation(slack, kept):
    assert _still_violated(of(Verdict.VIOLATED, slack), -0.1) is kept
    assert not _still_violated(of(Verdict.HOLDS, slack), -0.1)


def test_descent_ends_at_a_violation_or_when_its_steps_are_spent():
    calls = []

    def lhs(z):
        calls.append(1)
        return float(((z - np.array([2.0, 5.0])) ** 2).sum())

    above = replace(bowl(), lhs=lhs)
    found = replay(above, seed=0, number=0, descend=True)
    assert found.descended
    assert found.check.lhs < 1e-3
    assert 200 < len(calls) < 260
    found = replay(replace(bowl(floor=4.0), lhs=lhs), seed=0, number=0, descend=True)
    assert found.check.verdict is Verdict.VIOLATED
    assert found.check.lhs > 1e-3  # the first violation is enough
    assert not replay(above, seed=0, number=0).descended


def test_what_a_world_lacks_is_counted_among_the_reasons():
    reasons = Counter()
    never = replace(bowl(), assumptions={"impossible": lambda: (False, "never")})
    start = SearchedWorld("bowl", 0, 0, SmallWorld({"z": np.ones(2)}, None, None), CHECK)
    assert _check_at(never, start, start.world, reasons) is None
    refused = SmallWorld({"z": np.ones((2, 2))}, None, None)
    assert _check_at(bowl(), start, refused, reasons) is None
    assert sum(reasons.values()) == 2
    assert any("impossible fails" in why for why in reasons)
    with pytest.raises(InputError, match="does not meet the assumptions"):
        replay(never, seed=0, number=0)


def test_a_found_world_is_shrunk_as_far_as_the_violation_allows():
    """Any z below ‖z‖² = 100 violates, and shrinking keeps a tenth of the shortfall."""
    claim = replace(bowl(centre=(0.0, 0.0), floor=100.0), sample=lambda rng: {"z": np.array([1.2345, -3.3221])})
    found = exported(claim, worlds=1)
    assert found.check.verdict is Verdict.VIOLATED
    assert found.world.objects["z"].tolist() in ([0.0], [0.0, 0.0])
    moved = with_coordinates(found.world, coordinates(found.world) + 1)
    assert moved.objects["z"].tolist() == [1.0] * len(found.world.objects["z"])
