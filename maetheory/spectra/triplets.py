"""A singular triplet is a value with its left and right vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.spectra.counting_operator import Array, Products


@dataclass(frozen=True)
class SingularTriplets:
    """Singular triplets, values descending: left (N1, j), values (j,), right (N2, j)."""

    left: Array
    values: Array
    right: Array

    @property
    def transposed(self) -> SingularTriplets:
        """The triplets of the transposed matrix."""
        return SingularTriplets(self.right, self.values, self.left)

    def first(self, count: int) -> SingularTriplets:
        """The `count` largest."""
        return SingularTriplets(self.left[:, :count], self.values[:count], self.right[:, :count])


def rayleigh_ritz(products: Products, basis: Array) -> SingularTriplets:
    """Return the triplets that the orthonormal columns of `basis` (N2, k) contain: the SVD of B basis."""
    left, values, turn = np.linalg.svd(products.forward(basis), full_matrices=False)
    return SingularTriplets(left, values, basis @ turn.T)
