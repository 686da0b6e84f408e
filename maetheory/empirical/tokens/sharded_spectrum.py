"""The singular values of a shared graph: as many ones as it has components, and the rest from products."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.sparse.linalg import LinearOperator

from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.parallel.root_driven import solve_on_root
from maetheory.spectra import Spectrum, certify, spectrum

if TYPE_CHECKING:
    from maetheory.empirical.tokens.sharded_graph import ShardedGraph


def sharded_spectrum(graph: ShardedGraph, k: int, seed: int) -> Spectrum:
    """Return the k largest singular values of a shared graph; the vectors are the rows of this process.

    Where there are k components or more the values are all 1 and the vectors are known, so that no solver need tell
    equal values apart; else it is `maetheory.spectra.spectrum` that finds them from products.
    """
    process_group = graph.process_group
    if graph.n_components >= k:
        left, right = (process_group.gather(part, lengths) for part, lengths in _component_vectors(graph, k))

        def solve(operator: LinearOperator) -> Spectrum:
            return certify(operator, np.ones(k), left, right, seed=seed)
    else:

        def solve(operator: LinearOperator) -> Spectrum:
            return spectrum(operator, k, seed=seed)

    found = solve_on_root(process_group, graph.normalized_block, graph.view_offsets, solve)
    return _scatter_vectors(process_group, graph, found, k)


def _component_vectors(graph: ShardedGraph, k: int) -> list[tuple[np.ndarray, list[int]]]:
    """Return own rows of √d on each of the k lowest components, of unit norm over all, and everyone's lengths."""
    views, targets = graph.components
    first, last = graph.target_offsets[graph.process_group.number : graph.process_group.number + 2]
    chosen = np.flatnonzero(targets == np.arange(len(targets)))[:k]
    found = []
    for names, degree, offsets in (
        (views, graph.degrees[0], graph.view_offsets),
        (targets[first:last], graph.degrees[1], graph.target_offsets),
    ):
        vectors = np.sqrt(degree)[:, None] * (names[:, None] == chosen)  # (n, k)
        size = np.sqrt(graph.process_group.all_reduce((vectors**2).sum(0)))
        found.append((vectors / size, np.diff(offsets).tolist()))
    return found


def _scatter_vectors(process_group: ProcessGroup, graph: ShardedGraph, found: Spectrum | None, k: int) -> Spectrum:
    """Tell everyone the values and the certificate, and deal out the rows of the vectors."""
    nothing = np.empty(0)
    told = process_group.run_on_root(lambda: replace(cast(Spectrum, found), left=nothing, right=nothing))
    one, two = (None, None) if found is None else (found.left, found.right)
    left, right = (
        process_group.scatter(rows, np.diff(offsets).tolist(), (k,))
        for rows, offsets in ((one, graph.view_offsets), (two, graph.target_offsets))
    )
    return replace(told, left=left, right=right)
