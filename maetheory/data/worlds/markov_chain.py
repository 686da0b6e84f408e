"""World whose patches are a stationary Markov chain."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, evenly_spaced_values


def markov(n_patches: int, alphabet: int, stay_probability: float) -> FiniteWorld:
    """World whose patches are a stationary Markov chain; the label is the symbol of the first patch.

    With s = `stay_probability`, the next patch repeats the symbol with probability s and is otherwise one of the
    others, uniformly: the transition matrix has the eigenvalue μ = (alphabet·s − 1) / (alphabet − 1), alphabet − 1
    times.

    Known in closed form, positions kept: if the visible patches are the first or the last ones, the mask block has
    σ = 1, ``|μ|`` (alphabet − 1 times), 0, …, whatever their number, because by the Markov property only the patches at
    the border matter. The Bayes error of the label from patch j alone is 1 − (1 + (alphabet − 1) μʲ) / alphabet when
    μ ≥ 0.

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    stay_probability : float
        Probability in [0, 1] that a patch repeats the symbol of the patch before it.

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or `stay_probability` is not in [0, 1].

    Examples
    --------
    >>> markov(2, 2, 0.75).probability.tolist()
    [0.375, 0.125, 0.125, 0.375]
    """
    if not 0.0 <= stay_probability <= 1.0:
        raise InputError(f"stay_probability must lie between 0 and 1, but it is {stay_probability}")
    states = all_states(n_patches, alphabet)
    n_changes = (np.diff(states, axis=1) != 0).sum(1)  # (S, n) -> (S,)
    change_probability = (1.0 - stay_probability) / (alphabet - 1)
    probability = stay_probability ** (n_patches - 1 - n_changes) * change_probability**n_changes / alphabet
    return FiniteWorld(states, probability, states[:, 0], evenly_spaced_values(alphabet))
