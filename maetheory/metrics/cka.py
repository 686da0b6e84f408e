"""Linear centred kernel alignment of two sets of features."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.validation import Floats, check_features


def linear_cka(X: Any, Y: Any, *, convention: str | None = None) -> float:
    """Return the linear centred kernel alignment ``‖YᵀX‖_F² / (‖XᵀX‖_F ‖YᵀY‖_F)``; between 0 and 1.

    It is 1 when both sides have the same similarities between images. Invariant under rotations, shifts and a common
    scale of either side. The plug-in value is too large when N is not much larger than D; ``"debiased"`` corrects that
    and may be slightly negative. NaN when either side is constant.

    Parameters
    ----------
    X : array or tensor (N, D)
        The features.
    Y : array or tensor (N, D')
        Other features of the same images in the same order.
    convention : str, optional
        ``"kornblith-2019"`` (default) or ``"debiased"`` (needs four rows).

    Raises
    ------
    InputError
        If the numbers of rows differ or are too few, NaN or infinity is among them, or the convention is unknown.

    References
    ----------
    Kornblith et al. 2019, Similarity of Neural Network Representations Revisited; Nguyen, Raghu and Kornblith 2021, Do
    Wide and Deep Networks Learn the Same Things?, Eq. 3.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(12.0).reshape(6, 2) ** 2
    >>> round(linear_cka(X, -2 * X[:, ::-1] + 1), 9)
    1.0
    """
    debiased = get_convention("linear_cka", convention).name == "debiased"
    first, second = (_centre_and_scale(side, name, 4 if debiased else 2) for side, name in ((X, "X"), (Y, "Y")))
    if len(first) != len(second):
        raise InputError(f"X and Y must hold the same images, but have {len(first)} and {len(second)} rows")
    product = _unbiased_hsic if debiased else _biased_hsic
    square = product(first, first) * product(second, second)
    return product(first, second) / float(np.sqrt(square)) if square > 0 else float("nan")


def _centre_and_scale(Z: Any, name: str, min_rows: int) -> Floats:
    rows = check_features(Z, name, min_rows=min_rows)
    centred = rows - rows.mean(axis=0)
    size = np.abs(centred).max()
    if size <= np.finfo(float).eps * len(rows) * np.abs(rows).max():
        return np.zeros_like(centred)
    return centred / size


def _biased_hsic(X: Floats, Y: Floats) -> float:
    if len(X) < X.shape[1]:
        return float(np.vdot(X @ X.T, Y @ Y.T))
    return float(np.square(X.T @ Y).sum())  # (D, N) @ (N, D') -> (D, D')


def _unbiased_hsic(X: Floats, Y: Floats) -> float:
    """Return ``HSIC₁`` of Song et al. 2012, Eq. 5, without the (N, N) kernel matrices."""
    n = len(X)
    own_x, own_y = np.square(X).sum(axis=1), np.square(Y).sum(axis=1)  # the excluded diagonals
    row_x, row_y = X @ X.sum(axis=0) - own_x, Y @ Y.sum(axis=0) - own_y
    trace = _biased_hsic(X, Y) - own_x @ own_y
    total = row_x.sum() * row_y.sum() / ((n - 1) * (n - 2))
    return float(trace + total - 2 * (row_x @ row_y) / (n - 2)) / (n * (n - 3))
