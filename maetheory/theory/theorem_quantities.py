"""Constants and norms of a mask graph that several theorems use."""

from __future__ import annotations

import math

import numpy as np

from maetheory.core import SquaresOverflowError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import (
    check_target_features,
    check_view_features,
    mean_square,
    reconstruction_loss,
    uniformity_loss,
)

_EQUAL_ROWS_TOLERANCE = 1e-24
_ALIKE = 20
"""Columns whose sizes differ by at most this power of two are decomposed as they are."""
_MAX_DENSE_SIDE = 1500
_MAX_BLOCK_ENTRIES = 4_000_000


def umae_loss(graph: MaskGraph, h: np.ndarray, targets: np.ndarray, features: np.ndarray, weight: float) -> float:
    """U-MAE loss: L_MAE(h) + weight · L_unif(f)."""
    return reconstruction_loss(graph, h, targets) + weight * uniformity_loss(graph, features)


def reconstruction_scale(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    """Size of the terms that cancel in a reconstruction loss: E‖h‖² + E‖x₂‖²."""
    return mean_square(graph.degrees[0], h) + mean_square(graph.degrees[1], targets)


def autoencoding_error(graph: MaskGraph, h_g: np.ndarray, targets: np.ndarray) -> float:
    """Autoencoding error without a mask, ε = E‖h_g(x₂) − x₂‖² (assumption 3.1), measured."""
    return mean_square(graph.degrees[1], check_target_features(graph, h_g) - check_target_features(graph, targets))


def weighted_rows(graph: MaskGraph, features: np.ndarray) -> np.ndarray:
    """Weighted feature matrix F with the rows √d₁ f(x₁), shape (N1, k)."""
    return np.sqrt(graph.degrees[0])[:, None] * features  # (N1, k)


def scale_columns_alike(rows: np.ndarray) -> np.ndarray:
    """Divide the columns by powers of two where their sizes differ by more than 2²⁰, which keeps their span.

    Otherwise a small column would be taken for the rounding error of a large one.
    """
    sizes = np.abs(rows).max(0, initial=0.0)
    powers = np.frexp(sizes)[1]
    if not sizes.any() or np.ptp(powers[sizes > 0]) <= _ALIKE:
        return rows
    return np.ldexp(rows, -powers)


def column_basis(rows: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the column space of `rows` (N, k), shape (N, rank), up to rounding error.

    A direction is left out if no column, whatever its size, has more of it than rounding error.
    """
    left, size, _ = np.linalg.svd(scale_columns_alike(rows), full_matrices=False)
    return left[:, size > size.max(initial=0.0) * max(rows.shape) * np.finfo(float).eps]


def pair_lipschitz(graph: MaskGraph, features: np.ndarray, h: np.ndarray) -> float:
    """Smallest L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all positive pairs.

    It is infinite if h merges a pair that f separates, and 0 if f is aligned on every pair, so that any constant holds.
    Rows that differ by less than 1e-12 of their distance from the mean of their component count as equal; this ignores
    at most 1e-24 of the variance of f, however far that mean is from zero.

    Raises
    ------
    SquaresOverflowError
        If the constant exceeds the range of float64.
    """
    far, scale = _distinct_squared_distances(graph, check_view_features(graph, features))
    near, scale_of_h = _distinct_squared_distances(graph, check_view_features(graph, h))
    apart = far > 0
    if not apart.any():
        return 0.0
    if not near[apart].all():
        return math.inf
    with np.errstate(over="ignore", under="ignore"):
        found = float(np.ldexp((far[apart] / near[apart]).max(), 2 * (scale - scale_of_h)))
    if math.isinf(found):
        raise SquaresOverflowError("the least Lipschitz constant")
    return found


def _distinct_squared_distances(graph: MaskGraph, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Squared distances of the rows of positive pairs, 0 where they count as equal, and the power of two of the rows.

    The rows are divided by that power of two first, so that no square leaves the range of float64.
    """
    x1, other = graph.pair_law.tocoo().coords
    scale = int(np.frexp(np.abs(rows).max(initial=0.0))[1])
    rows = np.ldexp(rows, -scale)
    squares = ((rows[x1] - rows[other]) ** 2).sum(1)  # (pairs,)
    deviations = ((rows - component_means(graph, rows)) ** 2).sum(1)  # (N1,)
    larger = np.maximum(deviations[x1], deviations[other])
    return np.where(squares > _EQUAL_ROWS_TOLERANCE * larger, squares, 0.0), scale


def component_means(graph: MaskGraph, h: np.ndarray) -> np.ndarray:
    """Mean h̄ of `h` (N1, d) over the connected component of each view, shape (N1, d).

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.0], [0.25, 0.0], [0.0, 0.5]])
    >>> component_means(graph, np.array([[1.0], [3.0], [7.0]])).ravel().tolist()
    [2.0, 2.0, 7.0]
    """
    d1, (member, _) = graph.degrees[0], graph.components
    sums = np.zeros((graph.n_components, h.shape[1]))
    np.add.at(sums, member, d1[:, None] * h)
    return (sums / np.bincount(member, d1)[:, None])[member]  # (c, d) -> (N1, d)


def eigenvalues(graph: MaskGraph, k: int) -> np.ndarray:
    """The k largest eigenvalues λ_i = σ_i² of Ā, descending, shape (k,); 0 beyond the smaller side of the graph."""
    known = min(graph.shape)
    if known <= _MAX_DENSE_SIDE:
        found = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)[:k]
    else:
        found = graph.spectrum(min(k, known)).values
    return np.pad(found**2, (0, k - len(found)))  # (k,)


def frobenius_square(graph: MaskGraph) -> float:
    """Squared Frobenius norm ‖Ā‖_F² = Σ λ_i²."""
    return float((graph.augmentation.data**2).sum())


def factorisation_error(graph: MaskGraph, features: np.ndarray) -> float:
    """Factorisation error ‖Ā − FFᵀ‖_F², summed over blocks of rows."""
    rows = weighted_rows(graph, features)
    graph_rows = graph.augmentation
    step = max(1, _MAX_BLOCK_ENTRIES // len(rows))
    total = 0.0
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        total += float(((graph_rows[here].toarray() - rows[here] @ rows.T) ** 2).sum())  # (step, N1)
    return total
