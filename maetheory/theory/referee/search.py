"""Search for a world that violates a claim: drawn worlds, small exact ones, edges of assumptions, and descents.

Worlds are taken in turn from four sources: random ones, those of :mod:`~maetheory.theory.hard_worlds` and of
:mod:`~maetheory.theory.exact_worlds`. After ever longer rounds the most promising ones are starts of a descent, and of
walks to the edge of an assumption, since a claim whose assumption is too weak fails there first.
"""

from __future__ import annotations

import math

import numpy as np

from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.theory.exact_worlds import FIRST_EXACT, exact_laws
from maetheory.theory.falsify import SearchedWorld, draw_numbered_world
from maetheory.theory.hard_worlds import FIRST_HARD
from maetheory.theory.referee.descent import descend
from maetheory.theory.referee.prober import Prober
from maetheory.theory.small_worlds import coordinates, with_coordinates
from maetheory.theory.theorem import Theorem, Verdict

_FIRST_ROUND = 48
_STARTS = 2
_BISECTIONS = 10
MOST_CHECKS, _MOST_LAST_CHECKS = 80, 200
"""Checks of a descent on the way, and of one after the last world, in a search of 300 worlds or more."""
_FULL_SEARCH = 300
_LEAST_CHECKS = 12
_GOLDEN = (math.sqrt(5) - 1) / 2


def world_number(theorem: Theorem, index: int) -> tuple[str, int]:
    """Return the kind and the number of the world that a search tries at this place.

    A theorem with `sample` decides its own worlds; one without a graph has no hard ones.
    """
    if theorem.sample is not None:
        return "random", index
    kinds = ("random", "exact", "hard", "random") if theorem.needs_graph else ("random", "exact", "random")
    rounds, place = divmod(index, len(kinds))
    kind = kinds[place]
    if kind == "hard":
        return kind, FIRST_HARD + rounds
    if kind == "exact":
        return kind, FIRST_EXACT + _exact_index(theorem, rounds)
    return kind, 2 * rounds + (place > 0)


def _exact_index(theorem: Theorem, place: int) -> int:
    """Every second exact world is the next in order of size, and every second one from anywhere in the list."""
    rounds, second = divmod(place, 2)
    n_laws = len(exact_laws()) if theorem.needs_graph else 1
    if not second or n_laws == 1:
        return rounds if n_laws > 1 else place
    return rounds // n_laws * n_laws + int(rounds * _GOLDEN % 1 * n_laws)


def descent_checks(worlds: int, most: int = MOST_CHECKS) -> int:
    """Return the number of checks of a descent in a search of this many worlds.

    Examples
    --------
    >>> descent_checks(300), descent_checks(60), descent_checks(10)
    (80, 16, 12)
    """
    return max(_LEAST_CHECKS, min(most, most * worlds // _FULL_SEARCH))


def search_for_violation(
    prober: Prober,
    *,
    worlds: int,
    descend_too: bool = True,
    keep_going: bool = False,
    progress: Progress = no_progress,
) -> SearchedWorld | None:
    """Return the first world found that violates the claim of a prober, not shrunk, or None.

    Parameters
    ----------
    prober : Prober
        Counts every world, and keeps those that decide.
    worlds : int
        Number of worlds to draw; descents come on top of them.
    descend_too : bool
        Whether to descend, and to walk to the edges of assumptions.
    keep_going : bool
        Whether to draw the other worlds after a violation too, so that all of them are counted.
    progress : Progress
        Called after each drawn world.

    Raises
    ------
    InputError
        If `worlds` is not positive, or the theorem needs ``sample`` to be drawn.
    SideError
        If a function of the theorem raises.
    BudgetSpentError
        If the time of the prober is over.
    """
    if worlds < 1:
        raise InputError(f"worlds must be at least 1, but {worlds} was given")
    theorem = prober.theorem
    next_round, used = _FIRST_ROUND, set[int]()
    violated: SearchedWorld | None = None
    for index in range(worlds):
        kind, number = world_number(theorem, index)
        found = prober.check(draw_numbered_world(theorem, prober.seed, number), kind, number, keep=True)
        progress(index + 1, worlds, theorem.slug)
        if violated is None and found is not None and found.check.verdict is Verdict.VIOLATED:
            violated = found
        last = index + 1 == worlds
        if violated is None and descend_too and (index + 1 == next_round or last):
            next_round = 2 * next_round + _FIRST_ROUND
            n_starts, most = (2 * _STARTS, _MOST_LAST_CHECKS) if last else (_STARTS, MOST_CHECKS)
            violated = _one_round(prober, used, n_starts, descent_checks(worlds, most))
        if violated is not None and not keep_going:
            return violated
    return violated


def _one_round(prober: Prober, used: set[int], n_starts: int, checks: int) -> SearchedWorld | None:
    """Walk to the edges of assumptions and descend from the most promising worlds that were no start yet."""
    for start in _starts(prober, used, n_starts):
        edge = walk_to_edge(prober, start) if prober.theorem.assumptions else None
        one = start if edge is None else min(start, edge, key=lambda found: found.relative_slack)
        lower = one if one.check.verdict is Verdict.VIOLATED else descend(prober, one, checks)
        if lower.check.verdict is Verdict.VIOLATED:
            return lower
    return None


def _starts(prober: Prober, used: set[int], n_starts: int) -> list[SearchedWorld]:
    """Worlds of smallest slack, most of them not TIGHT, each once."""
    kept = [trial.found for trial in prober.trials if trial.found.number not in used]
    ranked = sorted(kept, key=lambda found: found.relative_slack)
    sloping = [found for found in ranked if found.check.verdict is not Verdict.TIGHT]
    chosen: dict[int, SearchedWorld] = {}
    for found in (*sloping[: n_starts - 1], *ranked):
        if len(chosen) < n_starts:
            chosen.setdefault(found.number, found)
    used |= chosen.keys()
    return list(chosen.values())


def walk_to_edge(prober: Prober, start: SearchedWorld) -> SearchedWorld | None:
    """Go from a world in a random direction until an assumption fails, and return the last world where all hold.

    None if no assumption fails within a hundred steps of the size of the world, or the start does not hold unmoved.
    """
    rng = generator(prober.seed, prober.theorem.slug, start.number, "walk")
    point = coordinates(start.world)
    if not point.size:
        return None
    direction = rng.normal(size=point.size) * (rng.random(point.size) < rng.uniform(0.2, 1))
    direction *= max(1.0, float(np.linalg.norm(point))) / max(1e-12, float(np.linalg.norm(direction)))

    def at(step: float) -> SearchedWorld | None:
        world = with_coordinates(start.world, point + step * direction)
        return prober.check(world, "boundary", start.number, conform=False)

    inside, outside, edge = 0.0, 0.1, None
    while outside < 100:
        there = at(outside)
        if there is None:
            break
        inside, outside, edge = outside, 3 * outside, there
    else:
        return edge
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        there = at(middle)
        if there is None:
            outside = middle
        else:
            inside, edge = middle, there
    return edge
