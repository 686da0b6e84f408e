"""Alignment of positive pairs (Wang and Isola 2020)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse

from maetheory.core import InputError
from maetheory.metrics.conventions import get_convention
from maetheory.metrics.validation import as_array, check_views, unit_rows


def alignment(Z1: Any, Z2: Any, *, a: float = 2.0, convention: str | None = None) -> float:
    """Return the alignment ``mean ‖ẑ₁ − ẑ₂‖^a`` of positive pairs; 0 is perfect, lower is better.

    Parameters
    ----------
    Z1, Z2 : array or tensor (N, D)
        Features of two views, paired row by row; rows are scaled to unit length.
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
    get_convention("alignment", convention)
    first, second = unit_rows(Z1, "Z1"), unit_rows(Z2, "Z2")
    if first.shape != second.shape:
        raise InputError(f"Z1 and Z2 must be paired row by row, but their shapes are {first.shape} and {second.shape}")
    if not a > 0:
        raise InputError(f"a must be a positive power, but {a} was given")
    squares = np.square(first - second).sum(axis=1)
    return float(np.mean(squares ** (a / 2)))


def mask_alignment(Z: Any, *, a: float = 2.0) -> float:
    """Return the alignment over all pairs of different masks of one image; 0 is perfect, lower is better.

    Parameters
    ----------
    Z : array or tensor (n, q, D)
        Features of n images under q masks each.
    a : float, default 2
        The power.

    Raises
    ------
    InputError
        If Z is not (n, q, D) with n, q ≥ 2, or holds a zero row, NaN or infinity.

    Examples
    --------
    >>> mask_alignment([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 2.0]]])
    1.0
    """
    views = check_views(Z)
    pairs = combinations(range(views.shape[1]), 2)
    return float(np.mean([alignment(views[:, i], views[:, j], a=a) for i, j in pairs]))


def graph_alignment(Z: Any, weights: Any, *, a: float = 2.0) -> float:
    """Return the alignment ``Σ w_ij ‖ẑᵢ − ẑⱼ‖^a / Σ w_ij`` over weighted pairs, for example views that share a target.

    Parameters
    ----------
    Z : array or tensor (V, D)
        Features of the views of a mask graph, no row zero.
    weights : array or sparse matrix (V, V)
        Non-negative weight of each pair; for views that share a target, ``M diag(d₂)⁻¹ Mᵀ``.
    a : float, default 2
        The power.

    Raises
    ------
    InputError
        If the weights are not (V, V), negative, or sum to zero, or Z holds a zero row, NaN or infinity.

    Examples
    --------
    >>> graph_alignment([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.5, 0.0]])
    1.0
    """
    unit = unit_rows(Z)
    pairs = scipy.sparse.coo_array(weights if scipy.sparse.issparse(weights) else as_array(weights, "weights"))
    pairs.data = as_array(pairs.data, "weights").astype(np.float64)
    if pairs.shape != (len(unit), len(unit)):
        raise InputError(f"weights must be a {len(unit)} by {len(unit)} matrix, but their shape is {pairs.shape}")
    total = float(pairs.data.sum())
    if not (pairs.data >= 0).all() or not 0 < total < np.inf:
        raise InputError("weights must be finite, non-negative and not all zero")
    squares = np.square(unit[pairs.row] - unit[pairs.col]).sum(axis=1)
    return float(pairs.data @ squares ** (a / 2)) / total
