"""TwoNN estimate of the intrinsic dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.nearest_neighbour_search import nearest_neighbours
from maetheory.metrics.shared_results import once_per_array
from maetheory.metrics.validation import Floats, check_features


def twonn(Z: Any, *, discard: float = 0.1, convention: str | None = None) -> float:
    """Return the TwoNN intrinsic dimension, the slope through the origin of ``−ln(1 − F)`` on ``ln(r₂/r₁)``.

    Requires the features themselves, not Moments. Repeated rows, which have ``r₁ = 0``, count once. Infinite when both
    neighbours are always equally distant, as on a lattice. Invariant under rotations, shifts and scaling.

    Parameters
    ----------
    Z : array or tensor (N, D)
        The features.
    discard : float, default 0.1
        Share of the largest ratios that is discarded, in [0, 1).
    convention : str, optional
        ``"facco-2017"`` (default, F_i = i/N) or ``"scikit-dimension"`` (F_i = (i − 1)/N).

    Raises
    ------
    InputError
        If fewer than three rows are distinct, NaN or infinity is among them, or the share or convention is unknown.

    References
    ----------
    Facco et al. 2017, Estimating the Intrinsic Dimension of Datasets by a Minimal Neighborhood Information.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> plane = rng.uniform(size=(2000, 2)) @ rng.normal(size=(2, 10))  # two dimensions out of ten
    >>> round(twonn(plane))
    2
    """
    chosen = get_convention("twonn", convention)
    if not 0 <= discard < 1:
        raise InputError(f"discard must be a share in [0, 1), but {discard} was given")
    logarithm = once_per_array(Z, "logarithms of neighbour ratios", lambda: _logarithms_of_ratios(Z))
    n = len(logarithm)
    kept = min(int(n * (1 - discard)), n - 1)  # ln(1 − F) is infinite at i = n
    order = np.arange(1, kept + 1) - (1 if chosen.name == "scikit-dimension" else 0)
    x, y = logarithm[:kept], -np.log1p(-order / n)
    square = float(x @ x)
    return float(x @ y) / square if square > 0 else np.inf


def _logarithms_of_ratios(Z: Any) -> Floats:
    """Return ``ln(r₂/r₁)`` of each distinct row, ascending."""
    rows = np.unique(check_features(Z), axis=0)
    if len(rows) < 3:
        raise InputError(f"Z has {len(rows)} distinct rows, but two nearest neighbours need at least 3")
    scale = np.frexp(np.abs(rows).max())[1]
    distance = nearest_neighbours(np.ldexp(rows, -scale), 2)[1]  # scaling by a power of two is exact
    return np.sort(np.log(distance[:, 1] / distance[:, 0]))
