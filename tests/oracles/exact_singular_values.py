"""Singular values in 50-digit arithmetic: the independent judge of bounds that lie near the rounding error."""

from __future__ import annotations

import mpmath
import numpy as np

DIGITS = 50


def exact_matrix(array: np.ndarray) -> mpmath.matrix:
    """Return the array as a 50-digit matrix; every float64 is one exactly."""
    return mpmath.matrix(np.asarray(array, dtype=float).tolist())


def exact_singular_values(matrix: np.ndarray | mpmath.matrix) -> list[mpmath.mpf]:
    """Return the singular values of a small matrix, descending, to about 25 digits of the largest."""
    with mpmath.workdps(DIGITS):
        b = matrix if isinstance(matrix, mpmath.matrix) else exact_matrix(matrix)
        gram = b.T * b if b.rows >= b.cols else b * b.T
        return sorted((mpmath.sqrt(max(value, 0)) for value in mpmath.eigsy(gram, eigvals_only=True)), reverse=True)


def exact_deflated_norm(matrix: np.ndarray, right: np.ndarray) -> mpmath.mpf:
    """Return ‖B(I − VV⁺)‖, to about 25 digits of ‖B‖."""
    with mpmath.workdps(DIGITS):
        b, v = exact_matrix(matrix), exact_matrix(right)
        return exact_singular_values(b - b * v * mpmath.inverse(v.T * v) * v.T)[0]


def matrix_with(values: np.ndarray, rows: int, columns: int, seed: int = 9) -> np.ndarray:
    """Return a dense matrix with the given singular values and random singular vectors."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((side, len(values))))[0] for side in (rows, columns))
    return left * np.asarray(values) @ right.T
