"""Matrix-based (Rényi) entropy of kernel matrices, and the Vendi score."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import entr

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.spectrum import direction_singular_values, singular_values
from maetheory.metrics.squaring_error import (
    entropy_error,
    relative_squaring_error,
    sum_of_squares_error,
    with_squaring_error,
    without_spectrum,
)
from maetheory.metrics.validation import check_features


def matrix_entropy(Z: Any, *, alpha: float = 1.0, convention: str | None = None) -> float:
    """Return the entropy of order α of ``ZZᵀ / tr ZZᵀ``; between 0 and ``ln min(N, D)``, higher is less collapsed.

    Order 1 is the von Neumann entropy, order 2 the negative logarithm of the purity. The shares are squared singular
    values, so its exponential is an effective rank of eigenvalues. 0 when every entry is zero.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    alpha : float, default 1
        The order, positive.
    convention : str, optional
        ``"skean-2025"`` (default, in nats), ``"giraldo-2014"`` (unit rows, in bits) or ``"centred"``.

    Raises
    ------
    InputError
        If α is not positive, there are fewer than two rows, NaN or infinity, or the convention is unknown.

    References
    ----------
    Giraldo, Rao and Principe 2014, Measures of Entropy from Data Using Infinitely Divisible Kernels; Skean et al. 2025,
    Layer by Layer.

    Examples
    --------
    >>> import numpy as np
    >>> round(matrix_entropy(np.eye(4)), 6)  # ln 4
    1.386294
    >>> round(matrix_entropy(np.eye(4), alpha=2, convention="giraldo-2014"), 9)
    2.0
    """
    chosen = get_convention("matrix_entropy", convention)
    if chosen.name == "giraldo-2014":
        return _entropy(Z, direction_singular_values(Z), alpha, normalized=True, unit=float(np.log(2)))
    return _entropy(Z, singular_values(Z, centred=chosen.centred), alpha, centred=chosen.centred)


def vendi(Z: Any, *, alpha: float = 1.0) -> float:
    """Return the Vendi score, the exponential of the entropy of the cosine kernel; 1 collapsed, at most min(N, D).

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, no row zero.
    alpha : float, default 1
        The order of the entropy.

    Raises
    ------
    InputError
        If α is not positive, there are fewer than two rows, a zero row, NaN or infinity.

    References
    ----------
    Friedman and Dieng 2023, The Vendi Score.

    Examples
    --------
    >>> import numpy as np
    >>> round(vendi(np.eye(4)), 9)
    4.0
    """
    entropy = _entropy(Z, direction_singular_values(Z), alpha, normalized=True)
    score = float(np.exp(entropy))
    return with_squaring_error(Z, score, score * np.expm1(getattr(entropy, "error", 0.0)))


def kernel_entropy(K: Any, *, alpha: float = 1.0) -> float:
    """Return the entropy of order α of ``K / tr K`` for any positive semi-definite kernel matrix; at most ``ln N``.

    Parameters
    ----------
    K : array or tensor (N, N)
        The kernel matrix.
    alpha : float, default 1
        The order.

    Raises
    ------
    InputError
        If K is not square, symmetric and positive semi-definite up to rounding error, or holds NaN or infinity.

    Examples
    --------
    >>> kernel_entropy([[1.0, 1.0], [1.0, 1.0]])
    0.0
    """
    K = check_features(K, "K", min_rows=1)
    if K.shape[0] != K.shape[1] or not np.allclose(K, K.T, rtol=1e-6, atol=1e-12 * np.abs(K).max()):
        raise InputError(f"K must be a symmetric kernel matrix, but its shape is {K.shape} or it is not symmetric")
    values = scipy.linalg.eigvalsh(K)
    floor = np.finfo(float).eps * len(K) * np.abs(values).max()
    if values[0] < -1e4 * floor:
        raise InputError(f"K must be positive semi-definite, but its least eigenvalue is {values[0]:.3g}")
    return spectral_entropy(np.where(values > floor, values, 0.0), alpha)


def spectral_entropy(weights: NDArray[np.float64], alpha: float) -> float:
    """Return the Rényi entropy of order `alpha`, in nats, of `weights` scaled to sum to one; zeros add nothing."""
    if not alpha > 0:
        raise InputError(f"alpha must be a positive order, but {alpha} was given")
    if not weights.any():
        return 0.0
    shares = weights / weights.sum()
    if alpha == 1:
        entropy = float(entr(shares).sum())
    elif np.isinf(alpha):
        entropy = -float(np.log(shares.max()))
    else:
        entropy = float(np.log((shares[shares > 0] ** alpha).sum())) / (1 - alpha)
    return min(max(entropy, 0.0), float(np.log(len(weights))))  # removes rounding error outside the exact bounds


def _entropy(
    Z: Any,
    values: NDArray[np.float64],
    alpha: float,
    *,
    normalized: bool = False,
    centred: bool = False,
    unit: float = 1.0,
) -> float:
    if not values.any():
        spectral_entropy(values, alpha)  # refuses a wrong alpha
        return without_spectrum(Z, float(np.log(len(values))) / unit, centred=centred)
    top = float(values[0])
    error = relative_squaring_error(Z, normalized=normalized, centred=centred, top=top)
    weights = (values / top) ** 2
    entropy = spectral_entropy(weights, alpha)
    total = float(weights.sum())
    shares = weights / (total or 1.0)
    power_sum = float(shares.max() if np.isinf(alpha) else (shares[shares > 0] ** alpha).sum())
    error_bound = (
        entropy_error(len(values), sum_of_squares_error(values, error), total, alpha, power_sum) if error else 0.0
    )
    return with_squaring_error(Z, entropy / unit, error_bound / unit)
