"""The leading eigenvalues bound the label disagreement of positive pairs from below.

Setting
-------
φ = Pr[y(x₁) ≠ y(x₁⁺)] for any labels of the views, the Bayes labels unless ``view_labels`` is given; p_(1) ≥ p_(2) ≥ …
are the class masses and λ_1 ≥ λ_2 ≥ … the eigenvalues of Ā, 0 beyond the graph.

Assumptions
-----------
None.

Claim
-----
φ ≥ 1 − Σ_c p_(c) λ_c. Proof: with rows √d₁ 1[y = c], 1 − φ = tr YᵀĀY = ⟨Ā, YYᵀ⟩, the eigenvalues of YYᵀ are the class
masses, and von Neumann's trace inequality sorts both.

Slack
-----
Slack of von Neumann's inequality.

Tight when
----------
Every view is a class of its own and all have equal mass; or the classes are the components, where both sides are 0.

Reference
---------
Ours.
"""

from __future__ import annotations

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.propagated_errors import eigenvalue_error
from maetheory.theory.statements.pair_error_bounded_by_label_errors import THEOREM as LABEL_ERRORS
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import eigenvalues


def _rhs(graph: MaskGraph, view_labels: np.ndarray | None = None) -> Estimate:
    labels = graph.view_labels if view_labels is None else view_labels
    member = np.unique(labels, return_inverse=True)[1].ravel()
    masses = np.sort(np.bincount(member, graph.degrees[0]))[::-1]  # (r,)
    return Estimate(1.0 - float(masses @ eigenvalues(graph, len(masses))), eigenvalue_error(graph))


def tight() -> Objects:
    """Return three views of equal mass, each its own class, that share targets in unequal proportions."""
    joint = np.array([[4.0, 1.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 4.0]]) / 15
    return {"graph": MaskGraph.from_joint(joint, np.arange(3))}


THEOREM = Theorem(
    slug="pair-error-lower-bound",
    statement="φ >= 1 - Σ_c p_(c) λ_c",
    reference="Ours",
    objects=(),
    optional=("view_labels",),
    shapes={"view_labels": ("N1",)},
    lhs=LABEL_ERRORS.lhs,
    rhs=_rhs,
    trivial=0.0,
    tight=tight,
)
