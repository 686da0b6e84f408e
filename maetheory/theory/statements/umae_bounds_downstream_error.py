"""The U-MAE loss bounds the downstream error, but with explicit constants the bound exceeds one.

Setting
-------
h = g∘f with ``features`` f, ε measured from ``h_g``, λ = 1/(4L). p_f is a least-squares head on the views followed by
a vote over the views of an image, ties counted as errors. α = Pr[y(x₁) ≠ y(x̄)]; φ is the probability that a positive
pair disagrees in label; p_max is the largest class mass.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L; measured if not given.

Claim
-----
Pr[p_f(x̄) ≠ y(x̄)] ≤ 32 p_max L · L_U-MAE + (8φ + 2α) + 32 p_max L ε + 8 p_max ‖Ā‖_F². It chains
(a) ‖(I − P_F)Y‖_F² ≤ 2 p_max ‖Ā − FFᵀ‖_F² + 2φ, (b) image error ≤ 4 ‖(I − P_F)Y‖_F² + 2α and
(c) ‖Ā − FFᵀ‖_F² ≤ 4L (L_U-MAE + ε) + ‖Ā‖_F².
The paper prints c₁ L · L_U-MAE + c₂ α + c₃ L ε + c₄ with unspecified constants. With the constants here it is VACUOUS
on every world: 1 − φ = ⟨Ā, YYᵀ⟩ ≤ ‖Ā‖_F √p_max gives 8 p_max ‖Ā‖_F² + 8φ ≥ 8(1 − φ + φ²) ≥ 6, the second theorem here.
That does not refute the printed form.

Slack
-----
At least 5.

Tight when
----------
Never, as the right side is at least 6. The second theorem is tight for r balanced classes that are the components of
the graph, each target shared by all views of its class; 6 itself is approached by r balanced classes with
λ₂ = … = λ_r = ½ as r grows.

Reference
---------
Zhang, Wang and Wang 2022, theorem 4.1 and equation 14: printed with unnamed constants; these are ours.
"""

from __future__ import annotations

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import class_masses, image_error
from maetheory.theory.statements import umae_bounds_spectral_contrast as contrast
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import DECODER_CONSTANT, bi_lipschitz
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import autoencoding_error, frobenius_square, umae_loss


def _terms(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float
) -> dict[str, float]:
    largest = float(class_masses(graph)[0])
    factor = 32 * largest * lipschitz
    return {
        "loss": factor * umae_loss(graph, h, targets, features, 0.25 / lipschitz),
        "labels": 8 * graph.pair_label_error() + 2 * graph.label_error(),
        "epsilon": factor * autoencoding_error(graph, h_g, targets),
        "graph": 8 * largest * frobenius_square(graph),
    }


def _rhs(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float
) -> float:
    return sum(_terms(graph, features, h, h_g, targets, lipschitz).values())


def _constant_part(graph: MaskGraph) -> float:
    return 8 * float(class_masses(graph)[0]) * frobenius_square(graph) + 8 * graph.pair_label_error()


def _at_least_six(graph: MaskGraph) -> float:
    phi = float(graph.pair_label_error())
    return 8 * (1 - phi + phi**2)


def tight_constant_part() -> Objects:
    """Return three balanced classes that are the components, each with one target."""
    joint = np.kron(np.eye(3), np.array([[0.1], [0.2]])) / 0.9
    return {"graph": MaskGraph.from_joint(joint, np.repeat(np.arange(3), 2))}


THEOREM = Theorem(
    slug="umae-bounds-downstream-error",
    statement="Pr[p_f != y] <= 32 p_max L·L_U-MAE + 8φ + 2α + 32 p_max L ε + 8 p_max ‖Ā‖_F²",
    reference="Zhang, Wang and Wang 2022, theorem 4.1, equation 14 (printed with unnamed constants; these are ours)",
    objects=("features", "h", "h_g", "targets"),
    optional=("lipschitz",),
    derived=DECODER_CONSTANT,
    lhs=image_error,
    rhs=_rhs,
    direction="<=",
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    trivial=1.0,
    terms=_terms,
    never_tight="8 p_max ‖Ā‖_F² + 8φ >= 8(1 - φ + φ²) >= 6 on every graph, and an error is at most 1",
    broken=lambda: _labelled(contrast.broken()),
)

VACUITY = Theorem(
    slug="umae-downstream-bound-exceeds-six",
    statement="8 p_max ‖Ā‖_F² + 8φ >= 8(1 - φ + φ²) >= 6",
    reference="Ours, on Zhang, Wang and Wang 2022, theorem 4.1",
    objects=(),
    lhs=_constant_part,
    rhs=_at_least_six,
    trivial=0.0,
    tight=tight_constant_part,
)


def _labelled(worlds: dict[str, Objects]) -> dict[str, Objects]:
    """Assign a class of its own to every view of each world."""
    return {
        name: {**world, "graph": MaskGraph.from_joint(world["graph"].joint, np.arange(world["graph"].shape[0]))}
        for name, world in worlds.items()
    }
