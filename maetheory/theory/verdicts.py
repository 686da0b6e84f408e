"""Verdict of a check: what two sides, their errors and the size of what cancels in them decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from maetheory.core import Estimate

TIGHT_TOLERANCE = 1e-10
"""Equality up to rounding error: |slack| at most this many times the scale."""
ROUNDING_TOLERANCE = 1e-12
"""An assumption that fails by at most this relative amount counts as met."""
_EPS = float(np.finfo(float).eps)
_ZERO = 8.0


class Verdict(StrEnum):
    """Outcome of a check: one of six labels."""

    HOLDS = "HOLDS"
    TIGHT = "TIGHT"
    UNDECIDED = "UNDECIDED"
    VACUOUS = "VACUOUS"
    INAPPLICABLE = "INAPPLICABLE"
    VIOLATED = "VIOLATED"


@dataclass(frozen=True)
class Comparison:
    """Two sides of a claim, and what rounding may have done to them.

    Attributes
    ----------
    lhs, rhs : Estimate
    direction : {">=", "<=", "=="}
    scale : float
        Size of the largest term that is added or subtracted in the slack.
    size : float
        Mean square of what is subtracted before it is squared: the rounding error of a square s is about
        2ε√(size·s), and a square below ε²·size is zero. 0 where nothing is subtracted.
    common : float
        Size of the term that both sides contain; it costs its own rounding error.
    terms : int
        Number of terms of the longest sum.
    never_tight : bool
        Whether equality is proved impossible, so that a positive slack beyond rounding error is no equality.
    """

    lhs: Estimate
    rhs: Estimate
    direction: str
    scale: float
    size: float = 0.0
    common: float = 0.0
    terms: int = 1
    never_tight: bool = False

    @property
    def slack(self) -> float:
        """How far the claim is from failing, >= 0 iff it holds; a shortfall that is rounding error is 0."""
        lhs, rhs = self.lhs, self.rhs
        slack = {">=": lhs - rhs, "<=": rhs - lhs, "==": -abs(lhs - rhs)}[self.direction]
        return 0.0 if slack < 0 and self._is_rounding_error(slack) else slack

    @property
    def error(self) -> float:
        """Bound on the error of the slack; infinite where an error of a side is not a number."""
        squares = 2 * math.sqrt(self._squared_error * self.scale) + self._squared_error
        total = self.lhs.error + self.rhs.error + squares + 4 * _EPS * self.common
        return math.inf if math.isnan(total) else total

    @property
    def _squared_error(self) -> float:
        """Square of the rounding error of what is squared."""
        return (_EPS * self.terms) ** 2 * self.size

    def _is_rounding_error(self, slack: float) -> bool:
        if math.isinf(self.error):
            return False
        both_zero = max(self.scale, self.error) <= _ZERO * self._squared_error and abs(slack) <= self.error
        only_common = self.scale == 0 and slack == 0 and self.error <= _ZERO * _EPS * self.common
        return (
            both_zero
            or only_common
            or (self.error <= TIGHT_TOLERANCE * self.scale and abs(slack) <= TIGHT_TOLERANCE * self.scale)
        )

    def verdict(self, trivial: float | None) -> tuple[Verdict, str]:
        """Verdict of the claim where its assumptions hold, and the reason.

        A right side that says no more than the trivial bound is VACUOUS, where the two sides are equal too.
        """
        slack = self.slack
        if math.isnan(slack):
            return Verdict.VIOLATED, "a side is not a number"
        positive = self.never_tight and slack > self.error + 4 * _EPS * self.terms * self.scale
        if self._is_rounding_error(slack) and not positive:
            found = Verdict.TIGHT
        elif abs(slack) <= self.error:
            return Verdict.UNDECIDED, f"the slack is at most the error of the two sides, {self.error:.3g}"
        elif slack < 0:
            return Verdict.VIOLATED, ""
        else:
            found = Verdict.HOLDS
        if trivial is not None and self.direction != "==" and self._is_no_better_than(trivial):
            return Verdict.VACUOUS, f"no better than the trivial bound {float(trivial):.6g}"
        return found, ""

    def _is_no_better_than(self, trivial: float) -> bool:
        """Whether the right side says no more than the trivial bound, up to rounding error."""
        better_by = self.rhs - trivial if self.direction == ">=" else trivial - self.rhs
        return better_by <= max(TIGHT_TOLERANCE * self.scale, self.rhs.error)
