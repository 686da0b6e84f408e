"""Spectra one may trust: components first, then a solver, and beside every value what is known of its error.

A solver that undercounts σ = 1 reports wrong connectivity with tiny residuals, because a residual says only that a
value is near some singular value, never that none was missed. So `spectrum` returns both: the enclosure of what it
found, and a bound on what it left out. `certify` gives the same of triplets found by others; `trace`, `tail` and
`density` see the whole spectrum through random vectors, with standard errors.
"""

from maetheory.spectra.components import Block, components
from maetheory.spectra.density import Curve, Density, density
from maetheory.spectra.enclose import Bracket, enclosure, missed_below, residual_block
from maetheory.spectra.lanczos import Quadrature, lanczos, missed_below_by_lanczos
from maetheory.spectra.products import Products
from maetheory.spectra.result import Spectrum
from maetheory.spectra.solve import certify, spectrum
from maetheory.spectra.trace import tail, trace

__all__ = [
    "Block",
    "Bracket",
    "Curve",
    "Density",
    "Products",
    "Quadrature",
    "Spectrum",
    "certify",
    "components",
    "density",
    "enclosure",
    "lanczos",
    "missed_below",
    "missed_below_by_lanczos",
    "residual_block",
    "spectrum",
    "tail",
    "trace",
]
