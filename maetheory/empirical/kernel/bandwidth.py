"""Bandwidth of a Gaussian kernel by the median heuristic."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from maetheory.empirical.kernel.points import centre_points

MEDIAN_SAMPLE = 2048  # points whose distances give the median


def median_distance(points: Any, rng: np.random.Generator) -> float:
    """Return the median distance of two different points, estimated from at most 2048 of them.

    Examples
    --------
    >>> median_distance(np.array([[0.0], [1.0], [2.0]]), np.random.default_rng(0))
    1.0
    """
    chosen = centre_points(points)
    if len(chosen) > MEDIAN_SAMPLE:
        chosen = chosen[torch.as_tensor(rng.choice(len(chosen), MEDIAN_SAMPLE, replace=False))]
    return float(torch.pdist(chosen.double()).median())


def median_heuristic(points: Any, factor: float, rng: np.random.Generator) -> float:
    """Return `factor` times the median distance; factors 0 and infinity are returned as they are."""
    return factor * median_distance(points, rng) if 0 < factor < np.inf else float(factor)
