"""Theorem checks, searches and certificates as a JSON document and as ledger records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from maetheory.core import provenance
from maetheory.core.json_documents import finite_or_none, json_ready
from maetheory.graph import MaskGraph
from maetheory.theory import Certificate, SearchedWorld, SearchResult, Verdict
from maetheory.theory.certified.certificate_files import CertificateFiles
from maetheory.theory.certified.survey import TheoremCertificates
from maetheory.theory.survey import TheoremSurvey, WorldCheck


def checks_document(
    surveys: Sequence[TheoremSurvey],
    searches: Sequence[SearchResult] = (),
    certified: Sequence[TheoremCertificates] = (),
    files: CertificateFiles | None = None,
) -> dict[str, Any]:
    """Return surveys, searches and certificates as one JSON-ready document; numbers that are not finite are null.

    Files of certificates are listed under "certificate_files" if there are any.
    """
    results: Sequence[TheoremSurvey | SearchResult | TheoremCertificates] = (*surveys, *searches, *certified)
    return {
        "violated": any(one.violated for one in results),
        "theorems": [_theorem_document(survey) for survey in surveys],
        "searches": [_search_document(search) for search in searches],
        "certificates": [_certificate_document(one.slug, *found) for one in certified for found in one.certificates],
        **({} if files is None else {"certificate_files": _files_document(files)}),
    }


def theorem_check_ledger_records(surveys: Iterable[TheoremSurvey], *, seed: int) -> list[dict[str, Any]]:
    """Return one ledger record per check, with provenance; its metric is "slack", its readout the world's name."""
    origin = provenance(seed=seed)
    return [
        {
            "experiment": "check",
            "objective": survey.theorem.slug,
            "seed": seed,
            "readout": visit.world,
            "metric": "slack",
            "value": finite_or_none(visit.check.slack),
            **_theorem_check_document(visit),
            "provenance": origin,
        }
        for survey in surveys
        for visit in survey.checks
    ]


def replay_call(found: SearchedWorld) -> str:
    """Return the Python call that draws a searched world again, before it was shrunk."""
    return (
        f'maetheory.theory.replay(THEOREMS["{found.slug}"], seed={found.seed}, number={found.number}, '
        f"descend={found.descended})"
    )


def _theorem_document(survey: TheoremSurvey) -> dict[str, Any]:
    return {
        "slug": survey.theorem.slug,
        "statement": survey.theorem.statement,
        "reference": survey.theorem.reference,
        "worlds": len(survey.checks),
        "verdicts": survey.counts,
        "tightness": finite_or_none(survey.tightness),
        "smallest": _theorem_check_document(survey.smallest) if survey.smallest else None,
        "assumptions": [{"name": a.name, "measured": a.measured} for a in survey.failing_assumptions.values()],
        "violations": [
            _theorem_check_document(visit) for visit in survey.checks if visit.check.verdict is Verdict.VIOLATED
        ],
    }


def _theorem_check_document(found: WorldCheck) -> dict[str, Any]:
    check = found.check
    return {
        "world": found.world,
        "kind": found.kind,
        "verdict": check.verdict.value,
        "lhs": finite_or_none(check.lhs),
        "rhs": finite_or_none(check.rhs),
        "slack": finite_or_none(check.slack),
        "relative_slack": finite_or_none(check.relative_slack),
        "note": check.note,
    }


def _search_document(search: SearchResult) -> dict[str, Any]:
    document: dict[str, Any] = {"slug": search.slug, "worlds": search.worlds, "applicable": search.applicable}
    found = search.smallest
    if found is None:
        return document | {"smallest": None}
    world = found.world
    check = WorldCheck("search", f"world {found.number} of seed {found.seed}", found.check)
    smallest = _theorem_check_document(check) | {
        "seed": found.seed,
        "number": found.number,
        "descended": found.descended,
        "replay": replay_call(found),
        "objects": {name: object_document(value) for name, value in world.objects.items()},
        "law": json_ready(world.law),
    }
    return document | {"smallest": smallest}


def object_document(value: Any) -> Any:
    """Return an object of a world as JSON values: a graph as its joint law and labels, a function as its name."""
    if isinstance(value, MaskGraph):
        return {"joint": json_ready(value.joint), "labels": json_ready(value.image_labels)}
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return json_ready(value)


def _files_document(files: CertificateFiles) -> dict[str, Any]:
    return {
        "folder": str(files.folder),
        "written": [path.relative_to(files.folder).as_posix() for path in files.written],
        "not_portable": [
            {"slug": slug, "reason": reason, "verdicts": number}
            for (slug, reason), number in files.not_portable.items()
        ],
    }


def _certificate_document(slug: str, world: str, certificate: Certificate) -> dict[str, Any]:
    sides = {"lhs": certificate.lhs, "rhs": certificate.rhs, "slack": certificate.slack}
    return {
        "slug": slug,
        "world": world,
        "verdict": certificate.verdict.value,
        **{name: [finite_or_none(side.low), finite_or_none(side.high)] for name, side in sides.items()},
        "bits": certificate.bits,
        "note": certificate.note,
    }
