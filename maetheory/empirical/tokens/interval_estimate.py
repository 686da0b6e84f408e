"""Interval estimates from a downward-biased and an upward-biased estimator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.special import ndtri, stdtrit

from maetheory.core import Estimate

MAX_RELATIVE_GAP = 0.2  # of the range of the quantity: a wider gap between the two estimates leaves it undecided
ROUNDING_ERROR = 1e-12  # of an eigenvalue that is 1


@final
@dataclass(frozen=True)
class IntervalEstimate:
    """Point estimate and confidence interval of a quantity of the graph behind a sample.

    Attributes
    ----------
    value : float
        Estimate, corrected for the known bias as far as the sample allows; inside the interval.
    low, high : float
        Ends of the interval.
    decided : bool
        Whether the sample has enough coincidences; False is the verdict UNDECIDED, and then the coverage of the
        interval is not guaranteed.
    why : str
        One sentence if undecided, else empty.

    Examples
    --------
    >>> IntervalEstimate(0.25, 0.2, 0.3, True, "")
    IntervalEstimate(0.25 in [0.2, 0.3])
    """

    value: float
    low: float
    high: float
    decided: bool
    why: str

    @property
    def estimate(self) -> Estimate:
        """The value as a sampled Estimate, its error the larger distance to an end of the interval."""
        return Estimate(self.value, max(self.high - self.value, self.value - self.low), sampled=True)

    def covers(self, truth: float) -> bool:
        """Return whether a number lies in the interval, up to a rounding error of 1e-9."""
        return self.low - 1e-9 <= truth <= self.high + 1e-9

    def __repr__(self) -> str:
        verdict = "" if self.decided else ", UNDECIDED"
        return f"IntervalEstimate({self.value:.4g} in [{self.low:.4g}, {self.high:.4g}]{verdict})"


@final
@dataclass(frozen=True)
class Bracket:
    """Downward-biased and upward-biased estimates of a quantity, each with its standard error.

    Attributes
    ----------
    lower, upper : float
    lower_error, upper_error : float
        One standard error each.
    value : float
        Point estimate between them.
    maximum : float
        Largest possible value of the quantity; the smallest is zero.
    lower_terms, upper_terms : int
        Number of second-order terms that the standard error leaves out, z²/n each where it is zero.
    """

    lower: float
    upper: float
    lower_error: float
    upper_error: float
    value: float
    maximum: float = 1.0
    lower_terms: int = 0
    upper_terms: int = 1

    def interval(self, name: str, n_images: int, confidence: float) -> IntervalEstimate:
        """Interval that covers the quantity with the given confidence, with equal error probability on both sides."""
        z = normal_quantile(confidence)
        low = max(self.lower - _wilson_half_width(z, self.lower_error, self.lower_terms / n_images), 0.0)
        high = max(
            min(self.upper + _wilson_half_width(z, self.upper_error, self.upper_terms / n_images), self.maximum), low
        )
        decided = self.upper - self.lower <= MAX_RELATIVE_GAP * min(self.maximum, max(1.0, self.upper))
        why = (
            ""
            if decided
            else (
                f"{name} is between {self.lower:.3g} and {self.upper:.3g}; this sample holds too few repeated views "
                "and targets to narrow it"
            )
        )
        return IntervalEstimate(float(np.clip(self.value, low, high)), low, high, decided, why)


def _wilson_half_width(z: float, error: float, share: float) -> float:
    """Half-width of Wilson's interval: z standard errors, or z² times the share where the standard error is zero."""
    return z * math.hypot(error, z * share / 2) + z**2 * share / 2


def normal_quantile(confidence: float) -> float:
    """Half-width, in standard errors, of a two-sided normal interval."""
    return float(ndtri((1 + confidence) / 2))


def student_half_width(values: Any, confidence: float = 0.95) -> float:
    """Half-width of Student's confidence interval of the mean of a few values; infinite for a single value."""
    m = len(values)
    if m < 2:
        return math.inf
    return float(stdtrit(m - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(m))


def standard_error(influence: np.ndarray, mask_weights: np.ndarray, masks_drawn: bool) -> float:
    """Return the standard error of a mean over images and masks, shape (n, m), both drawn independently.

    It sums the variance between images over n and, where masks were drawn, the variance between masks over m, whose
    root is widened from the normal to Student's 95 % quantile because masks may be few. With one mask drawn the error
    is infinite.
    """
    n, m = influence.shape
    rows = influence @ mask_weights  # (n, m) @ (m,) -> (n,)
    variance = float(rows.var(ddof=1)) / n
    if masks_drawn:
        if m < 2:
            return math.inf
        wider = float(stdtrit(m - 1, 0.975)) / normal_quantile(0.95)
        variance += wider**2 * float(influence.mean(0).var(ddof=1)) / m
    return math.sqrt(variance)


def monotone_interval(function: Callable[..., float], *parts: IntervalEstimate) -> IntervalEstimate:
    """Interval of a function that increases in all its arguments, infinite where an eigenvalue may be 1."""
    value, low, high = (function(*(getattr(part, end) for part in parts)) for end in ("value", "low", "high"))
    reasons = [part.why for part in parts if not part.decided]
    decided = not reasons and math.isinf(high) == math.isinf(low)
    if math.isinf(high):
        reasons.append("the next eigenvalue may be 1, where there is no bound")
    return IntervalEstimate(value, low, high, decided, "; ".join(reasons))


def residual_bound(phi: float, next_eigenvalue: float) -> float:
    """φ/(1 − λ_{k+1}), infinite at λ_{k+1} = 1.

    Examples
    --------
    >>> residual_bound(0.1, 0.5), residual_bound(0.1, 1.0)
    (0.2, inf)
    """
    return phi / (1 - next_eigenvalue) if next_eigenvalue < 1 - ROUNDING_ERROR else math.inf
