"""Prove a verdict in ball arithmetic, raising the precision until the sign of the slack is certain.

:func:`certify` reads the world exactly as it is stored and divides the law by its exact sum. HOLDS and VACUOUS then
mean that the claim is true in this world, VIOLATED that it is false, in exact arithmetic. A world that :func:`check`
calls TIGHT may HOLD with a small slack, which the note then states; an identity can only be TIGHT. If the ball of the
slack contains zero at the last precision, the world is TIGHT if the ball is small, and UNDECIDED otherwise.

The assumptions are verified in balls as well:

- An assumption that is met exactly supports any verdict.
- An assumption that is met only up to 1e-12 (a norm of one in floats, a tie of two classes) has a
  :class:`~maetheory.theory.certified.assumptions.Margin` that states the cost: how far the claim may be from true
  because of the shortfall, compared with the gap or the mass that it is divided by. A cost within rounding error (1e-10
  of the scale) is accepted; with a larger one every slack within the cost is UNDECIDED. VIOLATED requires a negative
  slack beyond both, or assumptions that are met exactly.
- An assumption that has no ball version, or states no cost, supports no proof: the verdict is UNDECIDED, and the note
  names the assumption.

INAPPLICABLE means that an assumption fails by more than is allowed; this is a proof too if the assumption has a ball
version, as all assumptions of the theorems of this package have.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maetheory.core import InputError, as_numpy
from maetheory.graph import MaskGraph
from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    UndecidedError,
    as_stored,
    ball,
    ball_matrix,
    ball_max,
    precision,
)
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.certified.verdicts import (
    FIRST_BITS,
    BallEvaluation,
    Certificate,
    certificate_if_decided,
    violated_by_non_finite,
)
from maetheory.theory.statements import THEOREMS
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_names import find_theorem
from maetheory.theory.theorem_objects import call_with_named_objects

MAX_BITS = 424
"""Highest precision by default; the precision doubles from the first attempt on."""
MAX_NODES = 400
"""Largest number of views, and of targets, of a world to certify; an equality of eigenvalues there takes minutes."""


_MAX_FLOAT = sys.float_info.max


def certify(
    theorem: str | Theorem,
    graph: MaskGraph | None = None,
    *,
    sides: Sides | None = None,
    max_bits: int = MAX_BITS,
    **objects: Any,
) -> Certificate:
    """Check one theorem on one world in ball arithmetic, so that the verdict is a proof.

    A verdict of HOLDS, VACUOUS, TIGHT or VIOLATED is proved: both sides are evaluated in balls, objects are read
    exactly (floats, long doubles, integers of any size), and assumptions are verified in balls, exactly or so closely
    that the shortfall cannot change the verdict. Otherwise the verdict is UNDECIDED, and the note names what was not
    verified.

    Parameters
    ----------
    theorem : str or Theorem
        A key of :data:`maetheory.theory.THEOREMS`, one of these theorems, or your own theorem together with `sides`.
    graph : MaskGraph, optional
        The world's mask graph, of at most 400 views and 400 targets.
    sides : Sides, optional
        The ball version of a theorem of your own. Its ``assumptions`` must cover all assumptions of the theorem; one
        that is evaluated only in floats supports no proof.
    max_bits : int, default 424
        Highest precision. It starts at 53 bits and doubles while the sign of the slack is undecided.
    **objects
        As for :func:`maetheory.theory.check`.

    Returns
    -------
    Certificate

    Raises
    ------
    InputError
        If python-flint is missing, the theorem has no ball version, the world is too large, or as for ``check``.

    Examples
    --------
    >>> from maetheory.graph import MaskGraph
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]])
    >>> found = certify("spectral-contrast-is-bounded-by-eigenvalues", graph, features=np.eye(2))
    >>> found.verdict, found.bits, found.slack.low > 0
    (<Verdict.HOLDS: 'HOLDS'>, 53, True)
    """
    theorem, sides = _theorem_and_sides(theorem, sides)
    if max_bits < FIRST_BITS:
        raise InputError(f"max_bits must be at least {FIRST_BITS}, but {max_bits} was given")
    rounded = theorem.validate_objects(graph, {name: _clip_to_float_range(value) for name, value in objects.items()})
    world = {name: _restore_exact_values(value, objects.get(name)) for name, value in rounded.items()}
    for name, value in world.items():
        _refuse_if_large(name, value)
        for array in (value, rounded[name]):
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and not np.isfinite(array).all():
                return violated_by_non_finite(theorem, f"{name} holds a value that is not a finite number")
    unverified = _evaluate_float_assumptions(theorem, sides, rounded)
    eigenvector_cache: dict[str, Any] = {}
    bits = FIRST_BITS
    while True:
        with precision(bits):
            found = certificate_if_decided(
                theorem,
                _evaluate_sides(theorem, sides, _to_balls(world, rounded, eigenvector_cache), unverified),
                bits,
                2 * bits > max_bits,
            )
        if found is not None:
            return found
        bits *= 2


def _theorem_and_sides(theorem: str | Theorem, sides: Sides | None) -> tuple[Theorem, Sides]:
    if isinstance(theorem, str):
        theorem = find_theorem(THEOREMS, theorem)
    slug = theorem.slug
    if sides is not None:
        return theorem, sides
    if slug not in CERTIFIED_SIDES or theorem != THEOREMS.get(slug):
        known = ", ".join(name for name in CERTIFIED_SIDES if name in THEOREMS)
        raise InputError(f"{slug} has no version in balls to certify it with; those that have one are: {known}")
    return theorem, CERTIFIED_SIDES[slug]


def _refuse_if_large(name: str, value: Any) -> None:
    if hasattr(value, "joint") and max(value.shape) > MAX_NODES:
        n1, n2 = value.shape
        raise InputError(
            f"a certificate is for worlds of at most {MAX_NODES} views and {MAX_NODES} targets, but {name} has {n1} "
            f"views and {n2} targets: use check"
        )


def _clip_to_float_range(value: Any) -> Any:
    """Replace numbers beyond the range of floats by the largest float, so that their shape can be validated."""
    if isinstance(value, int) and abs(value) > _MAX_FLOAT:
        return math.copysign(_MAX_FLOAT, value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        real = all(isinstance(x, numbers.Real) for x in value.ravel())
        clipped = [x if x != x else max(-_MAX_FLOAT, min(_MAX_FLOAT, x)) for x in value.ravel()] if real else value
        return np.array(clipped, object).reshape(value.shape)
    if isinstance(value, np.ndarray | np.longdouble) and value.dtype == np.longdouble:
        return np.clip(value, -_MAX_FLOAT, _MAX_FLOAT)
    return value


def _restore_exact_values(read: Any, given: Any) -> Any:
    """Return a validated object with the numbers as they were given, without rounding."""
    if not isinstance(read, np.ndarray | float) or (
        isinstance(read, np.ndarray) and read.ndim == 1 and read.dtype.kind in "iub"
    ):
        return read
    array = as_numpy(given, "the object")
    if array.dtype.kind == "O" and not all(isinstance(x, numbers.Real) for x in array.ravel()):
        return read
    stored = as_stored(array) if array.dtype.kind in "iubfO" else array
    return stored if isinstance(read, np.ndarray) else stored[()]


def _to_balls(
    world: Mapping[str, Any], rounded: Mapping[str, Any], eigenvector_cache: dict[str, Any]
) -> dict[str, Any]:
    """Convert matrices, numbers and graphs to balls; the cache keeps eigenvectors as starts for a higher precision."""
    found: dict[str, Any] = {"floats": world}
    for name, value in world.items():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            value = ball_matrix(value)
        elif isinstance(rounded[name], float):
            value = ball(value)
        elif isinstance(value, MaskGraph):
            value = BallGraph(value, eigenvector_cache.setdefault(name, {}))
        found[name] = value
    return found


def _evaluate_sides(
    theorem: Theorem, sides: Sides, world: dict[str, Any], unverified: Mapping[str, tuple[bool, str]]
) -> BallEvaluation:
    margins = {name: _float_margin(*result) for name, result in unverified.items()}
    try:
        for name, derive in sides.derived.items():
            if name not in world:
                world[name] = call_with_named_objects(derive, world)
        for name, assumption in sides.assumptions.items():
            margins[name] = call_with_named_objects(assumption, world)
        lhs, rhs = call_with_named_objects(sides.lhs, world), call_with_named_objects(sides.rhs, world)
        scale = _largest_size(sides.scale, world, [abs(lhs), abs(rhs)])
        size = _largest_size(sides.size, world, [scale])
        if sides.trivial is not None:
            return BallEvaluation(margins, lhs, rhs, scale, size, call_with_named_objects(sides.trivial, world))
        known = theorem.trivial if isinstance(theorem.trivial, float) else None
        return BallEvaluation(margins, lhs, rhs, scale, size, None if known is None else ball(known))
    except UndecidedError as error:
        return BallEvaluation(margins, failure_reason=str(error))


def _largest_size(function: Callable[..., Ball] | None, world: Mapping[str, Any], known: list[Ball]) -> Ball:
    return ball_max([*known, *([] if function is None else [abs(call_with_named_objects(function, world))])])


def _evaluate_float_assumptions(
    theorem: Theorem, sides: Sides, rounded: Mapping[str, Any]
) -> dict[str, tuple[bool, str]]:
    """Float results of the assumptions that have no ball version."""
    functions = {name: function for name, function in theorem.assumptions.items() if name not in sides.assumptions}
    world = dict(rounded)
    for name, derive in theorem.derived.items() if functions else ():
        if name not in world:
            world[name] = call_with_named_objects(derive, world)
    return {name: call_with_named_objects(function, world) for name, function in functions.items()}


def _float_margin(holds: bool, measured: str) -> Margin:
    """Margin of an assumption that was evaluated only in floats, and therefore supports no proof."""
    return Margin(ball(-ROUNDING_TOLERANCE if holds else -math.inf), ball(ROUNDING_TOLERANCE), measured)
