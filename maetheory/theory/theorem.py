"""Theorem (two sides, a direction, assumptions) and Check (its evaluation on one world).

This module is independent of any particular statement. A :class:`Theorem` holds plain functions that take the objects
of a world by name (``graph``, ``h``, ``targets``, …; a function receives exactly the arguments it names). Checking it
returns a :class:`Check` with both sides, the slack, every assumption as measured, and a :class:`Verdict`, never a bare
boolean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError, SquaresOverflowError
from maetheory.theory.component_offsets import remove_offsets
from maetheory.theory.theorem_objects import SHAPES, Objects, as_array_of_shape, call_with_named_objects, graph_shape
from maetheory.theory.verdicts import ROUNDING_TOLERANCE, TIGHT_TOLERANCE, Comparison, Verdict

__all__ = [
    "ROUNDING_TOLERANCE",
    "TIGHT_TOLERANCE",
    "Assumption",
    "Check",
    "Theorem",
    "Verdict",
    "combine",
]

Side = Callable[..., float]
AssumptionFunction = Callable[..., tuple[bool, str]]

_LEAST_SCALE = float(np.finfo(float).tiny / np.finfo(float).eps)
"""Below this the squares that make up a side have lost digits."""


@dataclass(frozen=True)
class Assumption:
    """An assumption of a theorem, whether it holds in this world, and what was measured."""

    name: str
    holds: bool
    measured: str


@dataclass(frozen=True)
class Check:
    """Result of checking a claim on one world: both sides, slack, assumptions and verdict.

    Attributes
    ----------
    claim : str
        The statement.
    lhs, rhs : Estimate
        Its sides; NaN where an object holds one.
    slack : float
        How far the claim is from failing, >= 0 iff it holds: ``lhs - rhs`` for ``>=``, ``rhs - lhs`` for ``<=``, and
        ``-|lhs - rhs|`` for an identity. A shortfall within ``1e-10 * scale`` is rounding error and set to 0.
    scale : float
        Size of the terms that cancel in the slack.
    assumptions : tuple of Assumption
        Each with what was measured.
    verdict : Verdict
        See :class:`Verdict`.
    note : str
        Reason for the verdict: the trivial bound, the assumption that fails, the object that is not a number.
    slug : str
        The theorem's name in the command line and in the ledger.
    terms : mapping
        Named parts of the two sides, where the theorem gives them.
    trivial : float or None
        Bound that is known without the theorem, if the theorem gives one.
    error : float
        Bound on the rounding error of the slack, that of squared differences of the objects included.
    """

    claim: str
    lhs: Estimate
    rhs: Estimate
    slack: float
    scale: float
    assumptions: tuple[Assumption, ...]
    verdict: Verdict
    note: str = ""
    slug: str = ""
    terms: Mapping[str, float] = field(default_factory=dict)
    trivial: float | None = None
    error: float = field(default=0.0, repr=False, compare=False)

    @property
    def relative_slack(self) -> float:
        """Slack divided by scale; 0 if the scale is 0, −∞ if a side is not a number."""
        if math.isnan(self.slack):
            return -math.inf
        return self.slack / self.scale if self.scale > 0 else 0.0

    @property
    def tightness(self) -> float:
        """Ratio of the smaller side to the larger, ``1 − |slack| / larger``; 1 if TIGHT, negative if signs differ."""
        if abs(self.slack) <= TIGHT_TOLERANCE * self.scale:
            return 1.0
        return 1.0 - abs(self.slack) / max(abs(self.lhs.value), abs(self.rhs.value))

    def __str__(self) -> str:
        tail = f" ({self.note})" if self.note else ""
        return (
            f"{self.verdict}: {self.claim}: {self.lhs:.6g} against {self.rhs:.6g}, slack {self.slack + 0.0:.3g}{tail}"
        )


@dataclass(frozen=True)
class Theorem:
    """Claim with two sides, a direction and assumptions, which can be checked on any finite world.

    Parameters
    ----------
    slug : str
        Its name in the command line, the ledger and the figures.
    statement : str
        The claim in one line.
    reference : str
        Where it comes from, and whether printed or with constants of ours.
    objects : tuple of str
        Names of the objects that it needs in addition to the graph.
    lhs, rhs : callable
        Its sides; each receives the objects it names.
    direction : {">=", "<=", "=="}
        ``lhs`` *direction* ``rhs``.
    assumptions : mapping of str to callable
        Each returns whether it holds, and one line that states what was measured.
    optional : tuple of str
        Names of the objects that it accepts but does not need.
    shapes : mapping, optional
        Shapes of its own objects, as in :data:`~maetheory.theory.theorem_objects.SHAPES`; an empty shape means a
        positive number, and an object without a shape is passed on as it is.
    derived : mapping of str to callable
        Objects computed from the others, once per check and in order, where they are not given.
    scale : callable, optional
        Size of the terms that cancel; the larger side when absent or larger.
    size : callable, optional
        Mean square of the numbers that are subtracted before they are squared, 1 for a probe of labels; from it the
        rounding error of the squares is computed. Where it is absent, a violation must exceed the rounding error of
        squared differences of the objects themselves; a function that returns 0 says that nothing is subtracted.
    common : callable, optional
        Term that stands on both sides and cancels, so that it does not count for the scale.
    offsets : tuple of tuples of str
        Groups of objects that may be shifted together by a constant on each component without changing the sides;
        a large common offset is removed before they are evaluated.
    trivial : float or callable, optional
        Bound that is known without the theorem; a theorem that is no better is VACUOUS.
    terms : callable, optional
        Named parts of the two sides.
    needs_graph : bool
        Whether the statement is about a mask graph.
    tight, broken : callable, optional
        ``tight()`` returns the objects (with ``graph``) of a world where equality holds; ``broken()`` maps each
        assumption to a world where that one fails.
    never_tight : str
        Reason why no non-degenerate tight world exists, if none does; `tight` is then degenerate or absent.
    sample : callable, optional
        ``sample(rng)`` returns a random world; by default the objects are Gaussian on a random graph.
    conform : callable, optional
        Changes the objects of a world so that the assumptions hold; the search uses it to stay where they hold.

    Examples
    --------
    >>> cauchy_schwarz = Theorem(
    ...     slug="mean-square",
    ...     statement="E z² >= (E z)²",
    ...     reference="Cauchy 1821",
    ...     objects=("z",),
    ...     shapes={"z": ("n",)},
    ...     lhs=lambda z: float((z**2).mean()),
    ...     rhs=lambda z: float(z.mean() ** 2),
    ...     needs_graph=False,
    ... )
    >>> cauchy_schwarz.check(z=np.array([1.0, 3.0])).slack
    1.0
    >>> cauchy_schwarz.check(z=np.array([2.0, 2.0])).verdict
    <Verdict.TIGHT: 'TIGHT'>
    """

    slug: str
    statement: str
    reference: str
    objects: tuple[str, ...]
    lhs: Side
    rhs: Side
    direction: str = ">="
    assumptions: Mapping[str, AssumptionFunction] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    derived: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    scale: Side | None = None
    size: Side | None = None
    common: Side | None = None
    offsets: tuple[tuple[str, ...], ...] = ()
    trivial: float | Side | None = None
    terms: Callable[..., Mapping[str, float]] | None = None
    needs_graph: bool = True
    tight: Callable[[], Objects] | None = None
    broken: Callable[[], Mapping[str, Objects]] | None = None
    never_tight: str = ""
    sample: Callable[[np.random.Generator], Objects] | None = None
    conform: Callable[[dict[str, Any]], Objects] | None = None

    def __post_init__(self) -> None:
        if self.direction not in {">=", "<=", "=="}:
            raise InputError(f"the direction of a theorem is '>=', '<=' or '==', but {self.direction!r} was given")

    def check(self, graph: Any = None, **objects: Any) -> Check:
        """Evaluate sides and assumptions on one world and return the verdict.

        Parameters
        ----------
        graph : MaskGraph, optional
            The world's mask graph.
        **objects
            What :attr:`objects` and :attr:`optional` name; further standard names are ignored.

        Raises
        ------
        InputError
            If an object is missing, unknown or of the wrong shape, or the graph is missing.
        """
        world = self.validate_objects(graph, objects)
        for name, value in world.items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
                return self._without_sides(Verdict.VIOLATED, f"{name} holds a value that is not a finite number")
        flags: set[str] = set()
        with np.errstate(
            divide="ignore", invalid="ignore", over="call", under="call", call=lambda kind, _: flags.add(kind)
        ):
            try:
                found = self._evaluate(world)
            except (SquaresOverflowError, OverflowError) as error:
                return self._without_sides(Verdict.INAPPLICABLE, str(error))
            except np.linalg.LinAlgError:
                if "overflow" not in flags:
                    raise
                return self._without_sides(Verdict.INAPPLICABLE, str(SquaresOverflowError("a matrix")))
        return _mark_inapplicable_if_squares_overflow_or_underflow(found, flags)

    def _evaluate(self, world: dict[str, Any]) -> Check:
        world = self._with_derived(world)
        assumptions = tuple(
            Assumption(name, _as_bool(holds, name), measured)
            for name, assumption in self.assumptions.items()
            for holds, measured in [call_with_named_objects(assumption, world)]
        )
        world = remove_offsets(world, self.offsets)
        lhs, rhs, scale, size, common = (
            Estimate(0.0) if side is None else _as_estimate(call_with_named_objects(side, world))
            for side in (self.lhs, self.rhs, self.scale, self.size, self.common)
        )
        compared = Comparison(
            lhs=lhs,
            rhs=rhs,
            direction=self.direction,
            scale=max(abs(lhs - common), abs(rhs - common), abs(scale)),
            common=abs(common),
            size=size.value,
            terms=_longest_sum(world),
            never_tight=bool(self.never_tight),
        )
        known = call_with_named_objects(self.trivial, world) if callable(self.trivial) else self.trivial
        trivial = None if known is None else float(known)
        failing = [f"{a.name} fails: {a.measured}" for a in assumptions if not a.holds]
        verdict, note = (Verdict.INAPPLICABLE, "; ".join(failing)) if failing else compared.verdict(trivial)
        if verdict is Verdict.VIOLATED and self.size is None:  # unless rounding errors of differences could do it
            compared = replace(compared, size=_largest_squares_of_rows(world))
            verdict, note = compared.verdict(trivial)
        terms = dict(call_with_named_objects(self.terms, world)) if self.terms is not None else {}
        of_squares = replace(compared, size=_largest_squares_of_rows(world)) if self.size is None else compared
        return Check(
            claim=self.statement,
            lhs=lhs,
            rhs=rhs,
            slack=compared.slack,
            scale=compared.scale,
            assumptions=assumptions,
            verdict=verdict,
            note=note,
            slug=self.slug,
            terms=terms,
            trivial=trivial,
            error=of_squares.error,
        )

    def evaluate_side(self, side: Side, graph: Any = None, **objects: Any) -> Estimate:
        """Return one side in one world, without assumptions and verdict."""
        world = remove_offsets(self._with_derived(self.validate_objects(graph, objects)), self.offsets)
        return _as_estimate(call_with_named_objects(side, world))

    def _with_derived(self, world: dict[str, Any]) -> dict[str, Any]:
        for name, derive in self.derived.items():
            if name not in world:
                value = call_with_named_objects(derive, world)
                world[name] = np.float64(value) if isinstance(value, float) else value
        return world

    def _without_sides(self, verdict: Verdict, note: str) -> Check:
        nan = Estimate(math.nan)
        return Check(self.statement, nan, nan, math.nan, math.nan, (), verdict, note, self.slug)

    def validate_objects(self, graph: Any, objects: Objects) -> dict[str, Any]:
        """Return the objects as arrays; InputError, as in `check`, unless each is present, known and well shaped."""
        world: dict[str, Any] = {}
        sizes: dict[str, tuple[int, str]] = {}
        if graph is not None:
            world["graph"] = graph
            n1, n2 = graph_shape(graph)
            if hasattr(graph, "check_parts"):
                graph.check_parts()
            sizes = {"N1": (n1, "the graph"), "N2": (n2, "the graph")}
        elif self.needs_graph:
            raise InputError(f"{self.slug} needs graph=, a MaskGraph, but none was given")
        shapes = {**SHAPES, **self.shapes}
        takes = ", ".join(self.objects + self.optional) or "no objects"
        for name in self.objects:
            if objects.get(name) is None:
                found = ", ".join(objects) or "none"
                raise InputError(f"{self.slug} needs {name}= (it takes {takes}), but the objects given are: {found}")
        for name, value in objects.items():
            if name not in (*self.objects, *self.optional, *self.derived):
                if name not in SHAPES:
                    raise InputError(f"{self.slug} does not know {name}=; it takes {takes}")
            elif value is not None:
                world[name] = as_array_of_shape(name, value, shapes[name], sizes) if name in shapes else value
        return world


def _largest_squares_of_rows(world: Objects) -> float:
    """Return the largest sum of squares of a row, summed over the real arrays of a world."""
    arrays = [value for value in world.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
    rows = [array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1) for array in arrays]
    return float(sum(np.max(np.sum(one * one, axis=1), initial=0.0) for one in rows))


def _longest_sum(world: Objects) -> int:
    """Number of terms of the longest sum over nodes or columns of a world, with some to spare."""
    shapes = [graph_shape(world["graph"])] if "graph" in world else []
    return 8 + max((n for shape in (*shapes, *(np.shape(v) for v in world.values())) for n in shape), default=0)


def _mark_inapplicable_if_squares_overflow_or_underflow(found: Check, flags: set[str]) -> Check:
    """Return the check, as INAPPLICABLE if squares left the range of float64, so that they prove nothing."""
    sides = (found.lhs, found.rhs, found.scale)
    if found.verdict is Verdict.INAPPLICABLE:
        return found
    if "overflow" in flags:
        note = str(SquaresOverflowError("an intermediate result"))
    elif any(math.isinf(side) for side in sides):
        note = "a side or its scale is infinite: squares overflow, or something is divided by zero"
    elif "underflow" in flags and not found.scale >= _LEAST_SCALE:  # also where it is not a number, as 0/0 is
        note = "squares underflow: multiply the objects by a common factor, so that their squares stay above 1e-290"
    else:
        return found
    return replace(found, verdict=Verdict.INAPPLICABLE, note=note)


def _as_estimate(value: float) -> Estimate:
    if isinstance(value, str):
        raise TypeError(f"a side must be a number, but {value!r} was returned")
    return value if isinstance(value, Estimate) else Estimate(float(value))


def _as_bool(holds: Any, name: str) -> bool:
    if isinstance(holds, str):
        raise TypeError(f"the assumption {name!r} must return whether it holds as a boolean, but returned {holds!r}")
    return bool(holds)


def combine(*terms: tuple[float, float], constant: float = 0.0) -> Estimate:
    """Return a linear combination of estimates, with the worst-case bound of its error.

    Parameters
    ----------
    *terms : (coefficient, Estimate) pairs
        The summands; plain floats count as exact.
    constant : float
        Added without error.

    Examples
    --------
    >>> combine((2.0, Estimate(0.1, 0.01, sampled=True)), (-1.0, 0.05))
    0.15 ± 0.02 (sampled)
    """
    read = [(coefficient, _as_estimate(value)) for coefficient, value in terms]
    return Estimate(
        constant + sum(c * e.value for c, e in read),
        sum(abs(c) * e.error for c, e in read),
        any(e.sampled for _, e in read),
    )
