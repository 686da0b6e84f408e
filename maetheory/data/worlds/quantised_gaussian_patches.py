"""World with quantised, equicorrelated Gaussian patches."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.states import all_states, bayes_labels


def gaussian(n_patches: int, alphabet: int, correlation: float) -> FiniteWorld:
    """World with equicorrelated standard Gaussian patches, each quantised to equally likely bins.

    Patches are √r z + √(1 − r) e with a common z; the class is the sign of z and the label of a state its Bayes label,
    ties to 0. A symbol's value is the mean of its bin. The integral over z is a Gauss–Hermite sum of 100 nodes,
    with an error below 1e-9 for r ≤ 0.8.

    Known in closed form: with two patches and two symbols σ₂ = (2/π) arcsin r. For v visible patches, positions kept,
    quantising lowers every σ, so σ₂ within a mask is at most the canonical correlation
    ρ = r √(v(n−v) / ((1+(v−1)r)(1+(n−v−1)r))), and tends to it as the alphabet grows.

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    correlation : float
        r, in [0, 0.8].

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or r is out of range.

    Examples
    --------
    >>> gaussian(2, 2, 0.5).probability.round(6).tolist()  # 1/4 + arcsin(1/2) / 2π = 1/3
    [0.333333, 0.166667, 0.166667, 0.333333]
    """
    if not 0.0 <= correlation <= 0.8:
        raise InputError(f"correlation must lie between 0 and 0.8, but it is {correlation}")
    states = all_states(n_patches, alphabet)
    edges = norm.ppf(np.linspace(0.0, 1.0, alphabet + 1))
    factor, weight = np.polynomial.hermite_e.hermegauss(100)
    cut = (edges - np.sqrt(correlation) * factor[:, None]) / np.sqrt(1.0 - correlation)  # (z, alphabet + 1)
    bins = np.diff(norm.cdf(cut), axis=1)  # (z, alphabet + 1) -> (z, alphabet)
    class_mass = np.zeros((len(states), 2))
    for z, mass, law in zip(factor, weight / weight.sum(), bins, strict=True):
        class_mass[:, int(z > 0)] += mass * law[states].prod(1)  # (S, n) -> (S,)
    values = alphabet * -np.diff(norm.pdf(edges))[:, None]  # (alphabet, 1)
    return FiniteWorld(states, class_mass.sum(1), bayes_labels(class_mass), values)
