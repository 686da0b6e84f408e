"""Number the distinct views (mask and visible patch values) of a set of images."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import check_masks

POSITION_MODES = ("kept", "dropped")
_MAX_CODE = 2**62


def view_identities(states: np.ndarray, masks: np.ndarray, positions: str = "kept") -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct views of every image under every mask.

    Two pairs of image and mask have the same number exactly when their views are equal.

    Parameters
    ----------
    states : ndarray of int, shape (S, p)
        One symbol ≥ 0 per patch.
    masks : ndarray of bool, shape (m, p)
        True = the patch belongs to the view; pass ``~masks`` for the targets.
    positions : {"kept", "dropped"}
        "kept": a view is (mask, values). "dropped": it is the sequence of its values in patch order.

    Returns
    -------
    identity : ndarray of int, shape (S, m)
        0 .. V − 1, in lexicographic order of (mask index,) values.
    first : ndarray of int, shape (V,)
        For each view the flat index, state·m + mask, of the first pair that shows it.

    Raises
    ------
    InputError
        If `positions` is neither of the two, or the shapes of `states` and `masks` disagree.

    Examples
    --------
    >>> states, masks = np.array([[0, 1], [1, 0]]), np.array([[True, False], [False, True]])
    >>> view_identities(states, masks)[0].tolist()
    [[0, 3], [1, 2]]
    >>> view_identities(states, masks, "dropped")[0].tolist()
    [[0, 1], [1, 0]]
    """
    if positions not in POSITION_MODES:
        raise InputError(f'positions must be "kept" or "dropped", but it is {positions!r}')
    masks = check_masks(masks, np.shape(states)[1])
    symbols, indices = padded_symbols(states), visible_indices(masks)
    base = int(symbols.max(initial=0)) + 1
    start = np.arange(len(masks)) if positions == "kept" else np.zeros(len(masks), np.int64)
    code = np.tile(start, (len(states), 1))  # (S, m)
    bound = len(masks) if positions == "kept" else 1
    for column in indices.T:
        if bound * base > _MAX_CODE:  # renumber the views so far, before the code overflows 64 bits
            code = np.unique(code, return_inverse=True)[1].reshape(code.shape)
            bound = code.size
        code *= base
        code += symbols[:, column]  # (S, p + 1) -> (S, m)
        bound *= base
    _, first, identity = np.unique(code, return_index=True, return_inverse=True)
    return identity.reshape(code.shape), first


def visible_indices(masks: np.ndarray) -> np.ndarray:
    """Return the visible patches of each mask in patch order, shape (m, w), padded with −1 to the widest mask.

    Examples
    --------
    >>> visible_indices(np.array([[True, False, True], [False, True, False]])).tolist()
    [[0, 2], [1, -1]]
    """
    masks = np.asarray(masks, bool)
    width = int(masks.sum(1).max(initial=0))
    order = np.argsort(~masks, axis=1, kind="stable")[:, :width]  # (m, p) -> (m, w)
    return np.where(np.take_along_axis(masks, order, axis=1), order, -1)


def padded_symbols(states: np.ndarray) -> np.ndarray:
    """Return symbols counted from 1 and a last column of 0, shape (S, p + 1), so that index −1 selects "no patch"."""
    states = np.asarray(states, np.int64)
    return np.concatenate([states + 1, np.zeros((len(states), 1), np.int64)], axis=1)
