"""Where one estimate is too small on average and another too large, the truth lies between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.special import ndtri, stdtrit

from maetheory.core import Estimate

MAX_RELATIVE_GAP = 0.2  # of the range a number can take: a wider gap between the two estimates decides nothing


@final
@dataclass(frozen=True)
class IntervalEstimate:
    """A number of the graph that was sampled, and where it lies.

    Attributes
    ----------
    value : float
        With the known bias removed as far as the sample can tell; inside the band.
    low, high : float
        The band.
    decided : bool
        Whether the sample has enough coincidences to tell; False is the verdict UNDECIDED, and then the coverage of
        the band is not vouched for.
    why : str
        One sentence if undecided, else empty.

    Examples
    --------
    >>> IntervalEstimate(0.25, 0.2, 0.3, True, "")
    Band(0.25 in [0.2, 0.3])
    """

    value: float
    low: float
    high: float
    decided: bool
    why: str

    @property
    def estimate(self) -> Estimate:
        """The value with the larger distance to an end of the band as its error, sampled."""
        return Estimate(self.value, max(self.high - self.value, self.value - self.low), sampled=True)

    def covers(self, truth: float) -> bool:
        """Whether a number lies in the band, up to round-off of 1e-9."""
        return self.low - 1e-9 <= truth <= self.high + 1e-9

    def __repr__(self) -> str:
        verdict = "" if self.decided else ", UNDECIDED"
        return f"Band({self.value:.4g} in [{self.low:.4g}, {self.high:.4g}]{verdict})"


@final
@dataclass(frozen=True)
class Bracket:
    """Two estimates of a number, the lower too small and the upper too large on average, each with standard error.

    Attributes
    ----------
    lower, upper : float
    lower_error, upper_error : float
        One standard error each.
    value : float
        Best guess between them.
    range : float
        Largest value the number can take; the smallest is zero.
    lower_terms, upper_terms : int
        How many terms of second order, z²/n each where the standard error is zero, that error leaves out.
    """

    lower: float
    upper: float
    lower_error: float
    upper_error: float
    value: float
    range: float = 1.0
    lower_terms: int = 0
    upper_terms: int = 1

    def band(self, name: str, n_images: int, confidence: float) -> IntervalEstimate:
        """Band that covers the number with the given probability, half of the rest on either side."""
        z = normal_quantile(confidence)
        low = max(self.lower - _wilson_half_width(z, self.lower_error, self.lower_terms / n_images), 0.0)
        high = max(
            min(self.upper + _wilson_half_width(z, self.upper_error, self.upper_terms / n_images), self.range), low
        )
        decided = self.upper - self.lower <= MAX_RELATIVE_GAP * min(self.range, max(1.0, self.upper))
        why = (
            ""
            if decided
            else (
                f"{name} is between {self.lower:.3g} and {self.upper:.3g}, however views and targets behave that this "
                "sample does not show often enough"
            )
        )
        return IntervalEstimate(float(np.clip(self.value, low, high)), low, high, decided, why)


def _wilson_half_width(z: float, error: float, share: float) -> float:
    """Half-width of Wilson's interval: z standard errors, and z² times the share where nothing was seen to vary."""
    return z * math.hypot(error, z * share / 2) + z**2 * share / 2


def normal_quantile(confidence: float) -> float:
    """Half-width, in standard errors, of a two-sided normal interval."""
    return float(ndtri((1 + confidence) / 2))


def student_half_width(values: Any, confidence: float = 0.95) -> float:
    """Half-width of Student's interval of the mean of a few values, as masks drawn are; infinite of a single one."""
    m = len(values)
    if m < 2:
        return math.inf
    return float(stdtrit(m - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(m))


def standard_error(influence: np.ndarray, mask_weights: np.ndarray, masks_drawn: bool) -> float:
    """Return the standard error of a mean over images and masks, shape (n, m), both drawn independently.

    The variance between images over n, and where masks were drawn the variance between masks over m, its root widened
    from normal to Student's quantile at 95 % because masks may be few. With one mask drawn the error is infinite.
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
