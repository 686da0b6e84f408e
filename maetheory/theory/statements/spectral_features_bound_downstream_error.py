"""The probe residual of the leading eigenvectors is at most the label disagreement of pairs over the spectral gap.

Setting
-------
Y has the rows √d₁ 1[y(x₁) = c] for the Bayes labels of the views, φ is the probability that a positive pair
disagrees in label, and k is the number of ``features``.

Assumptions
-----------
``leading eigenvectors``: the columns of F span k leading eigenvectors of Ā (the positive ones, if fewer are positive).
The norm δ of the part of Ā that leaves the span, and the deficit of the span in Σ_{i≤k} λ_i, may be up to 1e-11; their
effect on the claim is the error of the right side, which matters where the gap is small.
``spectral gap``: λ_{k+1} < 1. It is needed even at φ = 0: two components that are the classes, k = 1, residual ½.

Claim
-----
‖(I − P_F)Y‖_F² ≤ φ/(1 − λ_{k+1}). Proof: P_F commutes with Ā, so
φ = tr Yᵀ(I − Ā)Y ≥ tr Yᵀ(I − P_F)(I − Ā)(I − P_F)Y ≥ (1 − λ_{k+1}) ‖(I − P_F)Y‖_F². The view error is at
most twice that, the image error at most four times that and 2α.

Slack
-----
Σ_i a_i (1 − λ_i)/(1 − λ_{k+1}) over i ≤ k, and Σ_i a_i (λ_{k+1} − λ_i)/(1 − λ_{k+1}) over i > k, a_i = ‖Yᵀv_i‖².

Tight when
----------
Y is supported on eigenvectors with λ_i = 1 or λ_i = λ_{k+1}, i > k. Example: two views of different labels share a
target, two further components are pure, k = 3.

Reference
---------
Ours, after HaoChen et al. 2021.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import measured_residual
from maetheory.theory.propagated_errors import eigenvalue_error, quotient
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis, eigenvalues, weighted_rows

LEADING_TOLERANCE = 1e-11


def downstream_error_bounds(graph: MaskGraph, bound: float) -> dict[str, float]:
    """Bounds on residual, view error (twice) and image error (four times plus 2α) from a bound on the residual."""
    return {
        "residual bound": bound,
        "view error bound": 2 * bound,
        "image error bound": 4 * bound + 2 * float(graph.label_error()),
    }


def spectral_bound(graph: MaskGraph, k: int) -> Estimate:
    """Bound φ/(1 − λ_{k+1}), with its rounding error; infinite without a spectral gap.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]], labels=[0, 1])
    >>> round(spectral_bound(graph, 1).value, 12)
    0.5
    """
    phi = graph.pair_label_error()
    gap = _gap_after(graph, k)
    if gap <= 0:
        return Estimate(np.inf)
    return quotient(phi, Estimate(gap, eigenvalue_error(graph)))


def spectral_bound_of_features(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Bound for nearly leading eigenvectors: φ ≥ (gap − short) r − 2 leak √r for the residual r, solved for r."""
    bound = spectral_bound(graph, features.shape[1])
    if not (math.isfinite(bound) and math.isfinite(bound.error)):
        return bound
    leak, short = _deviation_from_leading(graph, features)
    gap, rounding = _gap_after(graph, features.shape[1]), eigenvalue_error(graph)
    left = gap - rounding - max(short, 0.0)
    if left <= 0:
        return Estimate(bound.value, math.inf)
    delta, largest = (leak + rounding) / left, bound * gap / left  # the leak has the rounding error of a product with Ā
    return Estimate(bound.value, bound.error + largest - bound + 2 * delta * math.sqrt(largest) + 4 * delta**2)


def _terms(graph: MaskGraph, features: np.ndarray) -> dict[str, float]:
    return downstream_error_bounds(graph, float(spectral_bound_of_features(graph, features)))


def _deviation_from_leading(graph: MaskGraph, features: np.ndarray) -> tuple[float, float]:
    """Distance from the leading eigenvectors: ‖(I − P_F)ĀP_F‖_F, and Σ_{i≤k} λ_i − tr P_FĀ."""
    columns = column_basis(weighted_rows(graph, features))
    image = graph.augmentation @ columns  # (N1, N1) @ (N1, rank)
    leak = float(np.linalg.norm(image - columns @ (columns.T @ image)))
    return leak, float(eigenvalues(graph, features.shape[1]).sum() - (columns * image).sum())


def _spans_leading_eigenvectors(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    leak, short = _deviation_from_leading(graph, features)
    measured = f"‖(I - P_F)ĀP_F‖_F = {leak:.3g} and Σ_(i<=k) λ_i - tr P_FĀ = {short:.3g}, 0 is needed"
    return max(leak, short) <= LEADING_TOLERANCE, measured


def _gap_after(graph: MaskGraph, k: int) -> float:
    return 1.0 - float(eigenvalues(graph, k + 1)[k])


def _gap_after_features(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    k = features.shape[1]
    gap = _gap_after(graph, k)
    return gap > LEADING_TOLERANCE, f"1 - λ_{k + 1} = {gap if gap > LEADING_TOLERANCE else 0:.3g}"


def use_spectral_features(world: dict[str, Any]) -> Objects:
    """Replace the features by the same number of leading eigenvectors."""
    return {**world, "features": minimiser(world["graph"], world["features"].shape[1])}


def tight() -> Objects:
    """Return three features, two views of different labels that share a target, and two pure components."""
    joint = np.array([[0.1, 0, 0], [0.1, 0, 0], [0, 0.4, 0], [0, 0, 0.4]])
    graph = MaskGraph.from_joint(joint, np.array([0, 1, 0, 1]))
    return {"graph": graph, "features": minimiser(graph, 3)}


def broken() -> dict[str, Objects]:
    """Return features that are not eigenvectors, and one feature for two components that are the classes."""
    world = tight()
    tilted = world["features"] + np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    apart = MaskGraph.from_joint(np.diag([0.5, 0.5]), np.array([0, 1]))
    return {
        "leading eigenvectors": {**world, "features": tilted},
        "spectral gap": {"graph": apart, "features": np.ones((2, 1))},
    }


THEOREM = Theorem(
    slug="spectral-features-bound-downstream-error",
    statement="‖(I - P_F)Y‖_F² <= φ / (1 - λ_{k+1}) for k leading eigenvectors",
    reference="Ours, after HaoChen et al. 2021",
    objects=("features",),
    lhs=measured_residual,
    rhs=spectral_bound_of_features,
    direction="<=",
    assumptions={"leading eigenvectors": _spans_leading_eigenvectors, "spectral gap": _gap_after_features},
    size=lambda: 1.0,
    trivial=1.0,
    terms=_terms,
    tight=tight,
    broken=broken,
    conform=use_spectral_features,
)
