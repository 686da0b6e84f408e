"""Check every theorem on standard, tight, broken and random worlds and summarise the verdicts.

The worlds are the standard ones (finite laws of images under masks), those of the theorem itself (the tight one, and
one per assumption in which that assumption fails), and random ones, some of them close to equality.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.graph import MaskGraph
from maetheory.theory.small_worlds import draw_world
from maetheory.theory.standard_worlds import GRAPHS, PREDICTORS, standard_objects
from maetheory.theory.theorem import Assumption, Check, Theorem, Verdict
from maetheory.theory.theorem_names import find_theorem
from maetheory.theory.theorem_objects import Objects

STANDARD, TIGHT, BROKEN, RANDOM = "standard", "tight", "broken", "drawn"


@dataclass(frozen=True)
class NamedWorld:
    """Objects of a world, with its kind and name.

    Attributes
    ----------
    kind : str
        "standard", "tight", "broken" or "drawn".
    name : str
        "world 17 of seed 0" is ``replay(theorem, seed=0, number=17)``.
    objects : mapping
        Objects on which the theorem is checked, with the graph.
    """

    kind: str
    name: str
    objects: Objects = field(repr=False)


@dataclass(frozen=True)
class WorldCheck:
    """A check of a theorem on one world.

    Attributes
    ----------
    kind, world : str
        Kind and name of the :class:`NamedWorld`.
    check : Check
    """

    kind: str
    world: str
    check: Check


@dataclass(frozen=True)
class TheoremSurvey:
    """Checks of one theorem on all its worlds.

    Attributes
    ----------
    theorem : Theorem
    checks : tuple of WorldCheck
    """

    theorem: Theorem
    checks: tuple[WorldCheck, ...] = field(repr=False)

    @property
    def applicable(self) -> tuple[WorldCheck, ...]:
        """Checks in which every assumption holds."""
        return tuple(record for record in self.checks if record.check.verdict is not Verdict.INAPPLICABLE)

    @property
    def counts(self) -> dict[str, int]:
        """Number of checks with each verdict."""
        seen = Counter(record.check.verdict for record in self.checks)
        return {verdict.value: seen[verdict] for verdict in Verdict}

    @property
    def violated(self) -> bool:
        """Whether any world violates the claim."""
        return any(record.check.verdict is Verdict.VIOLATED for record in self.checks)

    @property
    def smallest(self) -> WorldCheck | None:
        """Check of smallest relative slack among those that are not TIGHT, or among all if every one is TIGHT."""
        loose = [record for record in self.applicable if record.check.verdict is not Verdict.TIGHT]
        return min(loose or self.applicable, key=lambda record: record.check.relative_slack, default=None)

    @property
    def tightness(self) -> float:
        """Median of `Check.tightness` over the applicable standard and random worlds; NaN if there is none."""
        seen = [record.check.tightness for record in self.applicable if record.kind in (STANDARD, RANDOM)]
        return float(np.median(seen)) if seen else math.nan

    @property
    def failing_assumptions(self) -> dict[str, Assumption]:
        """Assumptions by name, each as measured in the world where only it fails."""
        failing = [
            a for record in self.checks if record.kind == BROKEN for a in record.check.assumptions if not a.holds
        ]
        return {assumption.name: assumption for assumption in failing}


def select_theorems(theorems: Mapping[str, Theorem], slugs: Iterable[str]) -> tuple[Theorem, ...]:
    """Return the theorems of these names (see `find_theorem`), in this order and each once; all if there are none.

    Raises
    ------
    InputError
        If a name is unknown; the message lists those that are known.
    """
    found = (find_theorem(theorems, slug) for slug in slugs)
    return tuple({one.slug: one for one in found}.values()) or tuple(theorems.values())


def survey(
    theorems: Iterable[Theorem], *, worlds: int = 40, seed: int = 0, progress: Progress = no_progress
) -> tuple[TheoremSurvey, ...]:
    """Check theorems on the standard worlds, on their own worlds and on random ones.

    Parameters
    ----------
    theorems : iterable of Theorem
    worlds : int
        Number of random worlds per theorem; at least 0. World ``i`` depends only on seed, slug and ``i``.
    seed : int
        Non-negative.
    progress : Progress
        Called after each theorem.

    Raises
    ------
    InputError
        If `worlds` or `seed` is negative.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> row, = survey([THEOREMS["spectral-contrast-is-factorisation"]], worlds=5)
    >>> row.violated, row.counts["TIGHT"] == len(row.checks)
    (False, True)
    """
    if worlds < 0 or seed < 0:
        raise InputError(f"worlds and seed must not be negative, but they are {worlds} and {seed}")
    rows, everything = [], tuple(theorems)
    for done, theorem in enumerate(everything, 1):
        rows.append(TheoremSurvey(theorem, tuple(_check_worlds(theorem, worlds, seed))))
        progress(done, len(everything), theorem.slug)
    return tuple(rows)


def _check_worlds(theorem: Theorem, worlds: int, seed: int) -> Iterator[WorldCheck]:
    for world in survey_worlds(theorem, worlds=worlds, seed=seed):
        try:
            yield WorldCheck(world.kind, world.name, theorem.check(**world.objects))
        except InputError:
            if world.kind in (TIGHT, BROKEN):
                raise  # the theorem's own worlds must fit it; a standard world may, for instance, lack labels


def survey_worlds(theorem: Theorem, *, worlds: int = 40, seed: int = 0) -> Iterator[NamedWorld]:
    """Yield the worlds of a survey: the theorem's own, the standard ones with the objects it needs, random ones."""
    if theorem.tight is not None:
        yield NamedWorld(TIGHT, "tight example", theorem.tight())
    for assumption, objects in (theorem.broken() if theorem.broken is not None else {}).items():
        yield NamedWorld(BROKEN, f"broken: {assumption}", objects)
    for world in (*_standard_worlds(theorem, seed), *_random_worlds(theorem, worlds, seed)):
        try:
            yield NamedWorld(world.kind, world.name, _conform(theorem, world.objects))
        except InputError:
            continue  # the theorem's conform does not support this world


def _standard_worlds(theorem: Theorem, seed: int) -> Iterator[NamedWorld]:
    for name in GRAPHS:
        for predictor in PREDICTORS if theorem.objects else PREDICTORS[:1]:
            objects = _objects(name, predictor, seed)
            if set(theorem.objects) <= set(objects):
                where = f"{name}; {predictor}" if theorem.objects else name
                yield NamedWorld(STANDARD, where, {"graph": _graph(name), **objects})


def _random_worlds(theorem: Theorem, worlds: int, seed: int) -> Iterator[NamedWorld]:
    for number in range(worlds):
        try:
            objects = draw_world(theorem, generator(seed, theorem.slug, number)).all_objects()
        except InputError:
            continue  # the theorem needs an object of unknown shape and has no sample of its own
        yield NamedWorld(RANDOM, f"world {number} of seed {seed}", objects)


def _conform(theorem: Theorem, objects: Objects) -> Objects:
    if theorem.conform is None:
        return objects
    moved = dict(theorem.conform(dict(objects)))
    return {**moved, "graph": objects["graph"]} if "graph" in objects else moved


@cache
def _graph(name: str) -> MaskGraph:
    return GRAPHS[name]()


@cache
def _objects(name: str, predictor: str, seed: int) -> Objects:
    return standard_objects(name, _graph(name), predictor, seed)
