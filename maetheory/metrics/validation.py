"""Validate feature arrays and normalise their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError

Floats = NDArray[np.floating[Any]]
_KEPT_TYPES = ("float16", "float32", "float64")


def as_array(Z: Any, name: str = "Z") -> NDArray[Any]:
    """Return `Z` as a NumPy array of floats; a tensor (any object with ``detach`` and ``cpu``) is copied to the CPU.

    This is the one place where the type of the input changes: bool, integers, long doubles, bfloat16 and other types
    that NumPy lacks become float64; float16, float32 and float64 stay, for callers that widen them tile by tile.

    Raises
    ------
    InputError
        If `Z` is Moments, is not rectangular, or holds complex numbers, objects or text.
    """
    if hasattr(Z, "detach") and hasattr(Z, "cpu"):
        Z = Z.detach().cpu()
        Z = (Z if str(Z.dtype).removeprefix("torch.") in _KEPT_TYPES or Z.is_complex() else Z.double()).numpy()
    if hasattr(Z, "direction_second_moment"):
        raise InputError(f"{name} must be the features themselves, because their moments do not determine this metric")
    try:
        Z = np.asarray(Z)
    except ValueError:
        raise InputError(f"{name} must be a rectangular array, but its rows differ in length") from None
    if Z.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers, but its type is {Z.dtype}")
    return Z if Z.dtype.name in _KEPT_TYPES else Z.astype(np.float64)


def check_features(Z: Any, name: str = "Z", *, min_rows: int = 2, dtype: type | None = np.float64) -> Floats:
    """Return `Z` (N, D) as floats after checking its shape and that every number in it is finite.

    Raises
    ------
    InputError
        If `Z` is not a matrix, has no column, has fewer than `min_rows` rows, or holds NaN or infinity (how many rows).
    """
    Z = as_array(Z, name)
    if Z.ndim != 2:
        raise InputError(f"{name} must be a matrix with one row per image, but its shape is {Z.shape}")
    if Z.shape[1] == 0:
        raise InputError(f"{name} has no columns, but features need at least one dimension")
    if Z.shape[0] < min_rows:
        raise InputError(f"{name} has {_count_phrase(Z.shape[0], 'row')}, but this metric needs at least {min_rows}")
    with np.errstate(all="ignore"):
        all_finite = bool(np.isfinite(Z.sum()))  # one pass suffices in the usual case
    bad = 0 if all_finite else Z.shape[0] - int(np.isfinite(Z).all(axis=1).sum())
    if bad:
        raise InputError(
            f"{name} has NaN or infinity in {bad} of its {_count_phrase(Z.shape[0], 'row')}; features are finite"
        )
    return Z if dtype is None else Z.astype(dtype, copy=False)


def normalize_rows(Z: Floats) -> Floats:
    """Return the rows of `Z` (N, D) scaled to unit length; a zero row stays zero."""
    largest = np.abs(Z).max(axis=1, keepdims=True)
    scaled = Z / np.where(largest > 0, largest, 1)  # no overflow or underflow in the squares
    length = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))[:, None]
    return scaled / np.where(length > 0, length, 1)


def unit_rows(Z: Any, name: str = "Z") -> Floats:
    """Return the rows of `Z` (N, D) scaled to unit length; raise InputError when a row is zero."""
    Z = check_features(Z, name)
    check_no_zero_rows(int((~Z.any(axis=1)).sum()), Z.shape[0], name)
    return normalize_rows(Z)


def check_views(Z: Any, name: str = "Z") -> Floats:
    """Return `Z` (n, q, D) as floats after checking that it holds at least two images with two finite views each."""
    Z = as_array(Z, name)
    if Z.ndim != 3 or Z.shape[0] < 2 or Z.shape[1] < 2:
        raise InputError(
            f"{name} must be (images, views, dimensions) with at least 2 images and 2 views, but its shape is {Z.shape}"
        )
    return check_features(Z.reshape(-1, Z.shape[2]), name).reshape(Z.shape)


def centre_rows(rows: Floats) -> Floats:
    """Return `rows` (N, D) minus their mean, with an error of ε relative to their spread, however large the mean is.

    The difference to the first row is exact for equal rows, which are therefore exactly zero.
    """
    centred = rows - rows[0]
    centred = rows - (rows[0] + centred.mean(axis=0))
    return centred - centred.mean(axis=0)


def rounding_floor(rows: Floats) -> float:
    """Return ``ε max(N, D) ‖Z‖_F``: singular values of `rows` (N, D) up to this size are rounding error."""
    return float(np.finfo(float).eps) * max(rows.shape) * frobenius_norm_of_rows(rows)


def frobenius_norm_of_rows(rows: Floats) -> float:
    """Return ``‖Z‖_F`` of `rows` (N, D) without overflow or underflow of their squares."""
    largest = float(np.abs(rows).max())
    return largest * float(np.linalg.norm(rows / largest)) if largest > 0 else 0.0


def check_no_zero_rows(zero: int, n: int, name: str = "Z") -> None:
    """Raise InputError when some of the `n` rows are zero."""
    if zero:
        raise InputError(f"{name} has {zero} zero rows of {n}, but a cosine needs rows with a direction")


def _count_phrase(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
