"""`FiniteWorld`: an explicit finite distribution over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError

MAX_CLASSES = 10_000


@final
@dataclass(frozen=True, eq=False)
class FiniteWorld:
    """Finite distribution over images of `n` patches, each one of finitely many symbols.

    Every expectation over a finite world is a finite sum.

    Parameters
    ----------
    states : ndarray of int, shape (S, n)
        One symbol per patch, from 0 to alphabet − 1. Two states may be equal: one image with two labels.
    probability : ndarray, shape (S,)
        Non-negative, sums to one within 1e-9 (and is then divided by its sum).
    labels : ndarray of int, shape (S,), or None
        Class of each state, from 0.
    values : ndarray, shape (alphabet, s)
        Pixel values of each symbol.

    Raises
    ------
    InputError
        If a shape, a symbol, a label or a probability is out of range.

    Examples
    --------
    >>> world = FiniteWorld([[0, 1], [1, 0]], [0.5, 0.5], [0, 1], [[0.0], [1.0]])
    >>> world.n_patches, world.alphabet, world.pixels[0].ravel().tolist()
    (2, 2, [0.0, 1.0])
    """

    states: np.ndarray
    probability: np.ndarray
    labels: np.ndarray | None
    values: np.ndarray

    def __post_init__(self) -> None:
        states, values = np.asarray(self.states), np.asarray(self.values, float)
        values = values[:, None] if values.ndim == 1 else values
        _check_states(states, values)
        object.__setattr__(self, "states", states.astype(np.int64))
        object.__setattr__(self, "probability", _validated_probability(self.probability, len(states)))
        object.__setattr__(self, "labels", _validated_labels(self.labels, len(states)))
        object.__setattr__(self, "values", values)

    @property
    def n_patches(self) -> int:
        """Number of patches of an image."""
        return self.states.shape[1]

    @property
    def alphabet(self) -> int:
        """Number of symbols."""
        return len(self.values)

    @property
    def n_classes(self) -> int:
        """Largest label plus one; 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    @property
    def pixels(self) -> np.ndarray:
        """Pixel values of the images, shape (S, n, s)."""
        return self.values[self.states]  # (S, n) -> (S, n, s)


def _check_states(states: np.ndarray, values: np.ndarray) -> None:
    if states.ndim != 2 or 0 in states.shape or not np.issubdtype(states.dtype, np.integer):
        raise InputError(f"states must be integers of shape (S, n), but they are {states.dtype} {states.shape}")
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"values must be finite of shape (alphabet, s), but they have shape {values.shape}")
    if states.min() < 0 or states.max() >= len(values):
        raise InputError(
            f"states must be symbols from 0 to {len(values) - 1}, one per row of values, "
            f"but they run from {states.min()} to {states.max()}"
        )


def _validated_probability(probability: np.ndarray, n_states: int) -> np.ndarray:
    law = np.asarray(probability, float)
    if law.shape != (n_states,):
        raise InputError(f"probability must have shape ({n_states},), one per state, but its shape is {law.shape}")
    if not np.isfinite(law).all() or (law < 0).any():
        raise InputError("probability must be finite and non-negative, but it has a negative or non-finite entry")
    if abs(law.sum() - 1.0) > 1e-9:
        raise InputError(f"probability must sum to 1 within 1e-9, but it sums to {law.sum()!r}")
    return law / law.sum()


def _validated_labels(labels: np.ndarray | None, n_states: int) -> np.ndarray | None:
    if labels is None:
        return None
    labels = np.asarray(labels)
    if (
        labels.shape != (n_states,)
        or not np.issubdtype(labels.dtype, np.integer)
        or not 0 <= labels.min() <= labels.max() < MAX_CLASSES
    ):
        raise InputError(
            f"labels must be {n_states} integers from 0 to {MAX_CLASSES - 1}, one per state, "
            f"but they are {labels.dtype} of shape {labels.shape}"
        )
    return labels.astype(np.int64)
