"""Test the coverage of jackknife intervals where the true value is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.integrate import quad

from maetheory.metrics import Moments, effective_rank, jackknife, mean_cosine, participation_ratio, umae_uniformity

SEEDS = 200
GROUPS = 20


def mean_squared_cosine(eigenvalues):
    """E (ẑᵀẑ')² = Σ (E ẑ_i²)² of centred Gaussian rows, E ẑ_i² = ∫ l_i/(1 + 2tl_i) Π (1 + 2tl_j)^-½ dt over t > 0."""
    shares = [
        quad(
            lambda t, own=own: own / (1 + 2 * t * own) * np.prod((1 + 2 * t * eigenvalues) ** -0.5),
            0,
            np.inf,
            limit=400,
        )[0]
        for own in eigenvalues
    ]
    assert sum(shares) == pytest.approx(1, rel=1e-6)
    return float(np.square(shares).sum())


def mean_cosine_of_shifted(eigenvalues, shift):
    """(E ẑ_1)² of Gaussian rows shifted along the first axis, by 1/‖z‖ = 2/√π ∫ exp(−u²‖z‖²) du."""

    def integrand(u):
        wide = 1 + 2 * u * u * eigenvalues
        return 2 / np.sqrt(np.pi) * shift / wide[0] * np.exp(-((u * shift) ** 2) / wide[0]) * np.prod(wide**-0.5)

    return quad(integrand, 0, np.inf, limit=400)[0] ** 2


def entropy_rank(eigenvalues):
    shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def participation(eigenvalues):
    return float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def coverage(estimate, truth, n, eigenvalues, shift=0.0):
    """Return the share of seeds at which the interval of `n` Gaussian rows covers the true value."""
    covered = 0
    for seed in range(SEEDS):
        Z = np.random.default_rng(seed).normal(size=(n, len(eigenvalues))) * np.sqrt(eigenvalues)
        Z[:, 0] += shift
        found = estimate([Moments(len(eigenvalues)).update(part) for part in np.array_split(Z, GROUPS)])
        covered += found.low <= truth <= found.high
    return covered / SEEDS


def law(d, power):
    return np.arange(1, d + 1.0) ** -power


@pytest.mark.slow
@pytest.mark.parametrize("metric", [effective_rank, participation_ratio])
def test_corrected_intervals_of_ranks_cover_the_truth(metric):
    eigenvalues = law(8, 0.5)
    truth = entropy_rank(eigenvalues) if metric is effective_rank else participation(eigenvalues)
    assert 0.9 <= coverage(partial(jackknife, metric, corrected=True), truth, 400, eigenvalues) <= 0.99


@pytest.mark.slow
def test_intervals_of_pair_averages_cover_the_truth():
    eigenvalues = law(8, 1.0)
    truth = mean_cosine_of_shifted(eigenvalues, 1.0)
    assert 0.9 <= coverage(partial(jackknife, mean_cosine), truth, 400, eigenvalues, 1.0) <= 0.99
    truth = mean_squared_cosine(eigenvalues)
    assert 0.9 <= coverage(partial(jackknife, umae_uniformity), truth, 400, eigenvalues) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("n", [400, 2000])
def test_intervals_cover_the_truth_in_more_dimensions(power, n):
    eigenvalues = law(32, power)
    ranks = {effective_rank: entropy_rank(eigenvalues), participation_ratio: participation(eigenvalues)}
    for metric, truth in ranks.items():
        assert coverage(partial(jackknife, metric, corrected=True), truth, n, eigenvalues) >= 0.9
    assert coverage(partial(jackknife, umae_uniformity), mean_squared_cosine(eigenvalues), n, eigenvalues) >= 0.9
    truth = mean_cosine_of_shifted(eigenvalues, 1.0)
    assert coverage(partial(jackknife, mean_cosine), truth, n, eigenvalues, 1.0) >= 0.9


@pytest.mark.slow
def test_uncorrected_intervals_of_ranks_miss_the_truth_as_often_as_documented():
    eigenvalues = law(32, 0.5)
    assert coverage(partial(jackknife, effective_rank), entropy_rank(eigenvalues), 400, eigenvalues) == 0
    found = coverage(partial(jackknife, participation_ratio), participation(eigenvalues), 400, eigenvalues)
    assert found == pytest.approx(0.2, abs=0.05)
    isotropic = np.ones(32)
    for n, covers in ((400, False), (1600, True)):
        found = coverage(partial(jackknife, participation_ratio, corrected=True), 32.0, n, isotropic)
        assert (found >= 0.9) == covers
