"""Five false claims, written before the search that has to refute them was tuned."""

from __future__ import annotations

import numpy as np

from maetheory.graph.functionals import irreducible_loss, mean_square, target_variance, uniformity_loss
from maetheory.theory import Theorem


def eigenvalues(graph):
    """Eigenvalues of the augmentation graph in descending order, at least three."""
    sigma = np.linalg.svd(graph.normalized.matmat(np.eye(graph.shape[1])), compute_uv=False)
    return np.pad(sigma**2, (0, 3))


def label_residual(graph, k):
    """Part of the labels that the k leading eigenvectors of the augmentation graph do not explain."""
    left = np.linalg.svd(graph.normalized.matmat(np.eye(graph.shape[1])))[0][:, :k]
    rows = np.sqrt(graph.degrees[0])[:, None] * np.eye(graph.n_classes)[graph.view_labels]
    return float(((rows - left @ (left.T @ rows)) ** 2).sum())


WRONG_CONSTANT = Theorem(
    slug="irreducible-loss-exceeds-the-gap-with-0.98",
    statement="irreducible loss >= (1 - 0.98 λ₂) Var(x₂)",
    reference="the factor 0.98 must be 1",
    objects=("targets",),
    lhs=irreducible_loss,
    rhs=lambda graph, targets: (1 - 0.98 * eigenvalues(graph)[1]) * target_variance(graph, targets),
    trivial=0.0,
)

MISSING_ASSUMPTION = Theorem(
    slug="pair-error-below-twice-target-error",
    statement="φ <= 2 α₂",
    reference="holds where no view is shared by images of two classes (α = 0), which is not assumed",
    objects=(),
    lhs=lambda graph: graph.pair_label_error(),
    rhs=lambda graph: 2 * graph.target_label_error(),
    direction="<=",
    trivial=1.0,
)

WRONG_DIRECTION = Theorem(
    slug="uniformity-exceeds-squared-energy",
    statement="L_unif(f) >= (E‖f‖²)²",
    reference="an equality for one feature; for more it points the other way",
    objects=("features",),
    lhs=lambda graph, features: uniformity_loss(graph, features),
    rhs=lambda graph, features: mean_square(graph.degrees[0], features) ** 2,
    trivial=0.0,
)

NEARLY_DEGENERATE = Theorem(
    slug="two-eigenvectors-explain-labels-up-to-25-pair-errors",
    statement="‖(I - P₂)Y‖² <= 25 φ for the two leading eigenvectors",
    reference="true where λ₃ <= 24/25",
    objects=(),
    lhs=lambda graph: label_residual(graph, 2),
    rhs=lambda graph: 25 * graph.pair_label_error(),
    direction="<=",
    assumptions={"connected": lambda graph: (graph.n_components == 1, f"{graph.n_components} components")},
    scale=lambda: 1.0,
    trivial=1.0,
)

THREE_VIEWS = Theorem(
    slug="sum-of-squared-eigenvalues-below-one-plus-the-second",
    statement="Σ λ_i² <= 1 + λ₂",
    reference="true of two views",
    objects=(),
    lhs=lambda graph: float((eigenvalues(graph) ** 2).sum()),
    rhs=lambda graph: 1 + eigenvalues(graph)[1],
    direction="<=",
)
