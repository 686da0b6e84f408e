"""Many small components are decomposed together, and vectors are found only for those that matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from maetheory.spectra.components import Block
from maetheory.spectra.engines import DENSE_ENTRIES, DENSE_SIDE, ROUNDING, WELL_ABOVE, by_dense_svd, by_gram
from maetheory.spectra.part import Part
from maetheory.spectra.products import Array
from maetheory.spectra.triplets import Triplets

TINY = float(np.finfo(np.float64).tiny)


def is_batched(shape: tuple[int, int]) -> bool:
    """Whether a component of this shape is decomposed densely together with others."""
    return min(shape) <= DENSE_SIDE and shape[0] * shape[1] <= DENSE_ENTRIES


def solve_small(blocks: Sequence[Block], k: int) -> list[Part]:
    """Return every singular value of each small component, the values of equal shapes in one LAPACK call.

    Values come from the eigenvalues of BᵀB, three times cheaper, when the k largest stand well above round-off there;
    otherwise from SVDs. Vectors come from B itself either way.

    Parameters
    ----------
    blocks : sequence of Block
        The components.
    k : int
        How many values the whole needs.

    Returns
    -------
    list of Part
        One per block, in the order of their shapes.
    """
    if not blocks:
        return []
    parts = [part for alike in _stacks(blocks) for part in _by_gram(*alike)]
    values = np.concatenate([part.values for part in parts])
    if len(values) >= k and np.partition(values, -k)[-k] >= WELL_ABOVE * values.max():
        return parts
    return [part for alike in _stacks(blocks) for part in _by_svd(*alike)]


def _stacks(blocks: Sequence[Block]) -> Iterator[tuple[list[Block], Array]]:
    """Yield blocks of one shape, wide ones with the tall, with their stack (c, n1, n2), n1 >= n2."""
    by_shape: dict[tuple[int, int], list[Block]] = defaultdict(list)
    for block in blocks:
        by_shape[block.shape].append(block)
    for (n1, n2), alike in by_shape.items():
        stride = max(DENSE_ENTRIES // (n1 * n2), 1)
        for begin in range(0, len(alike), stride):
            chunk = alike[begin : begin + stride]
            yield chunk, np.stack([block.dense if n1 >= n2 else block.dense.T for block in chunk])


def _by_gram(blocks: list[Block], stack: Array) -> list[Part]:
    squares = np.linalg.eigvalsh(stack.transpose(0, 2, 1) @ stack)[:, ::-1].clip(min=0.0)
    lost = ROUNDING * np.sqrt(sum(stack.shape[1:])) * squares.sum(axis=1, keepdims=True)
    errors = lost / (np.sqrt(squares + lost) + np.sqrt(squares) + TINY)
    return [
        _part(block, values, error, partial(_top_by_gram, dense))
        for block, dense, values, error in zip(blocks, stack, np.sqrt(squares), errors)
    ]


def _by_svd(blocks: list[Block], stack: Array) -> list[Part]:
    found = np.linalg.svd(stack, compute_uv=False)
    errors = np.broadcast_to(ROUNDING * np.sqrt(sum(stack.shape[1:])) * found[:, :1], found.shape)
    return [
        _part(block, values, error, partial(_top_by_svd, dense))
        for block, dense, values, error in zip(blocks, stack, found, errors)
    ]


def _part(block: Block, values: Array, errors: Array, top: Callable[[int], Triplets]) -> Part:
    turned = block.shape[0] < block.shape[1]
    return Part(
        block.rows, block.columns, values, errors, True, True, lambda j: top(j).transposed if turned else top(j)
    )


def _top_by_gram(dense: Array, count: int) -> Triplets:
    return by_gram(dense, count) or _top_by_svd(dense, count)


def _top_by_svd(dense: Array, count: int) -> Triplets:
    return by_dense_svd(dense).first(count)
