"""Theorem checks, searches and certificates as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from maetheory.reports.console import borderless_table, capturing_console
from maetheory.reports.theorem_check_records import replay_call
from maetheory.theory import SearchResult, Verdict
from maetheory.theory.certified.survey import TheoremCertificates
from maetheory.theory.survey import TheoremSurvey

if TYPE_CHECKING:
    from rich.table import Column, Table
    from rich.text import Text

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
    "Counts of worlds by verdict; N/A: an assumption fails. Slack: the smallest slack / scale among the worlds where "
    "the claim is not TIGHT; 0 up to rounding error for a claim that is TIGHT in all of them. Tightness: median over "
    "worlds of 1 - |slack| / larger side, which is 1 at equality and negative if the sides differ in sign."
)
_NECESSITY_HEADING = "Necessity of assumptions: a world where only this one fails, and what was measured there"
_CERTIFICATE_HEADING = "Proved in ball arithmetic, in worlds of few nodes; slack: smallest lower bound above 0"


def checks_text(
    surveys: Sequence[TheoremSurvey],
    searches: Sequence[SearchResult] = (),
    certified: Sequence[TheoremCertificates] = (),
    *,
    colour: bool = False,
    width: int = 0,
) -> str:
    """Return the table of verdicts, the failing assumptions, the certificates and the searches as text.

    Parameters
    ----------
    surveys : sequence of TheoremSurvey
    searches : sequence of SearchResult
    certified : sequence of TheoremCertificates
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 132.
    """
    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    with console.capture() as captured:
        console.print(_survey_table(surveys))
        console.print(_LEGEND)
        if any(survey.failing_assumptions for survey in surveys):
            console.print(f"\n{_NECESSITY_HEADING}")
            console.print(_assumption_table(surveys))
        if certified:
            console.print(f"\n{_CERTIFICATE_HEADING}")
            console.print(_certificate_table(certified))
        for line in [*_violation_texts(surveys, certified), *map(search_text, searches)]:
            console.print(f"\n{line}", markup=False)
    return captured.get().rstrip()


def search_text(search: SearchResult) -> str:
    """Return the number of worlds searched, the smallest slack with its world, and the call that draws it again."""
    head = f"search {search.slug}: {search.worlds} worlds drawn, {search.applicable} applicable"
    found = search.smallest
    if found is None:
        return head
    return (
        f"{head}, smallest slack {found.check.slack:.3g} ({found.relative_slack:.3g} of the scale)\n"
        f"{found}\nreplay: {replay_call(found)}"
    )


def _verdict_columns(counts: Sequence[dict[str, int]], *others: str) -> tuple[list[Column], list[list[Text]]]:
    """Return the headings of the theorem, of each verdict that occurs and of `others`, and the counts as cells."""
    from rich.table import Column
    from rich.text import Text

    shown = [v for v in _VERDICT_ORDER if v in _ALWAYS_SHOWN or any(count[v] for count in counts)]
    names = ["N/A" if v is Verdict.INAPPLICABLE else v.value for v in shown]
    columns = [Column("theorem", no_wrap=True), *(Column(name, justify="right") for name in (*names, *others))]
    red = "bold red"
    cells = [[Text(str(n[v]), style=red if v is Verdict.VIOLATED and n[v] else "") for v in shown] for n in counts]
    return columns, cells


def _survey_table(surveys: Sequence[TheoremSurvey]) -> Table:
    from rich.table import Column

    columns, cells = _verdict_columns([survey.counts for survey in surveys], "slack", "tightness")
    rows = []
    for survey, counts in zip(surveys, cells, strict=True):
        least = survey.smallest
        slack, world = (f"{least.check.relative_slack:.2g}", least.world) if least else ("–", "–")
        rows.append((survey.theorem.slug, *counts, slack, f"{survey.tightness:.2f}", world))
    return borderless_table([*columns, Column("world of smallest slack", overflow="fold")], rows)


def _certificate_table(certified: Sequence[TheoremCertificates]) -> Table:
    columns, cells = _verdict_columns([one.counts for one in certified], "slack", "most bits")
    rows = []
    for one, counts in zip(certified, cells, strict=True):
        positive = [
            c.slack.low for _, c in one.certificates if c.slack.low > 0 and c.verdict is not Verdict.INAPPLICABLE
        ]
        slack = f"{min(positive):.2g}" if positive else "–"
        bits = str(max(c.bits for _, c in one.certificates)) if one.certificates else "not available"
        rows.append((one.slug, *counts, slack, bits))
    return borderless_table(columns, rows)


def _assumption_table(surveys: Sequence[TheoremSurvey]) -> Table:
    from rich.table import Column

    columns = [Column(name, overflow="fold") for name in ("theorem", "assumption", "measured")]
    rows = [
        (survey.theorem.slug, name, a.measured) for survey in surveys for name, a in survey.failing_assumptions.items()
    ]
    return borderless_table(columns, rows)


def _violation_texts(surveys: Iterable[TheoremSurvey], certified: Iterable[TheoremCertificates]) -> Iterator[str]:
    """Yield the theorem, the world and both sides of every violation."""
    for survey in surveys:
        for visit in survey.checks:
            if visit.check.verdict is Verdict.VIOLATED:
                yield f"{survey.theorem.slug}, {visit.world}\n{visit.check}"
    for one in certified:
        for world, certificate in one.certificates:
            if certificate.verdict is Verdict.VIOLATED:
                yield f"{one.slug}, {world}, certified\n{certificate}"
