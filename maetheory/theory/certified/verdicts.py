"""Verdict of a certificate: what the balls of both sides and the margins of the assumptions prove at one precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from maetheory.theory.certified.assumptions import Margin
from maetheory.theory.certified.balls import REAL_LINE, Ball, Enclosure, ball, ball_sum, enclosure
from maetheory.theory.theorem import TIGHT_TOLERANCE, Assumption, Theorem, Verdict

FIRST_BITS = 53
"""Precision of the first attempt."""
_NOTHING = 2.0**-300
"""Part of the size below which a difference is no difference of stored numbers, whatever their masses."""


@dataclass(frozen=True)
class Certificate:
    """Proved result of checking a claim on one world.

    Attributes
    ----------
    claim : str
        The statement.
    slug : str
        The theorem's name.
    lhs, rhs : Enclosure
        Float intervals that contain the sides.
    slack : Enclosure
        Contains how far the claim is from failing: ``lhs - rhs`` for ``>=``, ``rhs - lhs`` for ``<=``, and
        ``-|lhs - rhs|`` for an identity.
    scale : Enclosure
        Contains the size of the terms that cancel in the slack.
    bits : int
        Precision at which the verdict was reached; 0 if none was needed.
    assumptions : tuple of Assumption
        Each with what was measured; one that is met only up to rounding error holds.
    verdict : Verdict
    note : str
        Reason for the verdict, in one sentence.
    """

    claim: str
    slug: str
    lhs: Enclosure
    rhs: Enclosure
    slack: Enclosure
    scale: Enclosure
    bits: int
    assumptions: tuple[Assumption, ...]
    verdict: Verdict
    note: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.claim}: {self.lhs} against {self.rhs}, slack {self.slack} ({self.note})"


@dataclass(frozen=True)
class BallEvaluation:
    """Margins and sides at one precision; a side is None if it could not be evaluated."""

    margins: Mapping[str, Margin]
    lhs: Ball | None = None
    rhs: Ball | None = None
    scale: Ball | None = None
    size: Ball | None = None
    trivial: Ball | None = None
    failure_reason: str = ""


def certificate_if_decided(
    theorem: Theorem, evaluation: BallEvaluation, bits: int, is_last: bool
) -> Certificate | None:
    """Return the certificate, or None if a higher precision may decide more."""
    verdict, note = _verdict(theorem, evaluation, bits, is_last)
    if verdict is None:
        return None
    return Certificate(
        claim=theorem.statement,
        slug=theorem.slug,
        lhs=_enclosure_or_real_line(evaluation.lhs),
        rhs=_enclosure_or_real_line(evaluation.rhs),
        slack=_enclosure_or_real_line(_slack(theorem, evaluation)),
        scale=_enclosure_or_real_line(evaluation.scale),
        bits=bits,
        assumptions=tuple(
            Assumption(name, bool(m.value >= -m.allowed), m.measured) for name, m in evaluation.margins.items()
        ),
        verdict=verdict,
        note=note if bits == FIRST_BITS else f"{note}; {bits // 2} bits did not decide",
    )


def _enclosure_or_real_line(side: Ball | None) -> Enclosure:
    return REAL_LINE if side is None else enclosure(side)


def _slack(theorem: Theorem, evaluation: BallEvaluation) -> Ball | None:
    """Slack of the claim: non-negative iff it holds."""
    if evaluation.lhs is None or evaluation.rhs is None:
        return None
    gap = evaluation.lhs - evaluation.rhs
    return {">=": gap, "<=": -gap, "==": -abs(gap)}[theorem.direction]


def _verdict(theorem: Theorem, evaluation: BallEvaluation, bits: int, is_last: bool) -> tuple[Verdict | None, str]:
    failing = [f"{name} fails: {m.measured}" for name, m in evaluation.margins.items() if m.value < -m.allowed]
    if failing:
        return Verdict.INAPPLICABLE, "; ".join(failing)
    slack = _slack(theorem, evaluation)
    fallback = Verdict.UNDECIDED if is_last else None
    if slack is None or not slack.is_finite():
        return fallback, f"undecided at {bits} bits: {evaluation.failure_reason or 'a side is not finite'}"
    if not all(m.value >= -m.allowed for m in evaluation.margins.values()):
        return fallback, f"undecided at {bits} bits: the assumptions may or may not hold"
    unverified = [
        f"{name}: {m.measured}" for name, m in evaluation.margins.items() if not m.value >= 0 and m.cost is None
    ]
    if unverified:
        never = any(m.value < 0 and m.cost is None for m in evaluation.margins.values())
        return Verdict.UNDECIDED if never else fallback, f"not verified in ball arithmetic: {'; '.join(unverified)}"
    tolerance = _equality_tolerance(evaluation)
    cost = _total_cost(evaluation)
    if not cost <= tolerance and not abs(slack) > cost:
        most = math.inf if not cost.is_finite() else enclosure(cost).high
        return (
            fallback,
            f"the claim may be off by {most:.3g} because an assumption holds only up to rounding error: "
            f"{_inexact_assumptions(evaluation)}",
        )
    if theorem.direction == "==":
        return _identity_verdict(slack, tolerance, bits, fallback)
    return _inequality_verdict(theorem, evaluation, slack, tolerance, bits, fallback)


def _equality_tolerance(evaluation: BallEvaluation) -> Ball:
    """Slack that counts as equality: relative to what cancels, or next to nothing of the numbers subtracted."""
    if evaluation.scale is None or evaluation.size is None:
        return ball(0)
    return (TIGHT_TOLERANCE * evaluation.scale.abs_lower()).max(_NOTHING * evaluation.size.abs_lower())


def _identity_verdict(slack: Ball, tolerance: Ball, bits: int, fallback: Verdict | None) -> tuple[Verdict | None, str]:
    found = enclosure(slack)
    if abs(slack) <= tolerance:
        return Verdict.TIGHT, f"the sides differ by at most {-found.low:.3g}, proved with {bits} bits"
    if slack < -tolerance:
        return Verdict.VIOLATED, f"the sides differ by at least {-found.high:.3g}, proved with {bits} bits"
    return fallback, f"undecided at {bits} bits: the difference of the sides is known to within {found.width:.3g}"


def _inequality_verdict(
    theorem: Theorem, evaluation: BallEvaluation, slack: Ball, tolerance: Ball, bits: int, fallback: Verdict | None
) -> tuple[Verdict | None, str]:
    found, tight = enclosure(slack), bool(abs(slack) <= tolerance)
    if slack > 0:
        nearly = ", equality up to rounding error" if tight else ""
        return _holds_or_vacuous(
            theorem, evaluation, tolerance
        ), f"the slack is at least {found.low:.3g}{nearly}, proved with {bits} bits"
    exact = all(m.value >= 0 for m in evaluation.margins.values())
    if slack < -tolerance or (slack < 0 and exact):
        return Verdict.VIOLATED, f"the claim fails by at least {-found.high:.3g}, proved with {bits} bits"
    if slack.is_zero():
        return Verdict.TIGHT, f"both sides are equal, proved with {bits} bits"
    if tight and slack < 0:
        return Verdict.TIGHT, f"{_rounding_note(evaluation, found)}, proved with {bits} bits"
    if tight and fallback:
        return Verdict.TIGHT, f"the sides differ by at most {max(-found.low, found.high):.3g}, proved with {bits} bits"
    return fallback, f"undecided at {bits} bits: the slack is {found.mid:.3g}, known to within {found.width:.3g}"


def _holds_or_vacuous(theorem: Theorem, evaluation: BallEvaluation, tolerance: Ball) -> Verdict:
    """VACUOUS if the right side says no more than the trivial bound, up to the tolerance that counts as equality."""
    if evaluation.trivial is None or evaluation.rhs is None:
        return Verdict.HOLDS
    better_by = evaluation.rhs - evaluation.trivial
    return Verdict.VACUOUS if (better_by if theorem.direction == ">=" else -better_by) <= tolerance else Verdict.HOLDS


def _total_cost(evaluation: BallEvaluation) -> Ball:
    """Bound on how far the claim may be from true because assumptions are met only up to rounding error."""
    if evaluation.scale is None or evaluation.size is None:
        return ball(0)
    inexact = [(m.cost, m.of_scale) for m in evaluation.margins.values() if m.cost is not None and not m.value >= 0]
    costs = (abs(cost) * (evaluation.scale if of_scale else evaluation.size) for cost, of_scale in inexact)
    return ball_sum(ball(0) if cost.is_zero() else cost.abs_upper() for cost in costs)


def _inexact_assumptions(evaluation: BallEvaluation) -> str:
    return "; ".join(f"{name} ({m.measured})" for name, m in evaluation.margins.items() if not m.value >= 0)


def _rounding_note(evaluation: BallEvaluation, found: Enclosure) -> str:
    return (
        f"the claim fails by at most {-found.low:.3g} because an assumption holds only up to rounding error: "
        f"{_inexact_assumptions(evaluation)}"
    )


def violated_by_non_finite(theorem: Theorem, note: str) -> Certificate:
    """Return the certificate of a world with a value that is not a finite number: VIOLATED."""
    nan = Enclosure(math.nan, math.nan)
    return Certificate(theorem.statement, theorem.slug, nan, nan, nan, nan, 0, (), Verdict.VIOLATED, note)
