"""Reports of the referee as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from maetheory.core import provenance
from maetheory.reports.page import Section, Statement, Table, write_page
from maetheory.reports.referee_text import answers_by_question
from maetheory.theory.referee import RefereeReport

_INTRODUCTION = (
    "Five questions about each claim. A violation refutes it; every other answer is evidence from a search and no "
    "proof."
)


def write_referee_page(path: Path, reports: Sequence[RefereeReport]) -> Path:
    """Write the page of these reports; equal reports give equal pages, up to their time and provenance."""
    sections = [_section(one) for one in reports]
    reading = [Statement(f"{one.theorem.slug}: {one.verdict}", one.theorem.statement) for one in reports]
    title = reports[0].theorem.slug if len(reports) == 1 else f"Referee of {len(reports)} claims"
    return write_page(path, title, _INTRODUCTION, sections, provenance(seed=reports[0].seed), reading=reading)


def _section(report: RefereeReport) -> Section:
    answers = answers_by_question(report)
    rows = [(question, answer) for question, found in answers.items() for answer in found]
    tables = [Table(pd.DataFrame(rows, columns=["question", "answer"]), f"What was found about {report.theorem.slug}.")]
    if report.violation is not None:
        tables.append(Table(_lines("world", str(report.violation.found.world)), "The smallest world found."))
        tables.append(Table(_lines("code", report.violation.code), "Python code that checks the claim in it."))
    return Section(report.theorem.slug, f"{report.theorem.statement} ({report.theorem.reference})", tables=tables)


def _lines(name: str, text: str) -> pd.DataFrame:
    return pd.DataFrame({name: text.rstrip().splitlines()})
