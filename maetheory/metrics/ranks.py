"""Soft ranks from squared singular values: stable rank, participation ratio, NESum, condition number, IsoScore."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.metrics.conventions import get_convention
from maetheory.metrics.spectrum import column_count, row_count, singular_values
from maetheory.metrics.squaring_error import (
    relative_squaring_error,
    sum_of_squares_error,
    with_squaring_error,
    without_spectrum,
)


def stable_rank(Z: Any, *, convention: str | None = None) -> float:
    """Return the stable rank ``‖Z‖_F² / ‖Z‖₂²``; between 1 and the rank, higher is less collapsed.

    Not centred, unlike NESum, which it equals on centred features. Scale-free. 0 when every entry is zero.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    convention : str, optional
        ``"uncentred"`` (default) or ``"centred"``.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Rudelson and Vershynin 2007, Sampling from Large Matrices.

    Examples
    --------
    >>> stable_rank([[2.0, 0.0], [0.0, 1.0]])
    1.25
    """
    centred = get_convention("stable_rank", convention).centred
    values = singular_values(Z, centred=centred)
    if values[0] == 0:
        return without_spectrum(Z, float(len(values)), centred=centred)
    rank = float(np.square(values / values[0]).sum())
    error = relative_squaring_error(Z, centred=centred, top=float(values[0]))  # below 1, or the value would be zero
    error_bound = (sum_of_squares_error(values, error) + rank * error) / (1 - error)
    return with_squaring_error(Z, rank, min(error_bound, float(len(values))))


def participation_ratio(Z: Any, *, convention: str | None = None) -> float:
    """Return the participation ratio ``(Σl)² / Σl²`` of the covariance eigenvalues; higher is less collapsed.

    Between 1 and the rank of the centred features; 0 when all rows are equal. The plug-in value is biased:
    ``1/PR_N ≈ 1/PR + (1/n)(1 + 1/PR − 2/PR²)`` for Gaussian rows, ``n = N − 1``; ``"corrected"`` replaces numerator
    and denominator by unbiased estimates and may then exceed the rank, or be infinite or negative for tiny N.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    convention : str, optional
        ``"plug-in"`` (default, centred), ``"corrected"`` or ``"uncentred"``.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Gao et al. 2017, A Theory of Multineuronal Dimensionality, Dynamics and Measurement.

    Examples
    --------
    >>> round(participation_ratio([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 9)
    2.0
    """
    chosen = get_convention("participation_ratio", convention)
    values = singular_values(Z, centred=chosen.centred)
    if values[0] == 0:
        return without_spectrum(Z, float(len(values)), centred=chosen.centred)
    weights = np.square(values / values[0])
    total, squares = float(weights.sum()), float(np.square(weights).sum())
    ratio, error = total**2 / squares, relative_squaring_error(Z, centred=chosen.centred, top=float(values[0]))
    in_total = sum_of_squares_error(values, error) / total
    in_squares = 2 * error * total / squares  # (1 + a)² / (1 − b) − 1 ≤ (2a + a² + 2b) / (1 − b)
    largest = float(len(values))
    relative = (2 * in_total + in_total**2 + 2 * in_squares) / (1 - in_squares) if in_squares < 1 else np.inf
    error_bound = min(ratio * relative, largest)
    if chosen.name != "corrected":
        return with_squaring_error(Z, ratio, error_bound)
    n = row_count(Z) - 1
    below = n - ratio  # 0 for rows that are as isotropic as N rows can be
    if below <= 8 * n * np.finfo(float).eps:
        return np.inf
    slope = (n * (n + 1) - 2) / below
    return with_squaring_error(
        Z,
        ((n + 1) * ratio - 2) / below,
        error_bound * slope / (below - error_bound) if error_bound < below else np.inf,
    )


def nesum(Z: Any, *, convention: str | None = None) -> float:
    """Return NESum ``Σ l_i / l_1`` of the covariance eigenvalues; between 1 and the rank, higher is less collapsed.

    It is the stable rank of the centred features; 0 when all rows are equal.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    convention : str, optional
        ``"he-ozay-2022"``, the only one.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    He and Ozay 2022, Exploring the Gap between Collapsed and Whitened Features in Self-Supervised Learning.

    Examples
    --------
    >>> round(nesum([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 9)
    2.0
    """
    get_convention("nesum", convention)
    return stable_rank(Z, convention="centred")


def condition_number(Z: Any, *, convention: str | None = None) -> float:
    """Return the condition number ``s_1 / s_min``; at least 1, infinite when the rank is deficient.

    Over the ``min(N, D)`` singular values. From Moments it is infinite above about 1e7, where squaring the spectrum
    makes the smallest value indistinguishable from zero.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    convention : str, optional
        ``"uncentred"`` (default) or ``"centred"``.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    Examples
    --------
    >>> condition_number([[4.0, 0.0], [0.0, 2.0]])
    2.0
    >>> condition_number([[1.0, 1.0], [1.0, 1.0]])
    inf
    """
    centred = get_convention("condition_number", convention).centred
    values = singular_values(Z, centred=centred)
    if values[-1] == 0:
        return with_squaring_error(Z, np.inf, np.inf)
    number = float(values[0] / values[-1])
    largest, least = (relative_squaring_error(Z, centred=centred, top=float(value)) for value in values[[0, -1]])
    growth = np.sqrt((1 + largest) / (1 - least)) - 1  # both below 1, or the least value would be zero
    return with_squaring_error(Z, number, number * max(least, growth))


def iso_score(Z: Any, *, convention: str | None = None) -> float:
    """Return IsoScore ``(PR − 1) / (D − 1)`` with the centred participation ratio PR; 1 is isotropic, 0 one direction.

    D is the ambient dimension; NaN when it is 1, and 0 when all rows are equal.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, one row per image (the authors' code expects one column per image).
    convention : str, optional
        ``"rudman-2022"``, the only one.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Rudman et al. 2022, IsoScore: Measuring the Uniformity of Embedding Space Utilization.

    Examples
    --------
    >>> round(iso_score([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 9)
    1.0
    """
    get_convention("iso_score", convention)
    ratio = participation_ratio(Z)
    d = column_count(Z)
    if d == 1:
        return np.nan
    return with_squaring_error(Z, max(ratio - 1, 0.0) / (d - 1), getattr(ratio, "error", 0.0) / (d - 1))
