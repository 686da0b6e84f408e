"""Ball-arithmetic sides of the theorems that bound the probe residual of arbitrary features.

The excess is a difference of two sums of squares, and the projector is solved for. The best multiplier of the convex
bound is guessed in floats; the minimum is then enclosed rigorously: from above by a value, from below by the two
secants through neighbouring values, above which a convex function lies outside of their points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from maetheory.theory.certified.assumptions import Margin
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    UndecidedError,
    ball,
    ball_around,
    ball_matrix,
    ball_sum,
    inner,
    nonnegative_sqrt,
    power,
    rescale,
    to_float_array,
)
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.labels_and_ranks import sort_descending
from maetheory.theory.certified.probe import BallProbe, project_on_features
from maetheory.theory.certified.sides import Sides, linear_probe, unit_scale
from maetheory.theory.certified.spectrum import eigenvalues
from maetheory.theory.statements.label_error_alone_is_not_enough import label_blind_pair

_MIN_GAP = 1e-11
_MAX_MULTIPLIER = 1e9
_MAX_BISECTIONS = 60
_RELATIVE_STEP = 2.0**-24


def _excess_contrast(graph: BallGraph, floats: dict[str, np.ndarray], k: int) -> Ball:
    """Excess contrast Δ″ = Σ_{i≤k} λ_i² − ‖P_F Ā‖_F², from the entries of P D₁⁻¹A without square roots."""
    d1 = graph.degrees[0]
    inverse = [1 / d for d in d1]
    inside = project_on_features(graph, floats["features"], rescale(graph.pair_law, rows=inverse))
    return graph.leading_square_sum(k) - inner(rescale(inside, d1, inverse), inside)


@dataclass(frozen=True)
class _AdmissibleSplit:
    """Split k' with its gap and eigenvalue drop; it is admissible if both exceed 1e-11."""

    name: int
    gap: Ball
    eigenvalue_drop: Ball

    @property
    def margin(self) -> Ball:
        return self.gap.min(self.eigenvalue_drop) - _MIN_GAP


def _splits_of_features(graph: BallGraph, k: int) -> list[_AdmissibleSplit]:
    edge = power(graph.eigenvalue(k), 2)
    return [
        _AdmissibleSplit(j, 1 - graph.eigenvalue(j), power(graph.eigenvalue(j - 1), 2) - edge) for j in range(1, k + 1)
    ]


def _excess_bound(graph: BallGraph, features: BallMatrix, floats: dict[str, np.ndarray]) -> Ball:
    k, phi = features.ncols(), graph.pair_label_error()
    splits = [split for split in _splits_of_features(graph, k) if not split.margin <= 0]
    if not splits:
        return ball(math.inf)
    if not all(split.margin > 0 for split in splits):
        raise UndecidedError("which splits are admissible is open")
    missing = graph.largest_class_mass() * _excess_contrast(graph, floats, k)
    bounds = (
        power(nonnegative_sqrt(phi / split.gap) + nonnegative_sqrt(missing / split.eigenvalue_drop), 2)
        for split in splits
    )
    return reduce(lambda a, b: a.min(b), bounds)


def _admissible_margin(graph: BallGraph, features: BallMatrix) -> Margin:
    splits = _splits_of_features(graph, features.ncols())
    best = reduce(lambda a, b: a.max(b), (split.margin for split in splits))
    names = ", ".join(str(split.name) for split in splits if split.margin > 0)
    return Margin(best, ball(0), f"admissible k': {names or 'none'}")


@dataclass(frozen=True, eq=False)
class MultiplierBound:
    """Bound μφ + Σ_c p_(c) ν_c((I − P_F) − μ(I − Ā)) as a function of μ, at the precision of its first evaluation."""

    graph: BallGraph
    features: np.ndarray

    @cached_property
    def masses(self) -> list[Ball]:
        """Class masses p_(1) ≥ p_(2) ≥ …, without empty classes."""
        return sort_descending([mass for mass in self.graph.class_masses() if not mass.is_zero()])

    @cached_property
    def phi(self) -> Ball:
        """Pair label error φ."""
        return self.graph.pair_label_error()

    @cached_property
    def residual_projector(self) -> BallMatrix:
        """Projector I − P_F, shape (N1, N1)."""
        unit = ball_matrix(np.eye(self.graph.shape[0]))
        roots = [d.sqrt() for d in self.graph.degrees[0]]
        return unit - rescale(project_on_features(self.graph, self.features, unit), roots, [1 / r for r in roots])

    @cached_property
    def laplacian(self) -> BallMatrix:
        """Laplacian I − Ā, shape (N1, N1)."""
        inverse = [d.rsqrt() for d in self.graph.degrees[0]]
        return ball_matrix(np.eye(self.graph.shape[0])) - rescale(self.graph.pair_law, inverse, inverse)

    def class_mass_weighted_eigenvalue_sum(self, symmetric: BallMatrix) -> Ball:
        """Sum Σ_c p_(c) ν_c over the largest eigenvalues of a symmetric matrix."""
        return ball_sum(mass * value for mass, value in zip(self.masses, eigenvalues(symmetric)[0]))

    def matrix_at(self, mu: Ball) -> BallMatrix:
        """Matrix (I − P_F) − μ(I − Ā), shape (N1, N1)."""
        return self.residual_projector - self.laplacian * mu

    def value_at(self, mu: Ball) -> Ball:
        """Value of the bound at μ."""
        return mu * self.phi + self.class_mass_weighted_eigenvalue_sum(self.matrix_at(mu))

    def limit(self) -> Ball:
        """Limit μ → ∞ at φ = 0, from I − P_F compressed to vectors that are constant on components."""
        graph, member = self.graph, self.graph.float_graph.components[0]
        count = graph.float_graph.n_components
        mass = [ball_sum(graph.degrees[0][i] for i in np.flatnonzero(member == c)) for c in range(count)]
        constant = rescale(ball_matrix(np.eye(count)[member]), columns=[m.rsqrt() for m in mass])  # (N1, c)
        inside = constant.transpose() * rescale(project_on_features(graph, self.features, constant), graph.degrees[0])
        return self.class_mass_weighted_eigenvalue_sum(ball_matrix(np.eye(count)) - inside)

    @cached_property
    def slope(self) -> Callable[[float], float]:
        """Derivative in μ in floats, used only to guess the minimiser."""
        projector, laplacian = (_to_symmetric_floats(a) for a in (self.residual_projector, self.laplacian))
        masses, phi = np.array([float(m) for m in self.masses]), float(self.phi)

        def derivative(mu: float) -> float:
            leading = np.linalg.eigh(projector - mu * laplacian)[1][:, ::-1][:, : len(masses)]  # (N1, classes)
            return phi - float(masses @ ((laplacian @ leading) * leading).sum(0))

        return derivative


def _to_symmetric_floats(a: BallMatrix) -> np.ndarray:
    found = to_float_array(a)
    return (found + found.T) / 2


def bisect_slope(slope: Callable[[float], float]) -> float:
    """Zero of an increasing slope by bisection; 0 if the slope is never negative."""
    if slope(0.0) >= 0:
        return 0.0
    low, high = 0.0, 1.0
    while slope(high) < 0 and high < _MAX_MULTIPLIER:
        low, high = high, 4 * high
    for _ in range(_MAX_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return min(high, _MAX_MULTIPLIER)


def _certificate_bound(graph: BallGraph, floats: dict[str, np.ndarray]) -> Ball:
    """Enclose the minimum over 0 ≤ μ ≤ 10⁹, or the limit if φ = 0."""
    bound = MultiplierBound(graph, floats["features"])
    return bound.limit() if bound.phi.is_zero() else _enclose_minimum(bound.value_at, bisect_slope(bound.slope))


def _enclose_minimum(function: Callable[[Ball], Ball], guess: float) -> Ball:
    """Enclose the minimum of a convex function on [0, 10⁹], given a guess of the minimiser."""
    step = max(guess, 1.0) * _RELATIVE_STEP
    if guess < 2 * step:
        value, near, far = (function(ball(i * step)) for i in range(3))
        return value.union(
            value.min(_lower_bound_outside(value, near, far, _MAX_MULTIPLIER / step)).min(near - (far - near))
        )
    before, below, value, above, after = (function(ball(guess) + i * step) for i in (-2, -1, 0, 1, 2))
    left = _lower_bound_outside(value, below, before, guess / step)
    right = _lower_bound_outside(value, above, after, (_MAX_MULTIPLIER - guess) / step)
    return value.union(
        value.min(left).min(right).min(_lower_bound_between(below - before, below, above, after - above))
    )


def _lower_bound_outside(value: Ball, near: Ball, far: Ball, steps: float) -> Ball:
    """Lower bound of a convex function outward from `near`, over this many steps, by the secant through `far`."""
    return (near - (value - near).max(ball(0))).min(far - (near - far).max(ball(0)) * steps)


def _lower_bound_between(falling: Ball, below: Ball, above: Ball, rising: Ball) -> Ball:
    """Lower bound between two points two steps apart, given the increments of the adjacent outer steps.

    Both secants extend below the function; their weighted mean of slope near zero gives the bound without computing the
    intersection.
    """
    bend = (rising - falling).mid()
    share = (rising.mid() / bend).mid().max(ball(0)).min(ball(1)) if bend > 0 else ball(0.5)
    level = share * (below + falling) + (1 - share) * (above - rising)
    return level + (share * falling + (1 - share) * rising) * ball_around(ball(0), ball(1))


def _residual_difference(classes: int) -> Ball:
    """Difference of the two residuals; Ā is a projection whose range the laws of views given a target span."""
    within, across = (
        BallProbe(BallGraph(graph), graph.joint.toarray()).residual() for graph in label_blind_pair(classes)
    )
    return across - within


PROBE_BOUND_SIDES: Mapping[str, Sides] = {
    "excess-loss-bounds-downstream-error": Sides(
        lhs=lambda probe: probe.residual(),
        rhs=_excess_bound,
        assumptions={"admissible split": _admissible_margin},
        derived={"probe": linear_probe},
        size=unit_scale,
    ),
    "certificate-bounds-downstream-error": Sides(
        lhs=lambda probe: probe.residual(), rhs=_certificate_bound, derived={"probe": linear_probe}, size=unit_scale
    ),
    "label-error-alone-is-not-enough": Sides(
        lhs=_residual_difference, rhs=lambda classes: 1 - 1 / ball(int(classes)), scale=lambda: ball(1)
    ),
}
