"""Two ways to the top singular triplets of one matrix: a dense SVD when it is small, else ARPACK."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from maetheory.spectra.products import Array, Products, is_sparse
from maetheory.spectra.triplets import Triplets, rayleigh_ritz

DENSE_WORK = 4_000_000  # rows x columns x shorter side below which LAPACK is done before ARPACK has begun


def is_small(shape: tuple[int, int]) -> bool:
    """Whether a dense SVD of this shape costs less than any iteration."""
    return shape[0] * shape[1] * min(shape) <= DENSE_WORK


def is_most(shape: tuple[int, int], k: int) -> bool:
    """Whether k triplets are so many of all that a dense SVD is the better way to them."""
    return 4 * k > min(shape)


def entries(matrix: Any, products: Products) -> Array:
    """Return the matrix as an array; a LinearOperator is multiplied with the identity on its shorter side."""
    if not isinstance(matrix, LinearOperator):
        dense: Array = matrix.toarray() if is_sparse(matrix) else matrix
        return dense
    if matrix.shape[0] < matrix.shape[1]:
        return products.backward(np.eye(matrix.shape[0])).T
    return products.forward(np.eye(matrix.shape[1]))


def by_dense_svd(matrix: Array) -> Triplets:
    """Return every singular triplet of an array (LAPACK)."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return Triplets(left, values, right.T)


def by_arpack(products: Products, k: int, rng: np.random.Generator) -> Triplets:
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
    >>> by_arpack(Products(np.diag([3.0, 2.0, 1.0, 0.5])), 2, np.random.default_rng(0)).values.round(12)
    array([3., 2.])
    """
    if products.shape[0] < products.shape[1]:
        return by_arpack(products.transposed, k, rng).transposed
    side = products.shape[1]
    gram = LinearOperator(
        (side, side), matvec=lambda x: products.backward(products.forward(np.ravel(x))), dtype=np.float64
    )
    basis = min(side, max(3 * k, k + 20))  # fewer restarts than the default 2k + 1, at little more orthogonalisation
    vectors = eigsh(gram, k=k, which="LM", ncv=basis, v0=rng.standard_normal(side))[1]
    return rayleigh_ritz(products, np.linalg.qr(vectors)[0])
