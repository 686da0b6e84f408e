"""The top of a spectrum, solved component by component and never without its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, generator
from maetheory.spectra.components import Block, components
from maetheory.spectra.enclose import FAILURE, Bracket, enclosure, missed_below, residual_block
from maetheory.spectra.engines import Triplets, by_arpack, by_dense_svd, is_small
from maetheory.spectra.products import Array, Products, explicit, is_sparse
from maetheory.spectra.result import Spectrum

NOTHING_LEFT = Bracket(0.0, 0.0, 0.0)


def spectrum(operator: Any, k: int, *, seed: int = 0) -> Spectrum:
    """Return the k largest singular values of a matrix with vectors, enclosure and what was missed.

    A sparse matrix is split into its connected components first, so that a singular value of one component never
    hides its copies in others. Small blocks get a dense SVD, others ARPACK.

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
        If k is not an integer from 1 to min(N1, N2), or the operator is not a finite real matrix.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK Users' Guide.

    Examples
    --------
    >>> from scipy import sparse
    >>> two_components = sparse.block_diag([np.ones((2, 3)) / np.sqrt(6)] * 2)
    >>> spectrum(two_components, 3).values.round(12)
    array([1., 1., 0.])
    """
    matrix = explicit(operator)
    k = _checked_count(k, matrix.shape)
    products = Products(matrix)
    parts = _solve_parts(_blocks(matrix), k, seed, products)
    kept, dropped = _merge(parts, matrix.shape, k)
    kept = _pad_with_null(kept, k, seed)
    return _certify(products, kept, dropped, [part.bracket for part in parts])


@dataclass(frozen=True)
class _Part:
    """The solution of one component: its triplets, and a bracket on what they leave out of it."""

    block: Block
    triplets: Triplets
    bracket: Bracket


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


def _blocks(matrix: Any) -> list[Block]:
    if is_sparse(matrix):
        return components(matrix)
    return [Block(np.arange(matrix.shape[0]), np.arange(matrix.shape[1]), matrix)]


def _solve_parts(blocks: list[Block], k: int, seed: int, counter: Products) -> list[_Part]:
    failure = FAILURE / max(len(blocks), 1)
    return [_solve_block(block, k, seed, number, failure, counter) for number, block in enumerate(blocks)]


def _solve_block(block: Block, k: int, seed: int, number: int, failure: float, counter: Products) -> _Part:
    k = min(k, *block.matrix.shape)
    if is_small(block.matrix.shape, k):
        return _Part(block, by_dense_svd(_entries(block.matrix, counter)), NOTHING_LEFT)
    products = counter.sharing(block.matrix)
    triplets = by_arpack(products, k, generator(seed, "spectra", "start", number))
    bracket = missed_below(
        products,
        triplets.right,
        rng=generator(seed, "spectra", "probe", number),
        failure=failure,
        norm=float(triplets.values[0]),
    )
    return _Part(block, triplets, bracket)


def _entries(matrix: Any, counter: Products) -> Any:
    """Return an explicit matrix; a LinearOperator is multiplied with the identity on its shorter side."""
    if not isinstance(matrix, LinearOperator):
        return matrix
    products = counter.sharing(matrix)
    if matrix.shape[0] < matrix.shape[1]:
        return products.backward(np.eye(matrix.shape[0])).T
    return products.forward(np.eye(matrix.shape[1]))


def _merge(parts: list[_Part], shape: tuple[int, int], k: int) -> tuple[Triplets, Array]:
    """Return the k largest of all triplets, placed in the whole matrix, and the values that were dropped."""
    values = np.concatenate([part.triplets.values for part in parts] or [np.empty(0)])
    owner = np.repeat(np.arange(len(parts)), [len(part.triplets.values) for part in parts])
    place = np.concatenate([np.arange(len(part.triplets.values)) for part in parts] or [np.empty(0, int)])
    order = np.argsort(-values, kind="stable")
    left, right = np.zeros((shape[0], min(k, len(order)))), np.zeros((shape[1], min(k, len(order))))
    top = order[:k]
    for number in np.unique(owner[top]):
        here = np.flatnonzero(owner[top] == number)
        part, chosen = parts[number], place[top[here]]
        left[np.ix_(part.block.rows, here)] = part.triplets.left[:, chosen]
        right[np.ix_(part.block.columns, here)] = part.triplets.right[:, chosen]
    return Triplets(left, values[top], right), values[order[k:]]


def _pad_with_null(kept: Triplets, k: int, seed: int) -> Triplets:
    """Add null vectors when the components together have fewer than k singular values; the others are 0."""
    missing = k - len(kept.values)
    if not missing:
        return kept
    rng = generator(seed, "spectra", "null")
    return Triplets(
        _complete(kept.left, missing, rng),
        np.append(kept.values, np.zeros(missing)),
        _complete(kept.right, missing, rng),
    )


def _complete(basis: Array, missing: int, rng: np.random.Generator) -> Array:
    extra = rng.standard_normal((len(basis), missing))
    for _ in range(2):
        extra = np.linalg.qr(extra - basis @ (basis.T @ extra))[0]
    return np.hstack([basis, extra])


def _certify(products: Products, kept: Triplets, dropped: Array, brackets: list[Bracket]) -> Spectrum:
    residual = residual_block(products, kept.values, kept.left, kept.right)
    radius = enclosure(residual, kept.left, kept.right, float(kept.values[0]))
    largest_dropped = float(dropped[0]) if len(dropped) else 0.0
    upper = max([largest_dropped + radius if len(dropped) else 0.0, *(bracket.upper for bracket in brackets)])
    lower = max([largest_dropped - radius, 0.0, *(bracket.lower for bracket in brackets)])
    failure = sum(bracket.failure for bracket in brackets)
    return Spectrum(
        values=kept.values,
        left=kept.left,
        right=kept.right,
        residuals=np.linalg.norm(residual, axis=0),
        missed_below=Estimate(upper, sampled=failure > 0),
        matvecs=products.count,
        enclosure=radius,
        missed_above=lower,
        failure=failure,
    )
