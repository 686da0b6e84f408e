"""World with random states, probabilities and labels."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states


def random(n_patches: int, alphabet: int, n_classes: int, seed: int, n_states: int | None = None) -> FiniteWorld:
    """World with random states, probabilities and labels, for sweeps; nothing is known in closed form.

    Parameters
    ----------
    n_patches, alphabet, n_classes : int
    seed : int
        Draws distinct states, their probabilities (uniformly from the simplex), labels and pixel values in [0, 1].
    n_states : int, optional
        Number of states, of alphabet ** n_patches, with positive probability; all by default.

    Raises
    ------
    InputError
        If a count is too small or too large.

    Examples
    --------
    >>> random(3, 2, 2, seed=0, n_states=5).states.shape
    (5, 3)
    """
    states = all_states(n_patches, alphabet)
    n_states = len(states) if n_states is None else n_states
    if not 1 <= n_states <= len(states):
        raise InputError(f"n_states must lie between 1 and the {len(states)} states there are, but it is {n_states}")
    if n_classes < 1:
        raise InputError(f"n_classes must be at least 1, but it is {n_classes}")
    rng = generator(seed, "random")
    chosen = np.sort(rng.choice(len(states), n_states, replace=False))
    labels = rng.integers(n_classes, size=n_states)
    return FiniteWorld(states[chosen], rng.dirichlet(np.ones(n_states)), labels, rng.random((alphabet, 1)))
