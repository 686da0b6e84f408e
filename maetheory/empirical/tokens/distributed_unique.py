"""Distributed `numpy.unique` of 128-bit hashes: each rank owns a range of hash values and numbers them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.hashing import LANES, unique_inverse


def distributed_unique_inverse(hashes: np.ndarray, process_group: ProcessGroup) -> tuple[np.ndarray, np.ndarray]:
    """Inverse indices of `numpy.unique` over the hashes of all processes, as `unique_inverse` in one process.

    Process r of w owns the hashes whose first lane, as a fraction of 2⁶⁴, lies between r/w and (r + 1)/w: hashes are
    uniform, so the ranges are equally full, and ranges are ordered, so are the indices. Each process sends every hash
    that it holds once to its owner, 16 bytes, and receives its index, 8 bytes.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n, 2)
        Of this process; n may be 0.
    process_group : ProcessGroup

    Returns
    -------
    inverse : ndarray of int64, shape (n,)
    offsets : ndarray of int64, shape (w + 1,)
        Process r owns the indices from offsets[r] up to offsets[r + 1].
    """
    unique, local_inverse = _unique_rows(hashes)
    owner = _owner_rank_of_hash(unique, process_group.world_size)
    ends = np.searchsorted(owner, np.arange(process_group.world_size + 1))
    received = process_group.all_to_all([unique[a:b].view(np.int64) for a, b in pairwise(ends)])
    owned, index = _unique_rows(np.concatenate(received).view(np.uint64))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(process_group.all_gather_int(len(owned)))])
    answers = np.split(index + offsets[process_group.rank], np.cumsum([len(part) for part in received])[:-1])
    return np.concatenate(process_group.all_to_all(answers, np.diff(ends).tolist()))[local_inverse], offsets


def owner_rank_of_index(indices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the rank of the process that owns each index.

    Examples
    --------
    >>> owner_rank_of_index(np.array([0, 2, 3, 5]), np.array([0, 3, 3, 6])).tolist()
    [0, 0, 2, 2]
    """
    return np.searchsorted(offsets, indices, side="right") - 1


def _unique_rows(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, and the index of each row among them."""
    if not len(hashes):
        return np.empty((0, LANES), np.uint64), np.empty(0, np.int64)
    inverse = unique_inverse(hashes).astype(np.int64)
    representative = np.empty(int(inverse.max()) + 1, np.int64)
    representative[inverse] = np.arange(len(inverse))
    return hashes[representative], inverse


def _owner_rank_of_hash(hashes: np.ndarray, world_size: int) -> np.ndarray:
    return ((hashes[:, 0] >> np.uint64(32)) * np.uint64(world_size)) >> np.uint64(32)
