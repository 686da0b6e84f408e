"""Two views are the same exactly when they show the same codes in the same places: 128 random bits tell."""

from __future__ import annotations

import numpy as np

from maetheory.core import generator
from maetheory.masks.views import visible_indices

LANES = 2
BITS = 64 * LANES


def hash_tables(n_patches: int, n_codes: int, seed: int) -> np.ndarray:
    """Draw a random word for every lane, place and code, shape (2, p, K) of uint64."""
    rng = generator(seed, "identities")
    return rng.integers(0, 2**64, size=(LANES, n_patches, n_codes), dtype=np.uint64)


def view_hashes(codes: np.ndarray, masks: np.ndarray, positions: str, tables: np.ndarray) -> np.ndarray:
    """Sum the words of what each mask shows of each image, modulo 2⁶⁴.

    A view is a set of pairs (place, code), the place being the patch itself where positions are kept and its rank
    among the patches shown where they are dropped. Two different sets differ in a word that only one of them has, so
    for tables drawn independently of the images their sums agree with probability 2⁻⁶⁴ in each lane.

    Parameters
    ----------
    codes : ndarray of int, shape (n, p)
    masks : ndarray of bool, shape (m, p)
        True = shown; pass ``~masks`` for the targets.
    positions : {"kept", "dropped"}
    tables : ndarray of uint64, shape (2, p, K)
        From `hash_tables`.

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
    for number, places in enumerate(visible_indices(masks)):
        shown = codes[:, places[places >= 0]]  # (n, w)
        rank = np.arange(shown.shape[1])
        for lane, table in enumerate(tables):
            hashes[:, number, lane] = table[rank, shown].sum(1)  # (n, w) -> (n,)
    return hashes


def numbered(hashes: np.ndarray) -> np.ndarray:
    """Number the distinct rows of 128 bits from 0, shape (N, 2) -> (N,) of int32, ascending in the first lane.

    Examples
    --------
    >>> numbered(np.array([[7, 1], [3, 1], [7, 1], [7, 2]], np.uint64)).tolist()
    [1, 0, 1, 2]
    """
    order = np.argsort(hashes[:, 0])
    new = np.diff(hashes[order, 0]) != 0
    if (~new & (np.diff(hashes[order, 1]) != 0)).any():  # the first lane alone does not tell all apart
        order = np.lexsort((hashes[:, 1], hashes[:, 0]))
        new = (np.diff(hashes[order], axis=0) != 0).any(1)
    number = np.empty(len(order), np.int32)
    number[order] = np.concatenate([np.zeros(1, np.int32), np.cumsum(new, dtype=np.int32)])
    return number


def collision_bound(*distinct: int) -> float:
    """Probability, over the tables, that any two different ones of so many identities were taken for the same.

    Examples
    --------
    >>> collision_bound(10**6) < 2e-27
    True
    """
    return float(sum(count * (count - 1) / 2 for count in distinct)) * 2.0**-BITS
