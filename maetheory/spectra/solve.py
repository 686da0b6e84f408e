"""The top of a spectrum, solved component by component and never without its certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import index
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackError

from maetheory.core import Estimate, InputError, generator
from maetheory.spectra.block_golub_kahan import WIDTH, block_golub_kahan_svd
from maetheory.spectra.component_spectrum import (
    ComponentSpectrum,
    MergedSpectrum,
    merge_components,
    pad_with_null_vectors,
)
from maetheory.spectra.components import components
from maetheory.spectra.counting_operator import Array, Products, explicit, is_sparse
from maetheory.spectra.enclose import NormBounds, enclosure, residual_block
from maetheory.spectra.lanczos import STEPS, missed_below_by_lanczos
from maetheory.spectra.large_components import ComponentMatrix, solve_large_components
from maetheory.spectra.result import Spectrum
from maetheory.spectra.small_components import is_small, solve_small_components
from maetheory.spectra.solvers import arpack_svd
from maetheory.spectra.triplets import SingularTriplets

ATTEMPTS = 3
GRAM_BLUR_RATIO = 1e-2  # of the largest value: below, BᵀB mixes the vectors of values that lie close together
NOTHING_MISSED = NormBounds(0.0, 0.0, 0.0)


def spectrum(operator: Any, k: int, *, seed: int = 0) -> Spectrum:
    """Return the k largest singular values of a matrix with vectors, enclosure and what was missed.

    A sparse matrix is split into its connected components first, so that a singular value of one component never
    hides its copies in others. Small components get a dense SVD, others ARPACK, or a block method where values lie
    below a hundredth of the largest; where the certificate proves that a value was missed, ever wider blocks.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        Real; computed in float64.
    k : int
        How many singular values, counted with multiplicity; from 1 to min(N1, N2).
    seed : int, default 0
        Starts the iterations and draws the probes of the certificate.

    Returns
    -------
    Spectrum
        Values descending, vectors, residuals, and the certificate.

    Raises
    ------
    InputError
        If k is not an integer from 1 to min(N1, N2), the operator is not a finite real matrix, or more than a quarter
        of the values of a component are asked for that has over 250 million entries, zeros included.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK Users' Guide.

    Examples
    --------
    >>> two_components = sparse.block_diag([np.ones((2, 3)) / np.sqrt(6)] * 2)
    >>> spectrum(two_components, 3).values.round(12)
    array([1., 1., 0.])
    """
    matrix = explicit(operator)
    k = _checked_count(k, matrix.shape)
    products = Products(matrix)
    small, large = _split_small_and_large(matrix, k)
    known = np.concatenate([np.empty(0), *(part.values for part in small)])
    for attempt in range(ATTEMPTS):
        solver = _arpack_or_blocks if attempt == 0 else partial(block_golub_kahan_svd, width=WIDTH * 2**attempt)
        parts = [*small, *solve_large_components(large, k, known, solver, generator(seed, "start", attempt), products)]
        together = merge_components(parts, matrix.shape, k)
        together = replace(together, kept=pad_with_null_vectors(together.kept, k, generator(seed, "null")))
        found = _certified_spectrum(
            products, together, _bound_missed(products, parts, generator(seed, "probe", attempt))
        )
        if not found.missed:
            break
    return found


def certify(operator: Any, values: Array, left: Array, right: Array, *, seed: int = 0, steps: int = STEPS) -> Spectrum:
    """Return the certificate of singular triplets that somebody else computed.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B.
    values, left, right : (k,), (N1, k) and (N2, k) arrays
        Approximate singular values, in any order, and their vectors, of full column rank.
    seed : int, default 0
        Draws the probes; they must not have been used to find the triplets.
    steps : int
        Lanczos steps, two products each, that bound what is left out: 32 to within 4 % of it, 48 to within 2 %.

    Returns
    -------
    Spectrum
        The triplets in descending order with residuals, enclosure, and bounds on what they leave out.

    Raises
    ------
    InputError
        If the shapes do not fit together.

    Examples
    --------
    >>> b, e = np.diag([1.0, 0.9, 0.5]), np.eye(3)
    >>> certify(b, np.array([1.0, 0.5]), e[:, [0, 2]], e[:, [0, 2]]).missed
    True
    """
    products = Products(operator)
    values, left, right = (np.asarray(array, dtype=np.float64) for array in (values, left, right))
    expected = ((len(values),), (products.shape[0], len(values)), (products.shape[1], len(values)))
    if (values.shape, left.shape, right.shape) != expected:
        raise InputError(
            f"values, left and right have shapes {values.shape}, {left.shape} and {right.shape}, "
            f"but {expected[0]}, {expected[1]} and {expected[2]} are expected"
        )
    order = np.argsort(-values, kind="stable")
    kept = SingularTriplets(left[:, order], values[order], right[:, order])
    bracket = missed_below_by_lanczos(
        products, right, rng=generator(seed, "probe"), steps=steps, norm=float(values.max())
    )
    return _certified_spectrum(products, MergedSpectrum(kept, 0.0, 0.0), bracket)


def _checked_count(k: int, shape: tuple[int, int]) -> int:
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


def _split_small_and_large(matrix: Any, k: int) -> tuple[list[ComponentSpectrum], list[ComponentMatrix]]:
    """Return the small components, solved, and the large ones with their rows, columns and matrix."""
    if not is_sparse(matrix):
        return [], [(np.arange(matrix.shape[0]), np.arange(matrix.shape[1]), matrix)]
    blocks = components(matrix)
    if len(blocks) == 1:
        return [], [(blocks[0].rows, blocks[0].columns, blocks[0].matrix)]
    small = [block for block in blocks if is_small(block.shape)]
    large = [block for block in blocks if not is_small(block.shape)]
    return solve_small_components(small, k), [(block.rows, block.columns, block.matrix) for block in large]


def _arpack_or_blocks(products: Products, k: int, rng: np.random.Generator) -> SingularTriplets:
    try:
        found = arpack_svd(products, k, rng)
    except ArpackError:
        return block_golub_kahan_svd(products, k, rng)
    blurred = found.values[-1] < GRAM_BLUR_RATIO * found.values[0]
    return block_golub_kahan_svd(products, k, rng) if blurred else found


def _bound_missed(products: Products, parts: Sequence[ComponentSpectrum], rng: np.random.Generator) -> NormBounds:
    """Bracket the largest singular value outside what the parts computed; of parts that are sure, nothing."""
    open_parts = [part for part in parts if not part.none_missed]
    if not open_parts:
        return NOTHING_MISSED
    norm = max(float(part.values[0]) for part in open_parts)
    columns = np.concatenate([part.columns for part in open_parts])
    if len(open_parts) == 1:
        found = open_parts[0].top(len(open_parts[0].values)).right
    else:
        order = np.argsort(columns)
        found = sparse.csr_array(sparse.block_diag([part.top(len(part.values)).right for part in open_parts]))[order]
        columns = columns[order]
    bracket = missed_below_by_lanczos(products, found, rng=rng, norm=norm, columns=columns)
    # What is left out need not be orthogonal to what was found: the residual couples them.
    return replace(bracket, upper=bracket.upper + max(float(part.errors.max()) for part in open_parts))


def _certified_spectrum(products: Products, together: MergedSpectrum, bracket: NormBounds) -> Spectrum:
    kept = together.kept
    residual = residual_block(products, kept.values, kept.left, kept.right)
    radius = enclosure(residual, kept.left, kept.right, float(kept.values[0]))
    return Spectrum(
        values=kept.values,
        left=kept.left,
        right=kept.right,
        residuals=np.linalg.norm(residual, axis=0),
        missed_below=Estimate(max(together.dropped_below, bracket.upper), sampled=bracket.failure_probability > 0),
        matvecs=products.count,
        enclosure=radius,
        missed_above=max(together.dropped_above, bracket.lower),
        failure_probability=bracket.failure_probability,
    )
