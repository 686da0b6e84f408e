"""Three ways to the top singular triplets of one matrix: an SVD of all, the eigenvectors of BᵀB, and ARPACK."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh

from maetheory.core import InputError
from maetheory.spectra.counting_operator import EPS, Array, Products, is_sparse
from maetheory.spectra.triplets import SingularTriplets, rayleigh_ritz

DENSE_ENTRIES = 4_000_000
LARGEST_ENTRIES = 250_000_000  # 2 GB, of which an SVD keeps several copies
DENSE_SIDE = 64  # up to which LAPACK finds all triplets before ARPACK has begun
GRAM_SIDE = 256  # up to which LAPACK finds the top ones before ARPACK does
GRAM_MIN_RATIO = 0.1  # of the largest value: squares of values above it lose no more than a digit
BACKWARD_ERROR = 8 * EPS  # times the root of rows + columns: LAPACK's backward error
TOLERANCE = 1e-12  # of the vectors; the Rayleigh–Ritz step squares it for the values


def prefers_full_svd(shape: tuple[int, int], k: int) -> bool:
    """Whether k triplets are best found among all: the matrix is small, or they are a large part of its spectrum."""
    return 4 * k > min(shape) or (min(shape) <= DENSE_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES)


def prefers_gram_svd(shape: tuple[int, int]) -> bool:
    """Whether the dense BᵀB of this shape is decomposed faster than ARPACK iterates."""
    return min(shape) <= GRAM_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES


def entries(products: Products) -> Array:
    """Return the matrix as an array; a LinearOperator is multiplied with the identity on its shorter side.

    Raises
    ------
    InputError
        If it is not an array yet and would have more than 250 million entries.
    """
    matrix = products.matrix
    if not isinstance(matrix, np.ndarray) and matrix.shape[0] * matrix.shape[1] > LARGEST_ENTRIES:
        raise InputError(
            f"more than a quarter of the singular values of a "
            f"{matrix.shape[0]} x {matrix.shape[1]} matrix, or connected part of one, are found from all its entries, "
            f"{8e-9 * matrix.shape[0] * matrix.shape[1]:.3g} GB: ask for "
            f"{min(matrix.shape) // 4} at most"
        )
    if not isinstance(matrix, LinearOperator):
        dense: Array = matrix.toarray() if is_sparse(matrix) else matrix
        return dense
    if matrix.shape[0] < matrix.shape[1]:
        return products.backward(np.eye(matrix.shape[0])).T
    return products.forward(np.eye(matrix.shape[1]))


def dense_svd(matrix: Array) -> SingularTriplets:
    """Return every singular triplet of an array (LAPACK)."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return SingularTriplets(left, values, right.T)


def gram_svd(matrix: Array, k: int) -> SingularTriplets | None:
    """Return the top k triplets of an array from the eigenvectors of BᵀB, and values and left vectors from B itself.

    None when the last value is so far below the first that squaring has blurred it.

    Examples
    --------
    >>> gram_svd(np.diag([3.0, 2.0, 1.0]), 2).values.round(12)
    array([3., 2.])
    >>> gram_svd(np.diag([3.0, 2.0, 0.001]), 3) is None
    True
    """
    if matrix.shape[0] < matrix.shape[1]:
        turned = gram_svd(matrix.T, k)
        return turned and turned.transposed
    side = matrix.shape[1]
    basis = eigh(matrix.T @ matrix, subset_by_index=[side - k, side - 1])[1]  # (N2, k)
    found = rayleigh_ritz(Products(matrix), basis)
    return found if found.values[-1] >= GRAM_MIN_RATIO * found.values[0] else None


def arpack_svd(products: Products, k: int, rng: np.random.Generator) -> SingularTriplets:
    """Return the top k < min(N1, N2) triplets by implicitly restarted Lanczos on BᵀB or BBᵀ, whichever is smaller.

    Raises
    ------
    scipy.sparse.linalg.ArpackError
        If it does not converge.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK Users' Guide.

    Examples
    --------
    >>> arpack_svd(Products(np.diag([3.0, 2.0, 1.0, 0.5])), 2, np.random.default_rng(0)).values.round(12)
    array([3., 2.])
    """
    if products.shape[0] < products.shape[1]:
        return arpack_svd(products.transposed, k, rng).transposed
    side = products.shape[1]
    basis = min(side, max(3 * k, k + 20))  # fewer restarts than the default 2k + 1, at little more orthogonalisation
    start = rng.standard_normal(side)
    vectors = eigsh(_GramOperator(products), k=k, which="LM", ncv=basis, v0=start, tol=TOLERANCE)[1]
    return rayleigh_ritz(products, np.linalg.qr(vectors)[0])


class _GramOperator(LinearOperator):
    """BᵀB without the checks that cost as much as a small product."""

    def __init__(self, products: Products):
        super().__init__(np.float64, (products.shape[1], products.shape[1]))
        self.products = products

    def matvec(self, x: Any) -> Any:
        return self.products.backward(self.products.forward(x))

    def _matvec(self, x: Any) -> Any:
        return self.matvec(x)
