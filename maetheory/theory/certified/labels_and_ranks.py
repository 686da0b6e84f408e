"""Ball-arithmetic sides of our own theorems about labels and about the rank of the optimal features."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from maetheory.theory.certified.assumptions import Margin, no_tied_images
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_around,
    ball_matrix,
    ball_max,
    ball_sum,
    enclosure,
    nonnegative_sqrt,
    power,
    rescale,
    solve_or_undecided,
)
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.probe import PROJECTION_FAILED, BallProbe, independent_columns, project_on_features
from maetheory.theory.certified.sides import (
    BI_LIPSCHITZ,
    DECODER_CONSTANT,
    Sides,
    linear_probe,
    mean_squared_feature_norm,
    pair_label_error,
    prediction_and_feature_scale,
    prediction_and_feature_size,
    umae_loss,
    unit_scale,
)

_MIN_GAP = 1e-11
_LEADING_TOLERANCE = 1e-11
_TIED_SHARES = 1e-12
_BELOW_HALF = 0.5 - 1e-9


def sort_descending(masses: list[Ball]) -> list[Ball]:
    """Numbers in descending order, sorted by midpoints and widened by the largest radius."""
    radius = ball_max(abs(mass - mass.mid()) for mass in masses)
    return [ball_around(middle, radius) for middle in sorted((mass.mid() for mass in masses), reverse=True)]


def _class_mass_lower_bound(graph: BallGraph, view_labels: np.ndarray | None = None) -> Ball:
    """Lower bound 1 − Σ_c p_(c) λ_c of the pair label error."""
    ordered = sort_descending(graph.class_masses(view_labels))
    return 1 - ball_sum(mass * graph.eigenvalue(c) for c, mass in enumerate(ordered))


def _gap_after_features(graph: BallGraph, features: BallMatrix) -> Ball:
    return 1 - graph.eigenvalue(features.ncols())


def has_gap(graph: BallGraph, features: BallMatrix) -> Margin:
    """Margin of a spectral gap after the features, λ_{k+1} < 1."""
    gap = _gap_after_features(graph, features)
    return Margin(gap - _MIN_GAP, ball(0), f"1 - λ_{features.ncols() + 1} = {enclosure(gap)}")


def spans_leading_eigenvectors(graph: BallGraph, features: BallMatrix, floats: dict[str, np.ndarray]) -> Margin:
    """Margin of features that span k leading eigenvectors of Ā up to 1e-11; the cost depends on the gap.

    With δ = ‖(I − P_F)ĀP_F‖_F and s = Σ_{i≤k} λ_i − tr P_FĀ a residual r has φ ≥ (1 − λ_{k+1} − s) r − 2δ√r.
    """
    k, inverse = features.ncols(), [1 / d for d in graph.degrees[0]]
    columns = independent_columns(floats["features"])
    basis = ball_matrix(floats["features"][:, columns])  # (N1, rank)
    weighted = rescale(basis, graph.degrees[0]).transpose()
    image = rescale(graph.pair_law * basis, inverse)
    outside = image - project_on_features(graph, floats["features"], image)
    outside_moment = outside.transpose() * rescale(outside, graph.degrees[0])
    short, leak = ball_sum(graph.eigenvalues[:k]), ball(0)
    if columns:
        short -= solve_or_undecided(weighted * basis, weighted * image, PROJECTION_FAILED).trace()
        leak = nonnegative_sqrt(solve_or_undecided(weighted * basis, outside_moment, PROJECTION_FAILED).trace())
    words = f"‖(I - P_F)ĀP_F‖_F = {enclosure(leak)} and Σ_(i<=k) λ_i - tr P_FĀ = {enclosure(short)}, 0 is needed"
    return Margin(-leak.max(short), ball(_LEADING_TOLERANCE), words, _cost_of_nearly_leading(graph, k, leak, short))


def _cost_of_nearly_leading(graph: BallGraph, k: int, leak: Ball, short: Ball) -> Ball:
    """Largest residual that φ allows, minus φ over the gap."""
    gap, phi = 1 - graph.eigenvalue(k), graph.pair_label_error()
    left = gap - short.max(ball(0))
    if not left > 0:
        return ball(math.inf)
    return power((leak + nonnegative_sqrt(leak * leak + left * phi)) / left, 2) - phi / gap


def _pair_error_over_gap(graph: BallGraph, features: BallMatrix) -> Ball:
    return graph.pair_label_error() / _gap_after_features(graph, features)


def _error_share_moments(probe: BallProbe) -> tuple[Ball, Ball]:
    """Mean and variance over images of the share of misclassified views."""
    shares = probe.error_shares()
    mean = ball_sum(mass * share for mass, share in shares)
    return mean, ball_sum(mass * power(share - mean, 2) for mass, share in shares)


def _cantelli_bound(probe: BallProbe) -> Ball:
    mean, variance = _error_share_moments(probe)
    return variance / (variance + power(mean - 0.5, 2))


def _markov_bound(probe: BallProbe) -> Ball:
    return (2 * _error_share_moments(probe)[0]).min(ball(1))


def _view_error_below_half(probe: BallProbe) -> Margin:
    mean = _error_share_moments(probe)[0]
    return Margin(_BELOW_HALF - mean, ball(0), f"e = {enclosure(mean)}")


def _ties_at_half(probe: BallProbe) -> Margin:
    """Margin of no ties in views or images; near e = ½ a tie within 1e-12 changes the bound by 1e-12/(½ − e)."""
    untied, apart = no_tied_images(probe), 0.5 - _error_share_moments(probe)[0]
    cost = _TIED_SHARES / apart if apart > 0 else ball(math.inf)
    return Margin(untied.value, untied.allowed, untied.measured, cost)


def _water_filling(graph: BallGraph, features: BallMatrix, weight: Ball, lipschitz: Ball) -> Ball:
    """Minimum of λ Σ s_i² + Σ c_i s_i over s ≥ 0 with Σ s_i = τ and c_i = (1 − λ_i)/L.

    A feasible s gives an upper bound and, by weak duality, any level ν a lower bound: ντ − Σ (ν − c_i)_+² / 4λ.
    """
    costs = [(1 - graph.eigenvalue(i)) / lipschitz for i in range(features.ncols())]
    energy = mean_squared_feature_norm(graph, features)
    if energy.is_zero():
        return energy
    level = water_level([cost.mid() for cost in costs], (2 * weight * energy).mid())
    above = [(level - cost).nonnegative_part() for cost in costs]
    lowest = level * energy - ball_sum(x * x for x in above) / (4 * weight)
    poured = ball_sum(above)
    if not poured > 0:
        return lowest.union(weight * energy**2 + costs[0] * energy)
    parts = [x * energy / poured for x in above]
    return lowest.union(ball_sum(s * (weight * s + cost) for s, cost in zip(parts, costs)))


def water_level(costs: list[Ball], water: Ball) -> Ball:
    """Level ν at which Σ (ν − c_i)_+ = `water`, for ascending costs; a point, without an error bound."""
    levels = [(water + ball_sum(costs[:wet])) / wet for wet in range(1, len(costs) + 1)]
    wet = [level.mid() for level, cost in zip(levels, costs) if level.mid() >= cost]
    return wet[-1] if wet else levels[0].mid()


def _trivial_bound(graph: BallGraph, features: BallMatrix, weight: Ball) -> Ball:
    return weight * mean_squared_feature_norm(graph, features) ** 2 / min(features.nrows(), features.ncols())


LABEL_AND_RANK_SIDES: Mapping[str, Sides] = {
    "pair-error-lower-bound": Sides(lhs=pair_label_error, rhs=_class_mass_lower_bound, scale=unit_scale),
    "spectral-features-bound-downstream-error": Sides(
        lhs=lambda probe: probe.residual(),
        rhs=_pair_error_over_gap,
        assumptions={"leading eigenvectors": spans_leading_eigenvectors, "spectral gap": has_gap},
        derived={"probe": linear_probe},
        size=unit_scale,
    ),
    "votes-beat-views-when-errors-scatter": Sides(
        lhs=lambda probe: probe.image_error(),
        rhs=_cantelli_bound,
        assumptions={"views err less than half the time": _view_error_below_half, "ties": _ties_at_half},
        derived={"probe": linear_probe},
        size=unit_scale,
        trivial=_markov_bound,
    ),
    "effective-rank-grows-with-uniformity": Sides(
        lhs=umae_loss,
        rhs=_water_filling,
        assumptions=BI_LIPSCHITZ,
        derived=DECODER_CONSTANT,
        scale=prediction_and_feature_scale,
        size=prediction_and_feature_size,
        trivial=_trivial_bound,
    ),
}
