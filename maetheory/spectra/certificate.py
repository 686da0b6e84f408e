"""Certificates of singular triplets: residual enclosure of the values and a bound on the missed ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError, generator
from maetheory.spectra.component_spectrum import MergedSpectrum
from maetheory.spectra.counting_operator import Array, CountingOperator
from maetheory.spectra.enclose import NormBounds, coupling_bound, enclosure_radius, residual_block
from maetheory.spectra.lanczos_bound import STEPS, missed_below_by_lanczos
from maetheory.spectra.result import Spectrum
from maetheory.spectra.triplets import SingularTriplets


def certify(operator: Any, values: Array, left: Array, right: Array, *, seed: int = 0, steps: int = STEPS) -> Spectrum:
    """Return the certificate of singular triplets that were computed elsewhere.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B.
    values, left, right : (k,), (N1, k) and (N2, k) arrays
        Approximate singular values, in any order, and their vectors, of full column rank.
    seed : int, default 0
        Draws the probes; they must not have been used to find the triplets.
    steps : int, default 32
        Lanczos steps, two products each; the bound on missed values is within 4 % with 32 steps and 2 % with 48 for
        some hundred columns, within 6 % and 3 % for a million.

    Returns
    -------
    Spectrum
        The triplets in descending order with residuals, enclosure, and bounds on missed values.

    Raises
    ------
    InputError
        If the shapes are inconsistent, there is no triplet, or a number is not finite.

    Examples
    --------
    >>> b, e = np.diag([1.0, 0.9, 0.5]), np.eye(3)
    >>> certify(b, np.array([1.0, 0.5]), e[:, [0, 2]], e[:, [0, 2]]).missed
    True
    """
    products = CountingOperator(operator)
    values, left, right = (np.asarray(array, dtype=np.float64) for array in (values, left, right))
    k = values.size
    expected = ((k,), (products.shape[0], k), (products.shape[1], k))
    if k == 0 or (values.shape, left.shape, right.shape) != expected:
        raise InputError(
            f"values, left and right have shapes {values.shape}, {left.shape} and {right.shape}, "
            f"but {expected[0]}, {expected[1]} and {expected[2]} with at least one value are expected"
        )
    if not all(np.isfinite(array).all() for array in (values, left, right)):
        raise InputError("values, left or right hold NaN or infinity, but every number must be finite")
    order = np.argsort(-values, kind="stable")
    triplets = SingularTriplets(left[:, order], values[order], right[:, order])
    residual = residual_block(products, triplets.values, triplets.left, triplets.right)
    image = np.sqrt(2.0) * residual[: len(left)] + triplets.left * triplets.values  # B V
    bounds = missed_below_by_lanczos(
        products,
        right,
        rng=generator(seed, "probe"),
        steps=steps,
        norm=max(float(np.linalg.norm(image, 2)), values.max()),
    )
    return _spectrum(products, MergedSpectrum(triplets, 0.0, 0.0), residual, bounds)


def certified_spectrum(products: CountingOperator, merged: MergedSpectrum, bounds: NormBounds) -> Spectrum:
    """Return the merged triplets as a Spectrum, given bounds on the largest singular value that was not computed."""
    triplets = merged.triplets
    residual = residual_block(products, triplets.values, triplets.left, triplets.right)
    return _spectrum(products, merged, residual, bounds)


def _spectrum(products: CountingOperator, merged: MergedSpectrum, residual: Array, bounds: NormBounds) -> Spectrum:
    triplets = merged.triplets
    norm = max(float(triplets.values[0]), bounds.lower)  # what was missed may be larger than what was found
    vectors, rounding_error = (triplets.left, triplets.right), products.rounding_error
    return Spectrum(
        values=triplets.values,
        left=triplets.left,
        right=triplets.right,
        residuals=np.linalg.norm(residual, axis=0),
        missed_below=Estimate(max(merged.dropped_below, bounds.upper), sampled=bounds.failure_probability > 0),
        matvecs=products.matvecs,
        enclosure_radius=enclosure_radius(residual, *vectors, norm, rounding_error=rounding_error),
        missed_above=max(merged.dropped_above, bounds.lower),
        failure_probability=bounds.failure_probability,
        coupling_bound=coupling_bound(residual, *vectors, norm, rounding_error=rounding_error),
    )
