"""Bounds on the error that squaring the spectrum, as Moments do, adds to each metric.

Let δ be ``Moments.error``. A squared singular value is known to within δ, and one counted as zero is at most 2δ. Each
function below turns this into an error bound for one kind of metric. Metrics of feature arrays have no such error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import Estimate
from maetheory.metrics.moments import Moments


def with_squaring_error(Z: Any, value: float, error: float) -> float:
    """Return `value`, as an Estimate with its squaring error when `Z` is Moments."""
    if not isinstance(Z, Moments):
        return value
    return Estimate(value, float(error) if np.isfinite(value) and not np.isnan(error) else float("inf"))


def relative_squaring_error(Z: Any, *, normalized: bool = False, centred: bool = False, top: Any = 1.0) -> Any:
    """Return ``δ / top²`` for the singular value `top`, or for each of an array of them; 0 for arrays of features.

    δ is that of unit rows if `normalized`, and that of centred rows if `centred`.
    """
    if not isinstance(Z, Moments):
        return 0.0
    return (Z.direction_error if normalized else Z.centred_error if centred else Z.error) / top**2


def without_spectrum(Z: Any, largest: float, *, centred: bool) -> float:
    """Return 0, the value of a spectrum that is zero, with error `largest` where squaring may have lost the spectrum.

    Moments of rows that are all zero, or all equal where `centred`, have no error.
    """
    lost = isinstance(Z, Moments) and (not Z.all_rows_equal if centred else Z.zero_rows < Z.count)
    return with_squaring_error(Z, 0.0, largest if lost else 0.0)


def sum_error(values: NDArray[np.float64], error: float) -> float:
    """Return an error bound of the sum of singular `values`: ``δ/s`` each, or ``√(2δ)`` when counted as zero."""
    found = values[values > 0]
    return float((error / found).sum() + (len(values) - len(found)) * np.sqrt(2 * error))


def sum_of_squares_error(values: NDArray[np.float64], error: float) -> float:
    """Return an error bound of the sum of squared singular `values`."""
    return 2 * error * len(values)


def entropy_error(count: int, weight_error: float, total: float, alpha: float = 1.0, power_sum: float = 1.0) -> float:
    """Return an error bound of the entropy of order α of `count` shares, given the total error of their weights.

    The total error of the shares is ``t = 2 weight_error / total``. For α = 1, ``|η(x) − η(y)| ≤ η(|x − y|)`` with
    ``η(x) = −x ln x`` and concavity give ``t ln(K/t)``; other orders use the modulus of continuity of ``x^α``.
    `power_sum` is ``Σ p^α`` (the largest share when α is infinite).
    """
    largest = float(np.log(max(count, 1)))
    share = 2 * weight_error / total if total > 0 else 1.0
    if share == 0:
        return 0.0
    if alpha == 1:
        return min(share * np.log(count / share), largest) if share * np.e < count else largest
    if np.isinf(alpha):
        return min(share / (power_sum - share / 2), largest) if share < 2 * power_sum else largest
    power_sum_error = alpha * share if alpha > 1 else count * (share / count) ** alpha
    power_sum_bound = max(power_sum - power_sum_error, power_sum * 1e-300)
    return min(power_sum_error / (abs(1 - alpha) * power_sum_bound), largest)
