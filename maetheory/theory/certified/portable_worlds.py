"""Worlds and sides as rational numbers in text, for the checkers that run without this package.

A number is written as the exact rational number that it stores. A side is an interval; its ends are rounded outwards
where they are long.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from maetheory.graph import MaskGraph
from maetheory.theory.certified.probe import as_rational
from maetheory.theory.certified.verdicts import Certificate

_SHORT_NUMBER, _SIDE_BITS = 40, 64


class NotPortableError(ValueError):
    """A verdict has no certificate that the checker accepts; the message says why."""


def stated_sides(proof: Any, claim: str, certificate: Certificate) -> dict[str, list[str]]:
    """Return the checker's sides, rounded outwards; NotPortableError if those of the certificate are elsewhere.

    Parameters
    ----------
    proof : object
        The world in the checker, whose attributes are its quantities.
    claim : str
        Names of the left side and of the right side, with the relation between them.
    certificate : Certificate
    """
    left, _, right = claim.split()
    stated = {}
    for name, side, own in (("lhs", left, certificate.lhs), ("rhs", right, certificate.rhs)):
        value = getattr(proof, side)
        low, high = (Fraction(end) for end in (value if isinstance(value, list | tuple) else (value, value)))
        if not (own.low <= high and low <= own.high):
            raise NotPortableError(f"{name} is {float(low):.6g} there and {own} in ball arithmetic")
        stated[name] = [str(end) for end in _outwards(low, high)]
    return stated


def _outwards(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Round an interval outwards to numbers of few digits; a short number stays as it is."""
    return _round_down(low), -_round_down(-high)


def _round_down(number: Fraction) -> Fraction:
    if len(str(number)) <= _SHORT_NUMBER:
        return number
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    grid = Fraction(2) ** (exponent - _SIDE_BITS)
    return math.floor(number / grid) * grid


def matrix_text(rows: Any) -> list[list[str]]:
    """Return a matrix of stored numbers as text."""
    return [[str(as_rational(x)) for x in row] for row in rows]


def joint_text(graph: MaskGraph) -> list[list[str]]:
    """Return the weights of view (row) and target (column) as text."""
    return matrix_text(graph.joint.toarray())
