"""A verdict can be a proof: both sides of a theorem in balls, at a precision that is raised until the sign is certain.

:func:`certify` reads the world as it is stored, exactly, and divides the law by its exact sum. HOLDS and VACUOUS then
say that the claim is true of this world beyond any round-off, VIOLATED that it is false. What :func:`check` calls TIGHT
may turn out to HOLD by a hair, and the note says so; an identity can only be TIGHT. Where zero stays inside the ball of
the slack at the last precision, the world is TIGHT if the whole ball is small, and UNDECIDED if it is not.

A proof rests on assumptions that were verified in balls as well:

- An assumption that is met exactly carries any verdict.
- What is met only up to 1e-12 (a norm of one in floats, a tie of two classes) makes a world that is almost one of the
  theorem's. Its :class:`Margin` then states the cost: how far the claim itself may be from true because of that
  shortfall, compared with the gap or the mass that it is divided by. A cost within round-off (1e-10 of the scale) is
  accepted; a larger one leaves every slack that it covers UNDECIDED. VIOLATED needs a shortfall of the claim beyond
  both, or assumptions that are met exactly.
- An assumption that has no ball version, or states no cost, carries no proof: the verdict is UNDECIDED, and the note
  names the assumption.

INAPPLICABLE says that an assumption fails by more than is allowed; it is certified too if the assumption is in balls.
All assumptions of the toolkit's own theorems are.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory.ball_graph import BallGraph
from maetheory.theory.balls import (
    EVERYTHING,
    Ball,
    Enclosure,
    UndecidedError,
    as_stored,
    ball,
    enclosure,
    largest,
    precision,
    total,
)
from maetheory.theory.balls import matrix as ball_matrix
from maetheory.theory.certified_premises import ROUND_OFF, Margin
from maetheory.theory.certified_sides import Sides
from maetheory.theory.certified_sides_of_ours import CERTIFIED
from maetheory.theory.theorem import TIGHTNESS, Assumption, Theorem, Verdict, _call

FIRST_BITS = 53
MAX_BITS = 424
"""The precision doubles from the first to at most the last."""
MAX_NODES = 400
"""Largest number of views, and of targets, of a world that is certified; an eigenvalue equality there takes minutes."""


_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Certificate:
    """What has been proved about a claim on one world.

    Attributes
    ----------
    claim : str
        The statement.
    slug : str
        The theorem's name.
    lhs, rhs : Enclosure
        Intervals of floats that contain the sides.
    slack : Enclosure
        Contains how far the claim is from failing: ``lhs - rhs`` for ``>=``, ``rhs - lhs`` for ``<=``, and
        ``-|lhs - rhs|`` for an identity.
    scale : Enclosure
        Contains the size of the terms that cancel in the slack.
    bits : int
        Precision at which the verdict fell, 0 if none was needed.
    assumptions : tuple of Assumption
        Each with what was measured; one that is met only up to round-off holds.
    verdict : Verdict
    note : str
        One sentence: what the verdict rests on.
    """

    claim: str
    slug: str
    lhs: Enclosure
    rhs: Enclosure
    slack: Enclosure
    scale: Enclosure
    bits: int
    assumptions: tuple[Assumption, ...]
    verdict: Verdict
    note: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.claim}: {self.lhs} against {self.rhs}, slack {self.slack} ({self.note})"


@dataclass(frozen=True)
class _Reading:
    """All that one precision can tell; sides are None where they could not be worked out."""

    margins: Mapping[str, Margin]
    lhs: Ball | None = None
    rhs: Ball | None = None
    scale: Ball | None = None
    trivial: Ball | None = None
    obstacle: str = ""


def certify(
    theorem: str | Theorem,
    graph: MaskGraph | None = None,
    *,
    sides: Sides | None = None,
    max_bits: int = MAX_BITS,
    **objects: Any,
) -> Certificate:
    """Check one theorem on one world in ball arithmetic.

    A verdict of HOLDS, VACUOUS, TIGHT or VIOLATED is proved: it rests on both sides in balls, on objects that are read
    exactly (floats, long doubles, integers of any size), and on assumptions that are verified in balls, exactly or so
    nearly that what is missing cannot change the verdict. Otherwise the verdict is UNDECIDED and the note names what
    was not verified.

    Parameters
    ----------
    theorem : str or Theorem
        A key of :data:`maetheory.theory.THEOREMS`, one of these theorems, or, with `sides`, one of yours.
    graph : MaskGraph, optional
        The world's mask graph, of at most 400 views and 400 targets.
    sides : Sides, optional
        The ball version of a theorem of your own. Its ``premises`` must cover all assumptions of the theorem: one that
        is left to floats carries no proof.
    max_bits : int, default 424
        The precision starts at 53 bits and is doubled up to this as long as the sign of the slack is open.
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
    >>> found = certify("spectral-contrast-is-bounded-by-eigenvalues", graph, features=np.array([[1.0], [0.5]]))
    >>> found.verdict, found.bits, found.slack.low > 0
    (<Verdict.HOLDS: 'HOLDS'>, 53, True)
    """
    theorem, sides = _ball_version(theorem, sides)
    if max_bits < FIRST_BITS:
        raise InputError(f"max_bits must be at least {FIRST_BITS}, but {max_bits} was given")
    rounded = theorem.read(graph, {name: _readable(value) for name, value in objects.items()})
    world = {name: _as_given(value, objects.get(name)) for name, value in rounded.items()}
    for name, value in world.items():
        _refuse_if_large(name, value)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            return _not_a_number(theorem, f"{name} holds a value that is not a finite number")
    unread = _judged_in_floats(theorem, sides, rounded)
    memory: dict[str, Any] = {}
    bits = FIRST_BITS
    while True:
        with precision(bits):
            found = _judge(
                theorem,
                _read_sides(theorem, sides, _in_balls(world, rounded, memory), unread),
                bits,
                2 * bits > max_bits,
            )
        if found is not None:
            return found
        bits *= 2


def _ball_version(theorem: str | Theorem, sides: Sides | None) -> tuple[Theorem, Sides]:
    from maetheory.theory import THEOREMS

    slug = theorem if isinstance(theorem, str) else theorem.slug
    if isinstance(theorem, str):
        if slug not in THEOREMS:
            raise InputError(f"there is no theorem {slug!r}; the theorems are: {', '.join(THEOREMS)}")
        theorem = THEOREMS[slug]
    if sides is not None:
        return theorem, sides
    if slug not in CERTIFIED or theorem != THEOREMS.get(slug):
        known = ", ".join(name for name in CERTIFIED if name in THEOREMS)
        raise InputError(f"{slug} has no version in balls to certify it with; those that have one are: {known}")
    return theorem, CERTIFIED[slug]


def _refuse_if_large(name: str, value: Any) -> None:
    if hasattr(value, "joint") and max(value.shape) > MAX_NODES:
        n1, n2 = value.shape
        raise InputError(
            f"a certificate is for worlds of at most {MAX_NODES} views and {MAX_NODES} targets, but {name} has {n1} "
            f"views and {n2} targets: use check"
        )


def _readable(value: Any) -> Any:
    """Integers beyond the range of floats as the largest float, so that their shape can be read."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        return math.copysign(_LARGEST, value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.array([max(-_LARGEST, min(_LARGEST, x)) for x in value.ravel()]).reshape(value.shape)
    return value


def _as_given(read: Any, given: Any) -> Any:
    """What was read, with the numbers that were given and none of them rounded."""
    if not isinstance(read, np.ndarray | float) or (
        isinstance(read, np.ndarray) and read.ndim == 1 and read.dtype.kind in "iub"
    ):
        return read
    if given is None:
        return read
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    array = np.asarray(given)
    if array.dtype.kind == "O" and not all(isinstance(x, numbers.Real) for x in array.ravel()):
        return read
    stored = as_stored(array) if array.dtype.kind in "iubfO" else array
    return stored if isinstance(read, np.ndarray) else stored[()]


def _in_balls(world: Mapping[str, Any], rounded: Mapping[str, Any], memory: dict[str, Any]) -> dict[str, Any]:
    """Turn matrices, numbers and graphs into balls; the memory keeps what a higher precision can start from."""
    found: dict[str, Any] = {"floats": world}
    for name, value in world.items():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            value = ball_matrix(value)
        elif isinstance(rounded[name], float):
            value = ball(value)
        elif isinstance(value, MaskGraph):
            value = BallGraph(value, memory.setdefault(name, {}))
        found[name] = value
    return found


def _read_sides(
    theorem: Theorem, sides: Sides, world: dict[str, Any], unread: Mapping[str, tuple[bool, str]]
) -> _Reading:
    margins = {name: _in_floats(*judged) for name, judged in unread.items()}
    try:
        for name, work_out in sides.derived.items():
            if name not in world:
                world[name] = _call(work_out, world)
        for name, premise in sides.premises.items():
            margins[name] = _call(premise, world)
        lhs, rhs = _call(sides.lhs, world), _call(sides.rhs, world)
        scale = largest([abs(lhs), abs(rhs), *([] if sides.scale is None else [abs(_call(sides.scale, world))])])
        if sides.trivial is not None:
            return _Reading(margins, lhs, rhs, scale, _call(sides.trivial, world))
        known = theorem.trivial if isinstance(theorem.trivial, float) else None
        return _Reading(margins, lhs, rhs, scale, None if known is None else ball(known))
    except UndecidedError as error:
        return _Reading(margins, obstacle=str(error))


def _judged_in_floats(theorem: Theorem, sides: Sides, rounded: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    """What floats say of the assumptions that have no ball version."""
    judges = {name: judge for name, judge in theorem.assumptions.items() if name not in sides.premises}
    world = dict(rounded)
    for name, work_out in theorem.derived.items() if judges else ():
        if name not in world:
            world[name] = _call(work_out, world)
    return {name: _call(judge, world) for name, judge in judges.items()}


def _in_floats(holds: bool, measured: str) -> Margin:
    """An assumption judged in floats fails or is met by what floats tell; either way nothing is proved of it."""
    return Margin(ball(-ROUND_OFF if holds else -math.inf), ball(ROUND_OFF), measured)


def _judge(theorem: Theorem, seen: _Reading, bits: int, last: bool) -> Certificate | None:
    """The certificate, or None where a higher precision may know more."""
    verdict, note = _verdict(theorem, seen, bits, last)
    if verdict is None:
        return None
    return Certificate(
        claim=theorem.statement,
        slug=theorem.slug,
        lhs=_interval(seen.lhs),
        rhs=_interval(seen.rhs),
        slack=_interval(_slack(theorem, seen)),
        scale=_interval(seen.scale),
        bits=bits,
        assumptions=tuple(
            Assumption(name, bool(m.value >= -m.allowed), m.measured) for name, m in seen.margins.items()
        ),
        verdict=verdict,
        note=note if bits == FIRST_BITS else f"{note}; {bits // 2} bits did not decide",
    )


def _interval(side: Ball | None) -> Enclosure:
    return EVERYTHING if side is None else enclosure(side)


def _slack(theorem: Theorem, seen: _Reading) -> Ball | None:
    """How far the claim is from failing."""
    if seen.lhs is None or seen.rhs is None:
        return None
    gap = seen.lhs - seen.rhs
    return {">=": gap, "<=": -gap, "==": -abs(gap)}[theorem.direction]


def _verdict(theorem: Theorem, seen: _Reading, bits: int, last: bool) -> tuple[Verdict | None, str]:
    failing = [f"{name} fails: {m.measured}" for name, m in seen.margins.items() if m.value < -m.allowed]
    if failing:
        return Verdict.INAPPLICABLE, "; ".join(failing)
    slack = _slack(theorem, seen)
    give_up = Verdict.UNDECIDED if last else None
    if slack is None or not slack.is_finite():
        return give_up, f"nothing is certain with {bits} bits: {seen.obstacle or 'a side is not finite'}"
    if not all(m.value >= -m.allowed for m in seen.margins.values()):
        return give_up, f"whether the assumptions hold is open with {bits} bits"
    unverified = [f"{name}: {m.measured}" for name, m in seen.margins.items() if not m.value >= 0 and m.cost is None]
    if unverified:
        never = any(m.value < 0 and m.cost is None for m in seen.margins.values())
        return Verdict.UNDECIDED if never else give_up, f"this is not verified in balls: {'; '.join(unverified)}"
    band = TIGHTNESS * seen.scale.abs_lower() if seen.scale is not None else ball(0)
    cost = _cost(seen)
    if not cost <= band and not abs(slack) > cost:
        most = math.inf if not cost.is_finite() else enclosure(cost).high
        return give_up, f"the claim may be off by {most:.3g} because this is not met exactly: {_inexact(seen)}"
    if theorem.direction == "==":
        return _of_identity(slack, band, bits, give_up)
    return _of_inequality(theorem, seen, slack, band, bits, give_up)


def _of_identity(slack: Ball, band: Ball, bits: int, give_up: Verdict | None) -> tuple[Verdict | None, str]:
    found = enclosure(slack)
    if abs(slack) <= band:
        return Verdict.TIGHT, f"the sides differ by at most {-found.low:.3g}, proved with {bits} bits"
    if slack < -band:
        return Verdict.VIOLATED, f"the sides differ by at least {-found.high:.3g}, proved with {bits} bits"
    return give_up, f"the difference of the sides lies in a ball of width {found.width:.3g} with {bits} bits"


def _of_inequality(
    theorem: Theorem, seen: _Reading, slack: Ball, band: Ball, bits: int, give_up: Verdict | None
) -> tuple[Verdict | None, str]:
    found, tight = enclosure(slack), bool(abs(slack) <= band)
    if slack > 0:
        nearly = ", equality up to round-off" if tight else ""
        return _true(theorem, seen), f"the slack is at least {found.low:.3g}{nearly}, proved with {bits} bits"
    exact = all(m.value >= 0 for m in seen.margins.values())
    if slack < -band or (slack < 0 and exact):
        return Verdict.VIOLATED, f"the claim fails by at least {-found.high:.3g}, proved with {bits} bits"
    if slack.is_zero():
        return Verdict.TIGHT, f"both sides are equal, proved with {bits} bits"
    if tight and slack < 0:
        return Verdict.TIGHT, f"{_round_off(seen, found)}, proved with {bits} bits"
    if tight and give_up:
        return Verdict.TIGHT, f"the sides differ by at most {max(-found.low, found.high):.3g}, proved with {bits} bits"
    return give_up, f"the slack lies in a ball of width {found.width:.3g} around {found.mid:.3g} with {bits} bits"


def _true(theorem: Theorem, seen: _Reading) -> Verdict:
    if seen.trivial is None or seen.rhs is None:
        return Verdict.HOLDS
    empty = seen.rhs <= seen.trivial if theorem.direction == ">=" else seen.rhs >= seen.trivial
    return Verdict.VACUOUS if empty else Verdict.HOLDS


def _cost(seen: _Reading) -> Ball:
    """How far the claim may be from true because assumptions are met only up to round-off."""
    parts = total(abs(m.cost) for m in seen.margins.values() if m.cost is not None and not m.value >= 0)
    return ball(0) if parts.is_zero() or seen.scale is None else (parts * seen.scale).abs_upper()


def _inexact(seen: _Reading) -> str:
    return "; ".join(f"{name} ({m.measured})" for name, m in seen.margins.items() if not m.value >= 0)


def _round_off(seen: _Reading, found: Enclosure) -> str:
    words = f"the claim fails by at most {-found.low:.3g}, which is round-off because this is not met exactly"
    return f"{words}: {_inexact(seen)}"


def _not_a_number(theorem: Theorem, note: str) -> Certificate:
    nan = Enclosure(math.nan, math.nan)
    return Certificate(theorem.statement, theorem.slug, nan, nan, nan, nan, 0, (), Verdict.VIOLATED, note)
