"""Bisect for the best constant: how far a factor on the right side can be moved before a world breaks the claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.claims import with_factor
from maetheory.theory.referee.descent import descend
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.report import Factor
from maetheory.theory.referee.search import descent_checks
from maetheory.theory.theorem import TIGHT_TOLERANCE, Theorem, Verdict
from maetheory.theory.theorem_objects import call_with_named_objects

_BISECTIONS = 5
_WIDTH = 0.005
_MOST_TERMS = 6
_FAR = 100
_HELD = 1e-9
Part = Callable[[SearchedWorld], float]


def examine_factors(theorem: Theorem, searched: Prober, worlds: int, budget: Budget) -> tuple[Factor, ...]:
    """Return the interval of the best factor of the right side, and of each of its named terms.

    A world breaks the claim with any factor beyond its own critical one, so that the weakest critical factor found is
    an upper bound of the best constant. Bisection moves the factor halfway towards it, and descends for a world that
    breaks the claim there. `worlds` is the size of the search, to which the descents are scaled.
    """
    found = [trial.found for trial in searched.trials if not math.isnan(trial.found.check.slack)]
    if theorem.direction == "==" or not found:
        return ()
    checks = descent_checks(worlds)

    def best(name: str, part: Part, term: Callable[..., float] | None = None) -> Factor:
        return _Bisection(theorem, name, part, term, searched, checks, budget).run(found)

    factors = [best("right side", lambda one: one.check.rhs.value)]
    for name, sign in _signed_terms(found).items():

        def part(one: SearchedWorld, name: str = name, sign: int = sign) -> float:
            return sign * float(one.check.terms[name])

        factors.append(best(name, part, _term(theorem, name, sign)))
    return tuple(factors)


@dataclass
class _Bisection:
    """Search for the strongest factor on a part of the right side.

    Attributes
    ----------
    theorem : Theorem
    name : str
        Name of the part.
    part : callable
        Its value in a world that was checked.
    term : callable or None
        Its value from the objects of a world; None for the whole right side.
    searched : Prober
        Checks the original claim.
    checks : int
        Checks of each descent.
    budget : Budget
    """

    theorem: Theorem
    name: str
    part: Part
    term: Callable[..., float] | None
    searched: Prober
    checks: int
    budget: Budget

    def run(self, worlds: Sequence[SearchedWorld]) -> Factor:
        """Bisect between a factor without violation and one that a world breaks."""
        worlds = [one for one in worlds if self._is_resolved(one)]
        values = [value for one in worlds if abs(value := self._oriented(one)) > TIGHT_TOLERANCE * one.check.scale]
        if not values:
            return Factor(self.name, "", math.nan, math.nan, None, "it is zero in the worlds found")
        larger = max(values) > 0
        both = larger and min(values) < 0
        sharper, sign = ("larger", 1.0) if larger else ("smaller", -1.0)
        best = min(worlds, key=lambda one: sign * self._critical(one, larger))
        broken = self._critical(best, larger)
        if math.isinf(broken):
            note = "no factor mends the claim: it fails where this is zero"
            return Factor(self.name, sharper, math.nan, broken, best, note)
        held = sign * (broken - 1) >= -_HELD  # the factor 1, as the search found no violation
        reached, weakest = (1.0, 1.0) if held else (math.nan, 0.0 if larger else 4 * broken)
        for _ in range(_BISECTIONS):
            if abs(broken - weakest) <= _WIDTH * max(1.0, abs(broken)):
                break
            middle = _between(weakest, broken)
            there = self._world_that_breaks(middle, best)
            value = self._critical(there, larger) if there is not None else sign * math.inf
            if there is not None and sign * value < sign * middle:
                broken, best = value, there
            else:
                reached = weakest = middle
            if reached == 0:
                break
        return Factor(self.name, sharper, reached, broken, best, self._note(reached, broken, larger, both))

    def _oriented(self, found: SearchedWorld) -> float:
        """Value of the part, positive where a larger factor makes the claim stronger."""
        return self.part(found) * (1 if self.theorem.direction == ">=" else -1)

    def _is_resolved(self, found: SearchedWorld) -> bool:
        """Whether the critical factor of a world is known to `_WIDTH`, or the part is zero to rounding of its scale.

        Where all that is squared is the rounding error of differences, a quotient of two sides says nothing.
        """
        check = found.check
        return check.error <= _WIDTH * abs(self._oriented(found)) or check.error <= TIGHT_TOLERANCE * check.scale

    def _critical(self, found: SearchedWorld, larger: bool) -> float:
        """Factor beyond which this world breaks the claim; infinite where it does not, or breaks it with any."""
        value, tolerance = self._oriented(found), TIGHT_TOLERANCE * found.check.scale
        sign = 1.0 if larger else -1.0
        if sign * value > tolerance:
            return float(1 + sign * found.check.slack / abs(value))
        fails_anyway = abs(value) <= tolerance and found.check.verdict is Verdict.VIOLATED
        return -sign * math.inf if fails_anyway else sign * math.inf

    def _world_that_breaks(self, factor: float, start: SearchedWorld) -> SearchedWorld | None:
        """World that breaks the claim with this factor, checked with the claim as it stands; None if none was found."""
        prober = Prober(with_factor(self.theorem, factor, self.term), self.searched.seed, self.budget)
        here = prober.check(start.world, "descent", start.number, conform=False)
        if here is not None and here.check.verdict is not Verdict.VIOLATED:
            here = descend(prober, here, self.checks)
        if here is None or here.check.verdict is not Verdict.VIOLATED:
            return None
        there = self.searched.check(here.world, "descent", here.number, conform=False)
        return there if there is not None and self._is_resolved(there) else None

    def _note(self, reached: float, broken: float, larger: bool, both: bool) -> str:
        if self.term is not None and reached == 0:
            return "the claim held without this term in every world tried"
        if larger and broken <= 0:
            return "no positive factor mends the claim"
        if broken > _FAR and not larger:
            return "no factor near 1 mends the claim"
        return (
            "it has both signs; a larger factor makes the claim stronger only where it has one of them" if both else ""
        )


def _between(weakest: float, broken: float) -> float:
    """Next factor to try: halfway, in ratio where the two are far apart; 0 before a factor of the other sign."""
    if broken < 0:
        return 0.0
    if min(weakest, broken) > 0 and max(weakest, broken) > 4 * min(weakest, broken):
        return math.sqrt(weakest * broken)
    return (weakest + broken) / 2


def _term(theorem: Theorem, name: str, sign: int) -> Callable[..., float]:
    def term(**world: Any) -> float:
        assert theorem.terms is not None
        return sign * float(call_with_named_objects(theorem.terms, world)[name])

    return term


def _signed_terms(worlds: Sequence[SearchedWorld]) -> dict[str, int]:
    """Return the terms whose signed sum is the right side in every world, with their signs; empty if none is."""
    names = list(worlds[0].check.terms)
    if not 2 <= len(names) <= _MOST_TERMS:
        return {}
    table = np.array([[float(one.check.terms.get(name, math.nan)) for name in names] for one in worlds])
    rhs, scale = np.array([one.check.rhs.value for one in worlds]), np.array([one.check.scale for one in worlds])
    fits = [
        signs
        for signs in product((1, -1, 0), repeat=len(names))
        if (np.abs(table @ signs - rhs) <= 1e-9 * np.maximum(scale, np.abs(table).max(1))).all()
    ]
    if not fits:
        return {}
    best = max(fits, key=lambda signs: (sum(map(abs, signs)), sum(signs)))
    return {name: sign for name, sign in zip(names, best) if sign} if sum(map(abs, best)) > 1 else {}
