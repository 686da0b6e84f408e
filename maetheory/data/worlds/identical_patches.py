"""World with identical patches."""

from __future__ import annotations

import numpy as np

from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import check_counts, evenly_spaced_values


def duplicates(n_patches: int, alphabet: int) -> FiniteWorld:
    """World with identical patches, all symbols equally likely; the label is the symbol.

    Known in closed form: every σ is 1, since a view and a target determine each other; α = α₂ = φ = 0; the best
    prediction is perfect. With positions kept there are `alphabet` components per mask.

    Raises
    ------
    InputError
        If there are fewer than two patches or symbols.

    Examples
    --------
    >>> duplicates(3, 2).states.tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    check_counts(n_patches, alphabet)
    symbols = np.arange(alphabet)
    states = np.repeat(symbols[:, None], n_patches, axis=1)  # (S, n)
    return FiniteWorld(states, np.full(alphabet, 1.0 / alphabet), symbols, evenly_spaced_values(alphabet))
