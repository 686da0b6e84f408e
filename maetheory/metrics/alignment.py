"""Positive pairs should lie close together."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.metrics.conventions import choose
from maetheory.metrics.rows import pointed_rows


def alignment(Z1: Any, Z2: Any, *, a: float = 2.0, convention: str | None = None) -> float:
    """Return the alignment ``mean ‖ẑ₁ − ẑ₂‖^a`` of positive pairs; 0 is perfect, lower is better.

    Parameters
    ----------
    Z1, Z2 : array or tensor (N, D)
        Features of two views, paired row by row; we bring rows to unit length.
    a : float, default 2
        The power.
    convention : str, optional
        ``"wang-isola-2020"``, the only one.

    Raises
    ------
    InputError
        If the shapes differ, there are fewer than two rows, a zero row, NaN or infinity.

    References
    ----------
    Wang and Isola 2020, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere, Section 4.1.2.

    Examples
    --------
    >>> alignment([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 3.0]])
    1.0
    """
    choose("alignment", convention)
    first, second = pointed_rows(Z1, "Z1"), pointed_rows(Z2, "Z2")
    if first.shape != second.shape:
        raise InputError(f"Z1 and Z2 must be paired row by row, but their shapes are {first.shape} and {second.shape}")
    if not a > 0:
        raise InputError(f"a must be a positive power, but {a} was given")
    squares = np.square(first - second).sum(axis=1)
    return float(np.mean(squares ** (a / 2)))
