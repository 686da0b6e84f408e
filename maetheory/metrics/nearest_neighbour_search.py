"""Exact nearest neighbours in O(ND) memory.

scikit-learn's brute-force search computes distances from expanded squares, which loses the digits of close pairs, and
does not order ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maetheory.metrics.validation import Floats, centre_rows

_TILE = 256


def nearest_neighbours(rows: Floats, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return indices and distances (N, k) of the k nearest other rows, nearest first, ties by the lower index.

    A matrix product gives squared distances up to a bound on its rounding error. Every row that may be among the k
    nearest within that bound is a candidate, and the distances of candidates are computed from differences, so that
    those of close neighbours keep their digits. Rows that are much closer to each other than to the mean have many
    candidates; the difference to each costs O(D).
    """
    n, d = rows.shape
    centred = centre_rows(rows)
    squares = np.einsum("nd,nd->n", centred, centred)
    rounding = float(np.finfo(float).eps) * (2 * d + 8)  # |fl(xᵀy) − xᵀy| ≤ D ε ‖x‖ ‖y‖; 8 for centring
    index, distance = np.empty((n, k), dtype=np.intp), np.empty((n, k))
    for start in range(0, n, _TILE):
        tile, own_squares = centred[start : start + _TILE], squares[start : start + _TILE]
        products = squares - 2 * tile @ centred.T  # (t, d) @ (d, n) -> (t, n), squared distances minus own squares
        own = np.arange(len(tile))
        products[own, start + own] = np.inf
        errors = rounding * (own_squares[:, None] + squares)  # (t, n); 2 ‖x‖ ‖y‖ ≤ ‖x‖² + ‖y‖²
        farthest = np.partition(products + errors, k - 1, axis=1)[:, k - 1]  # k rows are certainly as near as this
        possible = products - errors <= farthest[:, None]
        for i in own:
            candidates = np.flatnonzero(possible[i])
            exact = distances_to(rows[start + i], rows[candidates])
            order = np.argsort(exact, kind="stable")[:k]
            index[start + i], distance[start + i] = candidates[order], exact[order]
    return index, distance


def distances_to(point: Floats, rows: Floats) -> NDArray[np.float64]:
    """Return the distances (n,) of `rows` (n, D) to `point` (D,) from scaled differences, which cannot underflow."""
    differences = rows - point
    largest = float(np.abs(differences).max(initial=0.0))
    exponent = int(np.frexp(largest)[1])
    scaled = np.ldexp(differences, -exponent)  # scaling by a power of two is exact
    return np.ldexp(np.sqrt(np.einsum("nd,nd->n", scaled, scaled)), exponent)
