"""First and second moments of rows about their mean, which merge without loss of digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class CentredMoments:
    """Number, mean and scatter of rows.

    The mean is kept as ``shift + residual / count`` with `shift` close to it: a difference of two means then has an
    error relative to itself, not to the means, and merging loses no digit of a spread far below the mean.

    Attributes
    ----------
    count : int
    shift : ndarray (D,)
        A point close to the mean.
    residual : ndarray (D,)
        ``Σ(z − shift)``.
    scatter : ndarray (D, D)
        ``Σ(z − z̄)(z − z̄)ᵀ``.
    rounding : float
        Sum of ε times the trace of everything added to the scatter, ε that of the precision it was computed in.

    References
    ----------
    Chan, Golub and LeVeque 1983, Algorithms for Computing the Sample Variance.
    """

    count: int
    shift: NDArray[np.float64]
    residual: NDArray[np.float64]
    scatter: NDArray[np.float64]
    rounding: float

    @classmethod
    def of_no_rows(cls, d: int) -> CentredMoments:
        """Return the moments of no rows in `d` dimensions."""
        return cls(0, np.zeros(d), np.zeros(d), np.zeros((d, d)), 0.0)

    @classmethod
    def from_sums(
        cls,
        count: int,
        shift: NDArray[np.float64],
        residual: NDArray[np.float64],
        matrix: NDArray[np.float64],
        rounding: float,
    ) -> CentredMoments:
        """Return the moments of rows with ``Σ(z − shift)`` and ``Σ(z − shift)(z − shift)ᵀ`` = `matrix`.

        `rounding` is that of the matrix; subtracting the square of the mean adds ε times the matrix's trace.
        """
        scatter = matrix - np.outer(residual, residual) / max(count, 1)
        if residual.any():
            rounding += _EPSILON * float(np.trace(matrix))
        return cls(count, shift, residual, scatter, rounding)._shifted_to_mean()

    @property
    def sum(self) -> NDArray[np.float64]:
        """Sum of the rows (D,)."""
        return self.count * self.shift + self.residual

    def about(self, centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ``Σ(z − centre)`` (D,) and ``Σ(z − centre)(z − centre)ᵀ`` (D, D)."""
        total = self.count * (self.shift - centre) + self.residual
        return total, self.scatter + np.outer(total, total) / max(self.count, 1)

    def merged(self, other: CentredMoments) -> CentredMoments:
        """Return the moments of the rows of both."""
        if not self.count or not other.count:
            return self if self.count else other
        n = self.count + other.count
        apart = other.shift - self.shift
        own, others = self.residual / self.count, other.residual / other.count
        difference = apart + others - own
        weight = self.count * other.count / n
        size = np.linalg.norm(apart) + np.linalg.norm(own) + np.linalg.norm(others)
        return CentredMoments(
            n,
            self.shift,
            self.residual + other.residual + other.count * apart,
            self.scatter + other.scatter + np.outer(weight * difference, difference),
            self.rounding + other.rounding + _EPSILON * weight * float(size) ** 2,
        )._shifted_to_mean()

    def _shifted_to_mean(self) -> CentredMoments:
        shift = self.shift + self.residual / max(self.count, 1)
        residual = self.residual + self.count * (self.shift - shift)
        return CentredMoments(self.count, shift, residual, self.scatter, self.rounding)
