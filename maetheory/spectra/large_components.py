"""Large components are solved one by one, each asked for no more values than the whole needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maetheory.spectra.component_spectrum import ComponentSpectrum
from maetheory.spectra.components import Indices
from maetheory.spectra.counting_operator import Array, Products
from maetheory.spectra.solvers import BACKWARD_ERROR, dense_svd, entries, gram_svd, prefers_full_svd, prefers_gram_svd
from maetheory.spectra.triplets import SingularTriplets

Solver = Callable[[Products, int, np.random.Generator], SingularTriplets]
ComponentMatrix = tuple[Indices, Indices, Any]


def solve_large_components(
    components: Sequence[ComponentMatrix],
    k: int,
    known: Array,
    solver: Solver,
    rng: np.random.Generator,
    operator: Products,
) -> list[ComponentSpectrum]:
    """Return the top of each large component, deep enough that the k largest of all are among them.

    Each is first asked for its share of k and two more, which cost next to nothing beside the first. Where the last
    value found would still count among the k largest, together with those `known` already, it is asked for twice as
    many.

    Parameters
    ----------
    components : sequence of (rows, columns, matrix)
        The components.
    k : int
        How many values the whole needs.
    known : (j,) array
        Values of other components.
    solver : callable
        Finds so many triplets of one component, given as Products, from a random generator.
    rng : numpy Generator
        Handed to the engine.
    operator : Products
        On whose count the products go.

    Returns
    -------
    list of Part
        In the order of the pieces.
    """
    if not components:
        return []
    share = -(-k // len(components)) + 2
    wanted = [min(share, k, len(rows), len(columns)) for rows, columns, _ in components]
    parts = [_solve(piece, want, solver, rng, operator) for piece, want in zip(components, wanted)]
    while True:
        together = np.concatenate([known, *(part.values for part in parts)])
        floor = np.partition(together, -k)[-k] if len(together) >= k else -np.inf
        short = [j for j, part in enumerate(parts) if not part.whole and wanted[j] < k and part.values[-1] >= floor]
        if not short:
            return parts
        for j in short:
            wanted[j] = min(2 * wanted[j], k, len(parts[j].rows), len(parts[j].columns))
            parts[j] = _solve(components[j], wanted[j], solver, rng, operator)


def _solve(
    piece: ComponentMatrix, k: int, solver: Solver, rng: np.random.Generator, operator: Products
) -> ComponentSpectrum:
    products = operator.sharing(piece[2])
    if prefers_full_svd(products.shape, k):
        return _svd_spectrum(piece, entries(products))
    if prefers_gram_svd(products.shape):
        return _gram_spectrum(piece, entries(products), k)
    rows, columns, _ = piece
    found = solver(products, k, rng)
    rest = np.linalg.norm(products.backward(found.left) - found.right * found.values)
    return ComponentSpectrum(
        rows,
        columns,
        found.values,
        _errors(found, rest + _rounding(products) * found.values[0]),
        False,
        False,
        found.first,
    )


def _svd_spectrum(piece: ComponentMatrix, dense: Array) -> ComponentSpectrum:
    rows, columns, _ = piece
    found = dense_svd(dense)
    return ComponentSpectrum(
        rows, columns, found.values, _errors(found, _rounding(dense) * found.values[0]), True, True, found.first
    )


def _gram_spectrum(piece: ComponentMatrix, dense: Array, k: int) -> ComponentSpectrum:
    rows, columns, _ = piece
    found = gram_svd(dense, k + 1)
    if found is None:
        return _svd_spectrum(piece, dense)
    lost = _rounding(dense) * np.sum(dense**2) / found.values[-1]
    return ComponentSpectrum(rows, columns, found.values, _errors(found, lost), False, True, found.first)


def _rounding(matrix: Products | Array) -> float:
    return float(BACKWARD_ERROR * np.sqrt(sum(matrix.shape)))


def _errors(found: SingularTriplets, error: float) -> Array:
    return np.full(len(found.values), error)
