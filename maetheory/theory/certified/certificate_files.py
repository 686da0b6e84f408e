"""Certificates as JSON files that :mod:`check_certificate` verifies without this package.

A file states a world in rational numbers, a statement, an interval for each side, a verdict, and witnesses: bounds of
eigenvalues, a multiplier. It is written only if the checker accepts it and its sides agree with those of
:func:`~maetheory.theory.certified.certificate.certify`, so that each file is an agreement of two implementations.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from maetheory.core import atomic_write, make_folder, printable
from maetheory.core.json_documents import strict_json
from maetheory.theory.certified import check_certificate as checker
from maetheory.theory.certified import check_counterexample
from maetheory.theory.certified.balls import Ball, BallMatrix, ball, ball_matrix, precision, rescale
from maetheory.theory.certified.counterexample_files import COUNTEREXAMPLE_STATEMENTS, counterexample_document
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.graph_comparison_theorems import loewner_fall
from maetheory.theory.certified.portable_worlds import NotPortableError, joint_text, matrix_text, stated_sides
from maetheory.theory.certified.probe import as_rational, independent_columns
from maetheory.theory.certified.probe_bounds import MultiplierBound, bisect_slope
from maetheory.theory.certified.spectrum import eigenvalues
from maetheory.theory.certified.verdicts import Certificate
from maetheory.theory.statements.label_error_alone_is_not_enough import label_blind_pair
from maetheory.theory.theorem import Theorem, Verdict
from maetheory.theory.theorem_objects import Objects

FORMAT, VERSION = "maetheory certificate", 1
_BITS = 424
_GRID = Fraction(1, 2**140)
"""Bounds of eigenvalues are multiples of this."""
_MAX_PATH = 4096
_STEPS, _STEPS_WITHOUT_MINIMUM = (-44, -34, -26, -18, -10, 0, 10), (-1,)
"""Binary logarithms of the distances tried between multipliers, relative to the multiplier where that is above one."""


def certificate_document(
    theorem: Theorem, world_name: str, objects: Objects, certificate: Certificate
) -> dict[str, Any]:
    """Return the certificate of a verdict as a document for :mod:`check_certificate`.

    Parameters
    ----------
    theorem : Theorem
    world_name : str
    objects : mapping
        Objects of the world, with its graph.
    certificate : Certificate
        Its result. INAPPLICABLE becomes VIOLATED without the assumptions that fail, where the claim fails with them.

    Raises
    ------
    NotPortableError
        If the checker does not know the statement, or its arithmetic does not prove the verdict.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS, certify
    >>> split = THEOREMS["alignment-split"]
    >>> document = certificate_document(split, "tight example", split.tight(), certify(split, **split.tight()))
    >>> document["verdict"], document["lhs"] == document["rhs"]
    ('TIGHT', True)
    """
    if theorem.slug not in _EXPORTS:
        raise NotPortableError("the checker has no formulas for this statement")
    failing = [assumption.name for assumption in certificate.assumptions if not assumption.holds]
    verdict = Verdict.VIOLATED if failing else certificate.verdict
    if verdict is Verdict.UNDECIDED or (failing and not certificate.slack.high < 0):
        raise NotPortableError(f"the verdict is {certificate.verdict.value}")
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "statement": theorem.slug,
        "claim": theorem.statement,
        "world_name": world_name,
        "verdict": verdict.value,
        "without": failing,
        "world": _EXPORTS[theorem.slug].world(objects),
    }
    reason = ""
    for witnesses in _EXPORTS[theorem.slug].witnesses(objects):
        proof = checker.Certificate({**document, **witnesses})
        try:
            proof.file.update(stated_sides(proof, str(checker.STATEMENTS[theorem.slug][0]), certificate))
            proof.prove()
            return proof.file
        except (ArithmeticError, LookupError, ValueError) as error:
            reason = f"the checker says: {error}"
    raise NotPortableError(reason)


def _spanning(features: np.ndarray) -> np.ndarray:
    """First columns that span all others; a column of zeros if all are zero."""
    return features[:, independent_columns(features) or [0]]


def _least_lipschitz(objects: Objects) -> Fraction:
    """Smallest L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all pairs of views that share a target, 1 if all are aligned."""
    rows = [[[as_rational(x) for x in row] for row in objects[name]] for name in ("features", "h")]
    law = objects["graph"].joint.toarray() > 0
    ratios = []
    for i, j in zip(*np.nonzero(np.triu(law @ law.T, 1))):
        far, near = (sum((x - y) ** 2 for x, y in zip(one[i], one[j])) for one in rows)
        if far and not near:
            raise NotPortableError("the decoder merges two views of one target")
        if far:
            ratios.append(Fraction(far / near))
    return max(ratios, default=Fraction(1))


def _world_of(*names: str, spanning: bool = False, labels: bool = False) -> Callable[[Objects], dict[str, Any]]:
    """Return the function that writes a graph and some of the objects."""

    def write(objects: Objects) -> dict[str, Any]:
        world: dict[str, Any] = {"joint": joint_text(objects["graph"])}
        for name in names:
            rows = np.asarray(objects[name])
            world[name] = matrix_text(_spanning(rows) if spanning else rows)
        if labels:
            world["labels"] = [int(label) for label in objects["graph"].view_labels]
        return world

    return write


def _world_with_constants(objects: Objects) -> dict[str, Any]:
    lipschitz = as_rational(objects["lipschitz"]) if "lipschitz" in objects else _least_lipschitz(objects)
    weight = as_rational(objects["weight"]) if "weight" in objects else 1 / (4 * lipschitz)
    constants = {"lipschitz": [[str(lipschitz)]], "weight": [[str(weight)]]}
    return _world_of("features", "h", "h_g", "targets")(objects) | constants


def _world_with_channel(labels: bool) -> Callable[[Objects], dict[str, Any]]:
    """Return the function that writes a graph and a channel, without the outcomes that never occur."""

    def write(objects: Objects) -> dict[str, Any]:
        channel = np.asarray(objects["channel"])
        return _world_of("channel", labels=labels)({**objects, "channel": channel[:, (channel != 0).any(0)]})

    return write


def _blind_pair(objects: Objects) -> dict[str, Any]:
    within, across = label_blind_pair(int(objects["classes"]))
    one, other = (matrix_text((graph.joint.toarray() > 0).astype(int)) for graph in (within, across))
    return {"joint": one, "features": one, "other": other, "labels": [int(y) for y in within.view_labels]}


def _no_witness(objects: Objects) -> list[dict[str, Any]]:
    return [{}]


def _graph_spectrum(objects: Objects) -> list[dict[str, Any]]:
    """Bounds of all eigenvalues of Ā."""
    with precision(_BITS):
        graph = BallGraph(objects["graph"])
        inverse = [d.rsqrt() for d in graph.degrees[0]]
        return [{"eigenvalues": _bounds(rescale(graph.pair_law, inverse, inverse))}]


def _least_eigenvalue(objects: Objects) -> list[dict[str, Any]]:
    with precision(_BITS):
        fall = loewner_fall(BallGraph(objects["graph"]), ball_matrix(np.asarray(objects["channel"])))
        return [{"eigenvalues": _bounds(fall)[-1:]}]


def _multipliers(objects: Objects) -> Iterator[dict[str, Any]]:
    """Multiplier near the minimum, and bounds of the eigenvalues there and at several distances on both sides.

    Where no pair disagrees the bound falls forever, and the multiplier lies in the middle of the checker's range.
    """
    with precision(_BITS):
        bound = MultiplierBound(BallGraph(objects["graph"]), np.asarray(objects["features"]))
        endless = bound.phi.is_zero()
        multiplier = Fraction(checker.CAP, 2) if endless else Fraction(bisect_slope(bound.slope))
    for step in _STEPS_WITHOUT_MINIMUM if endless else _STEPS:
        distance = Fraction(2) ** step * max(Fraction(1), Fraction(math.floor(multiplier)))
        with precision(_BITS):
            at = (ball(multiplier + side * distance) for side in (-1, 0, 1))
            bounds = [_bounds(bound.matrix_at(mu))[: len(bound.masses)] for mu in at]
        yield {"multiplier": [[str(multiplier), str(distance)]], "bounds": bounds}


def _bounds(symmetric: BallMatrix) -> list[list[str]]:
    """Bounds of all eigenvalues of a symmetric matrix, descending, beside them and not on them."""
    ends = [(_exact(value.lower()), _exact(value.upper())) for value in eigenvalues(symmetric)[0]]
    return [
        [str((math.floor(low / _GRID) - 1) * _GRID), str((math.ceil(high / _GRID) + 1) * _GRID)] for low, high in ends
    ]


def _exact(point: Ball) -> Fraction:
    """Return a ball of radius zero as a rational number."""
    mantissa, exponent = point.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


@dataclass(frozen=True)
class _Export:
    """How the world of a statement is written, and the witnesses that are tried in turn."""

    world: Callable[[Objects], dict[str, Any]]
    witnesses: Callable[[Objects], Iterable[dict[str, Any]]] = _no_witness


_EXPORTS: Mapping[str, _Export] = MappingProxyType(
    {
        "alignment-split": _Export(_world_of("h", "targets")),
        "reconstruction-bounds-alignment": _Export(_world_of("h", "h_g", "targets")),
        "reconstruction-bounds-asymmetric-alignment": _Export(_world_of("h", "h_g", "targets")),
        "full-collapse-costs-variance": _Export(_world_of("features", "h", "targets")),
        "umae-bounded-by-graph-tail": _Export(_world_with_constants, _graph_spectrum),
        "umae-downstream-bound-exceeds-six": _Export(_world_of(labels=True)),
        "spectral-features-bound-downstream-error": _Export(_world_of("features", labels=True), _graph_spectrum),
        "certificate-bounds-downstream-error": _Export(_world_of("features", spanning=True, labels=True), _multipliers),
        "label-error-alone-is-not-enough": _Export(_blind_pair),
        "data-processing-shrinks-spectrum": _Export(_world_with_channel(labels=False), _least_eigenvalue),
        "data-processing-raises-pair-error": _Export(_world_with_channel(labels=True)),
    }
)


PORTABLE_STATEMENTS = tuple(_EXPORTS)
"""Statements that the checker has formulas for."""


def _copy_checker(module: ModuleType, folder: Path) -> None:
    source = Path(str(module.__file__))
    make_folder(folder)
    with atomic_write(folder / source.name) as temporary:
        temporary.write_bytes(source.read_bytes())


@dataclass
class CertificateFiles:
    """Folder of certificates, with a copy of the checker, and of counterexamples, with theirs.

    Attributes
    ----------
    folder : Path
        Its subfolder ``counterexamples`` holds the worlds in which a statement without an assumption fails, where
        :mod:`check_counterexample` is what reads them.
    written : list of Path
        Files written, in order.
    not_portable : Counter of (str, str)
        Number of verdicts without a file, by statement and reason.
    """

    folder: Path
    written: list[Path] = field(default_factory=list)
    not_portable: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        _copy_checker(checker, self.folder)

    @property
    def counterexamples(self) -> Path:
        """Folder of the counterexamples."""
        return self.folder / "counterexamples"

    def add(self, theorem: Theorem, world_name: str, objects: Objects, certificate: Certificate) -> None:
        """Write the certificate of a verdict, or count it with the reason why there is none."""
        counter = theorem.slug in COUNTEREXAMPLE_STATEMENTS
        make = counterexample_document if counter else certificate_document
        try:
            document = make(theorem, world_name, objects, certificate)
        except NotPortableError as error:
            self.not_portable[theorem.slug, str(error)] += 1
            return
        folder = self.counterexamples if counter else self.folder
        if counter and not folder.exists():
            _copy_checker(check_counterexample, folder)
        path = folder / f"{theorem.slug}--{_path_slug(world_name)}.json"
        with atomic_write(path) as temporary:
            temporary.write_text(strict_json(document, indent=1) + "\n", encoding="utf-8")
        self.written.append(path)

    def __str__(self) -> str:
        inside = sum(path.parent == self.counterexamples for path in self.written)
        head = f"Certificates in {printable(str(self.folder), _MAX_PATH)}: {len(self.written)}"
        head += f", of which {inside} in counterexamples/." if inside else "."
        known = (*PORTABLE_STATEMENTS, *COUNTEREXAMPLE_STATEMENTS)
        left = {slug for slug, _ in self.not_portable}
        groups = {
            "no formulas in the checker": left - set(known),
            "counterexamples alone": left & set(COUNTEREXAMPLE_STATEMENTS),
        }
        parts = [f"{len(slugs)} statement{'s' * (len(slugs) != 1)} ({why})" for why, slugs in groups.items() if slugs]
        for slug in PORTABLE_STATEMENTS:
            reasons = [f"{number} ({reason})" for (of, reason), number in self.not_portable.items() if of == slug]
            parts += [f"{slug}: {', '.join(reasons)}"] if reasons else []
        return f"{head} No portable certificate: {'; '.join(parts)}." if parts else head


def _path_slug(name: str) -> str:
    """Return a name as lower-case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
