"""Linear operator that counts its matrix-vector products."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import InputError

Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


class CountingOperator:
    """The products B X and Bᵀ Y of one real matrix in float64, with a count of the columns multiplied.

    Parameters
    ----------
    matrix : sparse matrix, (N1, N2) array or LinearOperator
        The matrix B. An explicit one must be finite; a LinearOperator must have its adjoint.

    Raises
    ------
    InputError
        If the matrix is not two-dimensional, is empty, is complex, or an explicit entry is not finite.

    Examples
    --------
    >>> b = CountingOperator(np.array([[3.0, 0.0], [0.0, 4.0]]))
    >>> b.matmat(np.eye(2))
    array([[3., 0.],
           [0., 4.]])
    >>> b.matvecs
    2
    """

    def __init__(self, matrix: Any):
        self.matrix = as_float64_matrix(matrix)
        self.adjoint = self.matrix.T.tocsr() if issparse(self.matrix) else self.matrix.T
        self.shape: tuple[int, int] = self.matrix.shape
        self._counter = [0]

    @property
    def matvecs(self) -> int:
        """Number of columns multiplied so far."""
        return self._counter[0]

    def matmat(self, x: Array) -> Array:
        """Return B x for x of shape (N2,) or (N2, c)."""
        return self._multiply(self.matrix, x)

    def rmatmat(self, y: Array) -> Array:
        """Return Bᵀ y for y of shape (N1,) or (N1, c)."""
        return self._multiply(self.adjoint, y)

    @property
    def rounding_error(self) -> float:
        """Bound on ‖fl(Bx) − Bx‖ / (‖B‖ ‖x‖) and on that of Bᵀ: ε (√(N1 + N2) + the length of the longest sum).

        Sparse products add one term after the other, and equal terms round the same way, so that the error of a row is
        proportional to its number of entries. LAPACK and BLAS add in blocks, whose errors cancel. The products of a
        LinearOperator are unknown: its longest sum may have max(N1, N2) terms.
        """
        return EPS * (float(np.sqrt(sum(self.shape))) + self._longest_sum())

    def _longest_sum(self) -> int:
        if isinstance(self.matrix, LinearOperator):
            return max(self.shape)
        if not issparse(self.matrix):
            return 0
        return max(int(np.diff(one.indptr).max()) for one in (self.matrix, self.adjoint))

    @property
    def transposed(self) -> CountingOperator:
        """The operator Bᵀ, with the same counter."""
        transposed = copy(self)
        transposed.matrix, transposed.adjoint, transposed.shape = self.adjoint, self.matrix, self.shape[::-1]
        return transposed

    @property
    def tall(self) -> CountingOperator:
        """B or Bᵀ, whichever has at least as many rows as columns."""
        return self if self.shape[0] >= self.shape[1] else self.transposed

    def with_matrix(self, matrix: Any) -> CountingOperator:
        """Return the operator of another matrix, with the same counter."""
        other = CountingOperator(matrix)
        other._counter = self._counter
        return other

    def _multiply(self, matrix: Any, x: Array) -> Array:
        self._counter[0] += 1 if x.ndim == 1 else x.shape[1]
        return np.asarray(matrix @ x, dtype=np.float64)


class GramOperator(LinearOperator):
    """BᵀB as a LinearOperator, without SciPy's shape checks, which cost as much as a small product."""

    def __init__(self, operator: CountingOperator):
        super().__init__(np.float64, (operator.shape[1], operator.shape[1]))
        self.operator = operator

    def matvec(self, x: Any) -> Any:
        """Return BᵀB x for x of shape (N2,)."""
        return self.operator.rmatmat(self.operator.matmat(x))

    def matmat(self, x: Any) -> Any:
        """Return BᵀB x for x of shape (N2, c)."""
        return self.operator.rmatmat(self.operator.matmat(x))

    def _matvec(self, x: Any) -> Any:
        return self.matvec(x)


def as_float64_matrix(matrix: Any) -> Any:
    """Return the matrix as float64: CSR when sparse, an array when dense, a LinearOperator unchanged.

    Raises
    ------
    InputError
        If it is not two-dimensional, is empty, is complex, or an explicit entry is not finite.
    """
    if isinstance(matrix, LinearOperator):
        _check_shape(matrix.shape)
        return matrix
    if not issparse(matrix):
        matrix = np.asarray(matrix)
    if not (np.issubdtype(matrix.dtype, np.number) or matrix.dtype == bool) or np.iscomplexobj(matrix):
        raise InputError(f"operator has entries of type {matrix.dtype}, but real numbers are expected")
    _check_shape(matrix.shape)
    matrix = matrix.tocsr().astype(np.float64) if issparse(matrix) else matrix.astype(np.float64)
    if not np.isfinite(matrix.data if issparse(matrix) else matrix).all():
        raise InputError("operator holds NaN or infinity, but every entry must be finite")
    return matrix


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"operator has shape {tuple(shape)}, but a matrix with at least one row and column is expected"
        )
