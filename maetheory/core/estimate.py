"""`Estimate`, a float that carries its error and whether it was sampled."""

from __future__ import annotations

from typing import Any


class Estimate(float):
    """A float with an error, and a flag that says whether it was sampled.

    Arithmetic on an Estimate gives plain floats, so no error is propagated silently.

    Parameters
    ----------
    value : float
        The number itself.
    error : float, default 0.0
        Half-width of the interval around `value`: a rounding-error bound or an enclosure when exact, a confidence
        interval when sampled.
    sampled : bool, default False
        Whether the value was estimated from random samples; a claim whose slack lies within a sampled error is
        UNDECIDED.

    Examples
    --------
    >>> tail = Estimate(0.25, 0.01, sampled=True)
    >>> tail
    0.25 ± 0.01 (sampled)
    >>> tail * 2
    0.5
    """

    __slots__ = ("error", "sampled")
    error: float
    sampled: bool

    def __new__(  # noqa: D102  # the class docstring documents the parameters, as numpydoc asks
        cls, value: float, error: float = 0.0, sampled: bool = False
    ) -> Estimate:
        self = super().__new__(cls, value)
        if error < 0:
            raise ValueError(f"an error is never negative, but {error} was given")
        self.error = float(error)
        self.sampled = bool(sampled)
        return self

    @property
    def value(self) -> float:
        """The value as a plain float."""
        return float(self)

    @property
    def low(self) -> float:
        """Lower end of the interval, value − error."""
        return self.value - self.error

    @property
    def high(self) -> float:
        """Upper end of the interval, value + error."""
        return self.value + self.error

    def __repr__(self) -> str:
        error = f" ± {self.error:.3g}" if self.error else ""
        return f"{self.value:.6g}{error}{' (sampled)' if self.sampled else ''}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Estimate, (self.value, self.error, self.sampled))
