"""Claims that are derived from a claim: without an assumption, with a factor, and about its right side alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from maetheory.core import Estimate
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import call_with_named_objects


def where_it_fails(theorem: Theorem, name: str) -> Theorem:
    """Return the claim on the worlds in which this assumption fails and all the others hold; nothing is moved."""
    original = theorem.assumptions[name]

    @wraps(original)
    def fails(*arguments: Any, **named: Any) -> tuple[bool, str]:
        holds, measured = original(*arguments, **named)
        return not holds, measured

    return replace(
        theorem, assumptions={**theorem.assumptions, name: fails}, conform=None, terms=None, trivial=None, tight=None
    )


def only_assumption(theorem: Theorem, name: str) -> Theorem:
    """Return a claim that always holds, on the worlds in which this assumption does."""
    return replace(
        theorem,
        assumptions={name: theorem.assumptions[name]},
        lhs=lambda: 0.0,
        rhs=lambda: 0.0,
        direction=">=",
        conform=None,
        terms=None,
        trivial=None,
        scale=lambda: 1.0,
        size=lambda: 0.0,
        common=None,
    )


def with_factor(theorem: Theorem, factor: float, term: Callable[..., Estimate | float] | None = None) -> Theorem:
    """Return the claim with a factor on its right side, or on one term of it."""

    def scaled(**world: Any) -> Estimate:
        rhs = _estimate(call_with_named_objects(theorem.rhs, world))
        part = rhs if term is None else _estimate(term(**world))
        error = abs(factor) * rhs.error if term is None else rhs.error + abs(factor - 1) * part.error
        return Estimate(rhs.value + (factor - 1) * part.value, error)

    return replace(theorem, rhs=scaled, terms=None, trivial=None)


def right_side_is_trivial(theorem: Theorem, trivial: Callable[..., float] | float) -> Theorem:
    """Return the claim that the right side says no more than a bound known without the claim."""
    known = trivial if callable(trivial) else (lambda: trivial)
    return replace(
        theorem,
        lhs=theorem.rhs,
        rhs=known,
        direction={">=": "<=", "<=": ">="}[theorem.direction],
        terms=None,
        trivial=None,
        common=None,
    )


def _estimate(value: Any) -> Estimate:
    return value if isinstance(value, Estimate) else Estimate(float(value))
