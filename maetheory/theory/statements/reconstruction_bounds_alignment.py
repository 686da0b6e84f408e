"""The reconstruction loss bounds the alignment of predictions from views that share a target.

Setting
-------
h(x₁) predicts the target x₂ from the view x₁; x₁⁺ is a second view drawn given the same target. ε = E‖h_g(x₂) − x₂‖² is
the autoencoding error of the decoder's pseudo-inverse, measured from ``h_g`` and ``targets``.

Assumptions
-----------
None: in terms of distances the claim does not need unit norms. With unit norms it is the printed L_MAE ≥ ½ L_align − ε
+ ½.

Claim
-----
L_MAE(h) ≥ ¼ E‖h(x₁) − h(x₁⁺)‖² − ε. The constant is half of the optimal one, and ε is not needed: the exact split is
L_MAE(h) = ½ E‖h(x₁) − h(x₁⁺)‖² + E‖E[h | x₂] − x₂‖².

Slack
-----
Exactly ¼ E‖h − h⁺‖² + E‖E[h | x₂] − x₂‖² + ε.

Tight when
----------
Only if all three terms vanish: h is aligned and exact, ε = 0, and both sides are 0. There is no non-degenerate tight
example.

Reference
---------
Zhang, Wang and Wang 2022, theorem 3.4 and equation 7: printed, the constant is ours.
"""

from __future__ import annotations

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, positive_pair_distance, reconstruction_loss
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import autoencoding_error


def _rhs(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray) -> float:
    return 0.25 * positive_pair_distance(graph, h) - autoencoding_error(graph, h_g, targets)


def _scale(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray) -> float:
    """Size of the terms that cancel, each a mean square of differences."""
    return 0.25 * positive_pair_distance(graph, h) + autoencoding_error(graph, h_g, targets)


def _size(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray) -> float:
    d1, d2 = graph.degrees
    return mean_square(d1, h) + mean_square(d2, h_g) + mean_square(d2, targets)


def tight() -> Objects:
    """Return the degenerate equality: two components, h constant on each and exact, all errors zero."""
    graph = MaskGraph.from_joint([[0.1, 0.2, 0.0], [0.15, 0.05, 0.0], [0.0, 0.0, 0.5]])
    h = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return {"graph": graph, "h": h, "h_g": h[[0, 0, 2]], "targets": h[[0, 0, 2]]}


THEOREM = Theorem(
    slug="reconstruction-bounds-alignment",
    statement="L_MAE(h) >= ¼ E‖h - h⁺‖² - ε, which is ½ L_align(h) - ε + ½ for unit norms",
    reference="Zhang, Wang and Wang 2022, theorem 3.4, equation 7 (printed, constant ours)",
    objects=("h", "h_g", "targets"),
    lhs=reconstruction_loss,
    rhs=_rhs,
    scale=_scale,
    size=_size,
    offsets=(("targets", "h", "h_g"),),
    trivial=0.0,
    tight=tight,
    never_tight="the slack is ¼E‖h - h⁺‖² + E‖E[h | x₂] - x₂‖² + ε, so equality needs both sides to be 0",
)
