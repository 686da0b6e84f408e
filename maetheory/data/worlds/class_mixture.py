"""World with patches that are independent given the class."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, bayes_labels, evenly_spaced_values


def mixture(n_patches: int, alphabet: int, n_classes: int, noise: float, seed: int | None = None) -> FiniteWorld:
    """World with patches that are independent given the class; each class has a prototype with symbol noise.

    Classes are balanced. Each symbol of the prototype is replaced by a uniformly chosen other one with probability
    `noise`. The label of a state is its Bayes label, ties within 1e-12 to the lowest class.

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
        Probability in [0, 1] that a symbol is replaced.
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
    return FiniteWorld(states, likelihood.mean(1), bayes_labels(likelihood), evenly_spaced_values(alphabet))


def _prototypes(n_patches: int, alphabet: int, n_classes: int, seed: int | None) -> np.ndarray:
    most = alphabet if seed is None else alphabet**n_patches
    if not 1 <= n_classes <= most:
        raise InputError(f"n_classes must lie between 1 and the {most} prototypes there are, but it is {n_classes}")
    if seed is None:
        return np.repeat(np.arange(n_classes)[:, None], n_patches, axis=1)
    drawn = generator(seed, "prototypes").choice(most, n_classes, replace=False)
    return all_states(n_patches, alphabet)[drawn]
