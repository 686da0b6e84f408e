"""Largest singular values with a certificate, computed component by component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import index
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackError

from maetheory.core import InputError, generator
from maetheory.spectra.block_golub_kahan import BLOCK_SIZE, block_golub_kahan_svd
from maetheory.spectra.certificate import certified_spectrum
from maetheory.spectra.component_spectrum import ComponentSpectrum, merge_components, pad_with_null_vectors
from maetheory.spectra.connected_components import split_components
from maetheory.spectra.counting_operator import CountingOperator, as_float64_matrix
from maetheory.spectra.enclose import NormBounds
from maetheory.spectra.lanczos_bound import missed_below_by_lanczos
from maetheory.spectra.large_components import ComponentMatrix, solve_large_components
from maetheory.spectra.result import Spectrum
from maetheory.spectra.small_components import is_small_component, solve_small_components
from maetheory.spectra.solvers import arpack_svd
from maetheory.spectra.triplets import SingularTriplets

ATTEMPTS = 3
GRAM_BLUR_RATIO = 1e-2  # relative to the largest value: below it, BᵀB mixes the vectors of close values
NOTHING_MISSED = NormBounds(0.0, 0.0, 0.0)


def spectrum(operator: Any, k: int, *, seed: int = 0) -> Spectrum:
    """Return the k largest singular values of a matrix with vectors, error bounds and a bound on missed values.

    A sparse matrix is first split into its connected components, so that a solver cannot miss a copy of a singular
    value in another component. Small components are solved by dense SVD, others by ARPACK, or by a block method where
    values lie below a hundredth of the largest. When the certificate proves that a value was missed, the block method
    is repeated with wider blocks.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        Real; computed in float64.
    k : int
        Number of singular values, counted with multiplicity; from 1 to min(N1, N2).
    seed : int, default 0
        Draws the starting vectors of the iterations and the probes of the certificate.

    Returns
    -------
    Spectrum
        Values descending, vectors, residuals, and the certificate.

    Raises
    ------
    InputError
        If k is not an integer from 1 to min(N1, N2), the operator is not a finite real matrix, or more than a quarter
        of the values are requested of a component with over 250 million entries, zeros included.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK Users' Guide.

    Examples
    --------
    >>> two_components = sparse.block_diag([np.ones((2, 3)) / np.sqrt(6)] * 2)
    >>> spectrum(two_components, 3).values.round(12)
    array([1., 1., 0.])
    """
    matrix = as_float64_matrix(operator)
    k = _check_count(k, matrix.shape)
    products = CountingOperator(matrix)
    small, large = _solve_small_and_select_large(matrix, k)
    known = np.concatenate([np.empty(0), *(part.values for part in small)])
    for attempt in range(ATTEMPTS):
        solver = (
            _arpack_or_block_golub_kahan
            if attempt == 0
            else partial(block_golub_kahan_svd, block_size=BLOCK_SIZE * 2**attempt)
        )
        parts = [*small, *solve_large_components(large, k, known, solver, generator(seed, "start", attempt), products)]
        merged = merge_components(parts, matrix.shape, k)
        merged = replace(merged, triplets=pad_with_null_vectors(merged.triplets, k, generator(seed, "null")))
        bounds = _bound_missed_values(products, parts, generator(seed, "probe", attempt))
        found = certified_spectrum(products, merged, bounds)
        if not found.missed:
            break
    return found


def _check_count(k: int, shape: tuple[int, int]) -> int:
    try:
        count = index(k)
    except TypeError:
        raise InputError(f"k is {k!r}, but a whole number of singular values is expected") from None
    if not 1 <= count <= min(shape):
        raise InputError(
            f"k is {count}, but a matrix of shape {tuple(shape)} has {min(shape)} singular values, "
            f"so 1 to {min(shape)} can be asked for"
        )
    return count


def _solve_small_and_select_large(matrix: Any, k: int) -> tuple[list[ComponentSpectrum], list[ComponentMatrix]]:
    """Return the spectra of the small components and the matrices of the large ones."""
    if not sparse.issparse(matrix):
        return [], [ComponentMatrix(np.arange(matrix.shape[0]), np.arange(matrix.shape[1]), matrix)]
    components = split_components(matrix)
    small = [one for one in components if is_small_component(one.shape)] if len(components) > 1 else []
    large = [one for one in components if not is_small_component(one.shape)] if len(components) > 1 else components
    return solve_small_components(small, k), [ComponentMatrix(one.rows, one.columns, one.matrix) for one in large]


def _arpack_or_block_golub_kahan(products: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
    try:
        found = arpack_svd(products, k, rng)
    except ArpackError:
        return block_golub_kahan_svd(products, k, rng)
    is_blurred = found.values[-1] < GRAM_BLUR_RATIO * found.values[0]
    return block_golub_kahan_svd(products, k, rng) if is_blurred else found


def _bound_missed_values(
    products: CountingOperator, parts: Sequence[ComponentSpectrum], rng: np.random.Generator
) -> NormBounds:
    """Bound the largest singular value that was not computed, of the components whose solver can miss one."""
    uncertain = [part for part in parts if not part.none_missed]
    if not uncertain:
        return NOTHING_MISSED
    norm = max(float(part.values[0]) for part in uncertain)
    columns = np.concatenate([part.columns for part in uncertain])
    if len(uncertain) == 1:
        found = uncertain[0].top_triplets(len(uncertain[0].values)).right
    else:
        order = np.argsort(columns)
        blocks = [part.top_triplets(len(part.values)).right for part in uncertain]
        found = sparse.csr_array(sparse.block_diag(blocks))[order]
        columns = columns[order]
    bounds = missed_below_by_lanczos(products, found, rng=rng, norm=norm, columns=columns)
    # Missed vectors need not be orthogonal to the computed ones: the residual couples them.
    return replace(bounds, upper=bounds.upper + max(float(part.errors.max()) for part in uncertain))
