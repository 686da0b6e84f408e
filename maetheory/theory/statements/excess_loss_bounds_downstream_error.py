"""The label disagreement of positive pairs and the excess spectral contrast bound the probe residual of any features.

Setting
-------
As for spectral features, with any ``features`` of dimension k. Δ″ = ‖(I − P_F)Ā‖_F² − Σ_{i>k} λ_i², the excess of the
best contrast that the span of F can reach; it depends on the span alone and is at most L_spec(f) − min L_spec. p_max is
the largest class mass.

Assumptions
-----------
``admissible split``: there is a k' ≤ k with λ_{k'} > λ_{k+1} and λ_{k'+1} < 1; the best one is used.

Claim
-----
‖(I − P_F)Y‖_F² ≤ (√(φ/(1 − λ_{k'+1})) + √(p_max Δ″/(λ_{k'}² − λ_{k+1}²)))². Proof: with c_i = ‖(I − P_F)v_i‖²,
Σ λ_i² c_i = ‖(I − P_F)Ā‖_F² and Σ c_i = N₁ − rank F, so Σ_{i≤k} (λ_i² − λ_{k+1}²) c_i ≤ Δ″. Split Y by the projector Q
on v_1 … v_{k'}: ‖(I − P_F)QY‖_F² ≤ p_max Σ_{i≤k'} c_i, and ‖(I − Q)Y‖_F² ≤ φ/(1 − λ_{k'+1}). The view error is at most
twice the bound, the image error four times and 2α.

Slack
-----
No closed form.

Tight when
----------
Δ″ = 0 and the spectral bound is tight; or φ = 0 and F loses only a direction of the heaviest class, to a vector at
λ_{k+1}.

Reference
---------
Ours, after HaoChen et al. 2021.
"""

from __future__ import annotations

import math

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import class_masses, measured_residual
from maetheory.theory.propagated_errors import eigenvalue_error, projector_error, quotient, square_root, squared_sum
from maetheory.theory.statements.spectral_features_bound_downstream_error import downstream_error_bounds
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis, weighted_rows

_MIN_GAP = 1e-11


def excess_contrast(graph: MaskGraph, features: np.ndarray) -> float:
    """Excess contrast Δ″ ≥ 0 as a sum of squares, so that zero is computed as zero; dense, for small graphs.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    >>> round(excess_contrast(graph, np.zeros((2, 1))), 12), round(excess_contrast(graph, np.ones((2, 1))), 12)
    (1.0, 0.0)
    """
    lam, vectors, k = *_padded_eigendecomposition(graph, features.shape[1]), features.shape[1]
    columns = column_basis(weighted_rows(graph, features))
    inside = columns.T @ vectors  # (rank, N1)
    missed = ((vectors - columns @ inside) ** 2).sum(0)[:k]  # (min(k, N1),)
    beyond = (inside**2).sum(0)[k:]
    edge = lam[k] ** 2
    n = vectors.shape[1]
    lost = (lam[:k][:n] ** 2 - edge) @ missed + (edge - lam[k:n] ** 2) @ beyond
    return float(lost + edge * (k - columns.shape[1]))


def _padded_eigendecomposition(graph: MaskGraph, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvalues of Ā, padded with 0 to at least k + 1, and its eigenvectors (N1, N1)."""
    vectors, sigma, _ = np.linalg.svd(graph.normalized_matrix.toarray())
    lam = np.pad(sigma**2, (0, max(0, len(vectors) - len(sigma))))
    return np.pad(lam, (0, max(0, k + 1 - len(lam)))), vectors


def admissible_splits(graph: MaskGraph, k: int) -> list[tuple[int, float, float]]:
    """Admissible splits k', each with its gap 1 − λ_{k'+1} and eigenvalue drop λ_{k'}² − λ_{k+1}²."""
    lam = _padded_eigendecomposition(graph, k)[0]
    pairs = [(j, 1 - lam[j], lam[j - 1] ** 2 - lam[k] ** 2) for j in range(1, k + 1)]
    return [(j, float(gap), float(drop)) for j, gap, drop in pairs if gap > _MIN_GAP and drop > _MIN_GAP]


def bound_summands(graph: MaskGraph, features: np.ndarray) -> list[tuple[float, float, float]]:
    """The two summands under the square and the gap 1 − λ_{k'+1}, for each admissible k'."""
    phi, missing = float(graph.pair_label_error()), float(class_masses(graph)[0]) * excess_contrast(graph, features)
    return [
        (math.sqrt(phi / gap), math.sqrt(missing / drop), gap)
        for _, gap, drop in admissible_splits(graph, features.shape[1])
    ]


def excess_bound(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Bound at the best k', with the rounding error of both quotients; infinite if no k' is admissible.

    The rounding error of the excess is that of Ā, of norm one, and a small drop of eigenvalues magnifies it.
    """
    splits = admissible_splits(graph, features.shape[1])
    if not splits:
        return Estimate(math.inf)
    lost, rounding = excess_contrast(graph, features), eigenvalue_error(graph)
    rounding_of_lost = features.shape[1] * (2 * rounding + 4 * projector_error(weighted_rows(graph, features)))
    missing = Estimate(float(class_masses(graph)[0]) * lost, float(class_masses(graph)[0]) * rounding_of_lost)
    return min(
        squared_sum(
            square_root(quotient(graph.pair_label_error(), Estimate(gap, rounding))),
            square_root(quotient(missing, Estimate(drop, 4 * rounding))),
        )
        for _, gap, drop in splits
    )


def _has_admissible_split(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    found = [j for j, _, _ in admissible_splits(graph, features.shape[1])]
    return bool(found), f"admissible k': {', '.join(map(str, found)) or 'none'}"


def _terms(graph: MaskGraph, features: np.ndarray) -> dict[str, float]:
    found = excess_bound(graph, features)
    return {"excess": excess_contrast(graph, features), **downstream_error_bounds(graph, float(found))}


def tight() -> Objects:
    """Return two components that are the classes; one of two features is tilted within the larger class."""
    graph = MaskGraph.from_joint([[0.2, 0.1, 0], [0.1, 0.2, 0], [0, 0, 0.4]], np.array([0, 0, 1]))
    heavy, within = np.array([1.0, 1.0, 0.0]), np.array([1.0, -1.0, 0.0])
    return {"graph": graph, "features": np.stack([heavy + 0.5 * within, [0.0, 0.0, 1.0]], axis=1)}


def broken() -> dict[str, Objects]:
    """Return one feature for two components: no split is admissible because λ_1 = λ_2."""
    graph = MaskGraph.from_joint(np.diag([0.5, 0.5]), np.array([0, 1]))
    return {"admissible split": {"graph": graph, "features": np.array([[1.0], [0.0]])}}


THEOREM = Theorem(
    slug="excess-loss-bounds-downstream-error",
    statement="‖(I - P_F)Y‖_F² <= (√(φ / (1 - λ_{k'+1})) + √(p_max Δ″ / (λ_{k'}² - λ_{k+1}²)))²",
    reference="Ours, after HaoChen et al. 2021",
    objects=("features",),
    lhs=measured_residual,
    rhs=excess_bound,
    direction="<=",
    assumptions={"admissible split": _has_admissible_split},
    size=lambda: 1.0,
    trivial=1.0,
    terms=_terms,
    tight=tight,
    broken=broken,
)
