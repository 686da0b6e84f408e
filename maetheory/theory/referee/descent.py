"""Descent on the slack of a claim: quasi-Newton steps with finite differences, then single coordinates.

The coordinates of a world are the entries of its arrays and the logarithms of the positive entries of its law, so that
a step stays in the support of the law. Where both sides are smooth, a few quasi-Newton steps (L-BFGS, gradients by
forward differences) reach what hundreds of random steps do not; where they have kinks, or an assumption ends, single
coordinates with a line search go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
from scipy.optimize import minimize

from maetheory.core import generator
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.prober import Prober, Trial
from maetheory.theory.small_worlds import SmallWorld, coordinates, coordinates_of, with_coordinates
from maetheory.theory.theorem import Verdict

Objective = Callable[[SearchedWorld], float]
_DIFFERENCE = 1e-7
_OUTSIDE = 1e3
"""Value of the objective where the claim is not decided, above that of the start."""
_RESTARTS, _RESTART_SIZE = 10, 1e-2
"""Most starts of a descent on one side, and the size of the move from a kink, as a part of the mean coordinate."""
_STEP_FACTORS = (1.0, 0.25, 0.03, 0.003)


def relative_slack(found: SearchedWorld) -> float:
    """Slack over scale: the objective of a search for a counterexample."""
    return found.relative_slack


class _FoundError(Exception):
    """The objective reached what ends the descent."""


class _Descent:
    """Best world so far, the number of checks left, and the objective as a function of coordinates."""

    def __init__(self, prober: Prober, start: SearchedWorld, checks: int, objective: Objective) -> None:
        self.prober, self.best, self.left, self.objective = prober, start, checks, objective
        self.start_value = self.value = objective(start)

    def at(self, point: np.ndarray) -> float:
        """Objective at these coordinates; a value above that of the start where nothing is decided."""
        if self.left <= 0 or self.best.check.verdict is Verdict.VIOLATED:
            raise _FoundError
        self.left -= 1
        there = self.prober.check(with_coordinates(self.best.world, point), "descent", self.best.number)
        value = math.nan if there is None else self.objective(there)
        if there is not None and (value < self.value or there.check.verdict is Verdict.VIOLATED):
            self.best, self.value = there, value
        return value if math.isfinite(value) else abs(self.start_value) + _OUTSIDE


def descend(prober: Prober, start: SearchedWorld, checks: int, objective: Objective = relative_slack) -> SearchedWorld:
    """Return the world of the smallest objective that a descent from `start` reaches within this number of checks.

    It ends at the first world that violates the claim of the prober. The reached world is kept among its trials.
    """
    descent = _Descent(prober, start, checks, objective)
    point = coordinates(start.world)
    if point.size:
        try:
            _quasi_newton(descent, point, checks // 2)
            _single_coordinates(descent)
        except _FoundError:
            pass
    if descent.best is not start:
        prober.trials.append(Trial("descent", descent.best))
    return descent.best


def descend_on_larger_side(
    prober: Prober, start: SearchedWorld, names: Collection[str], evaluations: int
) -> SearchedWorld:
    """Return the last world of quasi-Newton descents on the side that should be the larger one, moving these objects.

    The slack of a claim about a rank, a vote or a choice jumps, so that no gradient of it leads anywhere, while the
    bound is smooth, or has kinks from which a descent starts again nearby. Only the bound is evaluated on the way; the
    claim is checked after each iteration, and the first world that violates it is the last. The graph does not move.
    """
    theorem, best = prober.theorem, start
    origin, free = coordinates(start.world), coordinates_of(start.world, set(names) - {"graph"})
    side = theorem.rhs if theorem.direction == "<=" else theorem.lhs
    graph = start.world.all_objects().get("graph")

    def world_at(point: np.ndarray) -> SmallWorld:
        moved = origin.copy()
        moved[free] = point
        return with_coordinates(start.world, moved)

    def value(point: np.ndarray) -> float:
        nonlocal evaluations
        if evaluations <= 0:
            raise _FoundError
        evaluations -= 1
        prober.budget.check()
        try:
            with np.errstate(all="ignore"):
                found = float(theorem.evaluate_side(side, graph, **world_at(point).objects))
        except Exception:  # a degenerate world has no value, whatever the side raises there
            return _OUTSIDE
        return found if math.isfinite(found) else _OUTSIDE

    def check(point: np.ndarray) -> None:
        nonlocal best
        there = prober.check(world_at(point), "descent", start.number)
        best = best if there is None else there
        if best.check.verdict is Verdict.VIOLATED:
            raise _FoundError

    if free.any() and theorem.direction != "==":
        rng = generator(prober.seed, theorem.slug, start.number, "larger side")
        point, restarts = origin[free], _RESTARTS
        options = {"maxfun": evaluations, "maxiter": evaluations, "eps": _DIFFERENCE, "ftol": 0.0}
        try:
            while restarts > 0:
                found = minimize(value, point, method="L-BFGS-B", callback=check, options=options)
                point = found.x + _RESTART_SIZE * np.abs(found.x).mean() * rng.normal(size=point.size)
                restarts -= 1
        except _FoundError:
            pass
    if best is not start:
        prober.trials.append(Trial("descent", best))
    return best


def _quasi_newton(descent: _Descent, point: np.ndarray, checks: int) -> None:
    if checks < 3 * point.size:
        return
    minimize(
        descent.at,
        point,
        method="L-BFGS-B",
        options={"maxfun": checks, "maxiter": 30, "eps": _DIFFERENCE, "ftol": 1e-12},
    )


def _single_coordinates(descent: _Descent) -> None:
    rng = generator(descent.prober.seed, descent.prober.theorem.slug, descent.best.number, "single coordinates")
    size = 0.3
    while True:
        here, point = descent.value, coordinates(descent.best.world)
        step = np.zeros_like(point)
        step[rng.integers(point.size)] = rng.choice([-1.0, 1.0]) * max(1.0, float(np.abs(point).mean()))
        for factor in _STEP_FACTORS:
            if descent.at(point + size * factor * step) < here:
                break
        size = min(1.0, 2 * size) if descent.value < here else max(1e-4, size / 1.3)
