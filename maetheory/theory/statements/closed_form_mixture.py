"""Balanced classes of noisy binary patches, positions dropped, have a spectrum in closed form, as have Gaussians."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom


def _posterior(v: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Mass of each count of ones among v patches, and 2η − 1 there; both of shape (v + 1,)."""
    zero, one = (binom.pmf(np.arange(v + 1), v, p) for p in (noise, 1.0 - noise))
    total = zero + one
    return total / 2, np.divide(one - zero, total, out=np.zeros(v + 1), where=total > 0)


def bayes_error(v: int, noise: float) -> float:
    """e_v = E(1 − |2η_v − 1|)/2, the least error of guessing the class from v patches, ties by a fair coin."""
    mass, lean = _posterior(v, noise)
    return float(mass @ (1 - np.abs(lean)) / 2)


def squared_posterior_mean(v: int, noise: float) -> float:
    """χ_v = E(2η_v − 1)² for the posterior η_v of the class given v patches."""
    mass, lean = _posterior(v, noise)
    return float(mass @ lean**2)


def second_eigenvalue(n: int, v: int, noise: float) -> float:
    """λ₂ = χ_v χ_{n−v}; every later eigenvalue is 0."""
    return squared_posterior_mean(v, noise) * squared_posterior_mean(n - v, noise)


def pair_error(n: int, v: int, noise: float) -> float:
    """φ = ½(1 − (1 − 2e_v)² χ_{n−v})."""
    return (1 - (1 - 2 * bayes_error(v, noise)) ** 2 * squared_posterior_mean(n - v, noise)) / 2


def sharp_bound(n: int, v: int, noise: float) -> float:
    """4φ + 2e_v, the downstream bound with two features, for λ₃ = 0."""
    return 4 * pair_error(n, v, noise) + 2 * bayes_error(v, noise)


def best_visible(n: int, noise: float) -> int:
    """Number of visible patches of least sharp bound, the fewest on a tie.

    Examples
    --------
    >>> [best_visible(n, 0.1) / n for n in (8, 16)]
    [0.625, 0.5625]
    """
    return 1 + int(np.argmin([sharp_bound(n, v, noise) for v in range(1, n)]))


def canonical_correlation(n: int, v: int, correlation: float) -> float:
    """Canonical correlation of v and n − v equicorrelated Gaussian patches, largest at v = n/2."""
    r, w = correlation, n - v
    return float(r * np.sqrt(v * w / ((1 + (v - 1) * r) * (1 + (w - 1) * r))))
