"""Ball-arithmetic sides of the theorems of Zhang, Wang and Wang 2022."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maetheory.theory.certified.assumptions import (
    depends_on_mask_alone,
    features_collapsed,
    no_tied_images,
    no_tied_views,
    norm_at_most_one,
    norms_at_least_one,
    position_blind,
)
from maetheory.theory.certified.balls import Ball, BallMatrix, ball, nonnegative_sqrt, power
from maetheory.theory.certified.graph import (
    BallGraph,
    alignment_loss,
    asymmetric_alignment,
    mean_square,
    pair_distance,
    spectral_loss,
    target_variance,
)
from maetheory.theory.certified.graph_assumptions import images_known_exactly
from maetheory.theory.certified.sides import (
    BI_LIPSCHITZ,
    DECODER_CONSTANT,
    Sides,
    autoencoding_error,
    feature_variance,
    linear_probe,
    mean_squared_feature_norm,
    pair_label_error,
    prediction_scale,
    prediction_size,
    reconstruction_loss,
    umae_loss,
    uniformity_penalty,
    unit_scale,
)

_UMAE: Mapping[str, Callable[..., Any]] = {**DECODER_CONSTANT, "weight": lambda lipschitz: 1 / (4 * lipschitz)}


def _asymmetric_bound(graph: BallGraph, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix) -> Ball:
    return asymmetric_alignment(graph, h, h_g) - autoencoding_error(graph, h_g, targets) + 1


def _halved_alignment(graph: BallGraph, h: BallMatrix) -> Ball:
    return (alignment_loss(graph, h) - 1) / 2


def _cauchy_schwarz(graph: BallGraph, h: BallMatrix, h_g: BallMatrix) -> Ball:
    d1, d2 = graph.degrees
    return -nonnegative_sqrt(mean_square(d1, h) * mean_square(d2, h_g))


def _alignment_bound(graph: BallGraph, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix) -> Ball:
    return pair_distance(graph, h) / 4 - autoencoding_error(graph, h_g, targets)


def _encoder_alignment_bound(
    graph: BallGraph, features: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    return pair_distance(graph, features) / (4 * lipschitz) - autoencoding_error(graph, h_g, targets)


def _encoder_scale(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    return prediction_scale(graph, h, targets, h_g) + feature_variance(graph, features) / lipschitz


def _encoder_size(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    return prediction_size(graph, h, targets, h_g) + mean_squared_feature_norm(graph, features) / lipschitz


def _size_without_h_g(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    return prediction_size(graph, h, targets)


def _variance_of_targets(graph: BallGraph, targets: BallMatrix) -> Ball:
    """Var(x₂), also in a world that knows the masks."""
    return target_variance(graph, targets)


def _variance_given_mask(graph: BallGraph, targets: BallMatrix, masks: np.ndarray | None = None) -> Ball:
    return target_variance(graph, targets, graph.float_graph.target_masks if masks is None else masks)


def _factorisation_side(graph: BallGraph, features: BallMatrix) -> Ball:
    return graph.factorisation_error(features) - graph.frobenius_square()


def _contrast_scale(graph: BallGraph, features: BallMatrix) -> Ball:
    return graph.frobenius_square() + mean_squared_feature_norm(graph, features) ** 2


def _umae_scale(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    return prediction_scale(graph, h, targets, h_g) + feature_variance(graph, features) / (2 * lipschitz)


def _contrast_bound(
    graph: BallGraph, features: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    pull = pair_distance(graph, features) / (4 * lipschitz)
    return pull + uniformity_penalty(graph, features, weight) - autoencoding_error(graph, h_g, targets)


def _graph_tail_bound(
    graph: BallGraph, features: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball, weight: Ball
) -> Ball:
    return -graph.leading_square_sum(features.ncols()) / (16 * lipschitz**2 * weight) - autoencoding_error(
        graph, h_g, targets
    )


def _residual_bound(graph: BallGraph, features: BallMatrix) -> Ball:
    spread = graph.largest_class_mass() * graph.factorisation_error(features)
    return power(nonnegative_sqrt(spread) + nonnegative_sqrt(graph.pair_label_error()), 2)


def _downstream_bound(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, h_g: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    largest = graph.largest_class_mass()
    paid = umae_loss(graph, features, h, targets, 1 / (4 * lipschitz)) + autoencoding_error(graph, h_g, targets)
    labels = 8 * graph.pair_label_error() + 2 * graph.label_error()
    return 32 * largest * lipschitz * paid + labels + 8 * largest * graph.frobenius_square()


def _constant_terms(graph: BallGraph) -> Ball:
    return 8 * (graph.largest_class_mass() * graph.frobenius_square() + graph.pair_label_error())


def _at_least_six(graph: BallGraph) -> Ball:
    phi = graph.pair_label_error()
    return 8 * (1 - phi * (1 - phi))


def _label_errors(
    graph: BallGraph, view_labels: np.ndarray | None = None, target_labels: np.ndarray | None = None
) -> Ball:
    return 2 * (graph.label_error(view_labels) + graph.target_label_error(target_labels))


PAPER_SIDES: Mapping[str, Sides] = {
    "reconstruction-bounds-asymmetric-alignment": Sides(
        lhs=reconstruction_loss,
        rhs=_asymmetric_bound,
        assumptions={"unit norms": norms_at_least_one},
        scale=lambda graph, h, targets, h_g: 1 + prediction_size(graph, h, targets, h_g),
    ),
    "asymmetric-alignment-bounds-alignment": Sides(
        lhs=asymmetric_alignment,
        rhs=_halved_alignment,
        assumptions={"unit norms": norm_at_most_one},
        scale=lambda graph, h, h_g: 1 + prediction_size(graph, h, h_g),
        trivial=_cauchy_schwarz,
    ),
    "reconstruction-bounds-alignment": Sides(
        lhs=reconstruction_loss, rhs=_alignment_bound, scale=prediction_scale, size=prediction_size
    ),
    "reconstruction-bounds-encoder-alignment": Sides(
        lhs=reconstruction_loss,
        rhs=_encoder_alignment_bound,
        assumptions=BI_LIPSCHITZ,
        derived=DECODER_CONSTANT,
        scale=_encoder_scale,
        size=_encoder_size,
    ),
    "full-collapse-costs-variance": Sides(
        lhs=reconstruction_loss,
        rhs=_variance_of_targets,
        assumptions={"features are collapsed": features_collapsed, "position-blind decoder": position_blind},
        size=_size_without_h_g,
    ),
    "full-collapse-costs-variance-given-the-mask": Sides(
        lhs=reconstruction_loss,
        rhs=_variance_given_mask,
        assumptions={
            "features are collapsed": features_collapsed,
            "decoder sees the mask alone": depends_on_mask_alone,
        },
        size=_size_without_h_g,
    ),
    "spectral-contrast-is-factorisation": Sides(lhs=spectral_loss, rhs=_factorisation_side, scale=_contrast_scale),
    "spectral-contrast-is-bounded-by-eigenvalues": Sides(
        lhs=spectral_loss,
        rhs=lambda graph, features: -graph.leading_square_sum(features.ncols()),
        scale=_contrast_scale,
        trivial=lambda graph, features: ball(-min(*graph.shape, features.ncols())),
    ),
    "umae-bounds-spectral-contrast": Sides(
        lhs=umae_loss,
        rhs=_contrast_bound,
        assumptions=BI_LIPSCHITZ,
        derived=_UMAE,
        scale=_umae_scale,
        size=_encoder_size,
        trivial=uniformity_penalty,
    ),
    "umae-bounded-by-graph-tail": Sides(
        lhs=umae_loss,
        rhs=_graph_tail_bound,
        assumptions=BI_LIPSCHITZ,
        derived=_UMAE,
        scale=_umae_scale,
        size=_encoder_size,
    ),
    "factorisation-bounds-probe-residual": Sides(
        lhs=lambda probe: probe.residual(), rhs=_residual_bound, derived={"probe": linear_probe}, size=unit_scale
    ),
    "probe-residual-bounds-view-error": Sides(
        lhs=lambda probe: probe.view_error(),
        rhs=lambda probe: 2 * probe.residual(),
        assumptions={"ties": no_tied_views},
        derived={"probe": linear_probe},
        size=unit_scale,
    ),
    "probe-residual-bounds-image-error": Sides(
        lhs=lambda probe: probe.image_error(),
        rhs=lambda probe, graph: 4 * probe.residual() + 2 * graph.label_error(),
        assumptions={"ties": no_tied_images},
        derived={"probe": linear_probe},
        size=unit_scale,
    ),
    "umae-bounds-downstream-error": Sides(
        lhs=lambda probe: probe.image_error(),
        rhs=_downstream_bound,
        assumptions=BI_LIPSCHITZ,
        derived={**DECODER_CONSTANT, "probe": linear_probe},
    ),
    "umae-downstream-bound-exceeds-six": Sides(lhs=_constant_terms, rhs=_at_least_six),
    "pair-error-bounded-by-label-errors": Sides(
        lhs=pair_label_error,
        rhs=_label_errors,
        assumptions={"law of the images": images_known_exactly},
        size=unit_scale,
    ),
}
