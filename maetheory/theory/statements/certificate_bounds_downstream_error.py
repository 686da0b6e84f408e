"""Best bound on the probe residual given φ and the class masses, by convex minimisation over one multiplier.

Setting
-------
As for the excess bound: any ``features``, P_F the projector on the span of F, φ the probability that a positive pair
disagrees in label, p_(1) ≥ p_(2) ≥ … the class masses.

Assumptions
-----------
None beyond labels on the images.

Claim
-----
‖(I − P_F)Y‖_F² ≤ min_{μ≥0} μφ + Σ_c p_(c) ν_c, ν_1 ≥ ν_2 ≥ … the eigenvalues of (I − P_F) − μ(I − Ā). Proof: the left
side is μφ + tr Yᵀ((I − P_F) − μ(I − Ā))Y, YYᵀ has the eigenvalues p_(c), and von Neumann's trace inequality sorts both.
The right side is a sum of Ky Fan norms with weights p_(c) − p_(c+1) ≥ 0, so convex in μ; any μ is valid.
Never worse than the spectral bound (μ = 1/(1 − λ_{k+1}) leaves no positive ν) nor than the excess bound: with its two
summands a and b, (I − P_F) ≤ (1 + a/b) Q(I − P_F)Q + (1 + b/a)(I − Q), so μ = (1 + b/a)/(1 − λ_{k'+1}) gives (a + b)².
The view error is at most twice the bound, the image error four times and 2α. At φ = 0 the limit μ → ∞ is taken: ν of
I − P_F compressed to the vectors constant on components.

Slack
-----
Slack of von Neumann's inequality at the best μ.

Tight when
----------
The eigenspaces of YYᵀ are leading eigenspaces of (I − P_F) − μ(I − Ā) for some μ: with every view a class of its own
and equal masses, for all features. Also where the spectral or the excess bound is tight.

Reference
---------
Ours.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import class_masses, measured_residual
from maetheory.theory.propagated_errors import projector_error
from maetheory.theory.statements.excess_loss_bounds_downstream_error import bound_summands
from maetheory.theory.statements.spectral_features_bound_downstream_error import downstream_error_bounds
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis, eigenvalues, weighted_rows

_EPS = float(np.finfo(float).eps)
_MAX_MULTIPLIER = 1e9


def bound_at_multiplier(graph: MaskGraph, features: np.ndarray, mu: float) -> float:
    """Bound μφ + Σ_c p_(c) ν_c on the residual, valid for every μ ≥ 0; dense, for small graphs."""
    return mu * float(graph.pair_label_error()) + _mass_weighted_eigenvalue_sum(
        graph, _residual_projector(graph, features) - mu * _laplacian(graph)
    )


def certificate_bound(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Smallest such bound that a numerical search over μ finds, with its rounding error; any μ gives a valid bound.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]], labels=[0, 1])
    >>> round(certificate_bound(graph, np.ones((2, 1))).value, 9)
    0.5
    """
    if float(graph.pair_label_error()) == 0.0:
        return Estimate(
            _bound_at_infinite_multiplier(graph, features),
            16 * _EPS * graph.shape[0] + projector_error(weighted_rows(graph, features)),
        )
    phi, residual_projector, laplacian = (
        float(graph.pair_label_error()),
        _residual_projector(graph, features),
        _laplacian(graph),
    )

    def bound(mu: float) -> float:
        return mu * phi + _mass_weighted_eigenvalue_sum(graph, residual_projector - mu * laplacian)

    found = minimize_scalar(
        lambda t: bound(math.exp(t)),
        bounds=(-9.0, math.log(_MAX_MULTIPLIER)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    tried = [0.0, math.exp(found.x), *_candidate_multipliers(graph, features)]
    best, mu = min((bound(mu), mu) for mu in tried)
    rounding = 4 * _EPS * graph.shape[0] * (1 + mu) + projector_error(weighted_rows(graph, features))
    return Estimate(best, rounding + mu * graph.pair_label_error().error)


def _candidate_multipliers(graph: MaskGraph, features: np.ndarray) -> list[float]:
    """Multipliers μ at which the bound is at most the spectral bound, or the excess bound."""
    gap = 1.0 - float(eigenvalues(graph, features.shape[1] + 1)[-1])
    found = [(1 + b / a) / gap for a, b, gap in bound_summands(graph, features) if a > 0]
    return [mu for mu in (*found, 1 / gap if gap > 0 else math.inf) if mu < _MAX_MULTIPLIER]


def _residual_projector(graph: MaskGraph, features: np.ndarray) -> np.ndarray:
    columns = column_basis(weighted_rows(graph, features))
    return np.eye(graph.shape[0]) - columns @ columns.T  # (N1, N1)


def _laplacian(graph: MaskGraph) -> np.ndarray:
    return np.eye(graph.shape[0]) - graph.augmentation.toarray()  # (N1, N1)


def _mass_weighted_eigenvalue_sum(graph: MaskGraph, matrix: np.ndarray) -> float:
    masses = class_masses(graph)
    masses = masses[masses > 0]
    return float(masses @ np.linalg.eigvalsh(matrix)[::-1][: len(masses)])


def _bound_at_infinite_multiplier(graph: MaskGraph, features: np.ndarray) -> float:
    """Limit μ → ∞: Σ_c p_(c) ν_c of I − P_F compressed to vectors that are constant on components."""
    member = graph.components[0]
    rows = np.sqrt(graph.degrees[0])[:, None] * np.eye(member.max() + 1)[member]  # (N1, components)
    constant = rows / np.linalg.norm(rows, axis=0)
    return _mass_weighted_eigenvalue_sum(graph, constant.T @ _residual_projector(graph, features) @ constant)


def _terms(graph: MaskGraph, features: np.ndarray) -> dict[str, float]:
    return downstream_error_bounds(graph, float(certificate_bound(graph, features)))


def tight() -> Objects:
    """Return three views of equal mass, each its own class, and one feature that is not an eigenvector."""
    joint = np.array([[4.0, 1.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 4.0]]) / 15
    return {"graph": MaskGraph.from_joint(joint, np.arange(3)), "features": np.array([[1.0], [0.2], [-0.5]])}


THEOREM = Theorem(
    slug="certificate-bounds-downstream-error",
    statement="‖(I - P_F)Y‖_F² <= min_(μ>=0) μφ + Σ_c p_(c) ν_c((I - P_F) - μ(I - Ā))",
    reference="Ours",
    objects=("features",),
    lhs=measured_residual,
    rhs=certificate_bound,
    direction="<=",
    size=lambda: 1.0,
    trivial=1.0,
    terms=_terms,
    tight=tight,
)
