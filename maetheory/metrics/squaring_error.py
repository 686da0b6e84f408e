"""What moments lost by squaring the spectrum, carried through to each metric as the error of an Estimate.

Write δ for ``Moments.error``. A squared singular value is known to within δ, and one that was counted as zero is at
most 2δ. Each function below turns that into a bound for one kind of metric; features themselves carry no such error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import Estimate
from maetheory.metrics.moments import Moments


def with_squaring_error(Z: Any, value: float, error: float) -> float:
    """Return `value`, as an Estimate with its squaring error when it came from moments."""
    if not isinstance(Z, Moments):
        return value
    return Estimate(value, float(error) if np.isfinite(value) and not np.isnan(error) else float("inf"))


def relative_squaring_error(Z: Any, *, directions: bool = False, top: float = 1.0) -> float:
    """Return ``δ / top²``, δ relative to the largest singular value `top`; zero unless `Z` is Moments."""
    if not isinstance(Z, Moments):
        return 0.0
    return (Z.direction_error if directions else Z.error) / top**2


def sum_error(values: NDArray[np.float64], error: float) -> float:
    """Return the most the sum of singular `values` can be off, each by ``δ/s``, or ``√(2δ)`` when counted as zero."""
    found = values[values > 0]
    return float((error / found).sum() + (len(values) - len(found)) * np.sqrt(2 * error))


def sum_of_squares_error(values: NDArray[np.float64], error: float) -> float:
    """Return the most the sum of squared singular `values` can be off."""
    return 2 * error * len(values)


def entropy_error(count: int, weight_error: float, total: float, alpha: float = 1.0, power_sum: float = 1.0) -> float:
    """Return how far the entropy of order α of `count` shares may be off when the weights are off by `weight_error` together.

    The shares are off by ``t = 2 weight_error / total`` together. For α = 1, ``|η(x) − η(y)| ≤ η(|x − y|)`` with
    ``η(x) = −x ln x`` and concavity give ``t ln(K/t)``; for other orders the modulus of continuity of ``x^α`` does.
    `power_sum` is ``Σ p^α`` (the largest share when α is infinite).
    """
    most = float(np.log(max(count, 1)))
    share = 2 * weight_error / total if total > 0 else 1.0
    if share == 0:
        return 0.0
    if alpha == 1:
        return min(share * np.log(count / share), most) if share * np.e < count else most
    if np.isinf(alpha):
        return min(share / power_sum, most)
    off = alpha * share if alpha > 1 else count * (share / count) ** alpha
    power_sum_bound = max(power_sum - off, power_sum * 1e-300)
    return min(off / (abs(1 - alpha) * power_sum_bound), most)
