"""Errors of eigenvalues, projectors, quotients and roots, carried to the sides of a claim.

A quotient by a small gap has the error of the gap divided by its square, and is unknown where the error covers the gap;
a projector on features has the rounding error of the features divided by their smallest singular value.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.theorem_quantities import scale_columns_alike

_EPS = float(np.finfo(float).eps)


def quotient(numerator: Estimate, denominator: Estimate) -> Estimate:
    """Quotient of two estimates that are not negative; its error is infinite where the denominator may be zero.

    Examples
    --------
    >>> quotient(Estimate(1.0, 0.1), Estimate(0.5, 0.25))
    2 ± 2.4
    >>> quotient(Estimate(1.0), Estimate(0.5, 0.5)).error
    inf
    """
    if denominator.low <= 0:
        return Estimate(numerator / denominator if denominator > 0 else math.inf, math.inf)
    return estimate_between(
        numerator / denominator, max(numerator.low, 0.0) / denominator.high, numerator.high / denominator.low
    )


def square_root(estimate: Estimate) -> Estimate:
    """Square root of an estimate of a number that is not negative."""
    return apply_increasing(lambda x: math.sqrt(max(x, 0.0)), estimate)


def squared_sum(*terms: Estimate) -> Estimate:
    """Square of the sum of estimates that are not negative."""
    total = Estimate(sum(term.value for term in terms), sum(term.error for term in terms))
    return apply_increasing(lambda x: max(x, 0.0) ** 2, total)


def apply_increasing(function: Callable[[float], float], estimate: Estimate) -> Estimate:
    """Image of an estimate under an increasing function."""
    if math.isinf(estimate.error):
        return Estimate(function(estimate.value), math.inf)
    return estimate_between(function(estimate.value), function(estimate.low), function(estimate.high))


def estimate_between(value: float, low: float, high: float) -> Estimate:
    """Estimate of this value whose error covers both ends, plus the rounding error of the value."""
    return Estimate(value, max(high - value, value - low, 0.0) + 4 * _EPS * abs(value))


def eigenvalue_error(graph: MaskGraph) -> float:
    """Bound on the rounding error of an eigenvalue of Ā, whose norm is one."""
    return 4 * _EPS * max(graph.shape)


def projector_error(rows: np.ndarray) -> float:
    """Rounding error of the projector on the columns of `rows` (N, k): ε N over their inverse condition number."""
    size = np.linalg.svd(scale_columns_alike(rows), compute_uv=False)
    used = size[size > size.max(initial=0.0) * max(rows.shape) * _EPS]
    return float(_EPS * max(rows.shape) * used[0] / used[-1]) if used.size else 0.0


def square_error(square: float, error: float) -> float:
    """Error of a sum of squares whose root has this error."""
    return 2 * math.sqrt(max(square, 0.0)) * error + error**2
