"""Iterative solution of large components, each to the depth that the k largest values of the matrix need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.spectra.component_spectrum import ComponentSpectrum
from maetheory.spectra.connected_components import Indices
from maetheory.spectra.counting_operator import Array, CountingOperator
from maetheory.spectra.solvers import (
    dense_svd,
    gram_svd,
    lapack_backward_error,
    prefers_full_svd,
    prefers_gram_svd,
    to_dense,
)
from maetheory.spectra.triplets import SingularTriplets

Solver = Callable[[CountingOperator, int, np.random.Generator], SingularTriplets]


@dataclass(frozen=True)
class ComponentMatrix:
    """One component as a matrix of any form, with the indices of its rows and columns in the whole matrix."""

    rows: Indices
    columns: Indices
    matrix: Any

    @property
    def n_values(self) -> int:
        """Number of singular values of the component."""
        return min(len(self.rows), len(self.columns))


def solve_large_components(
    components: Sequence[ComponentMatrix],
    k: int,
    known: Array,
    solver: Solver,
    rng: np.random.Generator,
    operator: CountingOperator,
) -> list[ComponentSpectrum]:
    """Return the largest singular values of each large component, enough to contain the k largest of the matrix.

    Each component is first solved for its share of k and two more values, which cost little beside the first. A
    component whose last value is still among the k largest of all is solved again for twice as many.

    Parameters
    ----------
    components : sequence of ComponentMatrix
        The components.
    k : int
        Number of singular values requested of the whole matrix.
    known : (j,) array
        Values of other components.
    solver : callable
        Returns the given number of triplets of a CountingOperator, using a random generator.
    rng : numpy Generator
        Passed to the solver.
    operator : CountingOperator
        Whose counter counts the products.

    Returns
    -------
    list of ComponentSpectrum
        In the order of the components.
    """
    if not components:
        return []
    share = -(-k // len(components)) + 2
    wanted = [min(share, k, component.n_values) for component in components]
    parts = [_solve_component(component, want, solver, rng, operator) for component, want in zip(components, wanted)]
    while True:
        values = np.concatenate([known, *(part.values for part in parts)])
        floor = np.partition(values, -k)[-k] if len(values) >= k else -np.inf
        short = [j for j, part in enumerate(parts) if not part.complete and wanted[j] < k and part.values[-1] >= floor]
        if not short:
            return parts
        for j in short:
            wanted[j] = min(2 * wanted[j], k)
            parts[j] = _solve_component(components[j], wanted[j], solver, rng, operator)


def _solve_component(
    component: ComponentMatrix, k: int, solver: Solver, rng: np.random.Generator, operator: CountingOperator
) -> ComponentSpectrum:
    products = operator.with_matrix(component.matrix)
    if prefers_full_svd(products.shape, k):
        return _svd_spectrum(component, to_dense(products))
    if prefers_gram_svd(products.shape):
        return _gram_spectrum(component, to_dense(products), k)
    found = solver(products, k, rng)
    residual = np.linalg.norm(products.rmatmat(found.left) - found.right * found.values)
    rounding = (lapack_backward_error(products.shape) + products.rounding_error) * found.values[0]
    return _component_spectrum(component, found, residual + rounding, complete=False, none_missed=False)


def _svd_spectrum(component: ComponentMatrix, dense: Array) -> ComponentSpectrum:
    found = dense_svd(dense)
    error = lapack_backward_error(dense.shape) * found.values[0]
    return _component_spectrum(component, found, error, complete=True, none_missed=True)


def _gram_spectrum(component: ComponentMatrix, dense: Array, k: int) -> ComponentSpectrum:
    found = gram_svd(dense, k + 1)
    if found is None:
        return _svd_spectrum(component, dense)
    error = lapack_backward_error(dense.shape) * np.sum(dense**2) / found.values[-1]
    return _component_spectrum(component, found, error, complete=False, none_missed=True)


def _component_spectrum(
    component: ComponentMatrix, found: SingularTriplets, error: float, *, complete: bool, none_missed: bool
) -> ComponentSpectrum:
    errors = np.full(len(found.values), error)
    return ComponentSpectrum(
        component.rows, component.columns, found.values, errors, complete, none_missed, found.first
    )
