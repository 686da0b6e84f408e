"""The singular values of a shared graph: as many ones as it has components, and the rest from products."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.sparse.linalg import LinearOperator

from maetheory.empirical.led import led
from maetheory.empirical.ranks import Ranks
from maetheory.spectra import Spectrum, certify, spectrum

if TYPE_CHECKING:
    from maetheory.empirical.sharded import ShardedGraph


def shared_spectrum(graph: ShardedGraph, k: int, seed: int) -> Spectrum:
    """Return the k largest singular values of a shared graph; the vectors are the rows of this process.

    Where there are k components or more the values are all 1 and the vectors are known, so that no solver need tell
    equal values apart; else it is `maetheory.spectra.spectrum` that finds them from products.
    """
    ranks = graph.ranks
    if graph.n_components >= k:
        left, right = (ranks.gathered_first(part, lengths) for part, lengths in _constants(graph, k))

        def solve(operator: LinearOperator) -> Spectrum:
            return certify(operator, np.ones(k), left, right, seed=seed)
    else:

        def solve(operator: LinearOperator) -> Spectrum:
            return spectrum(operator, k, seed=seed)

    found = led(ranks, graph.normalized_block, graph.view_starts, solve)
    return _dealt(ranks, graph, found, k)


def _constants(graph: ShardedGraph, k: int) -> list[tuple[np.ndarray, list[int]]]:
    """Return own rows of √d on each of the k lowest components, of unit norm over all, and everyone's lengths."""
    views, targets = graph.components
    first, last = graph.target_starts[graph.ranks.number : graph.ranks.number + 2]
    chosen = np.flatnonzero(targets == np.arange(len(targets)))[:k]
    found = []
    for names, degree, starts in ((views, graph.degrees[0], graph.view_starts),
                                  (targets[first:last], graph.degrees[1], graph.target_starts)):  # fmt: skip
        vectors = np.sqrt(degree)[:, None] * (names[:, None] == chosen)  # (n, k)
        size = np.sqrt(graph.ranks.reduced((vectors**2).sum(0)))
        found.append((vectors / size, np.diff(starts).tolist()))
    return found


def _dealt(ranks: Ranks, graph: ShardedGraph, found: Spectrum | None, k: int) -> Spectrum:
    """Tell everyone the values and the certificate, and deal out the rows of the vectors."""
    nothing = np.empty(0)
    told = ranks.by_first(lambda: replace(cast(Spectrum, found), left=nothing, right=nothing))
    one, two = (None, None) if found is None else (found.left, found.right)
    left, right = (ranks.dealt(rows, np.diff(starts).tolist(), (k,))
                   for rows, starts in ((one, graph.view_starts), (two, graph.target_starts)))  # fmt: skip
    return replace(told, left=left, right=right)
