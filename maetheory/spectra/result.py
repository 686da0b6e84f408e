"""The largest singular values of a matrix, with what is known about their error and about what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maetheory.core import Estimate
from maetheory.spectra.counting_operator import Array


@dataclass(frozen=True)
class Spectrum:
    """The k largest singular triplets of a matrix B of shape (N1, N2), and the certificate beside them.

    Attributes
    ----------
    values : (k,) array
        Singular values, descending.
    left, right : (N1, k) and (N2, k) arrays
        Singular vectors, orthonormal columns: B right ≈ left · values.
    residuals : (k,) array
        ‖H x − σ x‖ of each pair, where H = [[0, B], [Bᵀ, 0]] and x = (u, v) / √2; lower is better.
    missed_below : Estimate
        Upper bound on σ_{k+1}, the largest singular value left out; `sampled` when it came from random probes, and
        then it fails with probability at most `failure_probability`.
    matvecs : int
        Products with B or Bᵀ spent, one per column, the certificate included; 0 when the matrix was solved densely.
    enclosure : float
        Radius within which k singular values of B lie about `values` (that they are the top k is `complete`).
    missed_above : float
        Lower bound on the largest singular value that the right vectors leave out, ‖B(I − VVᵀ)‖.
    failure_probability : float
        Probability that `missed_below` is wrong; 0 when nothing was sampled.

    Examples
    --------
    >>> import numpy as np
    >>> from maetheory.spectra import spectrum
    >>> s = spectrum(np.diag([1.0, 0.5, 0.25]), 2)
    >>> s.values
    array([1. , 0.5])
    >>> s.complete, s.missed
    (True, False)
    """

    values: Array
    left: Array
    right: Array
    residuals: Array
    missed_below: Estimate
    matvecs: int
    enclosure: float
    missed_above: float
    failure_probability: float

    def first(self, k: int) -> Spectrum:
        """Return the k largest of these, the others saying what is left out.

        At least k + 1 singular values reach σ_{k+1} − `enclosure`. With all that these leave out at most
        `missed_below`, those above it are these, so the next one is at most σ_{k+1} + `enclosure`, or `missed_below`.

        Examples
        --------
        >>> import numpy as np
        >>> from maetheory.spectra import spectrum
        >>> spectrum(np.diag([1.0, 0.5, 0.25]), 3).first(1).reading
        'complete: every singular value left out is at most 0.5'
        """
        if k >= len(self.values):
            return self
        following = float(self.values[k])
        upper = max(following + self.enclosure, float(self.missed_below))
        return replace(
            self,
            values=self.values[:k],
            left=self.left[:, :k],
            right=self.right[:, :k],
            residuals=self.residuals[:k],
            missed_below=Estimate(upper, sampled=self.missed_below.sampled),
            missed_above=max(following - self.enclosure, self.missed_above),
        )

    @property
    def missed(self) -> bool:
        """Whether a larger singular value than the last one kept was provably left out."""
        return bool(self.missed_above > self.values[-1] + self.enclosure)

    @property
    def complete(self) -> bool:
        """Whether these are the top k and the next one is smaller, up to `failure_probability`; False also means undecided."""
        return bool(self.missed_below <= self.values[-1] - self.enclosure)

    @property
    def lower(self) -> Array:
        """Lower bounds on σ₁..σ_k of B, shape (k,)."""
        return (self.values - self.enclosure).clip(min=0.0)

    @property
    def upper(self) -> Array:
        """Upper bounds on σ₁..σ_k of B, shape (k,): nothing left out exceeds `missed_below`."""
        return self.values.clip(min=float(self.missed_below)) + self.enclosure

    @property
    def reading(self) -> str:
        """One sentence: what the certificate says."""
        chance = f" (wrong with probability at most {self.failure_probability:.0e})" if self.failure_probability else ""
        if self.missed:
            return f"incomplete: a singular value of at least {self.missed_above:.6g} was left out"
        if self.complete:
            return f"complete: every singular value left out is at most {float(self.missed_below):.6g}{chance}"
        return (
            f"undecided: what was left out is at most {float(self.missed_below):.6g}{chance}, "
            f"not below the last one kept, {self.values[-1]:.6g}"
        )
