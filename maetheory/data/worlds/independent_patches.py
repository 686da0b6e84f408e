"""World with independent patches."""

from __future__ import annotations

import numpy as np

from maetheory.core import generator
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, evenly_spaced_values


def independent(n_patches: int, alphabet: int, seed: int | None = None) -> FiniteWorld:
    """World with independent patches; the label is the symbol of the first patch.

    Known in closed form, positions kept: in every mask block σ = 1, 0, 0, …; the best prediction is the mean. With q
    the distribution of the first patch, hidden with probability ρ, α = ρ (1 − max q) and φ = (1 − ρ)(1 − Σ q²).

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    seed : int, optional
        None: every symbol is equally likely. A seed draws one distribution per patch, uniformly from the simplex.

    Raises
    ------
    InputError
        If a count is too small or there are too many states.

    Examples
    --------
    >>> independent(2, 2).probability.tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    states = all_states(n_patches, alphabet)
    laws = np.full((n_patches, alphabet), 1.0 / alphabet)
    if seed is not None:
        laws = generator(seed, "independent").dirichlet(np.ones(alphabet), n_patches)
    probability = laws[np.arange(n_patches), states].prod(1)  # (S, n) -> (S,)
    return FiniteWorld(states, probability, states[:, 0], evenly_spaced_values(alphabet))
