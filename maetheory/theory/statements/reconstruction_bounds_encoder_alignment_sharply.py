"""Under a bi-Lipschitz decoder the encoder alignment bound holds with twice the printed constant and without ε.

Setting
-------
h = g∘f: the encoder f gives ``features`` (N1, k), the decoder g turns them into the predictions ``h`` (N1, d).
L_align(f) = −E f(x₁)ᵀ f(x₁⁺) over views that share a target.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L. Without ``lipschitz`` the
least such L is measured.

Claim
-----
L_MAE(h) ≥ (1/2L) E‖f(x₁) − f(x₁⁺)‖² = (1/L)(L_align(f) + E‖f‖²). Proof: drop the bias from the exact split
L_MAE = ½ E‖h − h⁺‖² + E‖E[h | x₂] − x₂‖² and use the assumption on each pair.

Slack
-----
Exactly E‖E[h | x₂] − x₂‖² + ½ E‖h − h⁺‖² − (1/2L) E‖f − f⁺‖².

Tight when
----------
The decoder scales the distance of every positive pair by the same factor, as an isometry scaled by 1/√L does, and
x₂ = E[h | x₂].

Reference
---------
Ours; it sharpens Zhang, Wang and Wang 2022, theorem 3.5.
"""

from __future__ import annotations

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import conditional_mean, mean_square, positive_pair_distance, reconstruction_loss
from maetheory.theory.example_graphs import three_view_graph
from maetheory.theory.statements import reconstruction_bounds_encoder_alignment as printed
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import DECODER_CONSTANT, bi_lipschitz
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import reconstruction_scale


def _rhs(graph: MaskGraph, features: np.ndarray, lipschitz: float) -> float:
    return positive_pair_distance(graph, features) / (2 * lipschitz)


def _size(graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray, lipschitz: float) -> float:
    return reconstruction_scale(graph, h, targets) + mean_square(graph.degrees[0], features) / lipschitz


def tight() -> Objects:
    """Return two features decoded to three by half an isometry (L = 4), every target the mean of its predictions."""
    graph = three_view_graph()
    features = np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, 0.5]])
    h = features @ np.array([[0.3, 0.4, 0.0], [0.0, 0.0, 0.5]])  # (N1, 2) @ (2, 3)
    return {"graph": graph, "features": features, "h": h, "targets": conditional_mean(graph, h)}


def broken() -> dict[str, Objects]:
    """Return a decoder that maps all features to the one target, while the encoder separates two views."""
    (name, world), *_ = printed.broken().items()
    return {name: {part: value for part, value in world.items() if part != "h_g"}}


THEOREM = Theorem(
    slug="reconstruction-bounds-encoder-alignment-sharply",
    statement="L_MAE(h) >= E‖f - f⁺‖² / 2L, which is (L_align(f) + E‖f‖²) / L",
    reference="Ours, sharpening Zhang, Wang and Wang 2022, theorem 3.5",
    objects=("features", "h", "targets"),
    optional=("lipschitz",),
    derived=DECODER_CONSTANT,
    lhs=reconstruction_loss,
    rhs=_rhs,
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    size=_size,
    offsets=(("targets", "h"), ("features",)),
    trivial=0.0,
    tight=tight,
    broken=broken,
)
