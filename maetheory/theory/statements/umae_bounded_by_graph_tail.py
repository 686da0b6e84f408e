"""The spectral tail bounds the U-MAE loss only with a constant that makes the bound vacuous.

Setting
-------
L_U-MAE(h) = L_MAE(h) + λ L_unif(f), λ = 1/(4L) unless ``weight`` is given, w = 4Lλ; k is the number of features;
λ₁ ≥ λ₂ ≥ … are the eigenvalues of Ā, 0 beyond its size. ε is the autoencoding error of ``h_g``, measured.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L; measured if not given.

Claim
-----
L_U-MAE(h) ≥ (1/4Lw) Σ_{i>k} λ_i² − ε + const with const = −(1/4Lw) Σ_i λ_i². The paper prints the tail and an unnamed
constant; the constant depends on the graph, hence on the mask ratio, so mask ratios cannot be compared by the tail
alone. The whole right side is −(1/4Lw) Σ_{i≤k} λ_i² − ε. Because λ₁ = 1 and ε ≥ 0 it is below 0, and L_U-MAE ≥ 0: the
bound is VACUOUS on every world. The terms of a check show tail, constant and ε.

Slack
-----
That of the bound by spectral contrast, plus (1/4Lw)(‖Ā − wFFᵀ‖_F² − Σ_{i>k} λ_i²), plus E‖f‖²/(2L).

Tight when
----------
Never: the right side is negative and the left side is not. Keeping E‖f‖²/(2L) does not help, since its minimum over f
is −ε, at f = 0.

Reference
---------
Zhang, Wang and Wang 2022, theorem 4.2 and equation 15: printed up to the constant, which is ours.
"""

from __future__ import annotations

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.theory.statements import umae_bounds_spectral_contrast as contrast
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import bi_lipschitz
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_quantities import autoencoding_error, eigenvalues, frobenius_square, umae_loss


def _terms(
    graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float, weight: float
) -> dict[str, float]:
    stretch = 4 * lipschitz * weight
    head = float((eigenvalues(graph, features.shape[1]) ** 2).sum())
    per_square = 1 / (4 * lipschitz * stretch)
    return {
        "printed tail": per_square * (frobenius_square(graph) - head),
        "constant": -per_square * frobenius_square(graph),
        "epsilon": autoencoding_error(graph, h_g, targets),
        "head": per_square * head,
    }


def _rhs(
    graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float, weight: float
) -> float:
    terms = _terms(graph, features, h_g, targets, lipschitz, weight)
    return -terms["head"] - terms["epsilon"]


THEOREM = Theorem(
    slug="umae-bounded-by-graph-tail",
    statement="L_U-MAE(h) >= Σ_{i>k} λ_i² / 4L - ε + const, const = -Σ_i λ_i² / 4L",
    reference="Zhang, Wang and Wang 2022, theorem 4.2, equation 15 (printed, the constant is ours)",
    objects=("features", "h", "h_g", "targets"),
    optional=("lipschitz", "weight"),
    derived=contrast.DEFAULT_CONSTANTS,
    lhs=umae_loss,
    rhs=_rhs,
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    trivial=0.0,
    terms=_terms,
    never_tight="λ₁ = 1 makes the right side negative, and a loss is not: VACUOUS on every world",
    broken=contrast.broken,
)
