"""Build and check joint laws (distributions): sparse non-negative matrices that sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from maetheory.core import InputError

_TOLERANCE = 1e-9


def joint_law(weight: np.ndarray, row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """Return the joint law that has in each cell the sum of the weights of its pairs (row, column)."""
    return sparse.csr_array(sparse.coo_array((weight, (row, column)), shape=shape))


def check_joint(joint: Any) -> sparse.csr_array:
    """Return a joint law as a new sparse array that sums to one, without zero rows and columns.

    Raises
    ------
    InputError
        If it is not a finite non-negative matrix that sums to one within 1e-9, or a row or column is zero.
    """
    law = _as_sparse(joint)
    law.sum_duplicates()
    if 0 in law.shape:
        raise InputError(f"joint must have a view and a target, but its shape is {law.shape}")
    if not np.isfinite(law.data).all() or (law.data < 0).any():
        raise InputError("joint must be finite and non-negative, but it has a negative or non-finite entry")
    total = float(law.sum())
    if abs(total - 1.0) > _TOLERANCE:
        raise InputError(f"joint must sum to 1 within 1e-9, but it sums to {total!r}")
    law.eliminate_zeros()
    for axis, name in ((1, "row"), (0, "column")):
        empty = np.flatnonzero(np.asarray(law.sum(axis)) == 0)
        if empty.size:
            raise InputError(f"joint must give every view and target positive mass, but {name} {empty[0]} is zero")
    return sparse.csr_array(law / total)


def check_laws(joint: Any, image_views: Any, image_targets: Any) -> None:
    """Raise InputError unless three sparse laws are those of view and target, image and view, and image and target.

    Each is finite, non-negative and sums to one; every view and target has mass; marginals agree within 1e-9 of one.
    """
    named = (("joint", joint), ("image_views", image_views), ("image_targets", image_targets))
    for name, law in named:
        if not sparse.issparse(law):
            raise InputError(f"{name} must be a sparse array, but it is a {type(law).__name__}: use from_joint")
        data = law.data
        if not (np.isfinite(data).all() and (data >= 0).all() and abs(float(data.sum()) - 1.0) <= _TOLERANCE):
            raise InputError(
                f"{name} must be a law, finite, non-negative and with sum 1, but its least entry is "
                f"{data.min(initial=0.0):.3g} and its sum {float(data.sum()):.9g}"
            )
    (d1, d2), views, targets = (law_marginals(law) for law in (joint, image_views, image_targets))
    for what, one, two in (("views", d1, views[1]), ("targets", d2, targets[1])):
        if one.shape != two.shape or float(np.abs(one - two).max(initial=0.0)) > _TOLERANCE:
            raise InputError(
                f"joint, image_views and image_targets must give the same masses of {what}, but two of them differ"
            )
    for what, masses in (("view", d1), ("target", d2)):
        if not (masses > 0).all():
            raise InputError(f"every {what} must have mass, but {what} {int(np.argmin(masses))} has none")


def law_marginals(law: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the columns, and over the rows, of a sparse law."""
    return np.asarray(law.sum(1)).ravel(), np.asarray(law.sum(0)).ravel()


def _as_sparse(joint: Any) -> sparse.csr_array:
    try:
        joint = joint if sparse.issparse(joint) else np.asarray(joint)
        if joint.ndim == 2 and joint.dtype.kind in "biuf":
            return sparse.csr_array(joint, dtype=float, copy=True)
    except ValueError as error:
        raise InputError(f"joint must be a matrix of numbers, but it cannot be read as one: {error}") from None
    raise InputError(f"joint must be a real matrix of shape (N1, N2), but it is {joint.dtype} {joint.shape}")
