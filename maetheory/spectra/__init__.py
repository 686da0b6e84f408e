"""Spectra one may trust: components first, then a solver, and beside every value what is known of its error.

A solver that undercounts σ = 1 reports wrong connectivity with tiny residuals, because a residual says only that a
value is near some singular value, never that none was missed. So `spectrum` returns both: the enclosure of what it
found, and a bound on what it left out. `certify` gives the same of triplets found by others; `trace`, `tail` and
`density` see the whole spectrum through random vectors, with standard errors.
"""

from maetheory.core.renames import renamed
from maetheory.spectra.components import Component, components
from maetheory.spectra.counting_operator import Products
from maetheory.spectra.density import Curve, SpectralDensity, density
from maetheory.spectra.enclose import NormBounds, enclosure, missed_below, residual_block
from maetheory.spectra.lanczos import GaussQuadrature, lanczos, missed_below_by_lanczos
from maetheory.spectra.result import Spectrum
from maetheory.spectra.solve import certify, spectrum
from maetheory.spectra.trace import tail, trace

__all__ = [
    "Component",
    "Curve",
    "GaussQuadrature",
    "NormBounds",
    "Products",
    "SpectralDensity",
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

__getattr__ = renamed(
    __name__,
    {
        "Block": "Component",
        "Bracket": "NormBounds",
        "Density": "SpectralDensity",
        "Quadrature": "GaussQuadrature",
    },
)
