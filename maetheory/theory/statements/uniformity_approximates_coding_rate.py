"""The uniformity loss is the second-order term of the total coding rate; sign and size of the remainder are known.

Setting
-------
f gives ``features`` (N1, k), F has the rows √d₁ f(x₁), and ``distortion`` is μ > 0. log det(I + FᵀF/μ) is twice the
coding rate of the features at squared distortion μk per sample. L_unif(f) = E (f(x₁)ᵀ f(x₁⁻))² over independent views;
on a batch of equal weights this includes the pairs i = j.

Assumptions
-----------
None.

Claim
-----
log det(I + FᵀF/μ) = E‖f‖²/μ − L_unif(f)/(2μ²) + R with 0 ≤ R ≤ tr((FᵀF)³)/(3μ³): two theorems, one for each side.
Proof: with e_i the eigenvalues of FᵀF, E‖f‖² = Σ e_i, L_unif = Σ e_i², and t − t²/2 ≤ log(1 + t) ≤ t − t²/2 + t³/3
for every t ≥ 0.

Slack
-----
R, respectively tr((FᵀF)³)/(3μ³) − R; for small features R is tr((FᵀF)³)/(3μ³) to leading order, so the constant ⅓ is
the best.

Tight when
----------
Only for f = 0. There is no non-degenerate tight example: t − t²/2, log(1 + t) and t − t²/2 + t³/3 meet at t = 0 alone.

Reference
---------
After Tan et al. 2023, Information Flow in Self-Supervised Learning (M-MAE, arXiv 2309.17281); the remainder is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, uniformity_loss
from maetheory.theory.example_graphs import three_view_graph
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import weighted_rows

_SHAPES: Mapping[str, tuple[str, ...]] = {"distortion": ()}
_REFERENCE = "After Tan et al. 2023 (M-MAE); the remainder is ours"


def total_coding_rate(graph: MaskGraph, features: np.ndarray, distortion: float) -> float:
    """Total coding rate log det(I + FᵀF/μ), in nats; ≥ 0, higher for more spread features.

    Parameters
    ----------
    graph : MaskGraph
    features : ndarray, shape (N1, k)
    distortion : float
        μ > 0, in squared units of the features.

    References
    ----------
    Tan et al. 2023, M-MAE, up to the factor ½ of a rate.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> round(total_coding_rate(graph, np.ones((2, 1)), 1.0), 6)
    0.693147
    """
    sizes = np.linalg.svd(weighted_rows(graph, features), compute_uv=False)
    return float(np.log1p(sizes**2 / distortion).sum())


def _second_order(graph: MaskGraph, features: np.ndarray, distortion: float) -> float:
    return _first_order(graph, features, distortion) - uniformity_loss(graph, features) / (2 * distortion**2)


def _third_order(graph: MaskGraph, features: np.ndarray, distortion: float) -> float:
    rows = weighted_rows(graph, features)
    cubed = np.linalg.matrix_power(rows.T @ rows, 3)  # (k, k)
    return _second_order(graph, features, distortion) + float(np.trace(cubed)) / (3 * distortion**3)


def _first_order(graph: MaskGraph, features: np.ndarray, distortion: float) -> float:
    return mean_square(graph.degrees[0], features) / distortion


def _sample(rng: np.random.Generator) -> Objects:
    """Draw features and a distortion of any ratio; for small features the remainder is closest to its bounds."""
    n1, n2 = rng.integers(1, 6, 2)
    joint = rng.random((n1, n2)) + 1e-3
    return {
        "graph": MaskGraph.from_joint(joint / joint.sum()),
        "features": rng.normal(size=(n1, rng.integers(1, 4))),
        "distortion": float(10 ** rng.uniform(-1, 3)),
    }


def tight() -> Objects:
    """Return the degenerate equality: all features 0."""
    graph = three_view_graph()
    return {"graph": graph, "features": np.zeros((3, 2)), "distortion": 1.0}


THEOREM = Theorem(
    slug="uniformity-approximates-coding-rate",
    statement="log det(I + FᵀF/μ) >= E‖f‖²/μ - L_unif(f)/2μ²",
    reference=_REFERENCE,
    objects=("features", "distortion"),
    shapes=_SHAPES,
    lhs=total_coding_rate,
    rhs=_second_order,
    scale=_first_order,
    trivial=0.0,
    tight=tight,
    sample=_sample,
    never_tight="log(1 + t) = t - t²/2 at t = 0 alone, so equality needs f = 0 and both sides 0",
)

FROM_ABOVE = Theorem(
    slug="uniformity-approximates-coding-rate-from-above",
    statement="log det(I + FᵀF/μ) <= E‖f‖²/μ - L_unif(f)/2μ² + tr((FᵀF)³)/3μ³",
    reference=_REFERENCE,
    objects=("features", "distortion"),
    shapes=_SHAPES,
    lhs=total_coding_rate,
    rhs=_third_order,
    direction="<=",
    scale=_first_order,
    trivial=_first_order,
    tight=tight,
    sample=_sample,
    never_tight="log(1 + t) = t - t²/2 + t³/3 at t = 0 alone, so equality needs f = 0 and both sides 0",
)
