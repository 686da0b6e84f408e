"""Drop each assumption of a claim in turn and search again for a world that breaks it.

An assumption is about the objects that its function names. Without it these are free: they are left as drawn, scaled as
a whole and row by row by factors from a thousandth to a thousand, and moved alone in a descent on the larger side.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from maetheory.core import InputError, generator
from maetheory.theory.certified import CERTIFIED_SIDES, Certificate, certify
from maetheory.theory.falsify import PLACEHOLDER_CHECK, SearchedWorld, SideError, draw_numbered_world
from maetheory.theory.referee.claims import only_assumption, where_it_fails
from maetheory.theory.referee.descent import descend, descend_on_larger_side
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.report import AssumptionFinding, Need
from maetheory.theory.referee.search import descent_checks, world_number
from maetheory.theory.referee.simplify import simplify_violation
from maetheory.theory.small_worlds import (
    SmallWorld,
    coordinates,
    to_small_world,
    with_coordinates,
)
from maetheory.theory.statements import THEOREMS
from maetheory.theory.theorem import Theorem, Verdict
from maetheory.theory.theorem_objects import Objects, argument_names

_DESCENTS = 2
_STARTS, _EVALUATIONS = 8, 10_000
"""Descents on the larger side, and the evaluations of each."""
_LARGEST_FACTOR = 1e3


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
    proof = _proof_of_need(theorem, name)
    if proof is not None:
        broken = _broken_world(theorem, name)
        assert broken is not None  # in which the proof was made
        world = SearchedWorld(theorem.slug, seed, 0, broken, theorem.check(**broken.all_objects()))
        note = f"without it the claim fails: {proof.lhs} against {proof.rhs}, proved in ball arithmetic"
        return AssumptionFinding(name, Need.NEEDED, 1, 0, 0, world, note)
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


def _broken_world(theorem: Theorem, name: str) -> SmallWorld | None:
    """Return the theorem's own world in which this assumption fails, if it has one."""
    broken = dict(theorem.broken()) if theorem.broken is not None else {}
    return to_small_world(broken[name]) if name in broken else None


def _proof_of_need(theorem: Theorem, name: str) -> Certificate | None:
    """Return the certificate of the theorem's own world, if the claim is proved to fail where this assumption does.

    Where a side has an error that grows with the shortfall of an assumption, floats leave the claim UNDECIDED there.
    """
    world = _broken_world(theorem, name)
    if world is None or theorem != THEOREMS.get(theorem.slug) or theorem.slug not in CERTIFIED_SIDES:
        return None
    try:
        certificate = certify(theorem, **world.all_objects())
    except InputError:
        return None  # python-flint is missing, or the world is too large
    failing = [assumption.name for assumption in certificate.assumptions if not assumption.holds]
    return certificate if failing == [name] and certificate.slack.high < 0 else None


def _search(theorem: Theorem, name: str, prober: Prober, counting: Prober, worlds: int) -> SearchedWorld | None:
    broken = _broken_world(theorem, name)
    if broken is not None:
        found = prober.check(broken, "broken", 0, keep=True)
        if found is not None and found.check.verdict is Verdict.VIOLATED:
            return found
    names = _objects_of(theorem, name)
    for index in range(worlds):
        kind, number = world_number(theorem, index)
        drawn = draw_numbered_world(theorem, prober.seed, number)
        counting.check(_moved(theorem, drawn), kind, number)
        for world in _variants(theorem, names, drawn, generator(prober.seed, theorem.slug, number, name)):
            found = prober.check(world, kind, number, keep=True)
            if found is not None and found.check.verdict is Verdict.VIOLATED:
                return found
    ranked = sorted((trial.found for trial in prober.trials), key=lambda found: found.relative_slack)
    for start in ranked[:_DESCENTS]:
        lower = descend(prober, start, descent_checks(3 * worlds))
        if lower.check.verdict is Verdict.VIOLATED:
            return lower
    for start in _starts_by_smaller_side(prober, _STARTS):
        lower = descend_on_larger_side(prober, start, names, _EVALUATIONS)
        if lower.check.verdict is Verdict.VIOLATED:
            return lower
    return None


def _starts_by_smaller_side(prober: Prober, most: int) -> list[SearchedWorld]:
    """Worlds whose smaller side is largest, each number once: there the larger side has least to fall."""
    theorem, chosen = prober.theorem, dict[int, SearchedWorld]()
    side = "lhs" if theorem.direction == "<=" else "rhs"
    for trial in sorted(prober.trials, key=lambda trial: -getattr(trial.found.check, side).value):
        if len(chosen) < most and math.isfinite(trial.found.check.slack):
            chosen.setdefault(trial.found.number, trial.found)
    return list(chosen.values())


def _objects_of(theorem: Theorem, name: str) -> set[str]:
    """Names of the objects that an assumption is about, with those from which a derived one is computed."""
    names, left = set[str](), list(argument_names(theorem.assumptions[name]) or theorem.objects)
    while left:
        one = left.pop()
        if one not in names:
            names.add(one)
            left += argument_names(theorem.derived[one]) or () if one in theorem.derived else ()
    return names


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


def _variants(
    theorem: Theorem, names: Collection[str], drawn: SmallWorld, rng: np.random.Generator
) -> Iterator[SmallWorld]:
    """Yield the drawn world, and the one moved by `conform`: one object as drawn, all disturbed, or some scaled."""
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
    for changed in _scaled(held.objects, names, rng):
        yield replace(held, objects={**held.objects, **changed})


def _scaled(objects: Objects, names: Collection[str], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield the named numbers and arrays of floats, all scaled by one factor, each by one, and row by row."""

    def factors(shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(_LARGEST_FACTOR ** rng.uniform(-1, 1, shape))

    floats = {
        name: value
        for name, value in objects.items()
        if name in names and (isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"))
    }
    if floats:
        common = float(factors(()))
        yield {name: value * common for name, value in floats.items()}
        yield {name: value * float(factors(())) for name, value in floats.items()}
    rows = {name: value for name, value in floats.items() if np.ndim(value) > 1}
    if rows:
        yield {name: value * factors((*np.shape(value)[:-1], 1)) for name, value in rows.items()}
