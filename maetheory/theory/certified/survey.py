"""Certify theorems on their tight examples and on survey worlds of at most 64 nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from maetheory.core import Progress, no_progress
from maetheory.theory.certified.certificate import certify
from maetheory.theory.certified.certificate_files import CertificateFiles
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.certified.verdicts import Certificate
from maetheory.theory.survey import BROKEN, NamedWorld, survey_worlds
from maetheory.theory.theorem import Theorem, Verdict

MAX_SURVEY_NODES = 64
"""Largest number of nodes (views and targets) of a world that a survey certifies."""


@dataclass(frozen=True)
class TheoremCertificates:
    """Certificates of one theorem on several worlds.

    Attributes
    ----------
    slug : str
    certificates : tuple of (str, Certificate)
        Name of the world, as in a survey, and its certificate; empty for a theorem without a version in balls.
    """

    slug: str
    certificates: tuple[tuple[str, Certificate], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of certificates with each verdict."""
        seen = Counter(certificate.verdict for _, certificate in self.certificates)
        return {verdict.value: seen[verdict] for verdict in Verdict}

    @property
    def violated(self) -> bool:
        """Whether the claim is proved to be false in some world."""
        return self.counts[Verdict.VIOLATED] > 0


def certify_theorems(
    theorems: Iterable[Theorem],
    *,
    worlds: int = 40,
    seed: int = 0,
    progress: Progress = no_progress,
    files: CertificateFiles | None = None,
) -> tuple[TheoremCertificates, ...]:
    """Certify theorems on the worlds of a survey with at most :data:`MAX_SURVEY_NODES` nodes, except broken ones.

    Parameters
    ----------
    theorems : iterable of Theorem
    worlds, seed : int
        As for :func:`maetheory.theory.survey.survey`.
    progress : Progress
        Called after each theorem.
    files : CertificateFiles, optional
        Gets every verdict, also those of the broken worlds, in which a claim without an assumption may be violated.

    Raises
    ------
    InputError
        If python-flint is missing.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> certified, = certify_theorems([THEOREMS["pair-error-bounded-by-label-errors"]], worlds=0)
    >>> certified.violated, certified.counts["UNDECIDED"], certified.certificates[0][0]
    (False, 0, 'tight example')
    """
    certified, everything = [], tuple(theorems)
    for done, theorem in enumerate(everything, 1):
        there = survey_worlds(theorem, worlds=worlds, seed=seed) if theorem.slug in CERTIFIED_SIDES else ()
        small = [world for world in there if _n_nodes(world) <= MAX_SURVEY_NODES]
        wanted = [world for world in small if world.kind != BROKEN or files is not None]
        found = [(world, certify(theorem, **world.objects)) for world in wanted]
        if files is not None:
            for world, certificate in found:
                files.add(theorem, world.name, world.objects, certificate)
        certificates = tuple((world.name, certificate) for world, certificate in found if world.kind != BROKEN)
        certified.append(TheoremCertificates(theorem.slug, certificates))
        progress(done, len(everything), f"certify {theorem.slug}")
    return tuple(certified)


def _n_nodes(world: NamedWorld) -> int:
    graph = world.objects.get("graph")
    return 0 if graph is None else sum(graph.shape)
