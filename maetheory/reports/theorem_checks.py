"""Theorem checks, searches and certificates as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from maetheory.reports.console import borderless_table, capturing_console
from maetheory.reports.theorem_check_records import replay_call
from maetheory.theory import SearchResult, Verdict
from maetheory.theory.certified.certificate_files import CertificateFiles
from maetheory.theory.certified.survey import TheoremCertificates
from maetheory.theory.survey import TheoremSurvey
from maetheory.theory.theorem_names import paper_number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_VERDICT_ORDER = (
    Verdict.HOLDS,
    Verdict.TIGHT,
    Verdict.VACUOUS,
    Verdict.UNDECIDED,
    Verdict.INAPPLICABLE,
    Verdict.VIOLATED,
)
MIN_WIDTH = 60
DETAILED = 5  # statements up to which their claims, counts and assumptions are printed too
_LEGEND = (
    "number: of the paper; ours, step: a statement on that theorem, a step of its proof. verdict: VIOLATED if any "
    "world violates the claim, else HOLDS if it holds in any without equality, else the commonest. worlds: how many "
    "have that verdict, of those where all assumptions hold."
)
_DETAILS_LEGEND = (
    "Slack: distance of the sides over the size of their terms, smallest among worlds that are not TIGHT; in VACUOUS "
    "ones the sides may be equal. Tightness: median over worlds of 1 - |slack| / larger side: 1 at equality, negative "
    "if the sides differ in sign."
)
_CERTIFICATE_HEADING = (
    "Proved in ball arithmetic, in worlds of few nodes; equal sides are TIGHT here, also where the bound is trivial; "
    "slack/size: distance of the sides over the size of their terms, its smallest lower bound above 0"
)


def checks_text(
    surveys: Sequence[TheoremSurvey],
    searches: Sequence[SearchResult] = (),
    certified: Sequence[TheoremCertificates] = (),
    files: CertificateFiles | None = None,
    *,
    colour: bool = False,
    width: int = 0,
) -> str:
    """Return the table of verdicts, the claims and assumptions of few statements, certificates and searches as text.

    Parameters
    ----------
    surveys : sequence of TheoremSurvey
    searches : sequence of SearchResult
    certified : sequence of TheoremCertificates
    files : CertificateFiles, optional
        Files in which certificates were written.
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 60. Up to five statements are shown with their claim, all counts
        and the assumptions that fail in one of the worlds.
    """
    console = capturing_console(max(width, MIN_WIDTH), colour=colour)
    with console.capture() as captured:
        console.print(_survey_table(surveys))
        if len(surveys) <= DETAILED:
            for survey in surveys:
                console.print(f"\n{_details(survey)}", markup=False)
            console.print(f"\n{_LEGEND} {_DETAILS_LEGEND}", markup=False)
        else:
            console.print(f"\n{_LEGEND}", markup=False)
            console.print("maetheory check NUMBER or NAME: the claim, all counts, slack and assumptions.", markup=False)
        if certified:
            console.print(f"\n{_CERTIFICATE_HEADING}")
            console.print(_certificate_table(certified))
        if files is not None:
            console.print(f"\n{files}", markup=False)
        for line in [*_violation_texts(surveys, certified), *map(search_text, searches)]:
            for part in f"\n{line}".splitlines():
                console.print(part, markup=False, soft_wrap=part.startswith("replay: "))  # a call to copy is one line
    return captured.get().rstrip()


def overall_verdict(counts: dict[str, int]) -> Verdict:
    """Return one verdict for all worlds of a statement, from their number by verdict.

    VIOLATED if any world violates the claim; otherwise HOLDS if any world has it; otherwise the commonest of TIGHT,
    VACUOUS and UNDECIDED; INAPPLICABLE if no world has all assumptions.

    Examples
    --------
    >>> overall_verdict({"HOLDS": 2, "VACUOUS": 7}), overall_verdict({"HOLDS": 9, "VIOLATED": 1})
    (<Verdict.HOLDS: 'HOLDS'>, <Verdict.VIOLATED: 'VIOLATED'>)
    """
    if counts.get(Verdict.VIOLATED):
        return Verdict.VIOLATED
    if counts.get(Verdict.HOLDS):
        return Verdict.HOLDS
    applicable = [one for one in (Verdict.TIGHT, Verdict.VACUOUS, Verdict.UNDECIDED) if counts.get(one)]
    return max(applicable, key=lambda one: counts[one], default=Verdict.INAPPLICABLE)


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


def _survey_table(surveys: Sequence[TheoremSurvey]) -> Table:
    from rich.table import Column

    columns = [
        Column("number", no_wrap=True),
        Column("statement", overflow="fold"),
        Column("verdict", no_wrap=True),
        Column("worlds", justify="right", no_wrap=True),
    ]
    return borderless_table(
        columns, [(paper_number(one.theorem), one.theorem.slug, *_verdict_cells(one.counts)) for one in surveys]
    )


def _verdict_cells(counts: dict[str, int]) -> tuple[Text, str]:
    """Return the overall verdict and how many of the applicable worlds have it."""
    from rich.text import Text

    verdict = overall_verdict(counts)
    applicable = sum(number for name, number in counts.items() if name != Verdict.INAPPLICABLE)
    name = "N/A" if verdict is Verdict.INAPPLICABLE else verdict.value
    shown = Text(name, style="bold red" if verdict is Verdict.VIOLATED else "")
    return shown, f"{counts.get(verdict, 0) if applicable else 0} of {applicable}"


def _details(survey: TheoremSurvey) -> str:
    """Return the claim, the counts of all verdicts, the smallest slack, and the assumptions that are needed."""
    theorem, smallest = survey.theorem, survey.smallest
    counts = ", ".join(f"{survey.counts[one]} {one.value}" for one in _VERDICT_ORDER if survey.counts[one])
    lines = [theorem.slug, f"  {theorem.statement}", f"  {theorem.reference}", f"  worlds: {counts}"]
    lines += _vacuity_lines(survey)
    if smallest is not None:
        open_question = " (UNDECIDED)" if smallest.check.verdict is Verdict.UNDECIDED else ""
        lines.append(f"  smallest slack: {smallest.check.relative_slack:.2g}{open_question}, {smallest.world}")
        lines.append(f"  tightness: {survey.tightness:.2f}")
    lines += [
        f"  needed: {name}; where only it fails, {one.measured}" for name, one in survey.failing_assumptions.items()
    ]
    return "\n".join(lines)


def _vacuity_lines(survey: TheoremSurvey) -> list[str]:
    """Return what is known without the claim and how far its right side stays from it, where that is one number."""
    vacuous = [record.check for record in survey.checks if record.check.verdict is Verdict.VACUOUS]
    trivial = {check.trivial for check in vacuous}
    if len(trivial) != 1 or None in trivial:
        return []
    sides = [float(check.rhs) for check in vacuous]
    reach = f"at least {min(sides):.3g}" if survey.theorem.direction == "<=" else f"at most {max(sides):.3g}"
    return [f"  VACUOUS: the right side is {reach} there, and a bound of {trivial.pop():g} is known without the claim"]


def _certificate_table(certified: Sequence[TheoremCertificates]) -> Table:
    from rich.table import Column

    rows = []
    for one in certified:
        positive = [
            c.slack.low / c.scale.high
            for _, c in one.certificates
            if c.slack.low > 0 and 0 < c.scale.high < math.inf and c.verdict is not Verdict.INAPPLICABLE
        ]
        slack = f"{min(positive):.2g}" if positive else "–"
        bits = str(max(c.bits for _, c in one.certificates)) if one.certificates else "–"
        rows.append((one.slug, *_verdict_cells(one.counts), slack, bits))
    columns = [
        Column("statement", overflow="fold"),
        Column("verdict", no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in ("worlds", "slack/size", "bits")),
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
