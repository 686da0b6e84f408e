"""Sides of a theorem in ball arithmetic, and the sides that several theorems share.

The sides are a second implementation: no line is shared with the float sides. Sums run over the stored weights,
projections are solved for instead of decomposed, and square roots are avoided, so that agreement with
:func:`maetheory.theory.check` is evidence for both. A side names the objects it needs, as in a
:class:`~maetheory.theory.theorem.Theorem`: matrices of balls under their usual names, ``graph`` a
:class:`~maetheory.theory.certified.graph.BallGraph`, and ``floats`` the arrays as they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maetheory.theory.certified.assumptions import LeastLipschitz, Margin, bi_lipschitz, least_lipschitz
from maetheory.theory.certified.balls import Ball, BallMatrix, ball
from maetheory.theory.certified.graph import (
    BallGraph,
    component_means,
    component_means_of_targets,
    mean_square,
    mean_squared_difference,
    uniformity_loss,
)
from maetheory.theory.certified.probe import BallProbe

Side = Callable[..., Ball]


@dataclass(frozen=True)
class Sides:
    """Sides, assumptions and scale of a theorem in ball arithmetic.

    Attributes
    ----------
    lhs, rhs : callable
        Its sides.
    assumptions : mapping of str to callable
        Each returns a margin. Assumptions of the theorem that are missing here are evaluated in floats; the verdict is
        then UNDECIDED or INAPPLICABLE, because nothing is proved.
    derived : mapping of str to callable
        Objects computed from the others, in order, where they are not given.
    scale : callable, optional
        Size of the terms that cancel, without common offsets: what counts as equality is relative to it.
    size : callable, optional
        Mean square of the numbers that are subtracted before they are squared, with common offsets; the scale where it
        is absent. The cost of an assumption that is met only up to rounding error is relative to it.
    trivial : callable, optional
        Bound that is known without the theorem, if the theorem does not give it as a number.
    """

    lhs: Side
    rhs: Side
    assumptions: Mapping[str, Callable[..., Margin]] = field(default_factory=dict)
    derived: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    scale: Side | None = None
    size: Side | None = None
    trivial: Side | None = None


def unit_scale(graph: BallGraph) -> Ball:
    """Scale 1 of a comparison of probabilities."""
    return ball(1)


def reconstruction_loss(graph: BallGraph, h: BallMatrix, targets: BallMatrix) -> Ball:
    """Reconstruction loss L_MAE(h)."""
    return mean_squared_difference(graph, h, targets)


def autoencoding_error(graph: BallGraph, h_g: BallMatrix, targets: BallMatrix) -> Ball:
    """Autoencoding error ε = E‖h_g(x₂) − x₂‖²."""
    return mean_square(graph.degrees[1], h_g - targets)


def prediction_size(graph: BallGraph, h: BallMatrix, targets: BallMatrix, h_g: BallMatrix | None = None) -> Ball:
    """Mean squares E‖h‖² + E‖x₂‖², plus E‖h_g‖² if there is an h_g."""
    d1, d2 = graph.degrees
    return mean_square(d1, h) + mean_square(d2, targets) + (0 if h_g is None else mean_square(d2, h_g))


def prediction_scale(graph: BallGraph, h: BallMatrix, targets: BallMatrix, h_g: BallMatrix | None = None) -> Ball:
    """Mean squares of predictions and targets after subtracting the mean target of each component from all of them."""
    views, others = component_means_of_targets(graph, targets)
    return prediction_size(graph, h - views, targets - others, None if h_g is None else h_g - others)


def prediction_and_feature_scale(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    """Scale of predictions and targets, plus that of the features over L."""
    return prediction_scale(graph, h, targets) + feature_variance(graph, features) / lipschitz


def prediction_and_feature_size(
    graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball
) -> Ball:
    """Mean squares E‖h‖² + E‖x₂‖² + E‖f‖²/L."""
    return prediction_size(graph, h, targets) + mean_squared_feature_norm(graph, features) / lipschitz


def mean_squared_feature_norm(graph: BallGraph, features: BallMatrix) -> Ball:
    """Mean squared norm E‖f‖² of the features."""
    return mean_square(graph.degrees[0], features)


def feature_variance(graph: BallGraph, features: BallMatrix) -> Ball:
    """Variance E‖f − f̄‖² of the features within components."""
    return mean_square(graph.degrees[0], features - component_means(graph, features))


def _lipschitz(least: LeastLipschitz) -> Ball:
    return ball(1) if least.value.is_zero() else least.value


def linear_probe(graph: BallGraph, floats: dict[str, np.ndarray]) -> BallProbe:
    """Return the linear probe on the features."""
    return BallProbe(graph, floats["features"])


DECODER_CONSTANT: Mapping[str, Callable[..., Any]] = {"least": least_lipschitz, "lipschitz": _lipschitz}
BI_LIPSCHITZ: Mapping[str, Callable[..., Margin]] = {"bi-Lipschitz decoder": bi_lipschitz}


def uniformity_penalty(graph: BallGraph, features: BallMatrix, weight: Ball) -> Ball:
    """Uniformity penalty λ L_unif(f)."""
    return weight * uniformity_loss(graph, features)


def umae_loss(graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, weight: Ball) -> Ball:
    """U-MAE loss L_U-MAE(h) = L_MAE(h) + λ L_unif(f)."""
    return mean_squared_difference(graph, h, targets) + uniformity_penalty(graph, features, weight)


def pair_label_error(graph: BallGraph, view_labels: np.ndarray | None = None) -> Ball:
    """Pair label error φ, of the Bayes labels or of given labels of the views."""
    return graph.pair_label_error(view_labels)
