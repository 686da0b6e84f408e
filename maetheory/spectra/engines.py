"""Three ways to the top singular triplets of one matrix: a dense SVD, ARPACK, and blocks for what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from maetheory.spectra.products import Array, Products, is_sparse

DENSE_SIDE = 128


@dataclass(frozen=True)
class Triplets:
    """Singular triplets, values descending: left (N1, j), values (j,), right (N2, j)."""

    left: Array
    values: Array
    right: Array


def by_dense_svd(matrix: Any) -> Triplets:
    """Return every singular triplet of an explicit matrix (LAPACK)."""
    left, values, right = np.linalg.svd(matrix.toarray() if is_sparse(matrix) else matrix, full_matrices=False)
    return Triplets(left, values, right.T)


def is_small(shape: tuple[int, int], k: int) -> bool:
    """Whether a dense SVD is the cheaper or the only sure way: a short side, or a large part of the spectrum asked."""
    side = min(shape)
    return side <= DENSE_SIDE or 4 * k > side


def by_arpack(products: Products, k: int, rng: np.random.Generator) -> Triplets:
    """Return the top k triplets by implicitly restarted Lanczos on BᵀB or BBᵀ, whichever is smaller.

    Raises
    ------
    ArpackError
        If it does not converge.
    """
    if products.shape[0] < products.shape[1]:
        turned = by_arpack(products.transposed, k, rng)
        return Triplets(turned.right, turned.values, turned.left)
    side = products.shape[1]
    gram = LinearOperator(
        (side, side), matvec=lambda x: products.backward(products.forward(np.ravel(x))), dtype=np.float64
    )
    vectors = eigsh(gram, k=k, which="LM", v0=rng.standard_normal(side))[1]
    return rayleigh_ritz(products, np.linalg.qr(vectors)[0])


def rayleigh_ritz(products: Products, basis: Array) -> Triplets:
    """Return the triplets that the orthonormal columns of `basis` (N2, k) contain: the SVD of B basis."""
    left, values, turn = np.linalg.svd(products.forward(basis), full_matrices=False)
    return Triplets(left, values, basis @ turn.T)


__all__ = ["ArpackError", "Triplets", "by_arpack", "by_dense_svd", "is_small", "rayleigh_ritz"]
