"""A table, a document and a ledger of what the theorems said on many worlds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from maetheory.core import provenance
from maetheory.reports.console import capturing_console
from maetheory.theory import Certificate, SearchedWorld, SearchResult, Verdict
from maetheory.theory.certified.survey import TheoremCertificates
from maetheory.theory.survey import TheoremSurvey, WorldCheck

_VERDICT_ORDER = (
    Verdict.HOLDS,
    Verdict.TIGHT,
    Verdict.VACUOUS,
    Verdict.UNDECIDED,
    Verdict.INAPPLICABLE,
    Verdict.VIOLATED,
)
_ALWAYS_SHOWN = (Verdict.HOLDS, Verdict.TIGHT, Verdict.VIOLATED)
_MIN_WIDTH = 132
_LEGEND = (
    "Counts of worlds by verdict (N/A: an assumption fails). Slack: the smallest slack over scale where the claim is "
    "not TIGHT; for a claim that always is, 0 up to round-off. Tightness: 1 - |slack| / larger side, the median "
    "over worlds (1: equality; the smaller side over the larger; below 0: the sides differ in sign)."
)


def checks_text(
    rows: Sequence[TheoremSurvey],
    searches: Sequence[SearchResult] = (),
    certified: Sequence[TheoremCertificates] = (),
    *,
    colour: bool = False,
    width: int = 0,
) -> str:
    """Return the table of all theorems, which assumption fails where, what was proved and what was found, as text.

    Parameters
    ----------
    rows : sequence of Row
    searches : sequence of Search
    certified : sequence of Certified
    colour : bool
        Whether to colour the text for a terminal.
    width : int
        Columns of the terminal; at least 132 are used.
    """
    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    with console.capture() as captured:
        console.print(_survey_table(rows))
        console.print(_LEGEND)
        if any(row.needed for row in rows):
            console.print("\nWhat each assumption is for: a world where it alone fails, and what was measured there")
            console.print(_assumption_table(rows))
        if certified:
            console.print("\nProved in ball arithmetic, in worlds of few nodes; slack: the least lower end above 0")
            console.print(_certificate_table(certified))
        for line in [*_violations(rows, certified), *map(search_text, searches)]:
            console.print(f"\n{line}", markup=False)
    return captured.get().rstrip()


def _verdict_table(counts: Sequence[dict[str, int]], *others: str) -> tuple[Any, list[list[Any]]]:
    """Return a table with a column per verdict that occurs, and the cells of these columns for each theorem."""
    from rich.table import Table
    from rich.text import Text

    shown = [v for v in _VERDICT_ORDER if v in _ALWAYS_SHOWN or any(count[v] for count in counts)]
    table = Table(box=None, pad_edge=False)
    table.add_column("theorem", no_wrap=True)
    for name in (*("N/A" if v is Verdict.INAPPLICABLE else v.value for v in shown), *others):
        table.add_column(name, justify="right")
    red = "bold red"
    cells = [[Text(str(n[v]), style=red if v is Verdict.VIOLATED and n[v] else "") for v in shown] for n in counts]
    return table, cells


def _survey_table(rows: Sequence[TheoremSurvey]) -> Any:
    table, cells = _verdict_table([row.counts for row in rows], "slack", "tightness")
    table.add_column("least slack in", overflow="fold")
    for row, counts in zip(rows, cells, strict=True):
        least = row.smallest
        table.add_row(
            row.theorem.slug,
            *counts,
            f"{least.check.relative_slack:.2g}" if least else "–",
            f"{row.tightness:.2f}",
            least.world if least else "–",
        )
    return table


def _certificate_table(certified: Sequence[TheoremCertificates]) -> Any:
    table, cells = _verdict_table([one.counts for one in certified], "slack", "most bits")
    for one, counts in zip(certified, cells, strict=True):
        positive = [c.slack.low for _, c in one.found if c.slack.low > 0 and c.verdict is not Verdict.INAPPLICABLE]
        least = f"{min(positive):.2g}" if positive else "–"
        bits = str(max(c.bits for _, c in one.found)) if one.found else "no version in balls"
        table.add_row(one.slug, *counts, least, bits)
    return table


def _assumption_table(rows: Sequence[TheoremSurvey]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("theorem", "assumption", "measured"):
        table.add_column(name, overflow="fold")
    for row in rows:
        for name, assumption in row.needed.items():
            table.add_row(row.theorem.slug, name, assumption.measured)
    return table


def _violations(rows: Iterable[TheoremSurvey], certified: Iterable[TheoremCertificates]) -> Iterator[str]:
    for row in rows:
        for visit in row.visits:
            if visit.check.verdict is Verdict.VIOLATED:
                yield f"{row.theorem.slug}, {visit.world}\n{visit.check}"
    for one in certified:
        for world, certificate in one.found:
            if certificate.verdict is Verdict.VIOLATED:
                yield f"{one.slug}, {world}, certified\n{certificate}"


def search_text(found: SearchResult) -> str:
    """Say how many worlds were searched, the least slack, its world, and the call that finds it again."""
    head = f"search {found.slug}: {found.worlds} worlds drawn, {found.applicable} applicable"
    if found.smallest is None:
        return head
    least = found.smallest
    return (
        f"{head}, smallest slack {least.check.slack:.3g} ({least.relative_slack:.3g} of the scale)\n"
        f"{least}\nagain: {replay_call(least)}"
    )


def replay_call(found: SearchedWorld) -> str:
    """Return the Python call that finds this world again, before it was shrunk."""
    return (
        f'maetheory.theory.replay(THEOREMS["{found.slug}"], seed={found.seed}, number={found.number}, '
        f"descend={found.descended})"
    )


def checks_document(
    rows: Sequence[TheoremSurvey], searches: Sequence[SearchResult] = (), certified: Sequence[TheoremCertificates] = ()
) -> dict[str, Any]:
    """Return what :func:`checks_text` says as one JSON-ready document; what is not a finite number is null."""
    everything: Sequence[TheoremSurvey | SearchResult | TheoremCertificates] = (*rows, *searches, *certified)
    return {
        "violated": any(one.violated for one in everything),
        "theorems": [_theorem_document(row) for row in rows],
        "searches": [_search_document(found) for found in searches],
        "certificates": [_certificate_document(one.slug, *found) for one in certified for found in one.found],
    }


def _certificate_document(slug: str, world: str, certificate: Certificate) -> dict[str, Any]:
    sides = {
        name: [_finite_or_none(side.low), _finite_or_none(side.high)]
        for name, side in (("lhs", certificate.lhs), ("rhs", certificate.rhs), ("slack", certificate.slack))
    }
    return {
        "slug": slug,
        "world": world,
        "verdict": certificate.verdict.value,
        **sides,
        "bits": certificate.bits,
        "note": certificate.note,
    }


def _theorem_document(row: TheoremSurvey) -> dict[str, Any]:
    return {
        "slug": row.theorem.slug,
        "statement": row.theorem.statement,
        "reference": row.theorem.reference,
        "worlds": len(row.visits),
        "verdicts": row.counts,
        "tightness": _finite_or_none(row.tightness),
        "smallest": _check_document(row.smallest) if row.smallest else None,
        "assumptions": [{"name": a.name, "measured": a.measured} for a in row.needed.values()],
        "violations": [_check_document(visit) for visit in row.visits if visit.check.verdict is Verdict.VIOLATED],
    }


def _check_document(visit: WorldCheck) -> dict[str, Any]:
    check = visit.check
    return {
        "world": visit.world,
        "kind": visit.kind,
        "verdict": check.verdict.value,
        "lhs": _finite_or_none(check.lhs),
        "rhs": _finite_or_none(check.rhs),
        "slack": _finite_or_none(check.slack),
        "relative_slack": _finite_or_none(check.relative_slack),
        "note": check.note,
    }


def _search_document(found: SearchResult) -> dict[str, Any]:
    least = found.smallest
    document: dict[str, Any] = {"slug": found.slug, "worlds": found.worlds, "applicable": found.applicable}
    if least is None:
        return {**document, "smallest": None}
    world = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in least.world.objects.items()}
    law = None if least.world.law is None else least.world.law.tolist()
    where = {"seed": least.seed, "number": least.number, "descended": least.descended, "replay": replay_call(least)}
    check = _check_document(WorldCheck("search", f"world {least.number} of seed {least.seed}", least.check))
    return {**document, "smallest": {**check, **where, "objects": world, "law": law}}


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def check_records(rows: Iterable[TheoremSurvey], *, seed: int) -> list[dict[str, Any]]:
    """Return one ledger record per check, with provenance: metric "slack", readout the world's name."""
    origin = provenance(seed=seed)
    return [
        {
            "experiment": "check",
            "objective": row.theorem.slug,
            "seed": seed,
            "readout": visit.world,
            "metric": "slack",
            "value": _finite_or_none(visit.check.slack),
            **_check_document(visit),
            "provenance": origin,
        }
        for row in rows
        for visit in row.visits
    ]
