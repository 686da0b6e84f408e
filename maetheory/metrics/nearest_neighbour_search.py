"""Exact nearest neighbours in O(ND) memory.

scikit-learn's brute-force search computes distances from expanded squares, which loses the digits of close pairs, and
does not order ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maetheory.metrics.validation import Floats, centre_rows

_TILE = 256
_CROWD = 256  # candidates of one row, beyond which they are searched again
_FEW = 4  # smallest values that passes over the numbers find sooner than a partition does


def nearest_neighbours(rows: Floats, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return indices and distances (N, k) of the k nearest other rows, nearest first, ties by the lower index.

    A matrix product gives squared distances up to a bound on its rounding error. Every row that may be among the k
    nearest within that bound is a candidate, and the distances of candidates are computed from differences, so that
    those of close neighbours keep their digits. Rows that are much closer to each other than to the mean share many
    candidates: they are searched again among these alone, centred at their mean, where the bound is smaller.
    """
    n = len(rows)
    found = np.empty((n, k), dtype=np.intp), np.empty((n, k))
    _search(rows, np.arange(n), np.arange(n), found)
    return found


def _search(
    rows: Floats,
    points: NDArray[np.intp],
    among: NDArray[np.intp],
    found: tuple[NDArray[np.intp], NDArray[np.float64]],
) -> None:
    """Fill in the neighbours of some rows, all of which are `among` the ascending indices of others."""
    index, distance = found
    k = index.shape[1]
    centred = centre_rows(rows[among])
    squares = np.einsum("nd,nd->n", centred, centred)
    rounding = float(np.finfo(float).eps) * (2 * rows.shape[1] + 8)  # |fl(xᵀy) − xᵀy| ≤ D ε ‖x‖ ‖y‖; 8 for centring
    for start in range(0, len(points), _TILE):
        tile = points[start : start + _TILE]
        place = np.searchsorted(among, tile)
        products = squares - 2 * centred[place] @ centred.T  # (t, d) @ (d, m) -> (t, m), distances² minus own squares
        own = np.arange(len(tile))
        products[own, place] = np.inf
        errors = rounding * (squares[place][:, None] + squares)  # (t, m); 2 ‖x‖ ‖y‖ ≤ ‖x‖² + ‖y‖²
        farthest = _kth_smallest(products + errors, k)  # k rows are certainly as near as this
        possible = products - errors <= farthest[:, None]
        count = possible.sum(axis=1)
        crowded = (count > _CROWD) & (count < len(among) - 1)
        for i in own[~crowded]:
            candidates = among[possible[i]]
            exact = distances_to(rows[tile[i]], rows[candidates])
            order = np.argsort(exact, kind="stable")[:k]
            index[tile[i]], distance[tile[i]] = candidates[order], exact[order]
        possible[own, place] = True
        for crowd, members in _equal_rows(possible, own[crowded]):
            _search(rows, tile[members], among[crowd], found)


def _equal_rows(marks: NDArray[np.bool_], chosen: NDArray[np.intp]) -> list[tuple[NDArray[np.bool_], list[int]]]:
    """Return each different row among the chosen ones of `marks`, with the indices of those that equal it."""
    members: dict[bytes, list[int]] = {}
    for i in chosen.tolist():
        members.setdefault(np.packbits(marks[i]).tobytes(), []).append(i)
    return [(marks[ones[0]], ones) for ones in members.values()]


def _kth_smallest(values: Floats, k: int) -> Floats:
    """Return the k-th smallest number of each row (t,) of `values` (t, n), which it may overwrite."""
    if k > _FEW:
        return np.partition(values, k - 1, axis=1)[:, k - 1]
    rows = np.arange(len(values))
    for _ in range(k - 1):
        values[rows, values.argmin(axis=1)] = np.inf
    return values.min(axis=1)


def distances_to(point: Floats, rows: Floats) -> NDArray[np.float64]:
    """Return the distances (n,) of `rows` (n, D) to `point` (D,) from scaled differences, which cannot underflow."""
    differences = rows - point
    largest = float(np.abs(differences).max(initial=0.0))
    exponent = int(np.frexp(largest)[1])
    scaled = np.ldexp(differences, -exponent)  # scaling by a power of two is exact
    return np.ldexp(np.sqrt(np.einsum("nd,nd->n", scaled, scaled)), exponent)
