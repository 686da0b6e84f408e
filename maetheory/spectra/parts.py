"""A graph in pieces is solved piece by piece, each asked for no more values than the whole needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from maetheory.spectra.components import Block, Indices
from maetheory.spectra.engines import by_dense_svd, entries, is_most, is_small
from maetheory.spectra.products import Array, Products
from maetheory.spectra.triplets import Triplets

Engine = Callable[[Products, int, np.random.Generator], Triplets]
STACK = 4_000_000  # entries of equal small blocks decomposed in one call


@dataclass(frozen=True)
class Part:
    """One component with its largest singular values, descending; `whole` when they are all it has."""

    rows: Indices
    columns: Indices
    values: Array
    whole: bool
    solve: Callable[[], Triplets]

    @cached_property
    def triplets(self) -> Triplets:
        """The values with their vectors, computed when first asked for."""
        return self.solve()


def solve_small(blocks: Sequence[Block]) -> list[Part]:
    """Return every singular value of each small block, equal shapes in one LAPACK call; vectors wait until needed."""
    by_shape: dict[tuple[int, int], list[Block]] = defaultdict(list)
    for block in blocks:
        by_shape[block.shape].append(block)
    parts = []
    for (n1, n2), alike in by_shape.items():
        stride = max(STACK // (n1 * n2), 1)
        for begin in range(0, len(alike), stride):
            stack = np.stack([block.dense for block in alike[begin : begin + stride]])  # (c, n1, n2)
            for block, dense, values in zip(alike[begin:], stack, np.linalg.svd(stack, compute_uv=False)):
                parts.append(_lazy(block, dense, values))
    return parts


def _lazy(block: Block, dense: Array, values: Array) -> Part:
    return Part(block.rows, block.columns, values, True, lambda: by_dense_svd(dense))


def solve_large(
    matrices: Sequence[tuple[Indices, Indices, Any]],
    k: int,
    others: Array,
    engine: Engine,
    rng: np.random.Generator,
    counter: Products,
) -> list[Part]:
    """Return the top of each large component, deep enough that the k largest of all are among them.

    Each is first asked for its share of k and two more. Where the last value found would still count among the k
    largest, together with the `others` already known, twice as many are asked for.
    """
    if not matrices:
        return []
    share = -(-k // len(matrices)) + 2
    wanted = [min(share, k, len(rows), len(columns)) for rows, columns, _ in matrices]
    parts = [_solve(matrix, want, engine, rng, counter) for matrix, want in zip(matrices, wanted)]
    while True:
        pool = np.concatenate([others, *(part.values for part in parts)])
        floor = np.partition(pool, -k)[-k] if len(pool) >= k else -np.inf
        short = [j for j, part in enumerate(parts) if not part.whole and wanted[j] < k and part.values[-1] >= floor]
        if not short:
            return parts
        for j in short:
            wanted[j] = min(2 * wanted[j], k, len(parts[j].rows), len(parts[j].columns))
            parts[j] = _solve(matrices[j], wanted[j], engine, rng, counter)


def _solve(
    piece: tuple[Indices, Indices, Any], k: int, engine: Engine, rng: np.random.Generator, counter: Products
) -> Part:
    rows, columns, matrix = piece
    products = counter.sharing(matrix)
    if is_small(matrix.shape) or is_most(matrix.shape, k):
        found, whole = by_dense_svd(entries(matrix, products)), True
    else:
        found, whole = engine(products, k, rng), False
    return Part(rows, columns, found.values, whole, lambda: found)


def merge(parts: Sequence[Part], shape: tuple[int, int], k: int) -> tuple[Triplets, Array]:
    """Return the k largest triplets of all parts, placed in the whole matrix, and the values that were dropped."""
    values = np.concatenate([np.empty(0), *(part.values for part in parts)])
    counts = [len(part.values) for part in parts]
    owner = np.repeat(np.arange(len(parts)), counts)
    place = np.arange(len(values)) - np.repeat(np.cumsum([0, *counts])[:-1], counts)
    order = np.argsort(-values, kind="stable")
    top = order[:k]
    left, right = np.zeros((shape[0], len(top))), np.zeros((shape[1], len(top)))
    for number in np.unique(owner[top]):
        here = np.flatnonzero(owner[top] == number)
        part, chosen = parts[number], place[top[here]]
        left[np.ix_(part.rows, here)] = part.triplets.left[:, chosen]
        right[np.ix_(part.columns, here)] = part.triplets.right[:, chosen]
    return Triplets(left, values[top], right), values[order[k:]]


def pad_with_null(kept: Triplets, k: int, rng: np.random.Generator) -> Triplets:
    """Add null vectors when the components together have fewer than k singular values: the others are 0."""
    missing = k - len(kept.values)
    if not missing:
        return kept
    left, right = _complete(kept.left, missing, rng), _complete(kept.right, missing, rng)
    return replace(kept, left=left, right=right, values=np.append(kept.values, np.zeros(missing)))


def _complete(basis: Array, missing: int, rng: np.random.Generator) -> Array:
    extra = rng.standard_normal((len(basis), missing))
    for _ in range(2):
        extra = np.linalg.qr(extra - basis @ (basis.T @ extra))[0]
    return np.hstack([basis, extra])
