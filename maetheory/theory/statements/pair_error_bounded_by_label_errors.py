"""The label disagreement of positive pairs is at most twice the sum of the view and target label errors.

Setting
-------
y(x₁) and y(x₂) are labels of views and targets: their Bayes labels, or any others (``view_labels``,
``target_labels``). α = Pr[y(x₁) ≠ y(x̄)] and α₂ = Pr[y(x₂) ≠ y(x̄)] compare them with the label of the image;
φ = Pr[y(x₁) ≠ y(x₁⁺)] compares two views drawn given the same target.

Assumptions
-----------
None.

Claim
-----
φ ≤ 2α + 2α₂. The paper's downstream bound contains only α, which is not sufficient: positive pairs share x₂, whereas α
depends only on x₁. :func:`same_spectrum_opposite_labels` returns two graphs that agree in every label-free quantity and
in α = 0, but whose probe residuals are 0 and ½.

Slack
-----
At least β² for β = Pr[y(x₁) ≠ y(x₂)] ≤ α + α₂, because φ ≤ 2β − β².

Tight when
----------
Only at φ = α = α₂ = 0, by that slack. The factor 2 is the least possible: it is approached as the errors fall.

Reference
---------
Ours; it closes a gap in Zhang, Wang and Wang 2022, theorem 4.1.
"""

from __future__ import annotations

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.graph.labels import pair_label_disagreement
from maetheory.theory.theorem import Theorem, combine
from maetheory.theory.theorem_objects import Objects


def _pair_error(graph: MaskGraph, view_labels: np.ndarray | None = None) -> Estimate:
    if view_labels is None:
        return graph.pair_label_error()
    member = np.unique(view_labels, return_inverse=True)[1].ravel()
    return pair_label_disagreement(graph.joint, member)


def _mislabelled_mass(law: np.ndarray, labels: np.ndarray, graph: MaskGraph) -> Estimate:
    """Mass of `law` (N, r) outside the given label of each node."""
    return _with_rounding_error(np.where(np.arange(law.shape[1]) == labels[:, None], 0.0, law).sum(), graph)


def _with_rounding_error(value: float, graph: MaskGraph) -> Estimate:
    """A sum of masses has a relative rounding error."""
    return Estimate(float(value), 4 * float(np.finfo(float).eps) * graph.joint.nnz * float(value))


def _view_error(graph: MaskGraph, view_labels: np.ndarray | None = None) -> Estimate:
    return graph.label_error() if view_labels is None else _mislabelled_mass(graph.class_law, view_labels, graph)


def _target_error(graph: MaskGraph, target_labels: np.ndarray | None = None) -> Estimate:
    return (
        graph.target_label_error()
        if target_labels is None
        else _mislabelled_mass(graph.target_class_law, target_labels, graph)
    )


def _rhs(graph: MaskGraph, view_labels: np.ndarray | None = None, target_labels: np.ndarray | None = None) -> Estimate:
    return combine((2.0, _view_error(graph, view_labels)), (2.0, _target_error(graph, target_labels)))


def _terms(
    graph: MaskGraph, view_labels: np.ndarray | None = None, target_labels: np.ndarray | None = None
) -> dict[str, float]:
    return {
        "phi": float(_pair_error(graph, view_labels)),
        "alpha": float(_view_error(graph, view_labels)),
        "alpha2": float(_target_error(graph, target_labels)),
    }


def same_spectrum_opposite_labels() -> tuple[MaskGraph, MaskGraph]:
    """Return two graphs with four views that determine their labels 0, 0, 1, 1, and two targets.

    In the first the views of a class share a target, in the second views of different classes do. Relabelling the
    views turns one into the other, so eigenvalues (1, 1, 0, 0), the least spectral contrast −2 and every other
    quantity without labels are equal; α = 0 in both; the residual of the best two features is 0 and ½.

    Examples
    --------
    >>> within, across = same_spectrum_opposite_labels()
    >>> within.label_error(), across.label_error(), within.pair_label_error().value, across.pair_label_error().value
    (0, 0, 0.0, 0.5)
    """
    labels = np.array([0, 0, 1, 1])
    within = np.array([[1, 0], [1, 0], [0, 1], [0, 1]]) / 4
    across = np.array([[1, 0], [0, 1], [1, 0], [0, 1]]) / 4
    return MaskGraph.from_joint(within, labels), MaskGraph.from_joint(across, labels)


def tight() -> Objects:
    """Return the degenerate equality: the views of a class share a target, and all errors are 0."""
    return {"graph": same_spectrum_opposite_labels()[0]}


THEOREM = Theorem(
    slug="pair-error-bounded-by-label-errors",
    statement="φ <= 2α + 2α₂",
    reference="Ours, on Zhang, Wang and Wang 2022, theorem 4.1",
    objects=(),
    optional=("view_labels", "target_labels"),
    shapes={"view_labels": ("N1",), "target_labels": ("N2",)},
    lhs=_pair_error,
    rhs=_rhs,
    direction="<=",
    trivial=1.0,
    terms=_terms,
    tight=tight,
    never_tight="φ <= 2β - β² with β = Pr[y(x₁) != y(x₂)] <= α + α₂, so equality needs all errors to be 0",
)
