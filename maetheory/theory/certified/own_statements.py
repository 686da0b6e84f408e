"""Ball-arithmetic sides of our own theorems about losses, alignment, linear decoders and the coding rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maetheory.theory.certified.assumptions import linear_decoder
from maetheory.theory.certified.balls import Ball, BallMatrix, ball_sum, rescale
from maetheory.theory.certified.graph import (
    BallGraph,
    alignment_loss,
    best_prediction,
    component_means,
    conditional_mean,
    mean_square,
    mean_squared_difference,
    pair_distance,
    uniformity_loss,
)
from maetheory.theory.certified.probe import project_on_features
from maetheory.theory.certified.sides import (
    BI_LIPSCHITZ,
    DECODER_CONSTANT,
    Sides,
    mean_squared_feature_norm,
    prediction_and_feature_scale,
    prediction_and_feature_size,
    prediction_scale,
    prediction_size,
    reconstruction_loss,
    umae_loss,
)
from maetheory.theory.certified.spectrum import eigenvalues

_UMAE: Mapping[str, Callable[..., Any]] = {**DECODER_CONSTANT, "weight": lambda lipschitz: 1 / (2 * lipschitz)}


def _alignment_plus_bias(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    return pair_distance(graph, h) / 2 + mean_square(graph.degrees[1], conditional_mean(graph, h) - targets)


def _irreducible(graph: BallGraph, targets: BallMatrix) -> Ball:
    return mean_squared_difference(graph, best_prediction(graph, targets), targets)


def _irreducible_plus_excess(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    excess = mean_square(graph.degrees[0], h - best_prediction(graph, targets))
    return _irreducible(graph, targets) + excess


def _sharp_distance(graph: BallGraph, features: BallMatrix, lipschitz: Ball) -> Ball:
    return pair_distance(graph, features) / (2 * lipschitz)


def _excess_factorisation(graph: BallGraph, features: BallMatrix, lipschitz: Ball, weight: Ball) -> Ball:
    stretched = 2 * lipschitz * weight
    contrast = 2 * stretched * alignment_loss(graph, features) + stretched**2 * uniformity_loss(graph, features)
    return contrast + graph.leading_square_sum(features.ncols())


def _excess_bound(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    loss = umae_loss(graph, features, h, targets, weight)
    bound = 2 * lipschitz * weight * (2 * lipschitz * loss - 2 * mean_squared_feature_norm(graph, features))
    return bound + graph.leading_square_sum(features.ncols())


def _excess_scale(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    stretched = 2 * lipschitz * weight
    pull = stretched * mean_squared_feature_norm(graph, features)
    rebuilt = 2 * lipschitz * stretched * prediction_scale(graph, h, targets)
    return graph.frobenius_square() + rebuilt + 2 * pull + pull**2


def _excess_size(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    rebuilt = 4 * lipschitz**2 * weight * prediction_size(graph, h, targets)
    return _excess_scale(graph, features, h, targets, lipschitz, weight) + rebuilt


def _within_component_variance(graph: BallGraph, h: BallMatrix) -> Ball:
    return mean_square(graph.degrees[0], h - component_means(graph, h))


def _mixing_lower_bound(graph: BallGraph, h: BallMatrix) -> Ball:
    beyond = graph.eigenvalue(graph.float_graph.n_components)
    return 2 * (1 - beyond) * _within_component_variance(graph, h)


def _best_prediction_moment(graph: BallGraph, targets: BallMatrix) -> BallMatrix:
    """Second moment X₂ᵀ Ā_MᵀĀ_M X₂ of the best prediction, shape (d, d), with eigenvalues s_i²."""
    best = best_prediction(graph, targets)
    return best.transpose() * rescale(best, graph.degrees[0])


def _optimum_at_rank(graph: BallGraph, features: BallMatrix, targets: BallMatrix) -> Ball:
    squares = eigenvalues(_best_prediction_moment(graph, targets))[0]
    return mean_square(graph.degrees[1], targets) - ball_sum(squares[: features.ncols()])


def _optimum_for_features(graph: BallGraph, floats: dict[str, np.ndarray], targets: BallMatrix) -> Ball:
    best = project_on_features(graph, floats["features"], best_prediction(graph, targets))
    return mean_square(graph.degrees[1], targets) - mean_square(graph.degrees[0], best)


def _linear_decoder_loss(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    d1, d2 = graph.degrees
    best = best_prediction(graph, targets)
    return mean_square(d2, targets) - mean_square(d1, best) + mean_square(d1, h - best)


def _feature_moment(graph: BallGraph, features: BallMatrix) -> BallMatrix:
    """Second moment FᵀF of the features, shape (k, k)."""
    return features.transpose() * rescale(features, graph.degrees[0])


def _coding_rate(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    moment = _feature_moment(graph, features) / distortion
    for i in range(moment.nrows()):
        moment[i, i] = moment[i, i] + 1
    return moment.det().log()


def _first_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    return mean_squared_feature_norm(graph, features) / distortion


def _second_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    return _first_order(graph, features, distortion) - uniformity_loss(graph, features) / (2 * distortion**2)


def _third_order(graph: BallGraph, features: BallMatrix, distortion: Ball) -> Ball:
    moment = _feature_moment(graph, features)
    cubed = (moment * moment * moment).trace()
    return _second_order(graph, features, distortion) + cubed / (3 * distortion**3)


OWN_SIDES: Mapping[str, Sides] = {
    "alignment-split": Sides(
        lhs=reconstruction_loss, rhs=_alignment_plus_bias, scale=prediction_scale, size=prediction_size
    ),
    "irreducible-split": Sides(
        lhs=reconstruction_loss, rhs=_irreducible_plus_excess, scale=prediction_scale, size=prediction_size
    ),
    "reconstruction-bounds-encoder-alignment-sharply": Sides(
        lhs=reconstruction_loss,
        rhs=_sharp_distance,
        assumptions=BI_LIPSCHITZ,
        derived=DECODER_CONSTANT,
        scale=prediction_and_feature_scale,
        size=prediction_and_feature_size,
    ),
    "excess-factorisation-bounded-by-umae": Sides(
        lhs=_excess_factorisation,
        rhs=_excess_bound,
        assumptions=BI_LIPSCHITZ,
        derived=_UMAE,
        scale=_excess_scale,
        size=_excess_size,
    ),
    "perfect-alignment-is-constant-on-components": Sides(
        lhs=pair_distance, rhs=_mixing_lower_bound, size=lambda graph, h: mean_square(graph.degrees[0], h)
    ),
    "constant-on-components-is-perfect-alignment": Sides(
        lhs=pair_distance,
        rhs=lambda graph, h: 2 * _within_component_variance(graph, h),
        size=lambda graph, h: mean_square(graph.degrees[0], h),
    ),
    "linear-decoder-optimum": Sides(
        lhs=reconstruction_loss,
        rhs=_optimum_at_rank,
        assumptions={"linear decoder": linear_decoder},
        size=prediction_size,
    ),
    "linear-decoder-optimum-given-features": Sides(
        lhs=reconstruction_loss,
        rhs=_optimum_for_features,
        assumptions={"linear decoder": linear_decoder},
        size=prediction_size,
    ),
    "linear-decoder-loss": Sides(lhs=reconstruction_loss, rhs=_linear_decoder_loss, scale=prediction_size),
    "uniformity-approximates-coding-rate": Sides(lhs=_coding_rate, rhs=_second_order, scale=_first_order),
    "uniformity-approximates-coding-rate-from-above": Sides(
        lhs=_coding_rate, rhs=_third_order, scale=_first_order, trivial=_first_order
    ),
}
