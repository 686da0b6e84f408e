"""Build and check joint laws (distributions): sparse non-negative matrices that sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from maetheory.core import InputError


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
    if abs(total - 1.0) > 1e-9:
        raise InputError(f"joint must sum to 1 within 1e-9, but it sums to {total!r}")
    law.eliminate_zeros()
    for axis, name in ((1, "row"), (0, "column")):
        empty = np.flatnonzero(np.asarray(law.sum(axis)) == 0)
        if empty.size:
            raise InputError(f"joint must give every view and target positive mass, but {name} {empty[0]} is zero")
    return sparse.csr_array(law / total)


def _as_sparse(joint: Any) -> sparse.csr_array:
    try:
        joint = joint if sparse.issparse(joint) else np.asarray(joint)
        if joint.ndim == 2 and joint.dtype.kind in "biuf":
            return sparse.csr_array(joint, dtype=float, copy=True)
    except ValueError as error:
        raise InputError(f"joint must be a matrix of numbers, but it cannot be read as one: {error}") from None
    raise InputError(f"joint must be a real matrix of shape (N1, N2), but it is {joint.dtype} {joint.shape}")
