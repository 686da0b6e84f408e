"""The reconstruction loss is the irreducible loss plus the squared distance to the best prediction.

Setting
-------
h(x₁) predicts the target x₂ from the view x₁; E[x₂ | x₁] is the best prediction.

Assumptions
-----------
None.

Claim
-----
L_MAE(h) = E Var(x₂ | x₁) + E‖h − E[x₂ | x₁]‖². Proof: given x₁ the prediction is a constant and E[x₂ | x₁] is the mean
of x₂, so the cross term vanishes. The first term depends only on data and mask law; training changes only the second.

Slack
-----
Zero on every world. Read as the bound L_MAE ≥ E Var(x₂ | x₁) its slack is E‖h − E[x₂ | x₁]‖².

Tight when
----------
Always; the bound for h = E[x₂ | x₁].

Reference
---------
The bias–variance decomposition of least squares; for masks ours. The alignment split conditions on x₂ instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import best_prediction, irreducible_loss, mean_square, reconstruction_loss
from maetheory.theory.example_graphs import three_view_graph
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import reconstruction_scale


def excess_loss(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    """Excess loss E‖h − E[x₂ | x₁]‖² = L_MAE(h) − min L_MAE; ≥ 0, lower is better.

    Parameters
    ----------
    graph : MaskGraph
    h : ndarray, shape (N1, d)
    targets : ndarray, shape (N2, d)

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.5]])
    >>> excess_loss(graph, np.array([[1.0]]), np.array([[1.0], [5.0]]))
    4.0
    """
    return mean_square(graph.degrees[0], h - best_prediction(graph, targets))


def _irreducible_and_excess(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> Mapping[str, float]:
    return {"irreducible": irreducible_loss(graph, targets), "excess": excess_loss(graph, h, targets)}


def _rhs(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    return sum(_irreducible_and_excess(graph, h, targets).values())


def tight() -> Objects:
    """Return a world in which both terms are positive: targets that views do not determine, and a wrong prediction."""
    graph = three_view_graph()
    h = np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, 0.5]])
    return {"graph": graph, "h": h, "targets": np.array([[0.0, 1.0], [2.0, 0.0], [1.0, -1.0]])}


THEOREM = Theorem(
    slug="irreducible-split",
    statement="L_MAE(h) == E Var(x₂ | x₁) + E‖h - E[x₂ | x₁]‖²",
    reference="Bias and variance; for masks ours",
    objects=("h", "targets"),
    lhs=reconstruction_loss,
    rhs=_rhs,
    direction="==",
    size=reconstruction_scale,
    offsets=(("targets", "h"),),
    terms=_irreducible_and_excess,
    tight=tight,
)
