"""Exact linear probe on a finite world: residual, view error and image error.

Y has the rows √d₁ 1[y(x₁) = c] for the Bayes labels of the views, so ‖Y‖_F = 1; P_F projects on the columns of F. The
least-squares head scores every view by P_F Y. Each view is assigned its class of largest score, each image the class of
most of its views. Ties count as errors, both of a view (it votes for no class) and of a vote; otherwise the bounds
would not be attained.
"""

from __future__ import annotations

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.propagated_errors import projector_error, square_error
from maetheory.theory.theorem_quantities import column_basis, weighted_rows

_TIE = 1e-12
_NO_CLASS = -1


def label_matrix(graph: MaskGraph) -> np.ndarray:
    """Weighted one-hot labels Y of the views, shape (N1, r)."""
    return weighted_rows(graph, np.eye(graph.n_classes)[graph.view_labels])


def class_masses(graph: MaskGraph) -> np.ndarray:
    """Mass of the views of each Bayes label, descending, shape (r,); the first is p_max = ‖Y‖₂²."""
    return np.sort(np.bincount(graph.view_labels, graph.degrees[0], graph.n_classes))[::-1]


def projected_labels(graph: MaskGraph, features: np.ndarray) -> np.ndarray:
    """Projection P_F Y of the labels on the features, shape (N1, r); directions of F at rounding error are ignored."""
    basis = column_basis(weighted_rows(graph, features))  # (N1, rank)
    return basis @ (basis.T @ label_matrix(graph))  # (N1, rank) @ (rank, r)


def probe_residual(graph: MaskGraph, features: np.ndarray) -> float:
    """Probe residual ‖(I − P_F) Y‖_F²: share of the labels no linear head explains; in [0, 1], lower is better.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]], labels=[0, 1])
    >>> round(probe_residual(graph, np.ones((2, 1))), 12), round(probe_residual(graph, np.eye(2)), 12)
    (0.5, 0.0)
    """
    return float(((label_matrix(graph) - projected_labels(graph, features)) ** 2).sum())


def measured_residual(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Probe residual with its rounding error, which grows as features become dependent."""
    residual = probe_residual(graph, features)
    return Estimate(residual, square_error(residual, projector_error(weighted_rows(graph, features))))


def view_error(graph: MaskGraph, features: np.ndarray) -> float:
    """Probability that the head misclassifies a view, Pr[prediction ≠ y(x₁)]."""
    return float(graph.degrees[0][predicted_labels(graph, features) != graph.view_labels].sum())


def image_error(graph: MaskGraph, features: np.ndarray) -> float:
    """Probability that the vote of an image's views is wrong, Pr[p_f(x̄) ≠ y(x̄)]; InputError without labels."""
    mass, shares = _vote_shares(graph, features)
    return float(mass[_winning_class(shares) != graph.image_labels].sum())


def measured_image_error(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Image error, whose error covers the votes that are ties within 1e-12, but not within rounding error."""
    mass, shares = _vote_shares(graph, features)
    second, first = np.partition(shares, -2, axis=1)[:, -2:].T  # (S,), of the two largest shares
    rounding = 4 * float(np.finfo(float).eps) * graph.image_views.nnz
    nearly_tied = (first - second > rounding) & (first - second <= _TIE)
    return Estimate(image_error(graph, features), float(mass[nearly_tied].sum()))


def _vote_shares(graph: MaskGraph, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mass of each image, shape (S,), and the shares of its views that each class and no class get, (S, r + 1)."""
    ballots = np.eye(graph.n_classes + 1)[predicted_labels(graph, features)]  # the last column is for no class
    votes = graph.image_views @ ballots  # (S, N1) @ (N1, r + 1) -> (S, r + 1)
    mass = np.asarray(graph.image_views.sum(1))
    return mass, votes / mass[:, None]


def predicted_labels(graph: MaskGraph, features: np.ndarray) -> np.ndarray:
    """Class of each view by the least-squares head, shape (N1,); −1 (no class) at a tie."""
    return _winning_class(projected_labels(graph, features) / np.sqrt(graph.degrees[0])[:, None])  # (N1, r) -> (N1,)


def _winning_class(scores: np.ndarray) -> np.ndarray:
    """Column of the largest score of each row; −1 if two scores are within 1e-12 of it."""
    near_best = scores >= scores.max(1, keepdims=True) - _TIE
    return np.where(near_best.sum(1) == 1, scores.argmax(1), _NO_CLASS)
