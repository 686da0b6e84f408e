"""Singular triplets: singular values with their left and right vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.spectra.counting_operator import Array, CountingOperator


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
        """Return the `count` largest triplets."""
        return SingularTriplets(self.left[:, :count], self.values[:count], self.right[:, :count])


def rayleigh_ritz(operator: CountingOperator, basis: Array) -> SingularTriplets:
    """Return the singular triplets of B restricted to the span of an orthonormal `basis` (N2, k)."""
    left, values, vt = np.linalg.svd(operator.matmat(basis), full_matrices=False)
    return SingularTriplets(left, values, basis @ vt.T)
