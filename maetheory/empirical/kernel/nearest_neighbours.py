"""The nearest points of every point, itself first, exactly and tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, Progress, silent
from maetheory.empirical.kernel.gaussian_matrix import centre_points

CHUNK_BYTES = 64 * 2**20
_EPS = float(np.finfo(np.float32).eps)


def nearest(
    points: Any, count: int, *, device: str | torch.device = "cpu", progress: Progress = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `count` nearest points of each, itself first, then by distance, ties to the lower index.

    Products in float32 say which points may be among the nearest, within what they can be off by rounding; distances
    of these come from differences in float64, and a tie is one of these.

    Parameters
    ----------
    points : array or Tensor, shape (N, q)
        Finite.
    count : int
        How many, the point itself among them, from 1 to N.
    device : str or torch.device
        Where tiles are computed.
    progress : Progress

    Returns
    -------
    indices, squared_distances : ndarrays, shape (N, count)
        Which points, and their squared distances.

    Raises
    ------
    InputError
        If the count is out of range or a point is not finite.

    Examples
    --------
    >>> nearest(np.array([[0.0], [1.0], [3.0]]), 2)[0].tolist()
    [[0, 1], [1, 0], [2, 1]]
    """
    about_mean = centre_points(points).to(device)
    rows = torch.as_tensor(points if isinstance(points, Tensor) else np.asarray(points)).to(device)
    n = len(rows)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= n:
        raise InputError(
            f"the number of neighbours, each point itself included, must be a whole number from 1 to the "
            f"{n} points, but it is {count}"
        )
    indices, squared_distances = np.empty((n, count), np.int64), np.empty((n, count))
    step = max(1, min(n, CHUNK_BYTES // (16 * n)))
    for start in range(0, n, step):
        stop = min(start + step, n)
        who, whom = _candidates(about_mean, start, stop, count)
        exact = _squared_distances(rows, who, whom)
        exact[who == whom] = -1.0  # before all that coincide with it
        order = torch.argsort(exact, stable=True)
        order = order[torch.argsort(who[order], stable=True)]  # by point, then distance, then index
        first = torch.searchsorted(who[order].contiguous(), torch.arange(start, stop, device=who.device))
        chosen = order[first[:, None] + torch.arange(count, device=who.device)]  # (t, count)
        indices[start:stop] = whom[chosen].cpu().numpy()
        squared_distances[start:stop] = exact[chosen].clamp(min=0).cpu().numpy()
        progress(stop, n, "finding neighbours")
    return indices, squared_distances


def _candidates(rows: Tensor, start: int, stop: int, count: int) -> tuple[Tensor, Tensor]:
    """Pairs of a point start..stop and one that may be among its nearest, ordered by both."""
    lengths = rows.square().sum(1)
    apart = (lengths[start:stop, None] + lengths[None]).addmm_(rows[start:stop], rows.T, alpha=-2)  # (t, q) @ (q, n)
    sizes = lengths.sqrt()
    off = (sizes[start:stop, None] + sizes[None]).square_().mul_(_EPS * (rows.shape[1] + 8))  # (t, n)
    furthest = (apart + off).kthvalue(count, dim=1, keepdim=True).values  # (t, 1)
    near = apart.sub_(off) <= furthest
    near.diagonal(start)[: stop - start] = True
    who, whom = near.nonzero(as_tuple=True)
    return who + start, whom


def _squared_distances(rows: Tensor, who: Tensor, whom: Tensor) -> Tensor:
    """Squared distances of pairs, in float64 from differences, (pairs,)."""
    out = torch.empty(len(who), dtype=torch.float64, device=rows.device)
    step = max(1, CHUNK_BYTES // (16 * rows.shape[1]))
    for start in range(0, len(who), step):
        here = slice(start, start + step)
        out[here] = (rows[who[here]].double() - rows[whom[here]].double()).square().sum(1)  # (pairs, q) -> (pairs,)
    return out
