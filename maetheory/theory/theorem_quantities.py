"""Constants and norms of a mask graph that several theorems use."""

from __future__ import annotations

import math

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import (
    check_target_features,
    check_view_features,
    mean_square,
    reconstruction_loss,
    uniformity_loss,
)

_EQUAL_ROWS_TOLERANCE = 1e-24
_MAX_DENSE_SIDE = 1500


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


def column_basis(rows: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the column space of `rows` (N, k), shape (N, rank), up to rounding error."""
    left, size, _ = np.linalg.svd(rows, full_matrices=False)
    return left[:, size > size.max(initial=0.0) * max(rows.shape) * np.finfo(float).eps]


def pair_lipschitz(graph: MaskGraph, features: np.ndarray, h: np.ndarray) -> float:
    """Smallest L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all positive pairs.

    It is infinite if h merges a pair that f separates, and 0 if f is aligned on every pair, so that any constant holds.
    Rows that differ by less than 1e-12 of their own length count as equal; this ignores at most 1e-24 of E‖f‖².
    """
    pairs = graph.pair_law.tocoo()
    x1, other = pairs.coords
    features, h = check_view_features(graph, features), check_view_features(graph, h)
    far = ((features[x1] - features[other]) ** 2).sum(1)  # (pairs,)
    near = ((h[x1] - h[other]) ** 2).sum(1)  # (pairs,)
    apart = far > _EQUAL_ROWS_TOLERANCE * _larger_squared_norms(features, x1, other)
    if not apart.any():
        return 0.0
    near = np.where(near > _EQUAL_ROWS_TOLERANCE * _larger_squared_norms(h, x1, other), near, 0.0)[apart]
    return float((far[apart] / near).max()) if near.all() else math.inf


def _larger_squared_norms(rows: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Larger squared norm of the two rows of each pair."""
    squares = (rows**2).sum(1)
    return np.maximum(squares[one], squares[other])


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
    step = max(1, 4_000_000 // len(rows))
    total = 0.0
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        total += float(((graph_rows[here].toarray() - rows[here] @ rows.T) ** 2).sum())  # (step, N1)
    return total
