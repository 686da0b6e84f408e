"""A table, a document and a ledger of what the theorems said on many worlds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from maetheory.core import provenance
from maetheory.reports.console import console_of
from maetheory.theory import Certificate, Found, Search, Verdict
from maetheory.theory.certificates import Certified
from maetheory.theory.survey import Row, Visit

_COLUMNS = (Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS, Verdict.UNDECIDED, Verdict.INAPPLICABLE, Verdict.VIOLATED)
_ALWAYS = (Verdict.HOLDS, Verdict.TIGHT, Verdict.VIOLATED)
_NARROWEST = 132
_LEGEND = (
    "Counts of worlds by verdict (N/A: an assumption fails). Slack: the smallest slack over scale where the claim is "
    "not TIGHT; for a claim that always is, 0 up to round-off. Tightness: 1 - |slack| / larger side, the median "
    "over worlds (1: equality; the smaller side over the larger; below 0: the sides differ in sign)."
)


def checks_text(
    rows: Sequence[Row],
    searches: Sequence[Search] = (),
    certified: Sequence[Certified] = (),
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
    console = console_of(max(width, _NARROWEST), colour=colour)
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

    shown = [v for v in _COLUMNS if v in _ALWAYS or any(count[v] for count in counts)]
    table = Table(box=None, pad_edge=False)
    table.add_column("theorem", no_wrap=True)
    for name in (*("N/A" if v is Verdict.INAPPLICABLE else v.value for v in shown), *others):
        table.add_column(name, justify="right")
    red = "bold red"
    cells = [[Text(str(n[v]), style=red if v is Verdict.VIOLATED and n[v] else "") for v in shown] for n in counts]
    return table, cells


def _survey_table(rows: Sequence[Row]) -> Any:
    table, cells = _verdict_table([row.counts for row in rows], "slack", "tightness")
    table.add_column("least slack in", overflow="fold")
    for row, counts in zip(rows, cells, strict=True):
        least = row.smallest
        table.add_row(row.theorem.slug, *counts, f"{least.check.relative_slack:.2g}" if least else "–",
                      f"{row.tightness:.2f}", least.world if least else "–")  # fmt: skip
    return table


def _certificate_table(certified: Sequence[Certified]) -> Any:
    table, cells = _verdict_table([one.counts for one in certified], "slack", "most bits")
    for one, counts in zip(certified, cells, strict=True):
        positive = [c.slack.low for _, c in one.found if c.slack.low > 0 and c.verdict is not Verdict.INAPPLICABLE]
        least = f"{min(positive):.2g}" if positive else "–"
        bits = str(max(c.bits for _, c in one.found)) if one.found else "no version in balls"
        table.add_row(one.slug, *counts, least, bits)
    return table


def _assumption_table(rows: Sequence[Row]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("theorem", "assumption", "measured"):
        table.add_column(name, overflow="fold")
    for row in rows:
        for name, assumption in row.needed.items():
            table.add_row(row.theorem.slug, name, assumption.measured)
    return table


def _violations(rows: Iterable[Row], certified: Iterable[Certified]) -> Iterator[str]:
    for row in rows:
        for visit in row.visits:
            if visit.check.verdict is Verdict.VIOLATED:
                yield f"{row.theorem.slug}, {visit.world}\n{visit.check}"
    for one in certified:
        for world, certificate in one.found:
            if certificate.verdict is Verdict.VIOLATED:
                yield f"{one.slug}, {world}, certified\n{certificate}"


def search_text(found: Search) -> str:
    """Say how many worlds were searched, the least slack, its world, and the call that finds it again."""
    head = f"search {found.slug}: {found.worlds} worlds drawn, {found.applicable} applicable"
    if found.smallest is None:
        return head
    least = found.smallest
    return (f"{head}, smallest slack {least.check.slack:.3g} ({least.relative_slack:.3g} of the scale)\n"
            f"{least}\nagain: {replay_call(least)}")  # fmt: skip


def replay_call(found: Found) -> str:
    """Return the Python call that finds this world again, before it was shrunk."""
    return (f'maetheory.theory.replay(THEOREMS["{found.slug}"], seed={found.seed}, number={found.number}, '
            f"descend={found.descended})")  # fmt: skip


def checks_document(
    rows: Sequence[Row], searches: Sequence[Search] = (), certified: Sequence[Certified] = ()
) -> dict[str, Any]:
    """Return what :func:`checks_text` says as one JSON-ready document; what is not a finite number is null."""
    everything: Sequence[Row | Search | Certified] = (*rows, *searches, *certified)
    return {
        "violated": any(one.violated for one in everything),
        "theorems": [_theorem(row) for row in rows],
        "searches": [_search(found) for found in searches],
        "certificates": [_certificate(one.slug, *found) for one in certified for found in one.found],
    }


def _certificate(slug: str, world: str, certificate: Certificate) -> dict[str, Any]:
    sides = {name: [_number(side.low), _number(side.high)] for name, side in
             (("lhs", certificate.lhs), ("rhs", certificate.rhs), ("slack", certificate.slack))}  # fmt: skip
    return {"slug": slug, "world": world, "verdict": certificate.verdict.value, **sides, "bits": certificate.bits,
            "note": certificate.note}  # fmt: skip


def _theorem(row: Row) -> dict[str, Any]:
    return {
        "slug": row.theorem.slug,
        "statement": row.theorem.statement,
        "reference": row.theorem.reference,
        "worlds": len(row.visits),
        "verdicts": row.counts,
        "tightness": _number(row.tightness),
        "smallest": _visit(row.smallest) if row.smallest else None,
        "assumptions": [{"name": a.name, "measured": a.measured} for a in row.needed.values()],
        "violations": [_visit(visit) for visit in row.visits if visit.check.verdict is Verdict.VIOLATED],
    }


def _visit(visit: Visit) -> dict[str, Any]:
    check = visit.check
    return {
        "world": visit.world,
        "kind": visit.kind,
        "verdict": check.verdict.value,
        "lhs": _number(check.lhs),
        "rhs": _number(check.rhs),
        "slack": _number(check.slack),
        "relative_slack": _number(check.relative_slack),
        "note": check.note,
    }


def _search(found: Search) -> dict[str, Any]:
    least = found.smallest
    document: dict[str, Any] = {"slug": found.slug, "worlds": found.worlds, "applicable": found.applicable}
    if least is None:
        return {**document, "smallest": None}
    world = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in least.world.objects.items()}
    law = None if least.world.law is None else least.world.law.tolist()
    where = {"seed": least.seed, "number": least.number, "descended": least.descended, "replay": replay_call(least)}
    check = _visit(Visit("search", f"world {least.number} of seed {least.seed}", least.check))
    return {**document, "smallest": {**check, **where, "objects": world, "law": law}}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def check_records(rows: Iterable[Row], *, seed: int) -> list[dict[str, Any]]:
    """Return one ledger record per check, with provenance: metric "slack", readout the world's name."""
    origin = provenance(seed=seed)
    return [
        {"experiment": "check", "objective": row.theorem.slug, "seed": seed, "readout": visit.world, "metric": "slack",
         "value": _number(visit.check.slack), **_visit(visit), "provenance": origin}
        for row in rows
        for visit in row.visits
    ]  # fmt: skip
