"""A finite world is a law of images small enough to write down, so that every expectation over it is a sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError, generator

MAX_STATES = 4_000_000
_TIE = 1e-12


@final
@dataclass(frozen=True, eq=False)
class FiniteWorld:
    """A law of images of `n` patches over a finite alphabet of patch contents.

    Parameters
    ----------
    states : ndarray of int, shape (S, n)
        One symbol per patch, from 0 to alphabet − 1. Two states may be equal: the same picture with two labels.
    probability : ndarray, shape (S,)
        Non-negative, sums to one within 1e-9 (and is then divided by its sum).
    labels : ndarray of int, shape (S,), or None
        Class of each state, from 0.
    values : ndarray, shape (alphabet, s)
        The pixels that each symbol stands for.

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
        object.__setattr__(self, "probability", _checked_law(self.probability, len(states)))
        object.__setattr__(self, "labels", _checked_labels(self.labels, len(states)))
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
        """The images themselves, shape (S, n, s)."""
        return self.values[self.states]  # (S, n) -> (S, n, s)


def mixture(n_patches: int, alphabet: int, n_classes: int, noise: float, seed: int | None = None) -> FiniteWorld:
    """Patches that are independent given the class: each class has a prototype whose symbols flip with `noise`.

    Classes are balanced; a flipped symbol becomes one of the others, uniformly. The label of a state is its Bayes
    label, ties within 1e-12 to the lowest class.

    Known in closed form: with positions kept, Ā_M has rank ≤ `n_classes` in each mask block. For two classes of a
    binary alphabet without `seed`, positions dropped and v of n patches visible, λ₂ = χ_v χ_{n−v} and λ_i = 0 beyond,
    where χ_v = E(2η_v − 1)² for the posterior η_v of the class given v patches; the mask graph's Bayes labels then
    disagree on a positive pair with probability φ = ½(1 − (1 − 2e_v)² χ_{n−v}), e_v the Bayes error from v patches
    (for odd v, where no tie occurs).

    Parameters
    ----------
    n_patches, alphabet, n_classes : int
        alphabet ≥ 2; alphabet ** n_patches states are listed. Pixel value of symbol a: a / (alphabet − 1).
    noise : float
        Probability in [0, 1] that a symbol is flipped.
    seed : int, optional
        None: the prototype of class c is symbol c everywhere (needs n_classes ≤ alphabet). A seed draws distinct
        prototypes.

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or there are not enough distinct prototypes.

    Examples
    --------
    >>> world = mixture(2, 2, 2, 0.25)
    >>> world.states.tolist(), world.probability.tolist(), world.labels.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0.3125, 0.1875, 0.1875, 0.3125], [0, 0, 0, 1])
    """
    if not 0.0 <= noise <= 1.0:
        raise InputError(f"noise must lie between 0 and 1, but it is {noise}")
    states = all_states(n_patches, alphabet)
    prototypes = _prototypes(n_patches, alphabet, n_classes, seed)  # (r, n)
    likelihood = np.empty((len(states), n_classes))
    for c, prototype in enumerate(prototypes):
        flips = (states != prototype).sum(1)
        likelihood[:, c] = (1.0 - noise) ** (n_patches - flips) * (noise / (alphabet - 1)) ** flips
    return FiniteWorld(states, likelihood.mean(1), _bayes_labels(likelihood), _ramp(alphabet))


def all_states(n_patches: int, alphabet: int) -> np.ndarray:
    """Return every sequence of `n_patches` symbols in lexicographic order, shape (alphabet ** n_patches, n_patches).

    Raises
    ------
    InputError
        If there is no patch, fewer than two symbols, or more than four million sequences.
    """
    if n_patches < 1:
        raise InputError(f"n_patches must be at least 1, but it is {n_patches}")
    if alphabet < 2:
        raise InputError(f"alphabet must be at least 2, but it is {alphabet}")
    if alphabet**n_patches > MAX_STATES:
        raise InputError(f"{alphabet} symbols on {n_patches} patches make {alphabet**n_patches:,} states, more than "
                         f"the {MAX_STATES:,} that can be listed: take fewer patches or symbols")  # fmt: skip
    codes = np.arange(alphabet**n_patches)
    return codes[:, None] // alphabet ** np.arange(n_patches)[::-1] % alphabet  # (S, n)


def _prototypes(n_patches: int, alphabet: int, n_classes: int, seed: int | None) -> np.ndarray:
    most = alphabet if seed is None else alphabet**n_patches
    if not 1 <= n_classes <= most:
        raise InputError(f"n_classes must lie between 1 and the {most} prototypes there are, but it is {n_classes}")
    if seed is None:
        return np.repeat(np.arange(n_classes)[:, None], n_patches, axis=1)
    drawn = generator(seed, "prototypes").choice(most, n_classes, replace=False)
    return all_states(n_patches, alphabet)[drawn]


def _bayes_labels(weight: np.ndarray) -> np.ndarray:
    """Argmax of each row, ties within 1e-12 of the row's sum to the lowest class."""
    total = weight.sum(1, keepdims=True)
    return np.argmax(weight >= weight.max(1, keepdims=True) - _TIE * total, axis=1)


def _ramp(alphabet: int) -> np.ndarray:
    """Pixel values 0, …, 1 in equal steps, shape (alphabet, 1)."""
    return np.linspace(0.0, 1.0, alphabet)[:, None]


def _check_states(states: np.ndarray, values: np.ndarray) -> None:
    if states.ndim != 2 or 0 in states.shape or not np.issubdtype(states.dtype, np.integer):
        raise InputError(f"states must be integers of shape (S, n), but they are {states.dtype} {states.shape}")
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"values must be finite of shape (alphabet, s), but they have shape {values.shape}")
    if states.min() < 0 or states.max() >= len(values):
        raise InputError(f"states must be symbols from 0 to {len(values) - 1}, one per row of values, "
                         f"but they run from {states.min()} to {states.max()}")  # fmt: skip


def _checked_law(probability: np.ndarray, n_states: int) -> np.ndarray:
    law = np.asarray(probability, float)
    if law.shape != (n_states,):
        raise InputError(f"probability must have shape ({n_states},), one per state, but its shape is {law.shape}")
    if not np.isfinite(law).all() or (law < 0).any():
        raise InputError("probability must be finite and non-negative, but it has a negative or non-finite entry")
    if abs(law.sum() - 1.0) > 1e-9:
        raise InputError(f"probability must sum to 1 within 1e-9, but it sums to {law.sum()!r}")
    return law / law.sum()


def _checked_labels(labels: np.ndarray | None, n_states: int) -> np.ndarray | None:
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n_states,) or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise InputError(f"labels must be {n_states} integers from 0, one per state, "
                         f"but they are {labels.dtype} of shape {labels.shape}")  # fmt: skip
    return labels.astype(np.int64)
