"""Exact nearest neighbours of every point, itself first, computed tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, Progress, no_progress
from maetheory.empirical.kernel.points import as_tensor, centre_points

CHUNK_BYTES = 64 * 2**20
_EPS = float(np.finfo(np.float32).eps)


def nearest_neighbours(
    points: Any, count: int, *, device: str | torch.device = "cpu", progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `count` nearest points of each point: itself, then by distance, ties to the lower index.

    Float32 products select candidates within their rounding error; the distances of candidates are computed from
    float64 differences, and ties are equal float64 distances.

    Parameters
    ----------
    points : array or Tensor, shape (N, q)
        Finite.
    count : int
        Number of neighbours, the point itself included, from 1 to N.
    device : str or torch.device
        Where tiles are computed.
    progress : Progress

    Returns
    -------
    indices, squared_distances : ndarrays, shape (N, count)
        Indices of the neighbours, and their squared distances.

    Raises
    ------
    InputError
        If the count is out of range or a point is not finite.

    Examples
    --------
    >>> nearest_neighbours(np.array([[0.0], [1.0], [3.0]]), 2)[0].tolist()
    [[0, 1], [1, 0], [2, 1]]
    """
    centred = centre_points(points).to(device)
    rows = as_tensor(points).to(device)
    n = len(rows)
    _check_count(count, n)
    indices, squared_distances = np.empty((n, count), np.int64), np.empty((n, count))
    step = max(1, min(n, CHUNK_BYTES // (16 * n)))
    for start in range(0, n, step):
        stop = min(start + step, n)
        query, candidate = _candidate_pairs(centred, start, stop, count)
        exact = _squared_distances(rows, query, candidate)
        exact[query == candidate] = -1.0  # before all points that coincide with it
        order = torch.argsort(exact, stable=True)
        order = order[torch.argsort(query[order], stable=True)]  # by query, then distance, then index
        first = torch.searchsorted(query[order].contiguous(), torch.arange(start, stop, device=query.device))
        chosen = order[first[:, None] + torch.arange(count, device=query.device)]  # (t, count)
        indices[start:stop] = candidate[chosen].cpu().numpy()
        squared_distances[start:stop] = exact[chosen].clamp(min=0).cpu().numpy()
        progress(stop, n, "finding neighbours")
    return indices, squared_distances


def _check_count(count: int, n: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= n:
        raise InputError(
            f"the number of neighbours, each point itself included, must be a whole number from 1 to the "
            f"{n} points, but it is {count}"
        )


def _candidate_pairs(rows: Tensor, start: int, stop: int, count: int) -> tuple[Tensor, Tensor]:
    """Pairs of a point start..stop and a point that may be among its nearest, sorted by both indices."""
    norms = rows.square().sum(1)
    apart = (norms[start:stop, None] + norms[None]).addmm_(rows[start:stop], rows.T, alpha=-2)  # (t, q) @ (q, n)
    lengths = norms.sqrt()
    error = (lengths[start:stop, None] + lengths[None]).square_().mul_(_EPS * (rows.shape[1] + 8))  # (t, n)
    furthest = (apart + error).kthvalue(count, dim=1, keepdim=True).values  # (t, 1)
    near = apart.sub_(error) <= furthest
    near.diagonal(start)[: stop - start] = True
    query, candidate = near.nonzero(as_tuple=True)
    return query + start, candidate


def _squared_distances(rows: Tensor, query: Tensor, candidate: Tensor) -> Tensor:
    """Squared distances of pairs, in float64 from differences, (pairs,)."""
    out = torch.empty(len(query), dtype=torch.float64, device=rows.device)
    step = max(1, CHUNK_BYTES // (16 * rows.shape[1]))
    for start in range(0, len(query), step):
        here = slice(start, start + step)
        differences = rows[query[here]].double() - rows[candidate[here]].double()  # (pairs, q)
        out[here] = differences.square().sum(1)
    return out
