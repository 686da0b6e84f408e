"""Processes that saw the same view give it the same number, because one of them owns its hash and numbers it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.hashing import LANES, numbered


def distributed_unique_inverse(hashes: np.ndarray, process_group: ProcessGroup) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows of 128 bits that all processes hold together, as `numbered` does in one process.

    Process r of w owns the hashes whose first lane, as a fraction of 2⁶⁴, lies between r/w and (r + 1)/w: since hashes
    are uniform the shares are even, and since they are in order so are the numbers. Each process sends every hash it
    saw once to its owner, 16 bytes, and gets a number back, 8 bytes.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n, 2)
        Of this process; n may be 0.
    process_group : Ranks

    Returns
    -------
    numbers : ndarray of int64, shape (n,)
    offsets : ndarray of int64, shape (w + 1,)
        The numbers from starts[r] up to starts[r + 1] are owned by process r.
    """
    mine, place = _unique_rows(hashes)
    ends = np.searchsorted(_owner_of_hash(mine, process_group.count), np.arange(process_group.count + 1))
    asked = process_group.all_to_all([mine[a:b].view(np.int64) for a, b in pairwise(ends)])
    known, found = _unique_rows(np.concatenate(asked).view(np.uint64))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(process_group.counts(len(known)))])
    answers = np.split(found + offsets[process_group.number], np.cumsum([len(part) for part in asked])[:-1])
    return np.concatenate(process_group.all_to_all(answers, np.diff(ends).tolist()))[place], offsets


def owner_of(numbers: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return which process owns each number.

    Examples
    --------
    >>> owner_of(np.array([0, 2, 3, 5]), np.array([0, 3, 3, 6])).tolist()
    [0, 0, 2, 2]
    """
    return np.searchsorted(offsets, numbers, side="right") - 1


def _unique_rows(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows in the order of their numbers, and the number of each row."""
    if not len(hashes):
        return np.empty((0, LANES), np.uint64), np.empty(0, np.int64)
    place = numbered(hashes).astype(np.int64)
    first = np.empty(int(place.max()) + 1, np.int64)
    first[place] = np.arange(len(place))
    return hashes[first], place


def _owner_of_hash(hashes: np.ndarray, count: int) -> np.ndarray:
    return ((hashes[:, 0] >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)
