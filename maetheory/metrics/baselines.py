"""Null baselines of features: shuffled columns and the Marchenko–Pastur law."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from maetheory.core import InputError
from maetheory.metrics.validation import Floats, check_features

_N_ANGLES = 200_001


def shuffled_columns(Z: Any, rng: np.random.Generator) -> Floats:
    """Return `Z` (N, D) with each column shuffled independently, which keeps the marginals and removes dependence.

    Parameters
    ----------
    Z : array or tensor (N, D)
        The features.
    rng : numpy.random.Generator
        Draws the permutations.

    Raises
    ------
    InputError
        If there are fewer than two rows, or NaN or infinity among them.

    Examples
    --------
    >>> import numpy as np
    >>> Z = shuffled_columns(np.arange(6.0).reshape(3, 2), np.random.default_rng(0))
    >>> np.sort(Z[:, 1])
    array([1., 3., 5.])
    """
    return rng.permuted(check_features(Z), axis=0)


def marchenko_pastur(n: int, d: int) -> NDArray[np.float64]:
    """Return the singular values (min(N, D),) that the Marchenko–Pastur law predicts for N × D unit Gaussian noise.

    The k-th of K is the quantile ``1 − (k − ½)/K`` of the law, so a spectral metric of ``np.diag`` of them is its
    baseline for pure noise of that shape, without sampling.

    Parameters
    ----------
    n, d : int
        Numbers of rows and of dimensions.

    Raises
    ------
    InputError
        If either is not positive.

    References
    ----------
    Marchenko and Pastur 1967, Distribution of Eigenvalues for Some Sets of Random Matrices.

    Examples
    --------
    >>> import numpy as np
    >>> from maetheory.metrics import rankme
    >>> round(rankme(np.diag(marchenko_pastur(1024, 768))))
    673
    """
    if n < 1 or d < 1:
        raise InputError(f"n and d must be positive, but {n} and {d} were given")
    short, long = min(n, d), max(n, d)
    ratio = short / long
    angle = np.linspace(0, np.pi, _N_ANGLES)  # x = 1 + γ + 2√γ cos θ turns the density into 2 sin²θ / (π x)
    x = 1 + ratio + 2 * np.sqrt(ratio) * np.cos(angle)
    density = np.divide(2 * np.sin(angle) ** 2, np.pi * x, out=np.zeros_like(x), where=x > 0)
    above = cumulative_trapezoid(density, angle, initial=0)
    levels = (np.arange(short) + 0.5) / short
    return np.sqrt(long * np.interp(levels, above / above[-1], x))
