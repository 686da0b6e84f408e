"""Solvers for the largest singular triplets of one matrix: dense SVD, Gram eigendecomposition, ARPACK."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, eigsh

from maetheory.core import InputError
from maetheory.spectra.counting_operator import EPS, Array, CountingOperator, GramOperator
from maetheory.spectra.triplets import SingularTriplets, rayleigh_ritz

DENSE_ENTRIES = 4_000_000
LARGEST_ENTRIES = 250_000_000  # 2 GB, and an SVD holds several copies
DENSE_SIDE = 64  # largest side for which a dense SVD is faster than ARPACK
GRAM_SIDE = 256  # largest side for which decomposing BᵀB is faster than ARPACK
GRAM_MIN_RATIO = 0.1  # relative to the largest value: squaring values above it loses at most one digit
TOLERANCE = 1e-12  # of the vectors; the Rayleigh–Ritz step squares it for the values


def lapack_backward_error(shape: tuple[int, ...]) -> float:
    """Return LAPACK's backward error for a matrix of this shape, relative to its norm."""
    return float(8 * EPS * np.sqrt(sum(shape)))


def prefers_full_svd(shape: tuple[int, int], k: int) -> bool:
    """Whether a full SVD is the fastest way to k triplets: the matrix is small, or k a large part of its spectrum."""
    return 4 * k > min(shape) or (min(shape) <= DENSE_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES)


def prefers_gram_svd(shape: tuple[int, int]) -> bool:
    """Whether decomposing BᵀB densely is faster than ARPACK for a matrix B of this shape."""
    return min(shape) <= GRAM_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES


def to_dense(products: CountingOperator) -> Array:
    """Return the matrix as an array; a LinearOperator is multiplied by the identity matrix of its shorter side.

    Raises
    ------
    InputError
        If it is not an array already and would have more than 250 million entries.
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
        dense: Array = matrix.toarray() if issparse(matrix) else matrix
        return dense
    if matrix.shape[0] < matrix.shape[1]:
        return products.rmatmat(np.eye(matrix.shape[0])).T
    return products.matmat(np.eye(matrix.shape[1]))


def dense_svd(matrix: Array) -> SingularTriplets:
    """Return every singular triplet of an array (LAPACK)."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return SingularTriplets(left, values, right.T)


def gram_svd(matrix: Array, k: int) -> SingularTriplets | None:
    """Return the k largest triplets of an array: right vectors from BᵀB, values and left vectors from B itself.

    None when the last value is so far below the first that squaring loses its digits.

    Examples
    --------
    >>> gram_svd(np.diag([3.0, 2.0, 1.0]), 2).values.round(12)
    array([3., 2.])
    >>> gram_svd(np.diag([3.0, 2.0, 0.001]), 3) is None
    True
    """
    if matrix.shape[0] < matrix.shape[1]:
        of_transpose = gram_svd(matrix.T, k)
        return of_transpose and of_transpose.transposed
    side = matrix.shape[1]
    basis = eigh(matrix.T @ matrix, subset_by_index=[side - k, side - 1])[1]  # (N2, k)
    found = rayleigh_ritz(CountingOperator(matrix), basis)
    return found if found.values[-1] >= GRAM_MIN_RATIO * found.values[0] else None


def arpack_svd(products: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
    """Return the k largest triplets, k < min(N1, N2), by implicitly restarted Lanczos on the smaller of BᵀB and BBᵀ.

    Raises
    ------
    scipy.sparse.linalg.ArpackError
        If it does not converge.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK Users' Guide.

    Examples
    --------
    >>> arpack_svd(CountingOperator(np.diag([3.0, 2.0, 1.0, 0.5])), 2, np.random.default_rng(0)).values.round(12)
    array([3., 2.])
    """
    if products.shape[0] < products.shape[1]:
        return arpack_svd(products.transposed, k, rng).transposed
    side = products.shape[1]
    basis_size = min(side, max(3 * k, k + 20))  # fewer restarts than the default 2k + 1, little more orthogonalisation
    start = rng.standard_normal(side)
    vectors = eigsh(GramOperator(products), k=k, which="LM", ncv=basis_size, v0=start, tol=TOLERANCE)[1]
    return rayleigh_ritz(products, np.linalg.qr(vectors)[0])
