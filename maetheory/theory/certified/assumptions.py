"""Assumptions in ball arithmetic: each returns the margin by which it holds.

The arrays of a world are floats, so that a norm that should be one is only approximately one. As in
:mod:`~maetheory.theory.theorem`, an assumption that fails by at most a relative 1e-12 counts as met. Such a shortfall
may still invalidate the claim, when it is divided by a gap or a mass of the same size. So each margin states its cost,
a bound on how far the claim can be from true because of the shortfall, and a certificate does not decide a slack that
is within that cost.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_matrix,
    ball_max,
    ball_sum,
    enclosure,
    nonnegative_sqrt,
    power,
)
from maetheory.theory.certified.graph import BallGraph, component_means, mean_square, number_labels
from maetheory.theory.certified.probe import BallProbe, project_on_features

ROUNDING_TOLERANCE = 1e-12
_EQUAL_ROWS_TOLERANCE = 1e-24
_LIPSCHITZ_COST_FACTOR = 40
_TIED_COST = 1e-11


@dataclass(frozen=True)
class Margin:
    """Margin by which an assumption holds, and the cost of a shortfall.

    Attributes
    ----------
    value : arb
        Non-negative iff the assumption holds exactly.
    allowed : arb
        A shortfall of at most this is rounding error.
    measured : str
        What was measured, in words.
    cost : arb, optional
        If the assumption is met only up to rounding error, the claim is true up to this part of the size, or of the
        scale. Without a cost the effect is unknown, and only an assumption that is met exactly supports a proof.
    of_scale : bool
        Whether the cost is a part of the scale, which common offsets do not increase.
    """

    value: Ball
    allowed: Ball
    measured: str
    cost: Ball | None = None
    of_scale: bool = False


@dataclass(frozen=True)
class LeastLipschitz:
    """Smallest L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all positive pairs, up to rounding error.

    Attributes
    ----------
    value : arb
        Infinite if h merges a pair that f separates; 0 if f is aligned on every pair.
    n_ignored_pairs : int
        Number of pairs whose features differ, but by less than 1e-12 of their distance from the component's mean.
    """

    value: Ball
    n_ignored_pairs: int


def least_lipschitz(graph: BallGraph, floats: dict[str, np.ndarray]) -> LeastLipschitz:
    """Return the smallest L on the positive pairs; ``floats`` holds ``features`` and ``h``."""
    f, h = (ball_matrix(floats[name]) for name in ("features", "h"))
    long_f, long_h = (_equal_rows_tolerances(graph, rows) for rows in (f, h))
    f, h = f.tolist(), h.tolist()
    ratios, n_ignored_pairs = [], 0
    for i, j in _positive_pairs(graph):
        far, near = _distance(f[i], f[j]), _distance(h[i], h[j])
        if far.is_zero() or far <= ball_max((long_f[i], long_f[j])):
            n_ignored_pairs += not far.is_zero()
        elif near.is_zero() or near <= ball_max((long_h[i], long_h[j])):
            return LeastLipschitz(ball(float("inf")), n_ignored_pairs)
        else:
            ratios.append(far / near)
    return LeastLipschitz(ball_max(ratios), n_ignored_pairs)


def _equal_rows_tolerances(graph: BallGraph, rows: BallMatrix) -> list[Ball]:
    """Squared distance below which a row counts as equal to another, relative to that from the component's mean."""
    deviations = rows - component_means(graph, rows)
    return [_EQUAL_ROWS_TOLERANCE * ball_sum(x * x for x in row) for row in deviations.tolist()]


def _positive_pairs(graph: BallGraph) -> Iterable[tuple[int, int]]:
    x, other = graph.float_graph.pair_law.tocoo().coords
    return ((int(i), int(j)) for i, j in zip(x, other) if i < j)


def _distance(a: list[Ball], b: list[Ball]) -> Ball:
    return ball_sum(power(x - y, 2) for x, y in zip(a, b))


def bi_lipschitz(least: LeastLipschitz, lipschitz: Ball) -> Margin:
    """Margin of the bi-Lipschitz decoder: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L.

    All claims bound E‖f − f⁺‖²/L ≤ 4 E‖f‖²/L, which is part of their scale up to a factor that grows with the root of
    the number k of features; the shortfall is relative to L, and the ignored pairs differ by less. However large L is,
    ignored pairs leave the assumption unverified.
    """
    if not least.value.is_finite():
        infinite = ball(float("-inf"))
        return Margin(infinite, ball(0), "L = ∞: the decoder merges two views of one target that the encoder separates")
    allowed = ROUNDING_TOLERANCE * lipschitz
    value = ball(0) if least.value is lipschitz else lipschitz - least.value
    if least.n_ignored_pairs:
        value = value.min(ball(0)) - allowed
    measured = f"L = {enclosure(lipschitz)}, at least {enclosure(least.value)} is needed"
    most = 2 * allowed if least.n_ignored_pairs else allowed
    return Margin(value, most, measured, _LIPSCHITZ_COST_FACTOR * most / lipschitz, of_scale=True)


def norms_at_least_one(graph: BallGraph, h: BallMatrix, h_g: BallMatrix) -> Margin:
    """Margin of ½(E‖h‖² + E‖h_g‖²) ≥ 1."""
    d1, d2 = graph.degrees
    average = (mean_square(d1, h) + mean_square(d2, h_g)) / 2
    words = f"½(E‖h‖² + E‖h_g‖²) = {enclosure(average)}, at least 1 is needed"
    return Margin(average - 1, ball(ROUNDING_TOLERANCE), words, abs(average - 1))


def norm_at_most_one(graph: BallGraph, h_g: BallMatrix) -> Margin:
    """Margin of E‖h_g‖² ≤ 1."""
    measured = mean_square(graph.degrees[1], h_g)
    words = f"E‖h_g‖² = {enclosure(measured)}, at most 1 is needed"
    return Margin(1 - measured, ball(ROUNDING_TOLERANCE), words, abs(1 - measured) / 2)


def features_collapsed(floats: dict[str, np.ndarray]) -> Margin:
    """Margin of full collapse: the features are the same for every view."""
    features = floats["features"]
    return _constant_within_groups(features, [0] * len(features), "features differ by up to {}, 0 is needed")


def _feature_groups(floats: dict[str, np.ndarray]) -> list[Hashable]:
    """Features of each view as a hashable value; equal for all views if the features count as collapsed."""
    features, met = floats["features"], features_collapsed(floats)
    return [0] * len(features) if met.value >= -met.allowed else [tuple(row) for row in features]


def position_blind(floats: dict[str, np.ndarray]) -> Margin:
    """Margin of the position-blind decoder: h is the same for views of equal features."""
    return _constant_within_groups(
        floats["h"],
        _feature_groups(floats),
        "views of equal features get predictions that differ by up to {}, 0 is needed",
    )


def depends_on_mask_alone(graph: BallGraph, floats: dict[str, np.ndarray], masks: np.ndarray | None = None) -> Margin:
    """Margin of the decoder that depends on the mask alone: h is the same for views of equal features and mask."""
    names = number_labels(graph.float_graph.target_masks if masks is None else masks)
    shown = sorted({(i, int(names[j])) for i, j, _ in graph.pairs})
    groups = _feature_groups(floats)
    seen = [(groups[i], mask) for i, mask in shown]
    rows = floats["h"][[i for i, _ in shown]]
    return _constant_within_groups(
        rows, seen, "views of equal features and mask get predictions that differ by up to {}, 0 is needed"
    )


def _constant_within_groups(rows: np.ndarray, groups: Sequence[Hashable], words: str) -> Margin:
    """Margin of equal rows within groups, relative to the largest entry of the group's first row.

    Rows of d entries with relative error δ change a squared distance by at most 4 δ√d of the squared norms.
    """
    first: dict[Hashable, np.ndarray] = {}
    spread, part = ball(0), ball(0)
    for row, group in zip(rows, groups):
        reference = first.setdefault(group, row)
        if (row != reference).any():
            off = ball_max(abs(ball(x) - ball(y)) for x, y in zip(row, reference))
            size = ball_max(abs(ball(y)) for y in reference)
            part = ball_max([part, ball(math.inf) if size.is_zero() else off / size])
            spread = ball_max([spread, off])
    return Margin(
        -part, ball(ROUNDING_TOLERANCE), words.format(enclosure(spread)), 4 * part * ball(rows.shape[1]).sqrt()
    )


def linear_decoder(graph: BallGraph, h: BallMatrix, floats: dict[str, np.ndarray]) -> Margin:
    """Margin of the linear decoder: the columns of H are in the column space of F."""
    outside = nonnegative_sqrt(mean_square(graph.degrees[0], h - project_on_features(graph, floats["features"], h)))
    size = nonnegative_sqrt(mean_square(graph.degrees[0], h))
    words = f"‖H - P_F H‖_F = {enclosure(outside)} of ‖H‖_F = {enclosure(size)}, 0 is needed"
    cost = ball(0) if size.is_zero() else 3 * outside / size  # of E‖h - x₂‖² in E‖h‖² + E‖x₂‖²
    return Margin(-outside, ROUNDING_TOLERANCE * size, words, cost)


def no_tied_views(probe: BallProbe) -> Margin:
    """Margin of no tie between classes in any view; scores within 1e-12 are tied."""
    return _no_ties(*probe.count_ties(include_images=False), "views")


def no_tied_images(probe: BallProbe) -> Margin:
    """Margin of no tie between classes in any view or image."""
    return _no_ties(*probe.count_ties(include_images=True), "views and images")


def _no_ties(ties: int, mass: Ball, what: str) -> Margin:
    """Margin of no ties; a tied view has a residual of ½ up to 1e-12, so that the bounds still count it as an error.

    The claim may be off by that part of the mass of what is tied.
    """
    words = f"{ties} {what} tied within 1e-12 count as errors"
    return Margin(ball(-ROUNDING_TOLERANCE if ties else 0.0), ball(ROUNDING_TOLERANCE), words, _TIED_COST * mass)


def targets_are_sent_by_a_law(channel: BallMatrix) -> Margin:
    """Margin of the channel on targets: its rows are laws within 1e-12 and are divided by their sums before use."""
    return _is_law(channel)


def views_are_sent_by_a_law(view_channel: BallMatrix) -> Margin:
    """Margin of the channel on views: its rows are laws within 1e-12 and are divided by their sums before use."""
    return _is_law(view_channel)


def _is_law(rows: BallMatrix) -> Margin:
    least = -ball_max(-x for x in rows.entries())
    off = ball_max(abs(ball_sum(row) - 1) for row in rows.tolist())
    words = f"least entry {enclosure(least)} if below 0, rows sum to one within {enclosure(off)}"
    return Margin(least.min(ball(ROUNDING_TOLERANCE) - off), ball(0), words)
