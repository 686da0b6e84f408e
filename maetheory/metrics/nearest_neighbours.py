"""Nearest neighbours, exactly and tile by tile, so that memory stays O(ND)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maetheory.metrics.validation import Floats

_TILE = 256


def nearest_neighbours(rows: Floats, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return indices (N, k) and distances (N, k) of the k nearest other rows, nearest first, ties to the lower index.

    A product finds a few candidates more than asked; their distances are then computed from differences, so close
    neighbours keep their digits.
    """
    n = len(rows)
    rows = rows - rows.mean(axis=0)
    squares = np.einsum("nd,nd->n", rows, rows)
    wanted = min(n - 1, k + 4)
    index, distance = np.empty((n, k), dtype=np.intp), np.empty((n, k))
    for start in range(0, n, _TILE):
        tile = rows[start : start + _TILE]
        gaps = squares - 2 * tile @ rows.T  # (t, d) @ (d, n) -> (t, n), less a constant in each row
        own = np.arange(len(tile))
        gaps[own, start + own] = np.inf
        near = np.sort(np.argpartition(gaps, wanted - 1, axis=1)[:, :wanted], axis=1)
        exact = np.linalg.norm(tile[:, None] - rows[near], axis=2)  # (t, wanted)
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        index[start : start + _TILE] = np.take_along_axis(near, order, axis=1)
        distance[start : start + _TILE] = np.take_along_axis(exact, order, axis=1)
    return index, distance
