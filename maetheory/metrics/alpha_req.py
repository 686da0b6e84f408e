"""α-ReQ: power-law fit of the covariance eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.spectrum import column_count, frobenius_norm, row_count, singular_values
from maetheory.metrics.squaring_error import relative_squaring_error

RANGES = ((10, 99), (3, 99), (5, 49), (5, 99), (11, 99))
"""Ranges of ranks used in the literature, our default first; no range is canonical."""


@dataclass(frozen=True)
class PowerLawFit:
    """A power law ``l_i ≈ e^intercept · i^−alpha`` with its range and goodness of fit.

    Attributes
    ----------
    alpha : float
        The exponent; NaN when fewer than three eigenvalues in the range are positive.
    intercept : float
        ln of the fitted first eigenvalue.
    range : tuple of int
        First and last rank fitted, 1-based, both included; clipped to the positive eigenvalues.
    r2 : float
        Weighted coefficient of determination; 1 is a perfect power law.
    error : float
        Bound on the change of the exponent by squaring the spectrum; 0 for feature arrays.
    left_out : int
        Number of null directions that the range reached and the fit leaves out: centred eigenvalues that are zero, or
        zero up to the rounding error of float32 features, such as a final LayerNorm makes one.
    sweep : tuple of (range, alpha)
        The exponent fitted in each of `RANGES`; a conclusion that depends on the range is not robust.
    """

    alpha: float
    intercept: float
    range: tuple[int, int]
    r2: float
    error: float = 0.0
    sweep: tuple[tuple[tuple[int, int], float], ...] = ()
    left_out: int = 0

    def __float__(self) -> float:
        return self.alpha


def alpha_req(Z: Any, *, ranks: tuple[int, int] | None = None, convention: str | None = None) -> PowerLawFit:
    """Return a power-law fit of the covariance eigenvalues; an exponent near 1 is reported to transfer best.

    ``ln l_i`` is fitted linearly against ``ln i`` with weights 1/i. The exponent depends strongly on the range, so the
    range, r² and a sweep over other ranges are returned with it. Null directions at the end of the range are left out.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    ranks : (int, int), optional
        First and last rank to fit, 1-based, both included; ``(10, 99)`` by default.
    convention : str, optional
        ``"ranks-10-99"`` (default) or ``"reptrix"`` (ranks 6 to 100).

    Raises
    ------
    InputError
        If the range is not 1 ≤ first < last, there are fewer than two rows, NaN or infinity, or an unknown convention.

    References
    ----------
    Agrawal et al. 2022, α-ReQ: Assessing Representation Quality in Self-Supervised Learning by Measuring
    Eigenspectrum Decay.

    Examples
    --------
    >>> import numpy as np
    >>> axes = np.arange(1, 51.0) ** -0.75  # l_i proportional to i ** -1.5
    >>> fit = alpha_req(np.concatenate([np.diag(axes), -np.diag(axes)]))
    >>> round(fit.alpha, 9), fit.range, round(fit.r2, 9)
    (1.5, (10, 50), 1.0)
    """
    chosen = get_convention("alpha_req", convention)
    first, last = ranks or ((6, 100) if chosen.name == "reptrix" else RANGES[0])
    if not 1 <= first < last:
        raise InputError(f"ranks must be a first and a last rank with 1 <= first < last, but {(first, last)} was given")
    values = singular_values(Z, centred=True)[: row_count(Z) - 1]  # centring takes one direction from few rows
    possible, values = len(values), values[: _count_without_null_directions(values, frobenius_norm(Z), column_count(Z))]
    logs = 2 * np.log(values) - np.log(row_count(Z) - 1)  # of the covariance eigenvalues
    log_error = -np.log1p(np.zeros(len(values)) - relative_squaring_error(Z, centred=True, top=values))
    sweep = tuple((span, _fit_power_law(logs, log_error, *span).alpha) for span in RANGES)
    left_out = max(0, min(int(last), possible) - max(len(values), int(first) - 1))
    return replace(_fit_power_law(logs, log_error, int(first), int(last)), sweep=sweep, left_out=left_out)


def _count_without_null_directions(values: NDArray[np.float64], norm: float, d: int) -> int:
    """Return how many of the descending singular values are not null directions of features of norm `norm`.

    Rounding to float32 gives a null direction a singular value of about ``ε ‖Z‖_F / √D``. Values up to ten times that
    belong to null directions only from a drop by a factor of ten on; a power law that decays this far has no drop.
    """
    floor = 10 * float(np.finfo(np.float32).eps) * norm / np.sqrt(d)
    before = np.concatenate([values[:1], values[:-1]])
    null = np.flatnonzero((values == 0) | ((values <= floor) & (values <= 0.1 * before)))
    return int(null[0]) if len(null) else len(values)


def _fit_power_law(logs: NDArray[np.float64], log_error: NDArray[np.float64], first: int, last: int) -> PowerLawFit:
    last = min(last, len(logs))
    if last - first < 2:
        return PowerLawFit(np.nan, np.nan, (first, last), np.nan)
    rank = np.arange(first, last + 1)
    x, y = np.log(rank), logs[first - 1 : last]
    weights = (1 / rank) / (1 / rank).sum()
    x_mean, y_mean = weights @ x, weights @ y
    slope_weights = weights * (x - x_mean) / (weights @ (x - x_mean) ** 2)
    slope = slope_weights @ (y - y_mean)
    residual = weights @ (y - y_mean - slope * (x - x_mean)) ** 2
    total = weights @ (y - y_mean) ** 2
    r2 = 1 - residual / total if total > 0 else np.nan
    return PowerLawFit(
        float(-slope),
        float(y_mean - slope * x_mean),
        (first, last),
        float(r2),
        float(np.abs(slope_weights) @ log_error[first - 1 : last]),
    )
