"""The closed forms of the two mixtures are sums over all pictures, and canonical correlations of covariance blocks."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from maetheory.theory.closed_form_mixture import (
    bayes_error,
    best_visible,
    canonical_correlation,
    pair_error,
    second_eigenvalue,
    sharp_bound,
    squared_posterior_mean,
)

NOISES = [0.0, 0.1, 0.3, 0.5]


def by_pictures(n_visible, noise):
    """Bayes error and E(2η − 1)² of the class given patches, summed over all pictures of that many patches."""
    error = square = 0.0
    for picture in product((0, 1), repeat=n_visible):
        zero, one = (prod(noise if patch != label else 1 - noise for patch in picture) / 2 for label in (0, 1))
        if zero + one > 0:
            error += min(zero, one)
            square += (one - zero) ** 2 / (zero + one)
    return error, square


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "visible"), [(2, 1), (4, 1), (4, 3), (5, 2), (6, 4)])
def test_the_mixture_is_summed_over_pictures(n, visible, noise):
    error, square = by_pictures(visible, noise)
    hidden_square = by_pictures(n - visible, noise)[1]
    phi = (1 - (1 - 2 * error) ** 2 * hidden_square) / 2
    assert bayes_error(visible, noise) == pytest.approx(error, abs=1e-14)
    assert squared_posterior_mean(visible, noise) == pytest.approx(square, abs=1e-14)
    assert second_eigenvalue(n, visible, noise) == pytest.approx(square * hidden_square, abs=1e-14)
    assert pair_error(n, visible, noise) == pytest.approx(phi, abs=1e-14)
    assert sharp_bound(n, visible, noise) == pytest.approx(4 * phi + 2 * error, abs=1e-13)


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_the_best_number_of_visible_patches_is_the_least_of_those_with_the_least_bound(n):
    bounds = [sharp_bound(n, visible, 0.2) for visible in range(1, n)]
    assert best_visible(n, 0.2) == 1 + bounds.index(min(bounds))
    assert best_visible(n, 0.0) == 1  # without noise every bound is zero


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("n", "visible"), [(2, 1), (5, 1), (5, 3), (8, 4)])
def test_a_canonical_correlation_is_that_of_the_covariance_blocks(n, visible, correlation):
    covariance = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
    seen, hidden = covariance[:visible, :visible], covariance[visible:, visible:]
    whitened = np.linalg.solve(np.linalg.cholesky(seen), covariance[:visible, visible:])
    whitened = np.linalg.solve(np.linalg.cholesky(hidden), whitened.T)
    largest = np.linalg.svd(whitened, compute_uv=False)[0]
    assert canonical_correlation(n, visible, correlation) == pytest.approx(largest, abs=1e-14)
