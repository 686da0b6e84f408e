"""Large components are solved one by one, each asked for no more values than the whole needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maetheory.spectra.components import Indices
from maetheory.spectra.engines import ROUNDING, by_dense_svd, by_gram, entries, suits_gram, wants_all
from maetheory.spectra.part import Part
from maetheory.spectra.products import Array, Products
from maetheory.spectra.triplets import Triplets

Engine = Callable[[Products, int, np.random.Generator], Triplets]
Piece = tuple[Indices, Indices, Any]


def solve_large(
    pieces: Sequence[Piece], k: int, known: Array, engine: Engine, rng: np.random.Generator, counter: Products
) -> list[Part]:
    """Return the top of each large component, deep enough that the k largest of all are among them.

    Each is first asked for its share of k and two more, which cost next to nothing beside the first. Where the last
    value found would still count among the k largest, together with those `known` already, it is asked for twice as
    many.

    Parameters
    ----------
    pieces : sequence of (rows, columns, matrix)
        The components.
    k : int
        How many values the whole needs.
    known : (j,) array
        Values of other components.
    engine : callable
        Finds so many triplets of one component, given as Products, from a random generator.
    rng : numpy Generator
        Handed to the engine.
    counter : Products
        On whose count the products go.

    Returns
    -------
    list of Part
        In the order of the pieces.
    """
    if not pieces:
        return []
    share = -(-k // len(pieces)) + 2
    wanted = [min(share, k, len(rows), len(columns)) for rows, columns, _ in pieces]
    parts = [_solve(piece, want, engine, rng, counter) for piece, want in zip(pieces, wanted)]
    while True:
        together = np.concatenate([known, *(part.values for part in parts)])
        floor = np.partition(together, -k)[-k] if len(together) >= k else -np.inf
        short = [j for j, part in enumerate(parts) if not part.whole and wanted[j] < k and part.values[-1] >= floor]
        if not short:
            return parts
        for j in short:
            wanted[j] = min(2 * wanted[j], k, len(parts[j].rows), len(parts[j].columns))
            parts[j] = _solve(pieces[j], wanted[j], engine, rng, counter)


def _solve(piece: Piece, k: int, engine: Engine, rng: np.random.Generator, counter: Products) -> Part:
    products = counter.sharing(piece[2])
    if wants_all(products.shape, k):
        return _by_svd(piece, entries(products))
    if suits_gram(products.shape):
        return _by_gram(piece, entries(products), k)
    rows, columns, _ = piece
    found = engine(products, k, rng)
    rest = np.linalg.norm(products.backward(found.left) - found.right * found.values)
    return Part(
        rows,
        columns,
        found.values,
        _errors(found, rest + _rounding(products) * found.values[0]),
        False,
        False,
        found.first,
    )


def _by_svd(piece: Piece, dense: Array) -> Part:
    rows, columns, _ = piece
    found = by_dense_svd(dense)
    return Part(
        rows, columns, found.values, _errors(found, _rounding(dense) * found.values[0]), True, True, found.first
    )


def _by_gram(piece: Piece, dense: Array, k: int) -> Part:
    rows, columns, _ = piece
    found = by_gram(dense, k + 1)
    if found is None:
        return _by_svd(piece, dense)
    lost = _rounding(dense) * np.sum(dense**2) / found.values[-1]
    return Part(rows, columns, found.values, _errors(found, lost), False, True, found.first)


def _rounding(matrix: Products | Array) -> float:
    return float(ROUNDING * np.sqrt(sum(matrix.shape)))


def _errors(found: Triplets, error: float) -> Array:
    return np.full(len(found.values), error)
