"""Confirm a violation: in exact rational or ball arithmetic where the claim allows it, otherwise by its error bound."""

from __future__ import annotations

from fractions import Fraction

from maetheory.core import InputError
from maetheory.theory.certified import Sides, certify
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.exact_arithmetic import NotRationalError, exact_sides
from maetheory.theory.theorem import TIGHT_TOLERANCE, Theorem, Verdict

_LONGEST = 40


def confirm(theorem: Theorem, found: SearchedWorld, sides: Sides | None = None) -> tuple[str, bool]:
    """Return one sentence that says how the violation was confirmed, and whether that is a proof.

    Parameters
    ----------
    theorem : Theorem
    found : SearchedWorld
        A world that violates it.
    sides : Sides, optional
        Ball version of the theorem, where it has one of its own.

    Returns
    -------
    (str, bool)
    """
    return _in_fractions(theorem, found) or _in_balls(theorem, found, sides) or (_in_floats(found), False)


def _in_fractions(theorem: Theorem, found: SearchedWorld) -> tuple[str, bool] | None:
    try:
        lhs, rhs, verified = exact_sides(theorem, found.world)
    except NotRationalError:
        return None
    near = 1e-6 * max(found.check.scale, abs(found.check.slack))
    agrees = abs(float(lhs) - found.check.lhs.value) <= near and abs(float(rhs) - found.check.rhs.value) <= near
    fails = {">=": lhs < rhs, "<=": lhs > rhs, "==": lhs != rhs}[theorem.direction]
    if not (agrees and fails):
        return None
    tail = "" if verified else "; its assumptions were measured in floats"
    return f"proved in exact rational arithmetic: {_shown(lhs)} against {_shown(rhs)}{tail}", verified


def _in_balls(theorem: Theorem, found: SearchedWorld, sides: Sides | None) -> tuple[str, bool] | None:
    try:
        certificate = certify(theorem, sides=sides, **found.world.all_objects())
    except InputError:
        return None
    if certificate.verdict is not Verdict.VIOLATED:
        return None
    return f"proved in ball arithmetic with {certificate.bits} bits: {certificate.lhs} against {certificate.rhs}", True


def _in_floats(found: SearchedWorld) -> str:
    check = found.check
    bound = max(check.lhs.error + check.rhs.error, TIGHT_TOLERANCE * check.scale)
    return (
        f"compared in float64: the claim fails by {-check.slack:.4g}, and differences up to {bound:.2g} would count as "
        "rounding errors"
    )


def _shown(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{float(value):.17g} (a fraction of {len(text)} characters)"
