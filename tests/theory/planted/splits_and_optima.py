"""False versions of the splits, of perfect alignment, of the linear optima and of the coding rate."""

from __future__ import annotations

import numpy as np

from maetheory.graph.functionals import irreducible_loss, mean_square, positive_pair_distance, target_variance
from maetheory.theory import THEOREMS
from maetheory.theory.statements.linear_mae_is_reduced_rank_regression import least_loss
from maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem import (
    all_pixel_linear_mae_loss,
    least_all_pixel_loss,
)
from maetheory.theory.statements.perfect_alignment_is_constant_on_components import spectral_gap
from maetheory.theory.statements.reconstruction_is_alignment_plus_bias import conditional_bias
from maetheory.theory.statements.shared_linear_mae_is_regression_row_by_row import (
    shared_linear_mae_optimum,
    shared_loss,
)
from planted.changes import scaled, shifted

ALIGNMENT, IRREDUCIBLE = "alignment-split", "irreducible-split"
SHARP, EXCESS = "reconstruction-bounds-encoder-alignment-sharply", "excess-factorisation-bounded-by-umae"
GAP, CONVERSE = "perfect-alignment-is-constant-on-components", "constant-on-components-is-perfect-alignment"
RANK = "aligned-features-have-rank-of-components"
OPTIMUM, GIVEN, LOSS = "linear-decoder-optimum", "linear-decoder-optimum-given-features", "linear-decoder-loss"
ONE_MASK, SHARED = "linear-mae-optimum", "shared-linear-mae-optimum"
EACH_MASK = "shared-linear-mae-bounded-mask-by-mask"
ALL_PIXELS_LOSS, ALL_PIXELS = "all-pixel-linear-mae-loss", "all-pixel-linear-mae-optimum"
RATE, RATE_ABOVE = "uniformity-approximates-coding-rate", "uniformity-approximates-coding-rate-from-above"


def rate_parts(graph, features, distortion):
    """The terms of first, second and third order."""
    sizes = np.linalg.eigvalsh(features.T @ (graph.degrees[0][:, None] * features)) / distortion
    return [float((sizes**power).sum()) / power for power in (1, 2, 3)]


def energy(graph, features, lipschitz, weight):
    return 4 * lipschitz * weight * mean_square(graph.degrees[0], features)


def cross_moments_unwhitened(images, visible, encoder):
    cross = images[:, visible].T @ images[:, ~visible] / len(images)
    gains = np.linalg.svd(cross, compute_uv=False)[: len(encoder)] if cross.size else np.zeros(1)
    return float((images[:, ~visible] ** 2).sum()) / len(images) - float((gains**2).sum())


def regression_on_all_masks(images, visible, mask_law):
    """The loss of regressing each pixel under every mask, also those that show it."""
    rows, moment = [], images.T @ images / len(images)
    for pixel in range(images.shape[1]):
        seen = visible & (np.arange(images.shape[1]) != pixel)
        gram = sum(q * np.outer(s, s) * moment for q, s in zip(mask_law, seen))
        rows.append(np.linalg.pinv(gram) @ sum(q * s * moment[:, pixel] for q, s in zip(mask_law, seen)))
    return shared_loss(images, visible, mask_law, np.array(rows))


FALSE = {
    "the split with 1.05": (ALIGNMENT, scaled(ALIGNMENT, 1.05)),
    "the split with 0.525 for ½": (
        ALIGNMENT,
        lambda graph, h, targets: 0.525 * positive_pair_distance(graph, h) + conditional_bias(graph, h, targets),
    ),
    "the split without its bias": (ALIGNMENT, lambda graph, h: positive_pair_distance(graph, h) / 2),
    "the other split with 1.05": (IRREDUCIBLE, scaled(IRREDUCIBLE, 1.05)),
    "the other split without its excess": (IRREDUCIBLE, lambda graph, targets: irreducible_loss(graph, targets)),
    "the other split from the whole variance": (
        IRREDUCIBLE,
        shifted(
            IRREDUCIBLE, lambda graph, targets, **_: target_variance(graph, targets) - irreducible_loss(graph, targets)
        ),
    ),
    "sharp encoder alignment with 1.05": (SHARP, scaled(SHARP, 1.05)),
    "sharp encoder alignment without L": (SHARP, lambda graph, features: positive_pair_distance(graph, features) / 2),
    "excess with 2.1 for 2 before E‖f‖²": (
        EXCESS,
        shifted(
            EXCESS, lambda graph, features, lipschitz, weight, **_: -0.05 * energy(graph, features, lipschitz, weight)
        ),
    ),
    "excess without the head of the spectrum": (
        EXCESS,
        lambda graph, features, h, targets, lipschitz, weight: (
            THEOREMS[EXCESS]
            .check(graph, features=features, h=h, targets=targets, lipschitz=lipschitz, weight=weight)
            .rhs
            - float(
                (np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)[: features.shape[1]] ** 4).sum()
            )
        ),
    ),
    "gap with 1.05": (GAP, scaled(GAP, 1.05)),
    "gap around the mean of all": (
        GAP,
        lambda graph, h: 2 * spectral_gap(graph) * mean_square(graph.degrees[0], h - graph.degrees[0] @ h),
    ),
    "gap without 1 - λ": (GAP, lambda **world: THEOREMS[CONVERSE].check(**world).rhs),
    "converse with 1.9 for 2": (CONVERSE, scaled(CONVERSE, 0.95)),
    "converse with the gap": (CONVERSE, lambda **world: THEOREMS[GAP].check(**world).rhs),
    "rank below the number of components": (RANK, lambda graph: graph.n_components - 1),
    "rank at most one": (RANK, lambda: 1),
    "linear decoder with 1.05": (OPTIMUM, scaled(OPTIMUM, 1.05)),
    "linear decoder with one direction less": (
        OPTIMUM,
        lambda graph, features, targets: THEOREMS[OPTIMUM].rhs(graph, features[:, 1:], targets),
    ),
    "given features with 1.05": (GIVEN, scaled(GIVEN, 1.05)),
    "given features, of which one is not used": (
        GIVEN,
        lambda graph, features, targets: THEOREMS[GIVEN].rhs(graph, features[:, 1:], targets),
    ),
    "linear loss with 1.05": (LOSS, scaled(LOSS, 1.05)),
    "linear loss without what the graph keeps": (
        LOSS,
        lambda graph, h, targets: mean_square(graph.degrees[1], targets) + mean_square(graph.degrees[0], h),
    ),
    "one mask with 1.05": (ONE_MASK, scaled(ONE_MASK, 1.05)),
    "one mask with one feature less": (
        ONE_MASK,
        lambda images, visible, encoder: least_loss(images, visible, len(encoder) - 1),
    ),
    "one mask without whitening": (ONE_MASK, cross_moments_unwhitened),
    "shared weights with 1.05": (SHARED, scaled(SHARED, 1.05)),
    "shared weights regressed on all masks": (SHARED, regression_on_all_masks),
    "shared weights under uniform masks": (
        SHARED,
        lambda images, visible: (
            shared_linear_mae_optimum(images, visible, np.full(len(visible), 1 / len(visible))).loss
        ),
    ),
    "mask by mask with 1.05": (EACH_MASK, scaled(EACH_MASK, 1.05)),
    "mask by mask with one feature less": (
        EACH_MASK,
        lambda images, visible, mask_law, encoder: sum(
            q * least_loss(images, mask, len(encoder) - 1) for q, mask in zip(mask_law, visible)
        ),
    ),
    "mask by mask under uniform masks": (
        EACH_MASK,
        lambda images, visible, encoder: np.mean([least_loss(images, mask, len(encoder)) for mask in visible]),
    ),
    "loss on all pixels with 1.05": (ALL_PIXELS_LOSS, scaled(ALL_PIXELS_LOSS, 1.05)),
    "loss on all pixels of the mean mask": (
        ALL_PIXELS_LOSS,
        lambda images, mask_probability, weights: (
            ((images - (1 - mask_probability) * images @ weights.T) ** 2).sum() / len(images)
        ),
    ),
    "loss on all pixels of pixels hidden one by one": (
        ALL_PIXELS_LOSS,
        lambda images, patches, mask_probability, weights: all_pixel_linear_mae_loss(
            images, np.arange(len(patches)), mask_probability, weights
        ),
    ),
    "all pixels with 1.05": (ALL_PIXELS, scaled(ALL_PIXELS, 1.05)),
    "all pixels with one feature less": (
        ALL_PIXELS,
        lambda images, patches, mask_probability, encoder: least_all_pixel_loss(
            images, patches, mask_probability, encoder[1:]
        ),
    ),
    "all pixels without the variance of masks": (
        ALL_PIXELS,
        lambda images, mask_probability, encoder: (
            (images**2).sum() / len(images)
            - (1 - mask_probability) * (np.linalg.svd(images)[1][: len(encoder)] ** 2).sum() / len(images)
        ),
    ),
    "all pixels hidden one by one": (
        ALL_PIXELS,
        lambda images, patches, mask_probability, encoder: least_all_pixel_loss(
            images, np.arange(len(patches)), mask_probability, encoder
        ),
    ),
    "coding rate with 0.475 for ½": (RATE, shifted(RATE, lambda **world: 0.05 * rate_parts(**world)[1])),
    "coding rate to first order": (RATE, lambda **world: rate_parts(**world)[0]),
    "coding rate with 0.95 / 3": (RATE_ABOVE, shifted(RATE_ABOVE, lambda **world: -0.05 * rate_parts(**world)[2])),
    "coding rate without remainder": (RATE_ABOVE, lambda **world: THEOREMS[RATE].check(**world).rhs),
}
