"""Metrics of pairwise cosines: mean cosine, U-MAE uniformity, self-cluster and standard deviation of unit rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.metrics.conventions import get_convention
from maetheory.metrics.moments import Moments, require_nonzero_rows, require_rows
from maetheory.metrics.spectrum import column_count
from maetheory.metrics.squaring_error import relative_squaring_error, with_squaring_error
from maetheory.metrics.validation import check_features, unit_rows


def mean_cosine(Z: Any, *, convention: str | None = None) -> float:
    """Return the mean cosine between two different rows; 1 is complete collapse, ``−1/(N−1)`` the minimum.

    It detects a vector shared by all rows (complete collapse), but not dimensional collapse.

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
    chosen = get_convention("mean_cosine", convention)
    if isinstance(Z, Moments):
        n, total = require_nonzero_rows(Z).count, Z.direction_sum
    else:
        unit = unit_rows(Z)
        n, total = len(unit), unit.sum(axis=0)
    square, error = float(total @ total), relative_squaring_error(Z, normalized=True)
    error_bound = error * (2 * np.sqrt(square) + error)  # the error of Σẑ is less than δ
    if chosen.name == "with-diagonal":
        return with_squaring_error(Z, square / n**2, error_bound / n**2)
    return with_squaring_error(Z, (square - n) / (n * (n - 1)), error_bound / (n * (n - 1)))


def umae_uniformity(Z: Any, *, normalize: bool = True, diagonal: bool = False, convention: str | None = None) -> float:
    """Return U-MAE's uniformity ``mean_{i≠j} (ẑᵢᵀẑⱼ)²``; 1 is complete collapse, lower is more uniform.

    Unlike Wang and Isola's uniformity it is a polynomial of the second moment, so it can be computed from Moments. Rows
    spread evenly over D dimensions give about 1/D.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    normalize : bool, default True
        Scale rows to unit length first; ``False`` is the loss L_unif of the theory.
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
    get_convention("umae_uniformity", convention)
    n, second, fourth = _second_and_fourth_moments(Z, normalize)
    square = float(np.vdot(second, second))
    error_bound = relative_squaring_error(Z, normalized=normalize) * (
        2 * np.sqrt(square * len(second)) + np.trace(second)
    )
    if diagonal:
        return with_squaring_error(Z, square / n**2, error_bound / n**2)
    return with_squaring_error(Z, (square - fourth) / (n * (n - 1)), error_bound / (n * (n - 1)))


def self_cluster(Z: Any, *, convention: str | None = None) -> float:
    """Return self-cluster ``(D m − 1) / (D − 1)``, m the mean squared cosine of pairs; 1 collapsed, 0 uniform.

    An affine map of U-MAE's uniformity: ``(Q − E) / (N² − E)`` with ``Q = ‖WWᵀ‖_F²`` of the unit rows W and
    ``E = N + N(N − 1)/D`` its mean for evenly spread rows. Slightly negative for tight frames, NaN when D is 1.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, no row zero.
    convention : str, optional
        ``"tsitsulin-2023"``, the only one.

    Raises
    ------
    InputError
        If there are fewer than two rows, a zero row, NaN or infinity, or the convention is unknown.

    References
    ----------
    Tsitsulin, Munkhoeva and Perozzi 2023, Unsupervised Embedding Quality Evaluation.

    Examples
    --------
    >>> round(self_cluster([[1.0, 1.0], [2.0, 2.0]]), 9)
    1.0
    """
    get_convention("self_cluster", convention)
    mean, d = umae_uniformity(Z), column_count(Z)
    if d == 1:
        return float("nan")
    return with_squaring_error(Z, (d * mean - 1) / (d - 1), d * getattr(mean, "error", 0.0) / (d - 1))


def direction_std(Z: Any, *, convention: str | None = None) -> float:
    """Return the mean over dimensions of the standard deviation of unit rows; about ``1/√D`` when spread, 0 collapsed.

    It detects complete collapse, but not dimensional collapse.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, no row zero.
    convention : str, optional
        ``"chen-he-2021"``, the only one: denominator N − 1.

    Raises
    ------
    InputError
        If there are fewer than two rows, a zero row, NaN or infinity, or the convention is unknown.

    References
    ----------
    Chen and He 2021, Exploring Simple Siamese Representation Learning, Section 4.1.

    Examples
    --------
    >>> round(direction_std([[1.0, 0.0], [0.0, 1.0]]), 6)
    0.707107
    """
    get_convention("direction_std", convention)
    if not isinstance(Z, Moments):
        return float(unit_rows(Z).std(axis=0, ddof=1).mean())
    n = require_nonzero_rows(Z).count
    variance = (np.diag(Z.direction_second_moment) - Z.direction_sum**2 / n) / (n - 1)
    deviation, error = np.sqrt(np.maximum(variance, 0)), Z.direction_error / (n - 1)
    error_bound = np.where(variance > error, error / np.maximum(deviation, np.sqrt(error)), np.sqrt(2 * error))
    return with_squaring_error(Z, float(deviation.mean()), float(error_bound.mean()))


def _second_and_fourth_moments(Z: Any, normalize: bool) -> tuple[int, Any, float]:
    if isinstance(Z, Moments):
        moments = require_nonzero_rows(Z) if normalize else require_rows(Z)
        n = moments.count
        return (
            (n, moments.direction_second_moment, float(n))
            if normalize
            else (n, moments.second_moment, moments.fourth_moment)
        )
    rows = unit_rows(Z) if normalize else check_features(Z)
    n, d = rows.shape
    fourth = float(n) if normalize else float((np.einsum("nd,nd->n", rows, rows) ** 2).sum())
    gram = rows.T @ rows if d <= n else rows @ rows.T  # the same Frobenius norm, from the smaller side
    return n, gram, fourth
