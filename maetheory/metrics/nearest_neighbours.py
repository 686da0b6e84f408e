"""Exact nearest neighbours in O(ND) memory.

scikit-learn's brute-force search computes distances from expanded squares, which loses the digits of close pairs, and
does not order ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maetheory.metrics.validation import Floats

_TILE = 256


def nearest_neighbours(rows: Floats, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return indices and distances (N, k) of the k nearest other rows, nearest first, ties by the lower index.

    A matrix product selects k + 4 candidates; their distances are then computed from differences, so that those of
    close neighbours keep their digits.
    """
    n = len(rows)
    rows = rows - rows.mean(axis=0)
    squares = np.einsum("nd,nd->n", rows, rows)
    n_candidates = min(n - 1, k + 4)
    index, distance = np.empty((n, k), dtype=np.intp), np.empty((n, k))
    for start in range(0, n, _TILE):
        tile = rows[start : start + _TILE]
        distances = squares - 2 * tile @ rows.T  # (t, d) @ (d, n) -> (t, n), squared, up to a constant in each row
        own = np.arange(len(tile))
        distances[own, start + own] = np.inf
        candidates = np.sort(np.argpartition(distances, n_candidates - 1, axis=1)[:, :n_candidates], axis=1)
        exact = np.linalg.norm(tile[:, None] - rows[candidates], axis=2)  # (t, n_candidates)
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        index[start : start + _TILE] = np.take_along_axis(candidates, order, axis=1)
        distance[start : start + _TILE] = np.take_along_axis(exact, order, axis=1)
    return index, distance
