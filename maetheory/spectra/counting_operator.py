"""A matrix is known by its products with vectors, and every product is counted."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import InputError

Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


class Products:
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
    >>> b = Products(np.array([[3.0, 0.0], [0.0, 4.0]]))
    >>> b.forward(np.eye(2))
    array([[3., 0.],
           [0., 4.]])
    >>> b.count
    2
    """

    def __init__(self, matrix: Any):
        self.matrix = explicit(matrix)
        self.adjoint = self.matrix.T.tocsr() if is_sparse(self.matrix) else self.matrix.T
        self.shape: tuple[int, int] = self.matrix.shape
        self._counter = [0]

    @property
    def count(self) -> int:
        """Columns multiplied so far."""
        return self._counter[0]

    def forward(self, x: Array) -> Array:
        """Return B x for x of shape (N2,) or (N2, c)."""
        return self._times(self.matrix, x)

    def backward(self, y: Array) -> Array:
        """Return Bᵀ y for y of shape (N1,) or (N1, c)."""
        return self._times(self.adjoint, y)

    @property
    def transposed(self) -> Products:
        """The products of Bᵀ, on the same count."""
        turned = copy(self)
        turned.matrix, turned.adjoint, turned.shape = self.adjoint, self.matrix, self.shape[::-1]
        return turned

    def sharing(self, matrix: Any) -> Products:
        """The products of another matrix, on the same count."""
        other = Products(matrix)
        other._counter = self._counter
        return other

    def _times(self, matrix: Any, x: Array) -> Array:
        self._counter[0] += 1 if x.ndim == 1 else x.shape[1]
        return np.asarray(matrix @ x, dtype=np.float64)


def is_sparse(matrix: Any) -> bool:
    """Whether scipy stores the matrix sparsely, as a matrix or as an array."""
    return bool(sparse.issparse(matrix))


def explicit(matrix: Any) -> Any:
    """Return the matrix as float64: CSR when sparse, an array when dense, a LinearOperator as it is."""
    if isinstance(matrix, LinearOperator):
        _check_shape(matrix.shape)
        return matrix
    if not is_sparse(matrix):
        matrix = np.asarray(matrix)
    if not (np.issubdtype(matrix.dtype, np.number) or matrix.dtype == bool) or np.iscomplexobj(matrix):
        raise InputError(f"operator has entries of type {matrix.dtype}, but real numbers are expected")
    _check_shape(matrix.shape)
    matrix = matrix.tocsr().astype(np.float64) if is_sparse(matrix) else matrix.astype(np.float64)
    if not np.isfinite(matrix.data if is_sparse(matrix) else matrix).all():
        raise InputError("operator holds NaN or infinity, but every entry must be finite")
    return matrix


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"operator has shape {tuple(shape)}, but a matrix with at least one row and column is expected"
        )
