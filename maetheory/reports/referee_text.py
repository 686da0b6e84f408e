"""Reports of the referee as text for a terminal and as sentences of a page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

from maetheory.theory.referee import LEAST_WORLDS, Factor, RefereeReport
from maetheory.theory.theorem import Theorem

_INDENT = " " * 15
_LEGEND = (
    "A violation refutes the claim. Everything else is evidence from a search and no proof: a world that was not tried "
    "may decide otherwise."
)


def referee_text(reports: Sequence[RefereeReport], *, width: int = 100) -> str:
    """Return the answers of each report, one paragraph a question.

    Parameters
    ----------
    reports : sequence of RefereeReport
    width : int
        Columns of the terminal; at least 60 are used.
    """
    width = max(width, 60)
    parts = ["\n".join(_lines(one, width)) for one in reports]
    return "\n\n".join([*parts, textwrap.fill(_LEGEND, width)])


def _lines(report: RefereeReport, width: int) -> Iterator[str]:
    theorem = report.theorem
    yield f"{theorem.slug}: {report.verdict} ({report.stopped or f'{report.seconds:.1f} s'})"
    yield from _wrapped("claim", f"{theorem.statement} ({theorem.reference})", width)
    for question, answers in answers_by_question(report).items():
        for index, answer in enumerate(answers):
            yield from _wrapped(question if index == 0 else "", answer, width)
        if question == "violated?" and report.violation is not None:
            yield from (f"{_INDENT}{line}" for line in str(report.violation.found.world).splitlines())
    if report.violation is not None:
        yield "replay:"
        yield from (f"    {line}" if line else "" for line in report.violation.code.rstrip().splitlines())


def _wrapped(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"{head:<15}", subsequent_indent=_INDENT, break_on_hyphens=False)


def answers_by_question(report: RefereeReport) -> dict[str, list[str]]:
    """Return the five questions with their answers, each a sentence or two; the time is in none of them."""
    return {
        "violated?": [_violated(report)],
        "vacuous?": [_vacuous(report)],
        "assumptions?": _assumptions(report),
        "how tight?": [factor_sentence(one, report.theorem) for one in report.factors] or [_no_factors(report)],
        "searched": [_searched(report)],
    }


def _violated(report: RefereeReport) -> str:
    if report.violation is None:
        decided = report.coverage.decided
        if report.only_zero:
            return (
                f"unknown: both sides are 0 in all {decided} worlds that meet the assumptions, so that they say "
                "nothing; give the theorem sample= or conform=, so that other worlds meet them"
            )
        if not decided:
            return "unknown: no world decided the claim"
        few = report.coverage.nonzero < min(decided, LEAST_WORLDS)
        but = f", but in only {report.coverage.nonzero} of them the sides are not both 0" if few else ""
        return f"no: it held in all {decided} worlds that decide{but}"
    check = report.violation.found.check
    where = _size_words(report)
    return f"yes: {check.lhs:.6g} against {check.rhs:.6g}{where}; {report.violation.proof}"


def _size_words(report: RefereeReport) -> str:
    assert report.violation is not None
    law = report.violation.found.world.law
    if law is None:
        return ""
    _, views, targets = law.shape
    return f" with {views} view{'s' * (views > 1)} and {targets} target{'s' * (targets > 1)}"


def _vacuous(report: RefereeReport) -> str:
    vacuity = report.vacuity
    if not report.coverage.decided or report.only_zero:
        return "unknown: no world decided the claim"
    ranges = f"left side {_range(vacuity.lhs)}, right side {_range(vacuity.rhs)}"
    if vacuity.vacuous is None:
        return f"does not apply to {vacuity.trivial}; {ranges}"
    gap = f"the least distance of the sides found is {vacuity.least_slack:.4g}" if not report.violated else ""
    if vacuity.vacuous and report.too_few:
        drawn = report.coverage.drawn
        found = (
            f"UNDECIDED after {drawn} world{'s' * (drawn != 1)}: the right side has not passed {vacuity.trivial}, "
            f"which says little before {LEAST_WORLDS}"
        )
    elif vacuity.vacuous:
        found = f"yes: the right side never passes {vacuity.trivial}; the nearest it came is {-vacuity.margin:.4g}"
    elif report.theorem.trivial is None:
        found = f"no: the right side comes as far as {vacuity.trivial}"
    else:
        found = f"no: the right side passes {vacuity.trivial} by up to {vacuity.margin:.4g}"
    return "; ".join(part for part in (found, ranges, gap) if part)


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}" if math.isfinite(ends[0]) else "never evaluated"


def _assumptions(report: RefereeReport) -> list[str]:
    if report.assumptions:
        return [f"{one.name}: {one.need} ({one.note})" for one in report.assumptions]
    if not report.theorem.assumptions:
        return ["it has none"]
    return ["not asked, as the claim fails where all of them hold" if report.violated else "not reached"]


def factor_sentence(factor: Factor, theorem: Theorem) -> str:
    """Return the interval of the best factor of a part of the right side, as a sentence."""
    name = factor.term
    if factor.note and not math.isfinite(factor.broken):
        return f"{name}: {factor.note}"
    note = f" ({factor.note})" if factor.note else ""
    direction = "above" if factor.sharper == "larger" else "below"
    if math.isnan(factor.reached):
        return f"{name}: a world breaks the claim with every factor {direction} {factor.broken:.4g}{note}"
    if factor.is_sharp and abs(factor.reached - 1) <= 1e-2:
        return (
            f"{name}: its factor 1 is the best possible, as a world breaks the claim with every factor {direction} "
            f"{factor.broken:.6g}{note}"
        )
    if factor.reached == 0:
        return f"{name}: {factor.note or 'no violation was found with the factor 0'}"
    return (
        f"{name}: with the factor {factor.reached:.4g} no violation was found; a world breaks the claim with every "
        f"factor {direction} {factor.broken:.4g}{note}"
    )


def _no_factors(report: RefereeReport) -> str:
    if report.theorem.direction == "==":
        return "an identity has the factor 1 alone"
    return "not reached" if report.stopped else "no world decided the claim"


def _searched(report: RefereeReport) -> str:
    coverage = report.coverage
    tried = ", ".join(f"{count} {kind}" for kind, count in coverage.tried.items())
    total = sum(coverage.tried.values())
    parts = [
        f"{total} worlds ({tried}), of which {coverage.applicable} meet the assumptions, {coverage.decided} decide and "
        f"{coverage.near_tight} are within 1 % of equality"
    ]
    if coverage.sizes:
        parts.append(f"sizes {next(iter(coverage.sizes))} to {list(coverage.sizes)[-1]}")
    if coverage.degenerate:
        parts.append("degenerate: " + ", ".join(f"{name} {count}" for name, count in coverage.degenerate.items()))
    if coverage.unmet:
        parts.append(f"INAPPLICABLE mostly because {coverage.unmet}")
    if coverage.undecided:
        parts.append(f"UNDECIDED mostly because {coverage.undecided}")
    if coverage.not_evaluated:
        parts.append(f"not evaluated mostly because {coverage.not_evaluated}")
    return "; ".join([*parts, f"seed {report.seed}"])
