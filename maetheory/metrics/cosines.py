"""Complete collapse shows in the mean cosine, dimensional collapse in the mean squared cosine."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.metrics.conventions import choose
from maetheory.metrics.moments import Moments, enough
from maetheory.metrics.rows import finite_rows, pointed_rows, refuse_zero_rows


def mean_cosine(Z: Any, *, convention: str | None = None) -> float:
    """Return the mean cosine between two different rows; 1 is complete collapse, ``−1/(N−1)`` the least.

    Sees a shared vector and nothing else: it is blind to dimensional collapse.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, no row zero.
    convention : str, optional
        ``"off-diagonal"`` (default, pairs i ≠ j) or ``"with-diagonal"`` (all pairs).

    Raises
    ------
    InputError
        If there are fewer than two rows, a zero row, NaN or infinity, or the convention is unknown.

    Examples
    --------
    >>> mean_cosine([[1.0, 0.0], [0.0, 1.0]])
    0.0
    """
    chosen = choose("mean_cosine", convention)
    if isinstance(Z, Moments):
        n, total = _pointed(Z).count, Z.direction_sum
    else:
        unit = pointed_rows(Z)
        n, total = len(unit), unit.sum(axis=0)
    square = float(total @ total)
    return square / n**2 if chosen.name == "with-diagonal" else (square - n) / (n * (n - 1))


def umae_uniformity(Z: Any, *, normalize: bool = True, diagonal: bool = False, convention: str | None = None) -> float:
    """Return U-MAE's uniformity ``mean_{i≠j} (ẑᵢᵀẑⱼ)²``; 1 is complete collapse, lower is more uniform.

    Unlike Wang and Isola's uniformity it is a polynomial of the second moment, so moments give it exactly; an even
    spread over D dimensions gives about 1/D.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    normalize : bool, default True
        Bring rows to unit length first; ``False`` is the loss L_unif of the theory.
    diagonal : bool, default False
        Average over all N² pairs, as the authors' code does, instead of the N(N − 1) pairs i ≠ j of Eq. 11.
    convention : str, optional
        ``"zhang-2022"``, the only one.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity, or (when normalising) a zero row.

    References
    ----------
    Zhang, Wang and Wang 2022, How Mask Matters, Eq. 11.

    Examples
    --------
    >>> umae_uniformity([[1.0, 0.0], [0.0, 2.0]])
    0.0
    >>> umae_uniformity([[1.0, 0.0], [0.0, 2.0]], diagonal=True)
    0.5
    """
    choose("umae_uniformity", convention)
    n, second, fourth = _squared_products(Z, normalize)
    square = float(np.vdot(second, second))
    return square / n**2 if diagonal else (square - fourth) / (n * (n - 1))


def _squared_products(Z: Any, normalize: bool) -> tuple[int, Any, float]:
    if isinstance(Z, Moments):
        moments = _pointed(Z) if normalize else enough(Z)
        n = moments.count
        return (n, moments.direction_second, float(n)) if normalize else (n, moments.second, moments.fourth)
    rows = pointed_rows(Z) if normalize else finite_rows(Z)
    n, d = rows.shape
    fourth = float(n) if normalize else float((np.einsum("nd,nd->n", rows, rows) ** 2).sum())
    gram = rows.T @ rows if d <= n else rows @ rows.T  # the same Frobenius norm, from the smaller side
    return n, gram, fourth


def _pointed(moments: Moments) -> Moments:
    refuse_zero_rows(enough(moments).zero_rows, moments.count)
    return moments
