"""Points of a kernel: their check, centring and duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError


def centre_points(points: Any) -> Tensor:
    """Return points (N, q) as float32 relative to their mean, which keeps distances and makes their rounding small.

    Raises
    ------
    InputError
        If there are fewer than two points, or one is not finite.

    Examples
    --------
    >>> centre_points(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """
    rows = as_tensor(points)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1:
        raise InputError(f"points must be (N, q) with at least two rows, but they are {tuple(rows.shape)}")
    wide = rows.double()
    bad = int((~torch.isfinite(wide)).any(1).sum())
    if bad:
        raise InputError(f"{bad} of {len(rows)} points hold NaN or infinity")
    return (wide - wide.mean(0)).float()


def duplicate_groups(points: Any) -> Tensor:
    """Return a group index (N,) for each point (N, q), equal where points are equal to the last bit.

    Examples
    --------
    >>> duplicate_groups(np.array([[3.0], [1.0], [3.0]])).tolist()
    [1, 0, 1]
    """
    return torch.unique(as_tensor(points), dim=0, return_inverse=True)[1]


def as_tensor(points: Any) -> Tensor:
    """Return an array or tensor as a tensor."""
    return torch.as_tensor(points if isinstance(points, Tensor) else np.asarray(points))
