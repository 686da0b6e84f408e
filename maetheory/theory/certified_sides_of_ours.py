"""The theorems that are ours, written a second time, in balls; see :mod:`certified_sides`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from maetheory.theory.ball_graph import (
    BallGraph,
    alignment_loss,
    best_prediction,
    component_means,
    conditional_mean,
    mean_square,
    mean_square_gap,
    pair_distance,
    uniformity_loss,
)
from maetheory.theory.ball_probe import projected
from maetheory.theory.ball_spectrum import eigenvalues
from maetheory.theory.balls import Ball, BallMatrix, scaled, total
from maetheory.theory.certified_downstream import OF_LABELS
from maetheory.theory.certified_graphs import OF_GRAPHS
from maetheory.theory.certified_linear_maes import OF_LINEAR_MAES
from maetheory.theory.certified_premises import linear_decoder
from maetheory.theory.certified_probe_bounds import OF_PROBES
from maetheory.theory.certified_ranks import OF_RANKS
from maetheory.theory.certified_samples import OF_SAMPLES
from maetheory.theory.certified_sides import (
    BI_LIPSCHITZ,
    DECODER,
    OF_THE_PAPER,
    Sides,
    feature_size,
    reconstruction,
    size,
    umae_loss,
)

_UMAE: Mapping[str, Callable[..., Any]] = {**DECODER, "weight": lambda lipschitz: 1 / (2 * lipschitz)}


def _split(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    return pair_distance(graph, h) / 2 + mean_square(graph.degrees[1], conditional_mean(graph, h) - targets)


def _irreducible(graph: BallGraph, targets: BallMatrix) -> Ball:
    return mean_square_gap(graph, best_prediction(graph, targets), targets)


def _excess_split(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    excess = mean_square(graph.degrees[0], h - best_prediction(graph, targets))
    return _irreducible(graph, targets) + excess


def _sharp_distance(graph: BallGraph, features: BallMatrix, lipschitz: Ball) -> Ball:
    return pair_distance(graph, features) / (2 * lipschitz)


def _sharp_scale(graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball) -> Ball:
    return size(graph, h, targets) + feature_size(graph, features) / lipschitz


def _excess_factorisation(graph: BallGraph, features: BallMatrix, lipschitz: Ball, weight: Ball) -> Ball:
    stretched = 2 * lipschitz * weight
    contrast = 2 * stretched * alignment_loss(graph, features) + stretched**2 * uniformity_loss(graph, features)
    return contrast + graph.head(features.ncols())


def _excess_bound(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    loss = umae_loss(graph, features, h, targets, weight)
    bound = 2 * lipschitz * weight * (2 * lipschitz * loss - 2 * feature_size(graph, features))
    return bound + graph.head(features.ncols())


def _excess_scale(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    stretched = 2 * lipschitz * weight
    pull = stretched * feature_size(graph, features)
    return graph.frobenius_square() + 2 * lipschitz * stretched * size(graph, h, targets) + 2 * pull + pull**2


def _spread_in_components(graph: BallGraph, h: BallMatrix) -> Ball:
    return mean_square(graph.degrees[0], h - component_means(graph, h))


def _mixing(graph: BallGraph, h: BallMatrix) -> Ball:
    beyond = graph.eigenvalue(graph.floats.n_components)
    return 2 * (1 - beyond) * _spread_in_components(graph, h)


def _aim_moment(graph: BallGraph, targets: BallMatrix) -> BallMatrix:
    """X₂ᵀ Ā_MᵀĀ_M X₂, shape (d, d), whose eigenvalues are s_i²."""
    best = best_prediction(graph, targets)
    return best.transpose() * scaled(best, graph.degrees[0])


def _energy_left(graph: BallGraph, features: BallMatrix, targets: BallMatrix) -> Ball:
    squares = eigenvalues(_aim_moment(graph, targets))[0]
    return mean_square(graph.degrees[1], targets) - total(squares[: features.ncols()])


def _energy_left_by_features(graph: BallGraph, floats: dict[str, np.ndarray], targets: BallMatrix) -> Ball:
    best = projected(graph, floats["features"], best_prediction(graph, targets))
    return mean_square(graph.degrees[1], targets) - mean_square(graph.degrees[0], best)


def _energies(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    d1, d2 = graph.degrees
    best = best_prediction(graph, targets)
    return mean_square(d2, targets) - mean_square(d1, best) + mean_square(d1, h - best)


def _moment(graph: BallGraph, features: BallMatrix) -> BallMatrix:
    """FᵀF, shape (k, k)."""
    return features.transpose() * scaled(features, graph.degrees[0])


def _coding_rate(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    moment = _moment(graph, features) / distortion
    for i in range(moment.nrows()):
        moment[i, i] = moment[i, i] + 1
    return moment.det().log()


def _first_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    return feature_size(graph, features) / distortion


def _second_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    return _first_order(graph, features, distortion) - uniformity_loss(graph, features) / (2 * distortion**2)


def _third_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    moment = _moment(graph, features)
    cubed = (moment * moment * moment).trace()
    return _second_order(graph, features, distortion) + cubed / (3 * distortion**3)


OURS: Mapping[str, Sides] = {
    "alignment-split": Sides(lhs=reconstruction, rhs=_split, scale=size),
    "irreducible-split": Sides(lhs=reconstruction, rhs=_excess_split, scale=size),
    "reconstruction-bounds-encoder-alignment-sharply": Sides(
        lhs=reconstruction, rhs=_sharp_distance, premises=BI_LIPSCHITZ, derived=DECODER, scale=_sharp_scale
    ),
    "excess-factorisation-bounded-by-umae": Sides(
        lhs=_excess_factorisation, rhs=_excess_bound, premises=BI_LIPSCHITZ, derived=_UMAE, scale=_excess_scale
    ),
    "perfect-alignment-is-constant-on-components": Sides(
        lhs=pair_distance, rhs=_mixing, scale=lambda graph, h: mean_square(graph.degrees[0], h)
    ),
    "constant-on-components-is-perfect-alignment": Sides(
        lhs=pair_distance,
        rhs=lambda graph, h: 2 * _spread_in_components(graph, h),
        scale=lambda graph, h: mean_square(graph.degrees[0], h),
    ),
    "linear-decoder-optimum": Sides(
        lhs=reconstruction, rhs=_energy_left, premises={"linear decoder": linear_decoder}, scale=size
    ),
    "linear-decoder-optimum-given-features": Sides(
        lhs=reconstruction, rhs=_energy_left_by_features, premises={"linear decoder": linear_decoder}, scale=size
    ),
    "linear-decoder-loss": Sides(lhs=reconstruction, rhs=_energies, scale=size),
    "uniformity-approximates-coding-rate": Sides(lhs=_coding_rate, rhs=_second_order, scale=_first_order),
    "uniformity-approximates-coding-rate-from-above": Sides(
        lhs=_coding_rate, rhs=_third_order, scale=_first_order, trivial=_first_order
    ),
}

CERTIFIED: Mapping[str, Sides] = MappingProxyType(
    {**OF_THE_PAPER, **OURS, **OF_GRAPHS, **OF_LABELS, **OF_RANKS, **OF_LINEAR_MAES, **OF_SAMPLES, **OF_PROBES}
)
"""The ball version of each theorem that has one, under its slug."""
