"""Closed forms of a mixture: two balanced classes of noisy binary patches with dropped positions, and Gaussian patches.

Every patch equals the class (0 or 1) up to a flip with probability `noise`, so that a view is described by its number
of ones. For n patches of which v are visible, all quantities follow from the posterior η_v of the class given v
patches.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom


def _posterior(n_visible: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Mass of each count of ones among the visible patches, and 2η − 1 there; both of shape (n_visible + 1,)."""
    zero, one = (binom.pmf(np.arange(n_visible + 1), n_visible, p) for p in (noise, 1.0 - noise))
    total = zero + one
    return total / 2, np.divide(one - zero, total, out=np.zeros(n_visible + 1), where=total > 0)


def bayes_error(n_visible: int, noise: float) -> float:
    """Bayes error e_v = E(1 − |2η_v − 1|)/2 of the class given v patches, with ties broken by a fair coin."""
    mass, lean = _posterior(n_visible, noise)
    return float(mass @ (1 - np.abs(lean)) / 2)


def squared_posterior_mean(n_visible: int, noise: float) -> float:
    """Second moment χ_v = E(2η_v − 1)² for the posterior η_v of the class given v patches."""
    mass, lean = _posterior(n_visible, noise)
    return float(mass @ lean**2)


def second_eigenvalue(n_patches: int, n_visible: int, noise: float) -> float:
    """Second eigenvalue λ₂ = χ_v χ_{n−v}; all further eigenvalues are 0."""
    return squared_posterior_mean(n_visible, noise) * squared_posterior_mean(n_patches - n_visible, noise)


def pair_error(n_patches: int, n_visible: int, noise: float) -> float:
    """Pair error φ = ½(1 − (1 − 2e_v)² χ_{n−v}), the probability that a positive pair disagrees in label."""
    return (1 - (1 - 2 * bayes_error(n_visible, noise)) ** 2 * squared_posterior_mean(n_patches - n_visible, noise)) / 2


def sharp_bound(n_patches: int, n_visible: int, noise: float) -> float:
    """Downstream bound 4φ + 2e_v with two features, where λ₃ = 0."""
    return 4 * pair_error(n_patches, n_visible, noise) + 2 * bayes_error(n_visible, noise)


def best_visible(n_patches: int, noise: float) -> int:
    """Number of visible patches that minimises the sharp bound; the smallest such number on a tie.

    Examples
    --------
    >>> [best_visible(n, 0.1) / n for n in (8, 16)]
    [0.625, 0.5625]
    """
    return 1 + int(np.argmin([sharp_bound(n_patches, v, noise) for v in range(1, n_patches)]))


def canonical_correlation(n_patches: int, n_visible: int, correlation: float) -> float:
    """Canonical correlation of v and n − v equicorrelated Gaussian patches, largest at v = n/2."""
    r, v, w = correlation, n_visible, n_patches - n_visible
    return float(r * np.sqrt(v * w / ((1 + (v - 1) * r) * (1 + (w - 1) * r))))
