"""128-bit hashes that identify views: equal hash, equal set of (place, code), up to probability 2⁻¹²⁸ a pair."""

from __future__ import annotations

import numpy as np

from maetheory.core import generator
from maetheory.masks.views import visible_indices

LANES = 2
BITS = 64 * LANES


def random_hash_words(n_patches: int, n_codes: int, seed: int) -> np.ndarray:
    """Draw a random 64-bit word for every lane, place and code, shape (2, p, K) of uint64."""
    rng = generator(seed, "identities")
    return rng.integers(0, 2**64, size=(LANES, n_patches, n_codes), dtype=np.uint64)


def view_hashes(codes: np.ndarray, masks: np.ndarray, positions: str, tables: np.ndarray) -> np.ndarray:
    """Return the hash of each view: the sum of the words of its (place, code) pairs, modulo 2⁶⁴.

    The place is the patch index if positions are kept, and the rank among the visible patches if they are dropped. Two
    different sets of pairs differ in a word that only one of them has, so for tables drawn independently of the images
    their sums agree with probability 2⁻⁶⁴ in each lane.

    Parameters
    ----------
    codes : ndarray of int, shape (n, p)
    masks : ndarray of bool, shape (m, p)
        True = visible; pass ``~masks`` for the targets.
    positions : {"kept", "dropped"}
    tables : ndarray of uint64, shape (2, p, K)
        From `random_hash_words`.

    Returns
    -------
    ndarray of uint64, shape (n, m, 2)
    """
    n, p = codes.shape
    hashes = np.empty((n, len(masks), LANES), np.uint64)
    if positions == "kept":
        for lane, table in enumerate(tables):
            words = table[np.arange(p), codes]  # (n, p)
            hashes[:, :, lane] = words @ masks.T.astype(np.uint64)  # (n, p) @ (p, m) -> (n, m)
        return hashes
    for index, places in enumerate(visible_indices(masks)):
        shown = codes[:, places[places >= 0]]  # (n, w)
        rank = np.arange(shown.shape[1])
        for lane, table in enumerate(tables):
            hashes[:, index, lane] = table[rank, shown].sum(1)  # (n, w) -> (n,)
    return hashes


def unique_inverse(hashes: np.ndarray) -> np.ndarray:
    """Inverse indices of the unique rows of 128-bit hashes, (N, 2) -> (N,) of int32, ordered by first lane.

    Examples
    --------
    >>> unique_inverse(np.array([[7, 1], [3, 1], [7, 1], [7, 2]], np.uint64)).tolist()
    [1, 0, 1, 2]
    """
    order = np.argsort(hashes[:, 0])
    new = np.diff(hashes[order, 0]) != 0
    if (~new & (np.diff(hashes[order, 1]) != 0)).any():  # different hashes agree in the first lane
        order = np.lexsort((hashes[:, 1], hashes[:, 0]))
        new = (np.diff(hashes[order], axis=0) != 0).any(1)
    inverse = np.empty(len(order), np.int32)
    inverse[order] = np.concatenate([np.zeros(1, np.int32), np.cumsum(new, dtype=np.int32)])
    return inverse


def collision_bound(*distinct: int) -> float:
    """Upper bound on the probability, over the tables, that two different identities have one hash.

    Parameters
    ----------
    distinct : int
        Numbers of different views, and of different targets.

    Examples
    --------
    >>> collision_bound(10**6) < 2e-27
    True
    """
    return float(sum(count * (count - 1) / 2 for count in distinct)) * 2.0**-BITS
