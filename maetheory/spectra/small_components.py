"""Batched dense decomposition of small components."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from maetheory.spectra.component_spectrum import ComponentSpectrum
from maetheory.spectra.connected_components import Component
from maetheory.spectra.counting_operator import Array
from maetheory.spectra.solvers import (
    DENSE_ENTRIES,
    DENSE_SIDE,
    GRAM_MIN_RATIO,
    dense_svd,
    gram_svd,
    lapack_backward_error,
)
from maetheory.spectra.triplets import SingularTriplets

TINY = float(np.finfo(np.float64).tiny)


def is_small_component(shape: tuple[int, int]) -> bool:
    """Whether a component of this shape is decomposed densely, in a batch with others."""
    return min(shape) <= DENSE_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES


def solve_small_components(components: Sequence[Component], k: int) -> list[ComponentSpectrum]:
    """Return all singular values of each small component, with one LAPACK call for components of equal shape.

    Values are the roots of the eigenvalues of BᵀB, three times cheaper, when the k largest are well above the rounding
    error there; otherwise they come from SVDs. Vectors, computed on demand, come from B itself in both cases.

    Parameters
    ----------
    components : sequence of Component
        The components.
    k : int
        Number of singular values requested of the whole matrix.

    Returns
    -------
    list of ComponentSpectrum
        One per component, grouped by shape.
    """
    if not components:
        return []
    parts = [part for batch in _stack_equal_shapes(components) for part in _gram_spectrum(*batch)]
    values = np.concatenate([part.values for part in parts])
    if len(values) >= k and np.partition(values, -k)[-k] >= GRAM_MIN_RATIO * values.max():
        return parts
    return [part for batch in _stack_equal_shapes(components) for part in _svd_spectrum(*batch)]


def _stack_equal_shapes(components: Sequence[Component]) -> Iterator[tuple[list[Component], Array]]:
    """Yield components of one shape with their stack (c, n1, n2), n1 >= n2; wide components are transposed."""
    by_shape: dict[tuple[int, int], list[Component]] = defaultdict(list)
    for component in components:
        by_shape[component.shape].append(component)
    for (n1, n2), equal in by_shape.items():
        stride = max(DENSE_ENTRIES // (n1 * n2), 1)
        for begin in range(0, len(equal), stride):
            chunk = equal[begin : begin + stride]
            yield chunk, np.stack([one.toarray() if n1 >= n2 else one.toarray().T for one in chunk])


def _gram_spectrum(components: list[Component], stack: Array) -> list[ComponentSpectrum]:
    squares = np.linalg.eigvalsh(stack.transpose(0, 2, 1) @ stack)[:, ::-1].clip(min=0.0)
    square_error = lapack_backward_error(stack.shape[1:]) * squares.sum(axis=1, keepdims=True)
    errors = square_error / (np.sqrt(squares + square_error) + np.sqrt(squares) + TINY)
    return [
        _component_spectrum(component, values, error, partial(_leading_triplets_by_gram, dense))
        for component, dense, values, error in zip(components, stack, np.sqrt(squares), errors)
    ]


def _svd_spectrum(components: list[Component], stack: Array) -> list[ComponentSpectrum]:
    found = np.linalg.svd(stack, compute_uv=False)
    errors = np.broadcast_to(lapack_backward_error(stack.shape[1:]) * found[:, :1], found.shape)
    return [
        _component_spectrum(component, values, error, partial(_leading_triplets_by_svd, dense))
        for component, dense, values, error in zip(components, stack, found, errors)
    ]


def _component_spectrum(
    component: Component, values: Array, errors: Array, tall_triplets: Callable[[int], SingularTriplets]
) -> ComponentSpectrum:
    is_wide = component.shape[0] < component.shape[1]
    return ComponentSpectrum(
        component.rows,
        component.columns,
        values,
        errors,
        complete=True,
        none_missed=True,
        top_triplets=lambda j: tall_triplets(j).transposed if is_wide else tall_triplets(j),
    )


def _leading_triplets_by_gram(dense: Array, count: int) -> SingularTriplets:
    return gram_svd(dense, count) or _leading_triplets_by_svd(dense, count)


def _leading_triplets_by_svd(dense: Array, count: int) -> SingularTriplets:
    return dense_svd(dense).first(count)
