"""Uniformity: logarithm of the mean Gaussian potential of pairs (Wang and Isola 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.shared_results import once_per_array
from maetheory.metrics.validation import Floats, unit_rows

_TILE = 1024


def uniformity(Z: Any, *, t: float = 2.0, convention: str | None = None) -> float:
    """Return the uniformity ``ln mean exp(−t ‖ẑᵢ − ẑⱼ‖²)``; 0 is complete collapse, lower is more uniform.

    At least ``−4t``. Rows are scaled to unit length, because unnormalised features would give −∞. Requires the features
    themselves, not Moments; pairs are processed tile by tile in O(ND) memory.

    Parameters
    ----------
    Z : array or tensor (N, D)
        The features, no row zero.
    t : float, default 2
        Inverse width of the potential.
    convention : str, optional
        ``"wang-isola-2020"`` (default, pairs i < j) or ``"with-diagonal"`` (all pairs).

    Raises
    ------
    InputError
        If there are fewer than two rows, a zero row, NaN or infinity, or the convention is unknown.

    References
    ----------
    Wang and Isola 2020, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere, Section 4.1.2.

    Examples
    --------
    >>> round(uniformity([[1.0, 0.0], [0.0, 1.0]]), 9)
    -4.0
    """
    chosen = get_convention("uniformity", convention)
    if not t > 0:
        raise InputError(f"t must be positive, but {t} was given")
    potential, n = once_per_array(Z, ("Gaussian potentials", t), lambda: _sum_of_gaussian_potentials(unit_rows(Z), t))
    total = 2 * potential
    if chosen.name == "with-diagonal":
        return float(np.log((total + n) / n**2))
    return float(np.log(total / (n * (n - 1))))


def _sum_of_gaussian_potentials(unit: Floats, t: float) -> tuple[float, int]:
    """Return the sum over pairs i < j, and the number of rows."""
    total = 0.0
    for start in range(0, len(unit), _TILE):
        tile, rest = unit[start : start + _TILE], unit[start + _TILE :]
        if len(tile) > 1:
            total += float(np.exp(-t * pdist(tile, "sqeuclidean")).sum())
        for other in range(0, len(rest), _TILE):
            cosines = tile @ rest[other : other + _TILE].T  # (n, d) @ (d, n') -> (n, n')
            total += float(np.exp(-2 * t * (1 - cosines)).sum())
    return total, len(unit)
