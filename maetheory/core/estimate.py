"""A number is worth quoting only together with its error and with how it was found."""

from __future__ import annotations

from typing import Any


class Estimate(float):
    """A float that knows its error.

    Parameters
    ----------
    value : float
        The number itself; arithmetic on an Estimate gives plain floats, so errors are never propagated silently.
    error : float, default 0.0
        Half-width of the band around `value`: round-off or an enclosure when exact, a sampling band when sampled.
    sampled : bool, default False
        Whether randomness entered; a sampled number inside its band decides nothing.

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

    def __new__(cls, value: float, error: float = 0.0, sampled: bool = False) -> Estimate:
        self = super().__new__(cls, value)
        if error < 0:
            raise ValueError(f"an error is never negative, but {error} was given")
        self.error = float(error)
        self.sampled = bool(sampled)
        return self

    @property
    def value(self) -> float:
        """The plain float."""
        return float(self)

    @property
    def low(self) -> float:
        """Lower end of the band."""
        return self.value - self.error

    @property
    def high(self) -> float:
        """Upper end of the band."""
        return self.value + self.error

    def __repr__(self) -> str:
        band = f" ± {self.error:.3g}" if self.error else ""
        return f"{self.value:.6g}{band}{' (sampled)' if self.sampled else ''}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Estimate, (self.value, self.error, self.sampled))
