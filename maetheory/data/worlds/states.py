"""All states over an alphabet, and the labels and pixel values that several worlds share."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError

MAX_STATES = 4_000_000
_TIE_TOLERANCE = 1e-12


def all_states(n_patches: int, alphabet: int) -> np.ndarray:
    """Return every sequence of `n_patches` symbols in lexicographic order, shape (alphabet ** n_patches, n_patches).

    Raises
    ------
    InputError
        If there are fewer than two patches or symbols, or more than four million sequences.
    """
    check_counts(n_patches, alphabet)
    if alphabet**n_patches > MAX_STATES:
        raise InputError(
            f"{alphabet} symbols on {n_patches} patches make {alphabet**n_patches:,} states, more than "
            f"the {MAX_STATES:,} that can be listed: take fewer patches or symbols"
        )
    codes = np.arange(alphabet**n_patches)
    return codes[:, None] // alphabet ** np.arange(n_patches)[::-1] % alphabet  # (S, n)


def check_counts(n_patches: int, alphabet: int) -> None:
    """Raise InputError if there are fewer than two patches or symbols."""
    if n_patches < 2:
        raise InputError(f"n_patches must be at least 2, one to see and one to hide, but it is {n_patches}")
    if alphabet < 2:
        raise InputError(f"alphabet must be at least 2, but it is {alphabet}")


def bayes_labels(weight: np.ndarray) -> np.ndarray:
    """Return the argmax of each row, ties within 1e-12 of the sum of the row to the lowest class."""
    total = weight.sum(1, keepdims=True)
    return np.argmax(weight >= weight.max(1, keepdims=True) - _TIE_TOLERANCE * total, axis=1)


def evenly_spaced_values(alphabet: int) -> np.ndarray:
    """Return pixel values from 0 to 1 in equal steps, shape (alphabet, 1)."""
    return np.linspace(0.0, 1.0, alphabet)[:, None]
