"""The U-MAE loss bounds the excess of the features' factorisation error over that of the eigenvectors.

Setting
-------
L_U-MAE(h) = L_MAE(h) + λ L_unif(f) with h = g∘f and one f in decoder and penalty; λ is 1/(2L) unless ``weight`` is
given, and w = 2Lλ. F has the rows √d₁ f(x₁); the excess Δ_w = ‖Ā − wFFᵀ‖_F² − Σ_{i>k} λ_i² is zero iff √w f is a
minimiser of the spectral contrastive loss.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L; measured if not given.

Claim
-----
0 ≤ Δ_w ≤ w(2L·L_U-MAE(h) − 2E‖f‖²) + Σ_{i≤k} λ_i². Proof: ‖Ā − wFFᵀ‖_F² − ‖Ā‖_F² is L_spec(√w f), that is
2w L_align(f) + w² L_unif(f); replace L_align(f) by L·L_MAE(h) − E‖f‖², the sharp bound on encoder alignment.

Slack
-----
Exactly 2wL times that of the sharp bound on encoder alignment: the penalty is on both sides and cancels.

Tight when
----------
The decoder is an isometry scaled by 1/√L and x₂ = E[h | x₂]. Every graph has such a world with Δ_w = 0, so that the
loss alone proves that the features are optimal: f = f*/√w, g(z) = z/√L.

Reference
---------
Ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import conditional_mean, mean_square, reconstruction_loss
from maetheory.theory.example_graphs import four_view_graph
from maetheory.theory.statements import reconstruction_bounds_encoder_alignment_sharply as sharply
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import DECODER_CONSTANT, bi_lipschitz
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import (
    eigenvalues,
    factorisation_error,
    frobenius_square,
    umae_loss,
)


def _default_weight(lipschitz: float) -> float:
    return 0.5 / lipschitz


DEFAULT_CONSTANTS: Mapping[str, Callable[..., float]] = {**DECODER_CONSTANT, "weight": _default_weight}
"""Defaults where they are not given: L measured and λ = 1/(2L), so that w = 1."""


def _leading_square_sum(graph: MaskGraph, features: np.ndarray) -> float:
    return float((eigenvalues(graph, features.shape[1]) ** 2).sum())


def excess_factorisation(graph: MaskGraph, features: np.ndarray) -> float:
    """Excess Δ = ‖Ā − FFᵀ‖_F² − Σ_{i>k} λ_i² = L_spec(f) − min L_spec for `features` (N1, k); ≥ 0, lower is better.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    >>> round(excess_factorisation(graph, np.zeros((2, 1))), 12)
    1.0
    """
    return factorisation_error(graph, features) - frobenius_square(graph) + _leading_square_sum(graph, features)


def _lhs(graph: MaskGraph, features: np.ndarray, lipschitz: float, weight: float) -> float:
    return excess_factorisation(graph, math.sqrt(2 * lipschitz * weight) * features)


def _rhs(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray, lipschitz: float, weight: float
) -> float:
    w, loss = 2 * lipschitz * weight, umae_loss(graph, h, targets, features, weight)
    return w * (2 * lipschitz * loss - 2 * mean_square(graph.degrees[0], features)) + _leading_square_sum(
        graph, features
    )


def _scale(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray, lipschitz: float, weight: float
) -> float:
    w, size = 2 * lipschitz * weight, mean_square(graph.degrees[0], features)
    rebuilt = 2 * lipschitz * w * reconstruction_loss(graph, h, targets)
    return frobenius_square(graph) + rebuilt + 2 * w * size + (w * size) ** 2


def equality_world(graph: MaskGraph, k: int, lipschitz: float = 1.0, weight: float = 0.5) -> Objects:
    """Return the world of equality with Δ_w = 0 on any graph: the loss proves that the features are optimal.

    Parameters
    ----------
    graph : MaskGraph
    k : int
        Number of features, f = f*/√w.
    lipschitz, weight : float
        L of the decoder g(z) = z/√L, and λ; w = 2Lλ.

    Returns
    -------
    mapping
        ``graph``, ``features`` (N1, k), ``h`` (N1, k), ``targets`` (N2, k), ``lipschitz`` and ``weight``.
    """
    features = minimiser(graph, k) / math.sqrt(2 * lipschitz * weight)
    h = features / math.sqrt(lipschitz)
    return {
        "graph": graph,
        "features": features,
        "h": h,
        "targets": conditional_mean(graph, h),
        "lipschitz": lipschitz,
        "weight": weight,
    }


def tight() -> Objects:
    """Return the best two features of a connected graph of three directions, with L = 4 and λ = 0.3."""
    graph = four_view_graph()
    return equality_world(graph, 2, lipschitz=4.0, weight=0.3)


def broken() -> dict[str, Objects]:
    """Return a decoder that merges two views which the encoder separates."""
    return sharply.broken()


THEOREM = Theorem(
    slug="excess-factorisation-bounded-by-umae",
    statement="‖Ā - wFFᵀ‖_F² - Σ_{i>k} λ_i² <= w (2L L_U-MAE(h) - 2 E‖f‖²) + Σ_{i<=k} λ_i² at w = 2Lλ",
    reference="Ours",
    objects=("features", "h", "targets"),
    optional=("lipschitz", "weight"),
    derived=DEFAULT_CONSTANTS,
    lhs=_lhs,
    rhs=_rhs,
    direction="<=",
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    scale=_scale,
    offsets=(("targets", "h"),),
    tight=tight,
    broken=broken,
)
