"""Perfectly aligned features are constant on connected components, and nearly aligned ones nearly constant.

Setting
-------
h gives one row per view; c is the number of connected components of the mask graph, λ₁ = … = λ_c = 1 > λ_{c+1} the
eigenvalues of the augmentation graph Ā, and h̄ the mean of h over the component of a view. H has the rows √d₁ h(x₁).

Assumptions
-----------
None for the two inequalities. The bound on the rank needs ``features are aligned``: E‖f(x₁) − f(x₁⁺)‖² = 0, measured as
the largest difference within a component, which is the same by the first inequality.

Claim
-----
2(1 − λ_{c+1}) E‖h − h̄‖² ≤ E‖h(x₁) − h(x₁⁺)‖² ≤ 2 E‖h − h̄‖². Hence E‖h − h⁺‖² = 0 iff h is constant on every
component, and then the uncentred features have rank at most c: the third theorem here. Proof: E‖h − h⁺‖² is
2 tr Hᵀ(I − Ā)H; the null space of I − Ā is spanned by √d₁ on each component, the rest of its spectrum lies in
[1 − λ_{c+1}, 1], and E‖h − h̄‖² is the squared norm of the part of H orthogonal to that null space.

Slack
-----
2 Σ_{i>c} (λ_{c+1} − λ_i) ‖Hᵀv_i‖², and 2 Σ_{i>c} λ_i ‖Hᵀv_i‖² for the second.

Tight when
----------
h is a function of the component plus a multiple of the eigenvector of λ_{c+1}; the second for eigenvectors of λ = 0;
the third when the components have linearly independent features.

Reference
---------
Ours; the spectral gap (Poincaré) inequality of the graph of positive pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, positive_pair_distance
from maetheory.theory.propagated_errors import eigenvalue_error
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import component_means, eigenvalues


def within_component_variance(graph: MaskGraph, h: np.ndarray) -> float:
    """Variance E‖h − h̄‖² within components; ≥ 0, zero iff `h` (N1, d) is constant on every component."""
    return mean_square(graph.degrees[0], h - component_means(graph, h))


def spectral_gap(graph: MaskGraph) -> float:
    """Spectral gap 1 − λ_{c+1} within components, in (0, 1]; a higher gap means faster mixing of views."""
    return 1.0 - float(eigenvalues(graph, graph.n_components + 1)[-1])


def feature_rank(features: np.ndarray) -> int:
    """Rank of uncentred `features` (N, k), up to relative differences of 1e-12 between equal rows."""
    size = np.linalg.svd(features, compute_uv=False)
    return int((size > 2 * ROUNDING_TOLERANCE * np.sqrt(features.size) * size.max(initial=0.0)).sum())


def _mixing_lower_bound(graph: MaskGraph, h: np.ndarray) -> Estimate:
    spread = 2 * within_component_variance(graph, h)
    return Estimate(spectral_gap(graph) * spread, eigenvalue_error(graph) * spread)


def _component_spread_upper_bound(graph: MaskGraph, h: np.ndarray) -> float:
    return 2 * within_component_variance(graph, h)


def _size(graph: MaskGraph, h: np.ndarray) -> float:
    return mean_square(graph.degrees[0], h)


def _is_aligned(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    member = graph.components[0]
    first = np.unique(member, return_index=True)[1]
    spread = float(np.abs(features - features[first[member]]).max(initial=0.0))
    holds = spread <= ROUNDING_TOLERANCE * float(np.abs(features).max(initial=0.0))
    return holds, f"features of one component differ by up to {spread:.3g}, 0 is needed"


def _conform(world: dict[str, Any]) -> Objects:
    return {**world, "features": component_means(world["graph"], world["features"])}


def _graph() -> MaskGraph:
    """Graph of two components: three views that mix slowly, and two views with the same targets."""
    return MaskGraph.from_joint(
        [
            [0.2, 0.0, 0.0, 0.0],
            [0.1, 0.1, 0.0, 0.0],
            [0.0, 0.2, 0.0, 0.0],
            [0.0, 0.0, 0.1, 0.1],
            [0.0, 0.0, 0.1, 0.1],
        ]
    )


def eigenfunction(graph: MaskGraph, index: int) -> np.ndarray:
    """Eigenfunction v_i(x₁)/√d₁(x₁) of λ_i as one feature, shape (N1, 1); i is counted from 1."""
    vectors = np.linalg.eigh(graph.augmentation.toarray())[1][:, ::-1]
    return vectors[:, [index - 1]] / np.sqrt(graph.degrees[0])[:, None]  # (N1, 1)


def tight() -> Objects:
    """Return a function of two components plus the slowest eigenfunction within them."""
    graph = _graph()
    constant = np.array([[1.0, 0.0], [0.0, 2.0]])[graph.components[0]]
    return {"graph": graph, "h": constant + eigenfunction(graph, 3) * [[0.5, -1.0]]}


def tight_from_above() -> Objects:
    """Return a function of two components plus an eigenfunction of eigenvalue 0."""
    graph = _graph()
    constant = np.array([[1.0, 0.0], [0.0, 2.0]])[graph.components[0]]
    return {"graph": graph, "h": constant + eigenfunction(graph, 5) * [[0.5, -1.0]]}


def tight_rank() -> Objects:
    """Return three features that separate two components and are constant on each."""
    graph = _graph()
    return {"graph": graph, "features": np.array([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]])[graph.components[0]]}


def broken_rank() -> dict[str, Objects]:
    """Return features that separate two views of one target: rank 2 on one component."""
    return {"features are aligned": {"graph": MaskGraph.from_joint([[0.5], [0.5]]), "features": np.eye(2)}}


THEOREM = Theorem(
    slug="perfect-alignment-is-constant-on-components",
    statement="E‖h - h⁺‖² >= 2 (1 - λ_{c+1}) E‖h - h̄‖², h̄ the mean over the component",
    reference="Ours; the spectral gap inequality",
    objects=("h",),
    lhs=positive_pair_distance,
    rhs=_mixing_lower_bound,
    size=_size,
    offsets=(("h",),),
    trivial=0.0,
    tight=tight,
)

CONVERSE = Theorem(
    slug="constant-on-components-is-perfect-alignment",
    statement="E‖h - h⁺‖² <= 2 E‖h - h̄‖², h̄ the mean over the component",
    reference="Ours",
    objects=("h",),
    lhs=positive_pair_distance,
    rhs=_component_spread_upper_bound,
    direction="<=",
    size=_size,
    offsets=(("h",),),
    tight=tight_from_above,
)

RANK = Theorem(
    slug="aligned-features-have-rank-of-components",
    statement="E‖f - f⁺‖² = 0 implies rank(F) <= number of components",
    reference="Ours",
    objects=("features",),
    lhs=feature_rank,
    rhs=lambda graph: graph.n_components,
    direction="<=",
    assumptions={"features are aligned": _is_aligned},
    trivial=lambda features: float(min(features.shape)),
    tight=tight_rank,
    broken=broken_rank,
    conform=_conform,
)
