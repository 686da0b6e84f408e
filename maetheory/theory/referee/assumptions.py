"""Drop each assumption of a claim in turn and search again for a world that breaks it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from maetheory.core import InputError, generator
from maetheory.theory.falsify import PLACEHOLDER_CHECK, SearchedWorld, SideError, draw_numbered_world
from maetheory.theory.referee.claims import only_assumption, where_it_fails
from maetheory.theory.referee.descent import descend
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.report import AssumptionFinding, Need
from maetheory.theory.referee.search import descent_checks, world_number
from maetheory.theory.referee.simplify import simplify_violation
from maetheory.theory.small_worlds import SmallWorld, coordinates, to_small_world, with_coordinates
from maetheory.theory.theorem import Theorem, Verdict

_DESCENTS = 2


def examine_assumption(theorem: Theorem, name: str, *, worlds: int, seed: int, budget: Budget) -> AssumptionFinding:
    """Search for a world that breaks the claim although only this assumption fails.

    Parameters
    ----------
    theorem : Theorem
    name : str
        Name of the assumption.
    worlds : int
        Number of drawn worlds; each is tried as it is drawn, and moved by `conform` with one object left as it was.
    seed : int
    budget : Budget

    Returns
    -------
    AssumptionFinding
    """
    counting = Prober(only_assumption(theorem, name), seed, budget)
    prober = Prober(where_it_fails(theorem, name), seed, budget)
    found, undefined = None, ""
    try:
        found = _search(theorem, name, prober, counting, worlds)
    except SideError as error:
        undefined = str(error).splitlines()[0]
        found = replace(error.found, check=PLACEHOLDER_CHECK)
    met, failed = counting.applicable, counting.verdicts[Verdict.INAPPLICABLE.value]
    if found is not None and not undefined:
        found = simplify_violation(prober, found)
        sides = f"{found.check.lhs:.4g} against {found.check.rhs:.4g}"
        fails = "a side is not a number" if math.isnan(found.check.slack) else "the claim fails"
        note = f"without it {fails}: {sides}"
        return AssumptionFinding(name, Need.NEEDED, prober.decided, met, failed, found, note)
    if undefined:
        note = f"without it the claim is not defined: {undefined}"
        return AssumptionFinding(name, Need.NEEDED, prober.decided, met, failed, found, note)
    if not met:
        note = (
            f"none of {failed} drawn worlds met it, so that the claim is untested: give the theorem sample= or conform="
        )
        return AssumptionFinding(name, Need.NEVER_MET, prober.decided, met, failed, None, note)
    note = (
        f"the claim held in {prober.decided} worlds in which it alone fails"
        if prober.decided
        else f"no world was found in which it alone fails ({met} drawn worlds met it)"
    )
    return AssumptionFinding(name, Need.IDLE, prober.decided, met, failed, None, note)


def _search(theorem: Theorem, name: str, prober: Prober, counting: Prober, worlds: int) -> SearchedWorld | None:
    broken = dict(theorem.broken()) if theorem.broken is not None else {}
    if name in broken:
        found = prober.check(to_small_world(broken[name]), "broken", 0, keep=True)
        if found is not None and found.check.verdict is Verdict.VIOLATED:
            return found
    for index in range(worlds):
        kind, number = world_number(theorem, index)
        drawn = draw_numbered_world(theorem, prober.seed, number)
        counting.check(_moved(theorem, drawn), kind, number)
        for world in _variants(theorem, drawn, generator(prober.seed, theorem.slug, number, name)):
            found = prober.check(world, kind, number, keep=True)
            if found is not None and found.check.verdict is Verdict.VIOLATED:
                return found
    ranked = sorted((trial.found for trial in prober.trials), key=lambda found: found.relative_slack)
    for start in ranked[:_DESCENTS]:
        lower = descend(prober, start, descent_checks(3 * worlds))
        if lower.check.verdict is Verdict.VIOLATED:
            return lower
    return None


def _moved(theorem: Theorem, drawn: SmallWorld) -> SmallWorld:
    """Return the world moved by the theorem's `conform`, or as it is where that does not support it."""
    if theorem.conform is None:
        return drawn
    try:
        moved = dict(theorem.conform(drawn.all_objects()))
    except InputError:
        return drawn
    moved.pop("graph", None)
    return replace(drawn, objects=moved)


def _variants(theorem: Theorem, drawn: SmallWorld, rng: np.random.Generator) -> Iterator[SmallWorld]:
    """Yield the drawn world, and the world moved by `conform` with one object as it was drawn, or disturbed."""
    yield drawn
    held = _moved(theorem, drawn)
    if held is drawn:
        return
    for name, value in held.objects.items():
        before = drawn.objects.get(name)
        if isinstance(before, float | np.ndarray) and np.shape(before) == np.shape(value):
            yield replace(held, objects={**held.objects, name: before})
    point = coordinates(held)
    if point.size:
        yield with_coordinates(held, point + 10 ** rng.uniform(-3, 0) * rng.normal(size=point.size))
