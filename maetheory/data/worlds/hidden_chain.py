"""World whose patches are emitted by a hidden Markov chain."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, bayes_labels, evenly_spaced_values


def hidden_markov(n_patches: int, initial: np.ndarray, transition: np.ndarray, emission: np.ndarray) -> FiniteWorld:
    """World of a hidden Markov model: each patch is drawn given the hidden state at its place.

    The label is the Bayes label of the hidden state at the first patch, ties to the lowest state.

    Known in closed form: patches i < j have the joint law Eᵀ diag(π Tⁱ) Tʲ⁻ⁱ E, i counted from 0. A symmetric chain of
    two states, started from the uniform law, with Tᵢᵢ = (1 + μ)/2 and emission of the own symbol with probability
    (1 + e)/2 has σ₂ = μ^{j−i} e² between patches i and j. So predicting a patch from its neighbour alone does not tell
    μ and e apart: (μ, e) = (1/2, 1) and (8/9, 3/4) have one joint law of neighbours, but different ones of patches two
    apart (1/4 and 4/9), and of a patch and the two before it.

    Parameters
    ----------
    n_patches : int
        alphabet ** n_patches states are listed.
    initial : ndarray, shape (H,)
        π, the law of the first hidden state.
    transition : ndarray, shape (H, H)
        T, of the next hidden state given one.
    emission : ndarray, shape (H, alphabet)
        E, of the patch given the hidden state.

    Raises
    ------
    InputError
        If shapes do not fit, a row is no distribution within 1e-9, there are fewer than two patches or symbols, or too
        many states.

    References
    ----------
    Liu, Hsu and Risteski 2022, Masked Prediction: A Parameter Identifiability View, whose question the example answers
    in one case; the example is ours.

    Examples
    --------
    >>> sticky, sharp = np.array([[0.75, 0.25], [0.25, 0.75]]), np.eye(2)
    >>> hidden_markov(2, np.full(2, 0.5), sticky, sharp).probability.tolist()
    [0.375, 0.125, 0.125, 0.375]
    """
    initial, transition, emission = (np.asarray(one, float) for one in (initial, transition, emission))
    n_hidden = initial.size
    if initial.ndim != 1 or transition.shape != (n_hidden, n_hidden) or emission.shape[:-1] != (n_hidden,):
        raise InputError(
            "initial, transition and emission must have the shapes (H,), (H, H) and (H, alphabet), but they are "
            f"{initial.shape}, {transition.shape} and {emission.shape}"
        )
    for name, rows in (("initial", initial), ("transition", transition), ("emission", emission)):
        if not ((rows >= 0).all() and (np.abs(rows.sum(-1) - 1) <= 1e-9).all()):
            raise InputError(f"each row of {name} must be non-negative and sum to 1 within 1e-9")
    states = all_states(n_patches, emission.shape[1])
    future = np.ones((len(states), n_hidden))  # of the patches that follow, given the hidden state
    for place in range(n_patches - 1, 0, -1):
        future = (future * emission[:, states[:, place]].T) @ transition.T  # (S, H) @ (H, H)
    likelihood = future * emission[:, states[:, 0]].T * initial  # (S, H)
    return FiniteWorld(states, likelihood.sum(1), bayes_labels(likelihood), evenly_spaced_values(emission.shape[1]))
