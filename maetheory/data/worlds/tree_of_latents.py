"""World whose pixels are the leaves of a binary tree of latent variables."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, bayes_labels, evenly_spaced_values

MAX_DEPTH = 4
MAX_ENTRIES = 20_000_000


def hierarchy(depth: int, alphabet: int, stay_probability: float, patch: int = 1) -> FiniteWorld:
    """World of 2**depth pixels, the leaves of a binary tree; every node repeats its parent or changes.

    The root is uniform; a child repeats the symbol of its parent with probability s = `stay_probability` and is
    otherwise one of the others, uniformly. Pixels are leaves in order, so that the two leaves of a parent are
    neighbours. The label is the Bayes label of the root, ties to the lowest symbol.

    Known in closed form, with μ = (alphabet·s − 1)/(alphabet − 1) ≥ 0: two leaves whose last common ancestor is l
    levels above them have σ = 1, μ^{2l} (alphabet − 1 times); a leaf and the root agree with probability
    1 − (1 − 1/alphabet)(1 − μ^depth).

    Parameters
    ----------
    depth : int
        From 1 to 4.
    alphabet : int
        Symbols of a node, at least 2.
    stay_probability : float
        In [0, 1].
    patch : int, default 1
        Pixels of a patch, neighbouring leaves; a power of two below the number of pixels. A symbol of a patch is the
        number of its pixels in base alphabet.

    Raises
    ------
    InputError
        If an argument is out of its range, or there are more than four million states.

    References
    ----------
    Kong et al. 2023, Understanding Masked Autoencoders via Hierarchical Latent Variable Models, whose models it is the
    smallest example of.

    Examples
    --------
    >>> world = hierarchy(1, 2, 0.9)
    >>> world.states.tolist(), world.probability.round(3).tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0.41, 0.09, 0.09, 0.41])
    >>> hierarchy(2, 2, 0.9, patch=2).states.shape
    (16, 2)
    """
    _check_tree(depth, alphabet, stay_probability)
    n_pixels = 2**depth
    if patch not in (2**k for k in range(depth)):
        raise InputError(f"patch must be a power of two below the {n_pixels} pixels, but it is {patch}")
    pixels = all_states(n_pixels, alphabet)  # (S, n)
    likelihood = leaf_likelihood(depth, alphabet, stay_probability, 0)  # (alphabet, S)
    places = alphabet ** np.arange(patch)[::-1]
    states = pixels.reshape(len(pixels), n_pixels // patch, patch) @ places  # (S, n / patch, patch) -> (S, n / patch)
    values = evenly_spaced_values(alphabet)[:, 0]
    symbols = np.arange(alphabet**patch)[:, None] // places % alphabet  # (alphabet ** patch, patch)
    return FiniteWorld(states, likelihood.mean(0), bayes_labels(likelihood.T), values[symbols])


def leaf_likelihood(depth: int, alphabet: int, stay_probability: float, level: int) -> np.ndarray:
    """Return Pr[leaves | nodes of a level], shape (alphabet ** 2**level, alphabet ** 2**depth), 0 being the root.

    Nodes and leaves are numbered as in `all_states`: the first is the most significant digit.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """
    _check_tree(depth, alphabet, stay_probability)
    if not 0 <= level <= depth:
        raise InputError(f"levels run from 0, the root, to {depth}, the leaves, but it is {level}")
    entries = alphabet ** (2**level + 2**depth)
    if entries > MAX_ENTRIES:
        raise InputError(
            f"the law of the leaves given level {level} has {entries:,} entries, more than {MAX_ENTRIES:,}: "
            "take a smaller tree or alphabet"
        )
    change = (1 - stay_probability) / (alphabet - 1)
    move = np.full((alphabet, alphabet), change) + (stay_probability - change) * np.eye(alphabet)
    below = np.eye(alphabet)  # Pr[leaves below a node | node], of a leaf
    for _ in range(depth - level):
        child = move @ below  # (alphabet, alphabet) @ (alphabet, leaves)
        below = (child[:, :, None] * child[:, None, :]).reshape(alphabet, -1)
    found: np.ndarray = np.ones((1, 1))
    for _ in range(2**level):
        found = np.kron(found, below)
    return found


def node_law(depth: int, alphabet: int, stay_probability: float, level: int) -> np.ndarray:
    """Return the law of the nodes of a level, shape (alphabet ** 2**level,); raises as `leaf_likelihood`."""
    if level == 0:
        return np.full(alphabet, 1 / alphabet)
    return leaf_likelihood(level, alphabet, stay_probability, 0).mean(0)


def _check_tree(depth: int, alphabet: int, stay_probability: float) -> None:
    if not 1 <= depth <= MAX_DEPTH:
        raise InputError(f"depth must be from 1 to {MAX_DEPTH}, but it is {depth}")
    if alphabet < 2:
        raise InputError(f"alphabet must be at least 2, but it is {alphabet}")
    if not 0.0 <= stay_probability <= 1.0:
        raise InputError(f"stay_probability must lie between 0 and 1, but it is {stay_probability}")
