"""Thin layer over Arb's ball arithmetic: constructors, reductions and conversion to float intervals.

A ball is a midpoint with a radius, and the result of an operation on balls encloses the results on all of their points.
Arb (through python-flint) computes at the precision of its context, so that all functions must be called inside
:func:`precision`. A stored number (a float, a long double, an integer of any size) becomes a ball of radius zero:
worlds are read exactly as they are stored.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from maetheory.core import InputError

Ball = Any
"""An ``arb``."""
BallMatrix = Any
"""An ``arb_mat``."""


class UndecidedError(ArithmeticError):
    """The balls are too wide to decide at this precision."""


@dataclass(frozen=True)
class Enclosure:
    """Interval of floats, rounded outward, that provably contains a real number.

    Examples
    --------
    >>> third = Enclosure(0.25, 0.5)
    >>> third.mid, round(third.radius, 12), 1 / 3 in third
    (0.375, 0.125, True)
    """

    low: float
    high: float

    @property
    def mid(self) -> float:
        """Centre of the interval, rounded."""
        return self.low / 2 + self.high / 2

    @property
    def radius(self) -> float:
        """Distance from :attr:`mid` to the farther end, rounded up."""
        farther = max(self.high - self.mid, self.mid - self.low)
        return math.nextafter(farther, math.inf) if farther and self.low < self.high else 0.0

    @property
    def width(self) -> float:
        """Length of the interval, rounded up."""
        return math.nextafter(self.high - self.low, math.inf) if self.low < self.high else 0.0

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if not math.isfinite(self.low) or not math.isfinite(self.high):
            return "anything"
        return f"{self.mid:.6g} ± {self.radius:.2g}" if self.radius else f"{self.mid:.6g}"


REAL_LINE = Enclosure(-math.inf, math.inf)


@lru_cache(maxsize=1)
def arb_library() -> Any:
    """Return python-flint, or raise InputError that says how to install it."""
    try:
        return importlib.import_module("flint")
    except ImportError:
        raise InputError("a certificate needs python-flint, which is missing: pip install maetheory[certify]") from None


def precision(bits: int) -> AbstractContextManager[Any]:
    """Return a context manager that sets the number of bits of midpoints."""
    context: AbstractContextManager[Any] = arb_library().ctx.workprec(bits)
    return context


def working_bits() -> int:
    """Number of bits of midpoints in the current context."""
    return int(arb_library().ctx.prec)


def ball(value: Any) -> Ball:
    """Return a stored number as a ball of radius zero, at any precision.

    Examples
    --------
    >>> with precision(53):
    ...     print(ball(2**70 + 1) - 2**70, ball(np.longdouble(1) / 3).is_exact())
    1.00000000000000 True
    """
    if isinstance(value, np.longdouble) and np.isfinite(value):
        numerator, denominator = value.as_integer_ratio()  # the denominator is a power of two
        return arb_library().arb((numerator, 1 - denominator.bit_length()))
    if isinstance(value, np.integer | np.bool_):
        value = int(value)
    if isinstance(value, Fraction):
        return arb_library().arb(value.numerator) / value.denominator  # of radius zero where it is a dyadic number
    return arb_library().arb(float(value) if isinstance(value, np.floating) else value)


def as_stored(array: np.ndarray) -> np.ndarray:
    """Return the array in float64 if that rounds no entry, otherwise with its long doubles or as Python integers.

    Examples
    --------
    >>> as_stored(np.array([200, 30], np.uint8)), as_stored(np.array([2**53 + 1]))
    (array([200.,  30.]), array([9007199254740993], dtype=object))
    """
    entries = array if array.dtype.kind == "f" else array.astype(object)
    try:
        floats = array.astype(np.float64)
    except OverflowError:
        return entries
    return floats if bool((floats.astype(entries.dtype) == entries).all()) else entries


def ball_around(midpoint: Ball, radius: Ball) -> Ball:
    """Return the ball of this midpoint and radius."""
    return arb_library().arb(0, 1) * radius.abs_upper() + midpoint


def ball_matrix(array: np.ndarray) -> BallMatrix:
    """Return an array of shape (n, m) as balls of radius zero."""
    n, m = array.shape
    return from_rows([[ball(x) for x in row] for row in array], n, m)


def from_rows(rows: Sequence[Sequence[Ball]], n: int, m: int) -> BallMatrix:
    """Return the n × m matrix with these rows; the sizes give an empty matrix its shape."""
    return arb_library().arb_mat(n, m, [x for row in rows for x in row])


def ball_sum(balls: Iterable[Ball]) -> Ball:
    """Sum of balls; exactly zero for none."""
    return sum(balls, ball(0))


def ball_max(balls: Iterable[Ball]) -> Ball:
    """Maximum of non-negative balls; zero for none."""
    found = ball(0)
    for value in balls:
        found = found.max(value)
    return found


def nonnegative_sqrt(square: Ball) -> Ball:
    """Square root of a number that is known to be non-negative, although its ball may contain negative numbers."""
    return square.nonnegative_part().sqrt()


def power(base: Ball, exponent: int) -> Ball:
    """Integer power as a repeated product; Arb's own power of a ball centred at 0 is not a number.

    Examples
    --------
    >>> with precision(53):
    ...     print(power(ball_around(ball(0), ball(1e-9)), 2).is_finite())
    True
    """
    return math.prod([base] * exponent, start=ball(1))


def squared_norm(a: BallMatrix) -> Ball:
    """Squared Frobenius norm."""
    return ball_sum(x * x for x in a.entries())


def inner(a: BallMatrix, b: BallMatrix) -> Ball:
    """Inner product of matrices, tr(aᵀb)."""
    return ball_sum(x * y for x, y in zip(a.entries(), b.entries()))


def rescale(a: BallMatrix, rows: Sequence[Ball] | None = None, columns: Sequence[Ball] | None = None) -> BallMatrix:
    """Multiply each row, each column, or both by factors."""
    entries = a.tolist()
    if rows is not None:
        entries = [[factor * x for x in row] for factor, row in zip(rows, entries)]
    if columns is not None:
        entries = [[x * factor for x, factor in zip(row, columns)] for row in entries]
    return from_rows(entries, a.nrows(), a.ncols())


def row_sums(a: BallMatrix) -> list[Ball]:
    """Sum of each row."""
    return [ball_sum(row) for row in a.tolist()]


def column_sums(a: BallMatrix) -> list[Ball]:
    """Sum of each column."""
    return row_sums(a.transpose())


def solve_or_undecided(matrix: BallMatrix, right: BallMatrix, failure: str) -> BallMatrix:
    """Return matrix⁻¹ · right; UndecidedError with this message where the balls do not exclude a singular matrix."""
    try:
        return matrix.solve(right)
    except ZeroDivisionError:
        raise UndecidedError(failure) from None


def to_float_array(points: BallMatrix) -> np.ndarray:
    """Midpoints of the entries in float64."""
    return np.array([[float(x) for x in row] for row in points.tolist()])


def enclosure(value: Ball) -> Enclosure:
    """Return the ball as an interval of floats, rounded outward.

    Examples
    --------
    >>> with precision(106):
    ...     third = enclosure(ball(1) / 3)
    >>> third.high - third.low == math.ulp(third.low)
    True
    """
    if not value.is_finite():
        return REAL_LINE
    return Enclosure(_round_down(value.lower()), -_round_down(-value.upper()))


def _round_down(number: Ball) -> float:
    """Largest float that is at most an exact number."""
    found = float(number)
    while not ball(found) <= number:
        found = math.nextafter(found, -math.inf)
    return found
