"""Singular values and covariance eigenvalues of features, with values at the rounding error set to zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from maetheory.metrics.moments import Moments, require_nonzero_rows, require_rows
from maetheory.metrics.shared_results import once_per_array
from maetheory.metrics.validation import (
    centre_rows,
    check_features,
    frobenius_norm_of_rows,
    rounding_floor,
    unit_rows,
)


def singular_values(Z: Any, *, centred: bool = False) -> NDArray[np.float64]:
    """Return the singular values of features, descending; values below the rounding error are set to zero.

    For arrays they come from the singular value decomposition in float64, for Moments from the eigenvalues of ``Σzzᵀ``
    or of the scatter. That squares the spectrum: a singular value below the root of `Moments.error`, or of
    `Moments.centred_error` when centred, is returned as zero.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    centred : bool, default False
        Subtract the column means first.

    Returns
    -------
    ndarray (min(N, D),)

    Raises
    ------
    InputError
        If there are fewer than two rows, or NaN or infinity among them.

    Examples
    --------
    >>> singular_values([[3.0, 0.0], [0.0, 4.0]])
    array([4., 3.])
    """
    if isinstance(Z, Moments):
        error = Z.centred_error if centred else Z.error
        return _singular_values_of_moments(require_rows(Z), "centred" if centred else "second", error)
    name = "singular values, centred" if centred else "singular values"
    return once_per_array(Z, name, lambda: _singular_values_of_rows(Z, centred)).copy()


def _singular_values_of_rows(Z: Any, centred: bool) -> NDArray[np.float64]:
    rows = check_features(Z)
    floor = rounding_floor(rows)
    if centred:
        rows, last_digit = centre_rows(rows), floor / max(rows.shape)
        floor = last_digit + rounding_floor(rows)
    values = scipy.linalg.svdvals(rows, check_finite=False)
    return np.where(values > floor, values, 0.0)


def direction_singular_values(Z: Any) -> NDArray[np.float64]:
    """Return the singular values of the rows scaled to unit length; no row may be zero."""
    if isinstance(Z, Moments):
        return _singular_values_of_moments(require_nonzero_rows(Z), "direction", Z.direction_error)
    return singular_values(unit_rows(Z))


def covariance_eigenvalues(Z: Any) -> NDArray[np.float64]:
    """Return the eigenvalues of the centred covariance (denominator N − 1), descending, as many as min(N, D)."""
    values = singular_values(Z, centred=True)
    return values**2 / (row_count(Z) - 1)


def row_count(Z: Any) -> int:
    """Return N, the number of rows of features or of Moments."""
    return Z.count if isinstance(Z, Moments) else len(Z)


def column_count(Z: Any) -> int:
    """Return D, the dimension of features or of Moments."""
    return Z.d if isinstance(Z, Moments) else check_features(Z).shape[1]


def frobenius_norm(Z: Any) -> float:
    """Return ``‖Z‖_F`` of features or of Moments, not centred."""
    if isinstance(Z, Moments):
        return float(np.sqrt(np.trace(Z.second_moment)))
    return frobenius_norm_of_rows(check_features(Z))


def _singular_values_of_moments(moments: Moments, which: str, error: float) -> NDArray[np.float64]:
    def compute() -> NDArray[np.float64]:
        matrices = {"second": moments.second_moment, "direction": moments.direction_second_moment}
        matrix = moments.scatter() if which == "centred" else matrices[which]
        squares = scipy.linalg.eigvalsh(matrix)[::-1][: min(moments.count, moments.d)]
        return np.sqrt(np.where(squares > error, squares, 0.0))

    return moments.cached(which, compute)
