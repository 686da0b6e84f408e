"""Augmentation confusion ratio (ACR) and its average relative form (ARC)."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.metrics.nearest_neighbour_search import nearest_neighbours
from maetheory.metrics.validation import Floats, check_no_zero_rows, check_views, normalize_rows


def acr(Z: Any) -> float:
    """Return the share of views whose nearest neighbour, by cosine, is a view of another image; lower is better.

    Parameters
    ----------
    Z : array or tensor (n, q, D)
        Features of n images under q views each, no row zero.

    Raises
    ------
    InputError
        If Z is not (n, q, D) with n, q ≥ 2, or holds NaN, infinity or a zero row.

    References
    ----------
    Wang et al. 2022, Chaos Is a Ladder: A New Theoretical Understanding of Contrastive Learning via Augmentation
    Overlap, Section 5.

    Examples
    --------
    >>> acr([[[1.0, 0.0], [1.0, 0.1]], [[0.0, 1.0], [0.1, 1.0]]])
    0.0
    """
    views = check_views(Z)
    n, q, d = views.shape
    rows: Floats = views.reshape(n * q, d)
    check_no_zero_rows(int((~rows.any(axis=1)).sum()), len(rows))
    neighbour = nearest_neighbours(normalize_rows(rows), 1)[0][:, 0]
    return float(np.mean(neighbour // q != np.arange(n * q) // q))


def arc(final: Any, initial: Any) -> float:
    """Return the average relative confusion ``(1 − ACR_final) / (1 − ACR_initial)`` between two sets of features.

    Infinite (or NaN, when neither keeps any view with its image) when the initial features confuse every view.

    Parameters
    ----------
    final, initial : array or tensor (n, q, D)
        Features of the same views by the trained and by the untrained encoder.

    Raises
    ------
    InputError
        As `acr`.

    References
    ----------
    Wang et al. 2022, Chaos Is a Ladder, Section 5.

    Examples
    --------
    >>> Z = [[[1.0, 0.0], [1.0, 0.1]], [[0.0, 1.0], [0.1, 1.0]]]
    >>> arc(Z, Z)
    1.0
    """
    kept, before = 1 - acr(final), 1 - acr(initial)
    if before == 0:
        return float("inf") if kept else float("nan")
    return kept / before
