"""Descent on the slack of a claim: quasi-Newton steps with finite differences, then single coordinates.

The coordinates of a world are the entries of its arrays and the logarithms of the positive entries of its law, so that
a step stays in the support of the law. Where both sides are smooth, a few quasi-Newton steps (L-BFGS, gradients by
forward differences) reach what hundreds of random steps do not; where they have kinks, or an assumption ends, single
coordinates with a line search go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from maetheory.core import generator
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.prober import Prober, Trial
from maetheory.theory.small_worlds import coordinates, with_coordinates
from maetheory.theory.theorem import Verdict

Objective = Callable[[SearchedWorld], float]
_DIFFERENCE = 1e-7
_OUTSIDE = 1e3
"""Value of the objective where the claim is not decided, above that of the start."""
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
