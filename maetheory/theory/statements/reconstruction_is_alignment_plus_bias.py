"""The reconstruction loss is the alignment of views that share a target plus the bias of their mean prediction.

Setting
-------
h(x₁) predicts the target x₂ from the view x₁; x₁⁺ is a second view drawn given the same target.

Assumptions
-----------
None: no pseudo-inverse of the decoder, no ε, no norms.

Claim
-----
L_MAE(h) = ½ E‖h(x₁) − h(x₁⁺)‖² + E‖E[h | x₂] − x₂‖². Proof: given x₂, the views x₁ and x₁⁺ are independent and
identically distributed, so half their mean squared distance is the variance of h(x₁); bias and variance sum to E[‖h(x₁)
− x₂‖² | x₂].

Slack
-----
Zero on every world. Read as the bound L_MAE ≥ ½ E‖h − h⁺‖² its slack is the bias; this is twice theorem 3.4, and ε is
not needed.

Tight when
----------
Always; the bound if every target is the mean prediction of its views, x₂ = E[h | x₂].

Reference
---------
Ours; it sharpens Zhang, Wang and Wang 2022, theorem 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import conditional_mean, mean_square, positive_pair_distance, reconstruction_loss
from maetheory.theory.example_graphs import three_view_graph
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import reconstruction_scale

_MAX_PAIRED_VIEWS = 500
"""Number of views up to which the distance of positive pairs is summed over the pairs."""


def conditional_bias(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    """Conditional bias E‖E[h | x₂] − x₂‖² of the mean prediction given the target; ≥ 0, lower is better.

    Parameters
    ----------
    graph : MaskGraph
    h : ndarray, shape (N1, d)
    targets : ndarray, shape (N2, d)

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> conditional_bias(graph, np.array([[1.0], [3.0]]), np.array([[1.0]]))
    1.0
    """
    return mean_square(graph.degrees[1], conditional_mean(graph, h) - targets)


def _alignment_and_bias(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> Mapping[str, float]:
    return {"alignment": _distance_over_pairs(graph, h) / 2, "bias": conditional_bias(graph, h, targets)}


def _rhs(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    return sum(_alignment_and_bias(graph, h, targets).values())


def _distance_over_pairs(graph: MaskGraph, h: np.ndarray) -> float:
    """E‖h − h⁺‖² as a sum over pairs of views on small graphs, because its short form uses the claimed identity."""
    if graph.shape[0] > _MAX_PAIRED_VIEWS:
        return positive_pair_distance(graph, h)
    pairs = graph.pair_law.tocoo()
    view, other = pairs.coords
    return float(pairs.data @ ((h[view] - h[other]) ** 2).sum(1))


def tight() -> Objects:
    """Return a world in which both terms are positive: views that share targets, misaligned and biased."""
    graph = three_view_graph()
    h = np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, 0.5]])
    return {"graph": graph, "h": h, "targets": np.array([[0.0, 1.0], [2.0, 0.0], [1.0, -1.0]])}


THEOREM = Theorem(
    slug="alignment-split",
    statement="L_MAE(h) == ½ E‖h - h⁺‖² + E‖E[h | x₂] - x₂‖²",
    reference="Ours, sharpening Zhang, Wang and Wang 2022, theorem 3.4",
    objects=("h", "targets"),
    lhs=reconstruction_loss,
    rhs=_rhs,
    direction="==",
    size=reconstruction_scale,
    offsets=(("targets", "h"),),
    terms=_alignment_and_bias,
    tight=tight,
)
