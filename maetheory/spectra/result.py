"""Result of a singular value computation: values, vectors, error bounds, and bounds on missed values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from maetheory.core import Estimate
from maetheory.core.summaries import summary_html, summary_text
from maetheory.spectra.counting_operator import Array


@dataclass(frozen=True)
class Spectrum:
    """The k largest singular triplets of a matrix B of shape (N1, N2), with a certificate.

    Attributes
    ----------
    values : (k,) array
        Singular values, descending.
    left, right : (N1, k) and (N2, k) arrays
        Singular vectors, orthonormal columns: B right ≈ left · values.
    residuals : (k,) array
        ‖H x − σ x‖ of each pair, where H = [[0, B], [Bᵀ, 0]] and x = (u, v) / √2; lower is better.
    missed_below : Estimate
        Upper bound on σ_{k+1}, the largest singular value not returned; `sampled` when it comes from random probes, in
        which case it fails with probability at most `failure_probability`.
    matvecs : int
        Number of products with B or Bᵀ, one per column, including the certificate; 0 for a dense solution.
    enclosure_radius : float
        Radius around `values` within which k singular values of B lie (`complete` says whether they are the top k).
    missed_above : float
        Lower bound on ‖B(I − VVᵀ)‖, the largest singular value outside the span of the right vectors.
    failure_probability : float
        Probability that `missed_below` is wrong; 0 when nothing was sampled.
    coupling_bound : float
        Bound ρ on the blocks of H that couple the spans of the vectors to the rest. The singular values of B lie within
        2ρ of `values` and those of D = (I − UU⁺) B (I − VV⁺) together, and ‖B(I − VV⁺)‖² ≤ ‖D‖² + ρ².

    Notes
    -----
    For HZ = Z [[0, Σ], [Σ, 0]] + E with Z = diag(U, V), ρ = ‖E‖ / σ_min(Z). By Kahan 1967 and Cao, Xie and Li 1996 the
    singular values of the part of B inside the spans lie within ρ of `values`; by Weyl, leaving out the coupling to the
    rest moves those of B by ρ more. One small residual is not enough for this: with B = c e₂e₁ᵀ, u = v = e₁ and σ = 0
    one singular value is indeed 0, nothing is left of B(I − vvᵀ), and yet σ₁ = c.

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
    enclosure_radius: float
    missed_above: float
    failure_probability: float
    coupling_bound: float

    def _facts(self) -> tuple[str, dict[str, str]]:
        shown = ", ".join(f"{value:.4g}" for value in self.values[:8]) + (", …" if len(self.values) > 8 else "")
        title = f"Spectrum: {len(self.values)} largest singular values of a {len(self.left)} x {len(self.right)} matrix"
        return title, {"values": f"{shown}, each ± {self.enclosure_radius:.2g}", "certificate": self.summary}

    def __repr__(self) -> str:
        return summary_text(*self._facts())

    def _repr_html_(self) -> str:
        return summary_html(*self._facts())

    def first(self, k: int) -> Spectrum:
        """Return the k largest of these triplets; the other values then bound what is not returned.

        At least k + 1 singular values exceed σ_{k+1} − `enclosure_radius`, and the next one is at most `upper[k]`.

        Examples
        --------
        >>> import numpy as np
        >>> from maetheory.spectra import spectrum
        >>> spectrum(np.diag([1.0, 0.5, 0.25]), 3).first(1).summary
        'complete: every singular value left out is at most 0.5'
        """
        if k >= len(self.values):
            return self
        return replace(
            self,
            values=self.values[:k],
            left=self.left[:, :k],
            right=self.right[:, :k],
            residuals=self.residuals[:k],
            missed_below=Estimate(float(self.upper[k]), sampled=self.missed_below.sampled),
            missed_above=max(float(self.values[k]) - self.enclosure_radius, self.missed_above),
        )

    @property
    def missed(self) -> bool:
        """Whether a singular value larger than the last one returned was provably missed.

        ‖D‖ ≥ `missed_above` − ρ, and D adds a value to those of B unless it lies within 2ρ of the last one returned.
        """
        return bool(self.missed_above > self.values[-1] + 3.0 * self.coupling_bound)

    @property
    def complete(self) -> bool:
        """Whether these are the top k and the next value is smaller (up to `failure_probability`); else False."""
        return bool(self.missed_below <= self.values[-1] - self.enclosure_radius)

    @property
    def lower(self) -> Array:
        """Lower bounds on σ₁..σ_k of B, shape (k,)."""
        return (self.values - self.enclosure_radius).clip(min=0.0)

    @property
    def upper(self) -> Array:
        """Upper bounds on σ₁..σ_k of B, shape (k,): max(values + ρ, `missed_below`) + ρ with ρ = `coupling_bound`."""
        return (self.values + self.coupling_bound).clip(min=float(self.missed_below)) + self.coupling_bound

    @property
    def enclosure(self) -> float:
        """Old name of `enclosure_radius`."""
        warnings.warn("Spectrum.enclosure was renamed; use Spectrum.enclosure_radius", DeprecationWarning, stacklevel=2)
        return self.enclosure_radius

    @property
    def reading(self) -> str:
        """Old name of `summary`."""
        warnings.warn("Spectrum.reading was renamed; use Spectrum.summary", DeprecationWarning, stacklevel=2)
        return self.summary

    @property
    def summary(self) -> str:
        """One sentence that says whether values were missed."""
        chance = f" (wrong with probability at most {self.failure_probability:.0e})" if self.failure_probability else ""
        if self.missed:
            least = self.missed_above - 2.0 * self.coupling_bound
            return f"incomplete: a singular value of at least {least:.6g} was left out"
        if self.complete:
            return f"complete: every singular value left out is at most {float(self.missed_below):.6g}{chance}"
        return (
            f"undecided: what was left out is at most {float(self.missed_below):.6g}{chance}, "
            f"not below the last one kept, {self.values[-1]:.6g}"
        )
