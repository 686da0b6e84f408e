"""Asymmetric alignment of views with targets bounds the alignment of views that share a target.

Setting
-------
L_asym(h) = −E h(x₁)ᵀ h_g(x₂) over view and target, L_align(h) = −E h(x₁)ᵀ h(x₁⁺) over two views drawn given the same
target (mask-induced positive pairs).

Assumptions
-----------
``unit norms``: the paper assumes ‖h_g‖ = 1; the proof uses only E‖h_g‖² ≤ 1.

Claim
-----
L_asym(h) ≥ ½ L_align(h) − ½, by 2ab ≤ a² + b² for a = E[h | x₂] and b = h_g.

Slack
-----
Exactly ½‖H_g − Ā_Mᵀ H‖_F² + ½(1 − ‖H_g‖_F²).

Tight when
----------
h_g(x₂) = E[h(x₁) | x₂] and E‖h_g‖² = 1. With unit norms h is then aligned; if only the averages are one, h may differ
within a pair, provided that its norm exceeds one.

Reference
---------
Zhang, Wang and Wang 2022, theorem 3.3; constants ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import (
    alignment_loss,
    asymmetric_alignment,
    conditional_mean,
    mean_square,
)
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects


def _rhs(graph: MaskGraph, h: np.ndarray) -> float:
    return 0.5 * alignment_loss(graph, h) - 0.5


def _norm_at_most_one(graph: MaskGraph, h_g: np.ndarray) -> tuple[bool, str]:
    measured = mean_square(graph.degrees[1], h_g)
    return measured <= 1.0 + ROUNDING_TOLERANCE, f"E‖h_g‖² = {measured:.6g}, at most 1 is needed"


def _scale(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> float:
    """Size of the terms that cancel: the mean prediction of a target, and h_g."""
    return 1.0 - alignment_loss(graph, h) + mean_square(graph.degrees[1], h_g)


def _size(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> float:
    return 1.0 + mean_square(graph.degrees[0], h) + mean_square(graph.degrees[1], h_g)


def _cauchy_schwarz_bound(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> float:
    """Lower bound of L_asym by the Cauchy–Schwarz inequality, without the graph."""
    return -float(np.sqrt(mean_square(graph.degrees[0], h) * mean_square(graph.degrees[1], h_g)))


def _conform(world: dict[str, Any]) -> Objects:
    size = mean_square(world["graph"].degrees[1], world["h_g"])
    return {**world, "h_g": world["h_g"] / np.sqrt(max(size, 1.0))}


def tight() -> Objects:
    """Return views of different predictions, h_g their conditional mean, scaled so that E‖h_g‖² = 1."""
    graph = MaskGraph.from_joint([[0.1, 0.2], [0.3, 0.0], [0.0, 0.4]])
    h = np.array([[1.0, 0.5], [0.2, -1.0], [0.7, 2.0]])
    h = h / np.sqrt(mean_square(graph.degrees[1], conditional_mean(graph, h)))
    return {"graph": graph, "h": h, "h_g": conditional_mean(graph, h)}


def broken() -> dict[str, Objects]:
    """Return an h_g of twice the norm, which lowers L_asym although the views are not aligned."""
    world = tight()
    return {"unit norms": {**world, "h_g": 2.0 * world["h_g"]}}


THEOREM = Theorem(
    slug="asymmetric-alignment-bounds-alignment",
    statement="L_asym(h) >= ½ L_align(h) - ½",
    reference="Zhang, Wang and Wang 2022, theorem 3.3 (constants ours)",
    objects=("h", "h_g"),
    lhs=asymmetric_alignment,
    rhs=_rhs,
    assumptions={"unit norms": _norm_at_most_one},
    scale=_scale,
    size=_size,
    trivial=_cauchy_schwarz_bound,
    tight=tight,
    broken=broken,
    conform=_conform,
)
