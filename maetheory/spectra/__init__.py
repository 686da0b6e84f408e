"""Singular values of large matrices, with certificates: error bounds on the values and a bound on missed ones.

A small residual shows that a value is close to some singular value, but not that no larger one was missed; a solver
that misses copies of σ = 1 misjudges the connectivity of a graph. `spectrum` therefore returns an enclosure of the
values it found and an upper bound on those it missed, and `certify` checks triplets computed elsewhere. `trace` (with
`tail_energy`) and `density` estimate sums over the whole spectrum from random probes, with standard errors.

Read `solve` and `result` first, then `certificate` and `enclose` (the bounds), `lanczos` and `lanczos_bound` (the
randomised bound on missed values). `connected_components`, `small_components`, `large_components` and
`component_spectrum` solve component by component with the methods of `solvers` and `block_golub_kahan` (with
`orthonormalise`). All of them multiply with a matrix through `counting_operator`.

>>> import numpy as np
>>> from maetheory.spectra import spectrum
>>> spectrum(np.diag([1.0, 0.5, 0.25]), 2).summary
'complete: every singular value left out is at most 0.25'
"""

import warnings
from typing import Any

from maetheory.core.renames import renamed
from maetheory.spectra.certificate import certify
from maetheory.spectra.connected_components import Component, split_components
from maetheory.spectra.counting_operator import CountingOperator
from maetheory.spectra.density import Curve, SpectralDensity, spectral_density
from maetheory.spectra.enclose import NormBounds, coupling_bound, enclosure_radius, missed_below, residual_block
from maetheory.spectra.lanczos import GaussQuadrature, lanczos
from maetheory.spectra.lanczos_bound import missed_below_by_lanczos
from maetheory.spectra.result import Spectrum
from maetheory.spectra.solve import spectrum
from maetheory.spectra.trace import tail_energy, trace

__all__ = [
    "Component",
    "CountingOperator",
    "Curve",
    "GaussQuadrature",
    "NormBounds",
    "SpectralDensity",
    "Spectrum",
    "certify",
    "coupling_bound",
    "enclosure_radius",
    "lanczos",
    "missed_below",
    "missed_below_by_lanczos",
    "residual_block",
    "spectral_density",
    "spectrum",
    "split_components",
    "tail_energy",
    "trace",
]


def density(*args: Any, **kwargs: Any) -> SpectralDensity:
    """Old name of `spectral_density`; a function, because `renamed` cannot alias the name of a module."""
    warnings.warn(
        "maetheory.spectra.density was renamed; use maetheory.spectra.spectral_density",
        DeprecationWarning,
        stacklevel=2,
    )
    return spectral_density(*args, **kwargs)


__getattr__ = renamed(
    __name__,
    {
        "Block": "Component",
        "Bracket": "NormBounds",
        "Density": "SpectralDensity",
        "Products": "CountingOperator",
        "Quadrature": "GaussQuadrature",
        "components": "split_components",
        "enclosure": "enclosure_radius",
        "tail": "tail_energy",
    },
)
