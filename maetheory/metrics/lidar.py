"""LiDAR: effective rank of the linear discriminant spectrum over masked views."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import entr

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.validation import Floats, check_views


def lidar(Z: Any, *, delta: float = 1e-4, convention: str | None = None) -> float:
    """Return LiDAR, exp of the entropy of the eigenvalues of ``S_w^-½ S_b S_w^-½``; higher is better, at most about D.

    ``S_b`` is the scatter of the image means (denominator n − 1), ``S_w`` that of views around them (denominator
    n(q − 1)) plus δI. At most min(D, n − 1). Pure noise gives about D, since every eigenvalue is 1/q: compare at equal
    q and with n ≫ D. The absolute δ makes it depend on the scale of the features. 0 when all image means are equal.

    Parameters
    ----------
    Z : array or tensor (n, q, D)
        Features of n images under q views each; here a view is another mask of the same image.
    delta : float, default 1e-4
        Constant added to the diagonal of ``S_w``.
    convention : str, optional
        ``"thilak-2024"`` (default, shares l/Σl + ε with ε = 1e-8 of ours) or ``"stable-pretraining"``.

    Raises
    ------
    InputError
        If Z is not (n, q, D) with n, q ≥ 2, holds NaN or infinity, δ is not positive or too small for the scale of Z,
        or the convention is unknown.

    References
    ----------
    Thilak et al. 2024, LiDAR: Sensing Linear Probing Performance in Joint Embedding SSL Architectures, Eq. 1–4.

    Examples
    --------
    >>> import numpy as np
    >>> means = np.repeat(np.concatenate([np.eye(3), -np.eye(3)])[:, None], 2, axis=1)
    >>> round(lidar(means), 5)
    3.0
    """
    chosen = get_convention("lidar", convention)
    if not delta > 0:
        raise InputError(f"delta must be positive, but {delta} was given")
    values = _discriminant_eigenvalues(check_views(Z), delta)
    if not values.any():
        return 0.0
    if chosen.name == "stable-pretraining":
        shares = (values + chosen.epsilon) / (values + chosen.epsilon).sum()
    else:
        shares = values / values.sum() + chosen.epsilon
    return float(np.exp(entr(shares).sum()))


def _discriminant_eigenvalues(Z: Floats, delta: float) -> NDArray[np.float64]:
    n, q, d = Z.shape
    means = Z.mean(axis=1)
    between = means - means.mean(axis=0)
    between[np.abs(between) <= np.finfo(float).eps * n * np.abs(Z).max()] = 0.0
    within = (Z - means[:, None]).reshape(n * q, d)
    scatter = within.T @ within / (n * (q - 1)) + delta * np.eye(d)
    try:
        root = scipy.linalg.cholesky(scatter, lower=True)
    except np.linalg.LinAlgError:
        raise InputError(
            f"delta {delta:g} is lost in the rounding of features this large; scale them down, or take a larger delta"
        ) from None
    whitened = scipy.linalg.solve_triangular(root, between.T / np.sqrt(n - 1), lower=True)  # (D, D) \ (D, n)
    values = scipy.linalg.svdvals(whitened) ** 2
    return np.pad(values, (0, d - len(values)))
