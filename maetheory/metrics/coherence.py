"""Coherence of the left singular vectors of features."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from maetheory.metrics.conventions import get_convention
from maetheory.metrics.shared_results import once_per_array
from maetheory.metrics.validation import Floats, check_features, rounding_floor


def coherence(Z: Any, *, convention: str | None = None) -> float:
    """Return the coherence ``(N/r) maxᵢ ‖U_i‖²`` of the left singular vectors; between 1 and N/r, lower is more even.

    r is the numerical rank. Features are coherent when a few images alone carry a direction. Requires the features
    themselves, not Moments, and is unstable under subsampling. NaN when every entry is zero.

    Parameters
    ----------
    Z : array or tensor (N, D)
        The features.
    convention : str, optional
        ``"tsitsulin-2023"`` (default, divides by the rank) or ``"full-rank"`` (divides by min(N, D)).

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Candès and Recht 2009, Exact Matrix Completion via Convex Optimization, Definition 1.2; Tsitsulin, Munkhoeva and
    Perozzi 2023, Unsupervised Embedding Quality Evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> round(coherence(np.ones((4, 2))), 9)
    1.0
    """
    chosen = get_convention("coherence", convention)
    largest, rank, shape = once_per_array(Z, "largest leverage", lambda: _largest_leverage(check_features(Z)))
    if rank == 0:
        return float("nan")
    return largest * shape[0] / (min(shape) if chosen.name == "full-rank" else rank)


def _largest_leverage(rows: Floats) -> tuple[float, int, tuple[int, ...]]:
    """Return ``maxᵢ ‖U_i‖²``, the numerical rank and the shape of `rows` (N, D)."""
    left, values, _ = scipy.linalg.svd(rows, full_matrices=False, check_finite=False)
    kept = values > rounding_floor(rows)
    leverage = np.square(left[:, kept]).sum(axis=1)  # (N, r) -> (N,)
    return float(leverage.max()), int(kept.sum()), rows.shape
