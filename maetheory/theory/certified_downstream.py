"""What is ours about labels and ranks, written a second time, in balls; see :mod:`certified_sides`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from maetheory.theory.ball_graph import BallGraph
from maetheory.theory.ball_probe import BallProbe, independent_columns, projected
from maetheory.theory.balls import (
    Ball,
    BallMatrix,
    UndecidedError,
    around,
    ball,
    enclosure,
    largest,
    matrix,
    power,
    root,
    scaled,
    total,
)
from maetheory.theory.certified_premises import Margin, no_tied_images
from maetheory.theory.certified_sides import BI_LIPSCHITZ, DECODER, Sides, feature_size, one, probe_of, size, umae_loss

_LEAST_GAP = 1e-11
_NEARLY_LEADING = 1e-11
_TIED_SHARES = 1e-12
_HALF = 0.5 - 1e-9


def _pair_error(graph: BallGraph, view_labels: np.ndarray | None = None) -> Ball:
    return graph.pair_label_error(view_labels)


def in_order(masses: list[Ball]) -> list[Ball]:
    """Return numbers, descending; sorting by midpoints moves none by more than the largest radius."""
    radius = largest(abs(mass - mass.mid()) for mass in masses)
    return [around(middle, radius) for middle in sorted((mass.mid() for mass in masses), reverse=True)]


def _by_class_masses(graph: BallGraph, view_labels: np.ndarray | None = None) -> Ball:
    """1 − Σ_c p_(c) λ_c."""
    ordered = in_order(graph.class_masses(view_labels))
    return 1 - total(mass * graph.eigenvalue(c) for c, mass in enumerate(ordered))


def _gap(graph: BallGraph, features: BallMatrix) -> Ball:
    return 1 - graph.eigenvalue(features.ncols())


def _has_gap(graph: BallGraph, features: BallMatrix) -> Margin:
    gap = _gap(graph, features)
    return Margin(gap - _LEAST_GAP, ball(0), f"1 - λ_{features.ncols() + 1} = {enclosure(gap)}")


def _leading(graph: BallGraph, features: BallMatrix, floats: dict[str, np.ndarray]) -> Margin:
    """The columns of F span k leading eigenvectors of Ā, up to 1e-11, whose cost depends on the gap.

    With δ = ‖(I − P_F)ĀP_F‖_F and s = Σ_{i≤k} λ_i − tr P_FĀ a residual r has φ ≥ (1 − λ_{k+1} − s) r − 2δ√r.
    """
    k, inverse = features.ncols(), [1 / d for d in graph.degrees[0]]
    columns = independent_columns(floats["features"])
    basis = matrix(floats["features"][:, columns])  # (N1, rank)
    weighted = scaled(basis, graph.degrees[0]).transpose()
    image = scaled(graph.pair_law * basis, inverse)
    outside = image - projected(graph, floats["features"], image)
    outside_moment = outside.transpose() * scaled(outside, graph.degrees[0])
    short, leak = total(graph.eigenvalues[:k]), ball(0)
    if columns:
        short -= _solved(weighted * basis, weighted * image).trace()
        leak = root(_solved(weighted * basis, outside_moment).trace())
    words = f"Ā leads {enclosure(leak)} out of the span, which misses {enclosure(short)} of Σ_(i<=k) λ_i"
    return Margin(-leak.max(short), ball(_NEARLY_LEADING), words, _cost_of_nearly_leading(graph, k, leak, short))


def _solved(moment: BallMatrix, rows: BallMatrix) -> BallMatrix:
    try:
        return moment.solve(rows)
    except ZeroDivisionError:
        raise UndecidedError("the features are too close to dependent to project on them") from None


def _cost_of_nearly_leading(graph: BallGraph, k: int, leak: Ball, short: Ball) -> Ball:
    """Largest residual that φ allows, less φ over the gap."""
    gap, phi = 1 - graph.eigenvalue(k), graph.pair_label_error()
    left = gap - short.max(ball(0))
    if not left > 0:
        return ball(math.inf)
    return power((leak + root(leak * leak + left * phi)) / left, 2) - phi / gap


def _over_gap(graph: BallGraph, features: BallMatrix) -> Ball:
    return graph.pair_label_error() / _gap(graph, features)


def _scatter(probe: BallProbe) -> tuple[Ball, Ball]:
    """Mean and variance over images of the share of views that are given another class than the image."""
    shares = probe.error_shares()
    mean = total(mass * share for mass, share in shares)
    return mean, total(mass * power(share - mean, 2) for mass, share in shares)


def _cantelli(probe: BallProbe) -> Ball:
    mean, variance = _scatter(probe)
    return variance / (variance + power(mean - 0.5, 2))


def _markov(probe: BallProbe) -> Ball:
    return (2 * _scatter(probe)[0]).min(ball(1))


def _fewer_than_half(probe: BallProbe) -> Margin:
    mean = _scatter(probe)[0]
    return Margin(_HALF - mean, ball(0), f"e = {enclosure(mean)}")


def _ties_at_half(probe: BallProbe) -> Margin:
    """No view and no image is between two classes; near e = ½ a tie within 1e-12 moves the bound by 1e-12/(½ − e)."""
    untied, apart = no_tied_images(probe), 0.5 - _scatter(probe)[0]
    cost = _TIED_SHARES / apart if apart > 0 else ball(math.inf)
    return Margin(untied.value, untied.allowed, untied.measured, cost)


def _water_filling(graph: BallGraph, features: BallMatrix, weight: Ball, lipschitz: Ball) -> Ball:
    """Least λ Σ s_i² + Σ c_i s_i over s ≥ 0 with Σ s_i = τ and c_i = (1 − λ_i)/L.

    A feasible s bounds it from above and, by weak duality, any level ν from below: ντ − Σ (ν − c_i)_+² / 4λ.
    """
    costs = [(1 - graph.eigenvalue(i)) / lipschitz for i in range(features.ncols())]
    energy = feature_size(graph, features)
    if energy.is_zero():
        return energy
    level = level_of([cost.mid() for cost in costs], (2 * weight * energy).mid())
    above = [(level - cost).nonnegative_part() for cost in costs]
    lowest = level * energy - total(x * x for x in above) / (4 * weight)
    poured = total(above)
    if not poured > 0:
        return lowest.union(weight * energy**2 + costs[0] * energy)
    parts = [x * energy / poured for x in above]
    return lowest.union(total(s * (weight * s + cost) for s, cost in zip(parts, costs)))


def level_of(costs: list[Ball], water: Ball) -> Ball:
    """Return ν at which Σ (ν − c_i)_+ = `water`, for ascending costs; points, without error bounds."""
    levels = [(water + total(costs[:wet])) / wet for wet in range(1, len(costs) + 1)]
    wet = [level.mid() for level, cost in zip(levels, costs) if level.mid() >= cost]
    return wet[-1] if wet else levels[0].mid()


def _flat(graph: BallGraph, features: BallMatrix, weight: Ball) -> Ball:
    return weight * feature_size(graph, features) ** 2 / features.ncols()


def _umae_scale(graph: BallGraph, features: BallMatrix, h: BallMatrix, targets: BallMatrix, lipschitz: Ball) -> Ball:
    return size(graph, h, targets) + feature_size(graph, features) / lipschitz


OF_LABELS: Mapping[str, Sides] = {
    "pair-error-lower-bound": Sides(lhs=_pair_error, rhs=_by_class_masses, scale=one),
    "spectral-features-bound-downstream-error": Sides(
        lhs=lambda probe: probe.residual(),
        rhs=_over_gap,
        premises={"leading eigenvectors": _leading, "spectral gap": _has_gap},
        derived={"probe": probe_of},
        scale=one,
    ),
    "votes-beat-views-when-errors-scatter": Sides(
        lhs=lambda probe: probe.image_error(),
        rhs=_cantelli,
        premises={"views err less than half the time": _fewer_than_half, "ties": _ties_at_half},
        derived={"probe": probe_of},
        scale=one,
        trivial=_markov,
    ),
    "effective-rank-grows-with-uniformity": Sides(
        lhs=umae_loss,
        rhs=_water_filling,
        premises=BI_LIPSCHITZ,
        derived=DECODER,
        scale=_umae_scale,
        trivial=_flat,
    ),
}
