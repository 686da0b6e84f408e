"""Many small components are decomposed together, and vectors are found only for those that matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from maetheory.spectra.component_spectrum import ComponentSpectrum
from maetheory.spectra.components import Component
from maetheory.spectra.counting_operator import Array
from maetheory.spectra.solvers import BACKWARD_ERROR, DENSE_ENTRIES, DENSE_SIDE, GRAM_MIN_RATIO, dense_svd, gram_svd
from maetheory.spectra.triplets import SingularTriplets

TINY = float(np.finfo(np.float64).tiny)


def is_small(shape: tuple[int, int]) -> bool:
    """Whether a component of this shape is decomposed densely together with others."""
    return min(shape) <= DENSE_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES


def solve_small_components(components: Sequence[Component], k: int) -> list[ComponentSpectrum]:
    """Return every singular value of each small component, the values of equal shapes in one LAPACK call.

    Values come from the eigenvalues of BᵀB, three times cheaper, when the k largest stand well above round-off there;
    otherwise from SVDs. Vectors come from B itself either way.

    Parameters
    ----------
    components : sequence of Block
        The components.
    k : int
        How many values the whole needs.

    Returns
    -------
    list of Part
        One per block, in the order of their shapes.
    """
    if not components:
        return []
    parts = [part for alike in _stack_equal_shapes(components) for part in _gram_spectrum(*alike)]
    values = np.concatenate([part.values for part in parts])
    if len(values) >= k and np.partition(values, -k)[-k] >= GRAM_MIN_RATIO * values.max():
        return parts
    return [part for alike in _stack_equal_shapes(components) for part in _svd_spectrum(*alike)]


def _stack_equal_shapes(components: Sequence[Component]) -> Iterator[tuple[list[Component], Array]]:
    """Yield blocks of one shape, wide ones with the tall, with their stack (c, n1, n2), n1 >= n2."""
    by_shape: dict[tuple[int, int], list[Component]] = defaultdict(list)
    for block in components:
        by_shape[block.shape].append(block)
    for (n1, n2), alike in by_shape.items():
        stride = max(DENSE_ENTRIES // (n1 * n2), 1)
        for begin in range(0, len(alike), stride):
            chunk = alike[begin : begin + stride]
            yield chunk, np.stack([block.dense if n1 >= n2 else block.dense.T for block in chunk])


def _gram_spectrum(components: list[Component], stack: Array) -> list[ComponentSpectrum]:
    squares = np.linalg.eigvalsh(stack.transpose(0, 2, 1) @ stack)[:, ::-1].clip(min=0.0)
    lost = BACKWARD_ERROR * np.sqrt(sum(stack.shape[1:])) * squares.sum(axis=1, keepdims=True)
    errors = lost / (np.sqrt(squares + lost) + np.sqrt(squares) + TINY)
    return [
        _part(block, values, error, partial(_top_by_gram, dense))
        for block, dense, values, error in zip(components, stack, np.sqrt(squares), errors)
    ]


def _svd_spectrum(components: list[Component], stack: Array) -> list[ComponentSpectrum]:
    found = np.linalg.svd(stack, compute_uv=False)
    errors = np.broadcast_to(BACKWARD_ERROR * np.sqrt(sum(stack.shape[1:])) * found[:, :1], found.shape)
    return [
        _part(block, values, error, partial(_top_by_svd, dense))
        for block, dense, values, error in zip(components, stack, found, errors)
    ]


def _part(block: Component, values: Array, errors: Array, top: Callable[[int], SingularTriplets]) -> ComponentSpectrum:
    turned = block.shape[0] < block.shape[1]
    return ComponentSpectrum(
        block.rows, block.columns, values, errors, True, True, lambda j: top(j).transposed if turned else top(j)
    )


def _top_by_gram(dense: Array, count: int) -> SingularTriplets:
    return gram_svd(dense, count) or _top_by_svd(dense, count)


def _top_by_svd(dense: Array, count: int) -> SingularTriplets:
    return dense_svd(dense).first(count)
