"""Ask whether the right side of a claim ever says more than a bound that is known without the claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.claims import right_side_is_trivial
from maetheory.theory.referee.descent import Objective, descend
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.report import Vacuity
from maetheory.theory.referee.search import descent_checks
from maetheory.theory.theorem import TIGHT_TOLERANCE, Theorem, Verdict

_DESCENTS = 2
_APART = 1e-3
"""Part of the two sides by which a right side stays away from the extreme left side found, to be called vacuous."""
_UNREACHED = 1e-2
"""Part of the median left side that a descent may fail to descend."""


def examine_vacuity(
    theorem: Theorem, searched: Prober, worlds: int, budget: Budget, *, descend_too: bool = True
) -> Vacuity:
    """Return the ranges of the sides over a search, and whether the right side passes the bound that is known.

    Where the theorem names no trivial bound, the extreme value of the left side over the search stands in for it: a
    claim ``lhs >= rhs`` says nothing if its right side stays below the smallest left side that was found. `worlds` is
    the size of the search, to which its descents are scaled; without `descend_too` the worlds that were seen decide.
    """
    checks = descent_checks(worlds)
    if descend_too:
        _reach_extremes(theorem, searched, checks)
    decided = [trial.found for trial in searched.trials if not math.isnan(trial.found.check.slack)]
    closest = min(decided, key=lambda found: found.check.slack, default=None)
    least = math.nan if closest is None else closest.check.slack
    if theorem.direction == "==" or not decided:
        note = "an identity" if theorem.direction == "==" else "no world was decided"
        return Vacuity(searched.lhs, searched.rhs, note, None, None, math.nan, least, closest)
    known, name = _known_bound(theorem, searched)
    passing = max(decided, key=lambda found: _margin(theorem, found, searched))
    if descend_too and theorem.trivial is not None and _margin(theorem, passing, searched) <= _tolerance(passing):
        passing = _search_for_a_world_that_passes(theorem, passing, known, searched, checks, budget)
    margin = _margin(theorem, passing, searched)
    if theorem.trivial is not None:
        vacuous = margin <= _tolerance(passing)
    else:
        median = float(np.median([abs(found.check.lhs.value) for found in decided]))
        sizes = max(abs(passing.check.rhs.value), abs(passing.check.rhs.value - margin))
        vacuous = margin < -max(_APART * sizes, _UNREACHED * median)
    return Vacuity(searched.lhs, searched.rhs, name, vacuous, passing, margin, least, closest)


def _reach_extremes(theorem: Theorem, searched: Prober, checks: int) -> None:
    """Descend on the slack itself, and on the left side where its extreme stands in for a bound that is known."""
    sign = -1.0 if theorem.direction == "<=" else 1.0
    objectives: list[Objective] = [lambda found: found.check.slack]
    if theorem.trivial is None and theorem.direction != "==":
        objectives.append(lambda found: sign * found.check.lhs.value)
    for objective in objectives:
        kept = [t.found for t in searched.trials if math.isfinite(t.found.check.slack)]
        kept = [found for found in kept if found.check.verdict is not Verdict.VIOLATED]
        if kept:
            descend(searched, min(kept, key=objective), checks, objective)


def _known_bound(theorem: Theorem, searched: Prober) -> tuple[Callable[..., float] | float, str]:
    if theorem.trivial is not None:
        value = "of the theorem" if callable(theorem.trivial) else f"{theorem.trivial:g}"
        return theorem.trivial, f"the trivial bound {value}"
    extreme = searched.lhs[0] if theorem.direction == ">=" else searched.lhs[1]
    words = "smallest" if theorem.direction == ">=" else "largest"
    return extreme, f"the {words} left side that was found, {extreme:.6g}"


def _margin(theorem: Theorem, found: SearchedWorld, searched: Prober) -> float:
    """By how much the right side passes the known bound in a world."""
    check = found.check
    known = check.trivial
    if known is None:
        known = searched.lhs[0] if theorem.direction == ">=" else searched.lhs[1]
    margin = check.rhs.value - known if theorem.direction == ">=" else known - check.rhs.value
    return -math.inf if math.isnan(margin) else margin


def _tolerance(found: SearchedWorld) -> float:
    return float(max(TIGHT_TOLERANCE * found.check.scale, found.check.rhs.error))


def _search_for_a_world_that_passes(
    theorem: Theorem,
    start: SearchedWorld,
    known: Callable[..., float] | float,
    searched: Prober,
    checks: int,
    budget: Budget,
) -> SearchedWorld:
    """Descend on the claim that the right side is trivial, and return the world that refutes it, or comes closest."""
    prober = Prober(right_side_is_trivial(theorem, known), searched.seed, budget)
    ranked = sorted((t.found for t in searched.trials), key=lambda found: -_margin(theorem, found, searched))
    best = start
    for one in (start, *ranked[:_DESCENTS]):
        there = prober.check(one.world, "descent", one.number, conform=False)
        reached = there and descend(prober, there, checks)
        again = reached and searched.check(reached.world, "descent", one.number, conform=False)
        if again and again.check.verdict is not Verdict.INAPPLICABLE:
            best = max(best, replace(again, descended=True), key=lambda found: _margin(theorem, found, searched))
    return best
