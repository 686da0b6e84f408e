"""Risk of minimum-norm linear regression on masked inputs, against the mask ratio.

The setting is our reading of Dong, Wang and Kluger 2025 (arXiv 2509.21650), of which only the abstract was at hand. A
response y = θᵀx + noise with x ~ N(0, C) is regressed on n masked inputs R ⊙ x, each coordinate hidden independently
with probability m, by the least squares of minimum norm, without a ridge. The weights w predict from whole inputs, as
they are, or scaled by the mean share that was visible, as dropout does: the risk is (w' − θ)ᵀC(w' − θ) with w' = w in
the reading "whole", and w' = (1 − m)w in the reading "scaled". The ratio m is the same for all samples, or drawn for
each from the uniform law on (0, 1); its mean is then ½.

With infinitely many samples w solves E(R⊙x)(R⊙x)ᵀ w = E(R⊙x)y, that is ((1 − m₂)C + m₂ diag C) w = s Cθ. For one ratio
m₂ = m and s = 1. For random ratios E(1 − m)² = ⅓ and E(1 − m) = ½, so that m₂ = ⅓ and s = 1, too: a pair of coordinates
is visible in a third of the samples, a coordinate in half of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy.stats import binom

from maetheory.core import InputError, generator

RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RANDOM = "random"
READINGS = ("whole", "scaled")
SETTINGS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "isotropic, under-parametrised": ("isotropic", 120),
        "isotropic, over-parametrised": ("isotropic", 20),
        "correlated, over-parametrised": ("correlated", 20),
        "correlated, nearly square": ("correlated", 36),
    }
)
"""Covariance and number of samples of each setting, all in forty dimensions."""
DIMENSION = 40
_CORRELATION = 0.9


def covariance(kind: str, dimension: int = DIMENSION) -> np.ndarray:
    """Covariance C of the inputs, (D, D): the identity, or 0.9^|i−j| for "correlated".

    Raises
    ------
    InputError
        If the kind is neither.
    """
    if kind not in ("isotropic", "correlated"):
        raise InputError(f'covariance must be "isotropic" or "correlated", but it is {kind!r}')
    place = np.arange(dimension)
    return np.eye(dimension) if kind == "isotropic" else _CORRELATION ** np.abs(place[:, None] - place)


def population_weights(moment: np.ndarray, theta: np.ndarray, ratio: float | str) -> np.ndarray:
    """Weights of infinitely many masked samples, (D,).

    Parameters
    ----------
    moment : ndarray, shape (D, D)
        C.
    theta : ndarray, shape (D,)
    ratio : float in [0, 1), or "random"

    Examples
    --------
    >>> moment = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> population_weights(moment, np.array([1.0, 1.0]), 0.0).round(12).tolist()
    [1.0, 1.0]
    >>> population_weights(moment, np.array([1.0, 1.0]), 0.5).round(12).tolist()  # (1 + .25) w = 1.5
    [1.2, 1.2]
    """
    hidden = 1 / 3 if isinstance(ratio, str) else ratio
    return np.linalg.solve((1 - hidden) * moment + hidden * np.diag(np.diag(moment)), moment @ theta)


def sampled_weights(
    moment: np.ndarray, n: int, ratio: float | str, *, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum-norm weights of one sample, (D,), and θ, (D,).

    Inputs, θ and noise depend on the seed alone, so that ratios can be compared in pairs.

    Parameters
    ----------
    moment : ndarray, shape (D, D)
        C.
    n : int
        Samples.
    ratio : float in [0, 1), or "random"
    noise : float
        Standard deviation of the noise in y; that of the signal is one.
    seed : int

    Raises
    ------
    InputError
        If the ratio or the number of samples is out of its range.
    """
    if not (ratio == RANDOM or (not isinstance(ratio, str) and 0 <= ratio < 1)):
        raise InputError(f'ratio must lie in [0, 1) or be "random", but it is {ratio!r}')
    if n < 1:
        raise InputError(f"n must be at least 1 sample, but it is {n}")
    rng, d = generator(seed, "inputs"), len(moment)
    theta = rng.normal(size=d)
    theta /= np.sqrt(theta @ moment @ theta)
    inputs = rng.normal(size=(n, d)) @ np.linalg.cholesky(moment).T  # (n, D)
    response = inputs @ theta + noise * rng.normal(size=n)
    ratios = generator(seed, "ratios").random((n, 1)) if isinstance(ratio, str) else ratio
    shown = generator(seed, "coordinates").random((n, d)) >= ratios
    return np.linalg.lstsq(inputs * shown, response, rcond=None)[0], theta


def risk_of(weights: np.ndarray, theta: np.ndarray, moment: np.ndarray, ratio: float | str, reading: str) -> float:
    """Risk (w' − θ)ᵀC(w' − θ) in a reading, "whole" or "scaled"; at least 0, lower is better."""
    shown = 1.0 if reading == "whole" else (0.5 if isinstance(ratio, str) else 1 - ratio)
    off = shown * weights - theta
    return float(off @ moment @ off)


def ridgeless_risk_table(
    settings: Mapping[str, tuple[str, int]] = SETTINGS,
    ratios: Sequence[float] = RATIOS,
    *,
    noise: float = 0.5,
    trials: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the median risk of each setting and reading at every ratio and at random ratios, over seeded trials.

    Medians, since the mean at large ratios is that of a few trials in which hardly anything was visible. The best fixed
    ratio is the one of least median risk in the first half of the trials; all shares of wins are those of the second
    half, so that choosing it does not favour it.

    Parameters
    ----------
    settings : mapping of str to (kind of covariance, samples)
    ratios : sequence of float
        Fixed ratios; the first is what the others are compared with.
    noise : float
    trials : int
        At least 4.
    seed : int
        Of the first trial.

    Returns
    -------
    DataFrame
        Columns setting, n, reading, ratio (NaN for random ratios), risk (median), low, high (95 % interval of the
        median), population (median risk of infinitely many samples), best (the best fixed ratio), wins_over_none and
        wins_over_best (shares of trials of a smaller risk than at the first ratio, and than at the best one).

    Raises
    ------
    InputError
        If there are fewer than four trials.
    """
    if trials < 4:
        raise InputError(f"trials must be at least 4, but it is {trials}")
    rows = []
    laws: tuple[float | str, ...] = (*ratios, RANDOM)
    for name, (kind, n) in settings.items():
        moment = covariance(kind)
        found: dict[float | str, list[tuple[np.ndarray, np.ndarray]]] = {
            ratio: [sampled_weights(moment, n, ratio, noise=noise, seed=seed + trial) for trial in range(trials)]
            for ratio in laws
        }
        for reading in READINGS:
            risks = {r: np.array([risk_of(w, t, moment, r, reading) for w, t in runs]) for r, runs in found.items()}
            half = trials // 2
            best = min(ratios, key=lambda ratio: float(np.median(risks[ratio][:half])))
            for ratio, values in risks.items():
                limit = [
                    risk_of(population_weights(moment, t, ratio), t, moment, ratio, reading) for _, t in found[ratio]
                ]
                low, high = _median_interval(values)
                rows.append(
                    {
                        "setting": name,
                        "n": n,
                        "reading": reading,
                        "ratio": np.nan if ratio == RANDOM else ratio,
                        "risk": float(np.median(values)),
                        "low": low,
                        "high": high,
                        "population": float(np.median(limit)),
                        "best": best,
                        "wins_over_none": float((values < risks[ratios[0]])[half:].mean()),
                        "wins_over_best": float((values < risks[best])[half:].mean()),
                    }
                )
    return pd.DataFrame(rows)


def _median_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of a median, between two order statistics."""
    ordered, n = np.sort(values), len(values)
    below = int(binom.ppf(0.025, n, 0.5))
    return float(ordered[max(below - 1, 0)]), float(ordered[min(n - below, n - 1)])
