"""Reports of the referee as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maetheory.core.json_documents import finite_or_none, json_ready
from maetheory.reports.theorem_check_records import object_document
from maetheory.theory import SearchedWorld
from maetheory.theory.referee import RefereeReport, Violation


def referee_document(reports: Sequence[RefereeReport]) -> dict[str, Any]:
    """Return reports as one JSON-ready document; numbers that are not finite are null."""
    return {"violated": any(one.violated for one in reports), "claims": [claim_document(one) for one in reports]}


def claim_document(report: RefereeReport) -> dict[str, Any]:
    """Return the report on one claim; all but `seconds` depends on the claim, seed and number of worlds alone."""
    theorem, vacuity, coverage = report.theorem, report.vacuity, report.coverage
    return {
        "slug": theorem.slug,
        "statement": theorem.statement,
        "reference": theorem.reference,
        "verdict": report.verdict,
        "worlds": report.worlds,
        "seed": report.seed,
        "seconds": round(report.seconds, 2),
        "stopped": report.stopped,
        "violation": None if report.violation is None else _violation_document(report.violation),
        "vacuity": {
            "lhs": [finite_or_none(end) for end in vacuity.lhs],
            "rhs": [finite_or_none(end) for end in vacuity.rhs],
            "trivial": vacuity.trivial,
            "vacuous": vacuity.vacuous,
            "margin": finite_or_none(vacuity.margin),
            "witness": _world_document(vacuity.witness),
            "least_slack": finite_or_none(vacuity.least_slack),
            "closest": _world_document(vacuity.closest),
        },
        "assumptions": [
            {
                "name": one.name,
                "need": one.need.value,
                "tries": one.tries,
                "met": one.met,
                "failed": one.failed,
                "note": one.note,
                "world": _world_document(one.world),
            }
            for one in report.assumptions
        ],
        "factors": [
            {
                "term": one.term,
                "sharper": one.sharper,
                "reached": finite_or_none(one.reached),
                "broken": finite_or_none(one.broken),
                "note": one.note,
                "world": _world_document(one.world),
            }
            for one in report.factors
        ],
        "coverage": json_ready(coverage),
    }


def _violation_document(violation: Violation) -> dict[str, Any]:
    return {
        "world": _world_document(violation.found),
        "drawn": {
            "seed": violation.drawn.seed,
            "number": violation.drawn.number,
            "descended": violation.drawn.descended,
        },
        "proof": violation.proof,
        "proved": violation.proved,
        "code": violation.code,
        "test": violation.test,
    }


def _world_document(found: SearchedWorld | None) -> dict[str, Any] | None:
    if found is None:
        return None
    check, world = found.check, found.world
    return {
        "lhs": finite_or_none(check.lhs),
        "rhs": finite_or_none(check.rhs),
        "slack": finite_or_none(check.slack),
        "law": _law_document(world.law) if world.law is not None else object_document(world.graph),
        "labels": json_ready(world.labels),
        "objects": {name: object_document(value) for name, value in world.objects.items()},
    }


def _law_document(law: Any) -> Any:
    """Return a law as its non-zero entries, [image, view, target, probability]."""
    return [[*map(int, where), float(law[tuple(where)])] for where in zip(*law.nonzero())]
