"""Theorems certified where it is cheap: on their tight examples and on worlds of few nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from maetheory.core import Progress, silent
from maetheory.theory.survey import DRAWN, STANDARD, TIGHT, Place, places
from maetheory.theory.theorem import Theorem

if TYPE_CHECKING:
    from maetheory.theory.certify import Certificate

MOST_NODES = 16
"""Most views and targets together of a world that is certified here."""


@dataclass(frozen=True)
class Certified:
    """A certificate and the name of the world it is about.

    Attributes
    ----------
    slug : str
    world : str
        As in a survey.
    certificate : Certificate or None
        None for a theorem without a version in balls.
    """

    slug: str
    world: str
    certificate: Certificate | None


def certificates(
    theorems: Iterable[Theorem], *, worlds: int = 3, seed: int = 0, progress: Progress = silent
) -> tuple[Certified, ...]:
    """Certify theorems on their tight example, on `worlds` small standard worlds and on as many drawn ones.

    Parameters
    ----------
    theorems : iterable of Theorem
    worlds, seed : int
    progress : Progress
        Told after each theorem.

    Raises
    ------
    InputError
        If python-flint is missing.
    """
    from maetheory.theory.certified_sides import CERTIFIED
    from maetheory.theory.certify import certify

    found, everything = [], tuple(theorems)
    for done, theorem in enumerate(everything, 1):
        if theorem.slug in CERTIFIED:
            found += [Certified(theorem.slug, place.name, certify(theorem, **place.objects))
                      for place in _small(theorem, worlds, seed)]  # fmt: skip
        else:
            found.append(Certified(theorem.slug, "no version in balls", None))
        progress(done, len(everything), f"certify {theorem.slug}")
    return tuple(found)


def _small(theorem: Theorem, worlds: int, seed: int) -> list[Place]:
    there = [place for place in places(theorem, worlds=worlds, seed=seed) if _nodes(place) <= MOST_NODES]
    return [place for kind in (TIGHT, STANDARD, DRAWN) for place in islice((p for p in there if p.kind == kind), worlds)]


def _nodes(place: Place) -> int:
    graph = place.objects.get("graph")
    return 0 if graph is None else sum(graph.shape)
