"""Ball-arithmetic sides of the downstream bound that averages over the connected components of a graph.

Each component is a graph of balls of its own, whose stored weights are divided by their exact sum. The rank of the
features on its views is decided exactly, from the numbers as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory.certified.assumptions import Margin
from maetheory.theory.certified.balls import Ball, ball, ball_matrix, ball_sum
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.labels_and_ranks import has_gap, spans_leading_eigenvectors
from maetheory.theory.certified.probe import independent_columns
from maetheory.theory.certified.sides import Sides, linear_probe, unit_scale
from maetheory.theory.statements.downstream_error_averages_over_components import GAP, LEADING


@dataclass(frozen=True, eq=False)
class BallComponent:
    """Connected component: its mass, its graph, and columns of the features that span the features on its views."""

    mass: Ball
    graph: BallGraph
    features: np.ndarray


def _components(graph: BallGraph, floats: dict[str, np.ndarray]) -> list[BallComponent]:
    whole = graph.float_graph
    views, targets = whole.components
    found = []
    for component in range(whole.n_components):
        rows, columns = np.flatnonzero(views == component), np.flatnonzero(targets == component)
        block = sparse.csr_array(whole.joint[rows][:, columns])
        images = sparse.csr_array(sparse.diags_array(np.asarray(block.sum(1)).ravel()))
        part = BallGraph(MaskGraph(block, images, block, whole.view_labels[rows]))
        own = floats["features"][rows]
        mass = ball_sum(graph.degrees[0][i] for i in rows)
        found.append(BallComponent(mass, part, own[:, independent_columns(own)]))
    return found


def _componentwise_bound(components: list[BallComponent]) -> Ball:
    return ball_sum(
        one.mass * one.graph.pair_label_error() / (1 - one.graph.eigenvalue(one.features.shape[1]))
        for one in components
    )


def _are_leading(components: list[BallComponent], floats: dict[str, np.ndarray]) -> Margin:
    """Margin of leading eigenvectors of each component, and of a rank that is the sum of the ranks on them."""
    joined, ranks = len(independent_columns(floats["features"])), [one.features.shape[1] for one in components]
    parts = [
        (one.mass, spans_leading_eigenvectors(one.graph, ball_matrix(one.features), {"features": one.features}))
        for one in components
        if one.features.size
    ]
    least = reduce(lambda a, b: a.min(b), (part.value for _, part in parts), ball(min(joined - sum(ranks), 0)))
    costs = [mass * part.cost for mass, part in parts if part.cost is not None]
    words = "; ".join([f"rank {joined}, of the components {sum(ranks)}", *(part.measured for _, part in parts)])
    return Margin(least, parts[0][1].allowed if parts else ball(0), words, ball_sum(costs))


def _have_gaps(components: list[BallComponent]) -> Margin:
    gaps = [has_gap(one.graph, ball_matrix(one.features)) for one in components]
    least = reduce(lambda a, b: a.min(b), (gap.value for gap in gaps))
    return Margin(least, ball(0), "; ".join(gap.measured for gap in gaps))


COMPONENT_SIDES: Mapping[str, Sides] = {
    "downstream-error-averages-over-components": Sides(
        lhs=lambda probe: probe.residual(),
        rhs=_componentwise_bound,
        assumptions={LEADING: _are_leading, GAP: _have_gaps},
        derived={"probe": linear_probe, "components": _components},
        size=unit_scale,
    ),
}
