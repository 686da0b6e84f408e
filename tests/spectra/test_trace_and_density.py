"""Test traces, tail energies and densities against exact values, and standard errors against actual errors."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import CountingOperator, lanczos, spectral_density, tail_energy, trace

EPS = np.finfo(float).eps


def matrix_with(values, rows, columns, seed=0):
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rows, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((columns, len(values))))[0]
    return left @ np.diag(values) @ right.T


@pytest.fixture(scope="module")
def decaying():
    root = matrix_with(1 / np.arange(1.0, 201.0), 300, 200)
    return root.T @ root


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, aslinearoperator])
def test_the_trace_is_exact_when_the_budget_allows(decaying, form):
    found = trace(form(decaying), budget=200)
    assert not found.sampled
    assert abs(found - np.trace(decaying)) <= found.error + 1e-15


def test_a_low_rank_trace_is_exact_long_before():
    root = matrix_with(np.ones(20), 300, 200)
    found = trace(root.T @ root, budget=90)
    assert found.sampled
    assert abs(found - 20) < 1e-12
    assert found.error < 1e-12


def test_the_standard_error_of_a_trace_is_the_actual_error(decaying):
    found = [trace(decaying, budget=30, seed=seed) for seed in range(200)]
    error = np.array(found) - np.trace(decaying)
    stated = np.array([estimate.error for estimate in found])
    assert 0.8 < np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(stated**2)) < 1.25
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(200)


def test_hutch_plus_plus_beats_plain_probes(decaying):
    rng = np.random.default_rng(0)
    plain = rng.choice([-1.0, 1.0], size=(200, 30))
    spread = np.sum(plain * (decaying @ plain), axis=0).std() / np.sqrt(30)
    assert trace(decaying, budget=30).error < spread / 3


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
def test_tails_of_explicit_and_implicit_matrices(shape):
    values = 1 / np.arange(1.0, 151.0)
    matrix, truth = matrix_with(values, *shape), np.sum(values[5:] ** 2)
    for explicit in (matrix, sparse.csr_array(matrix)):
        found = tail_energy(explicit, values[:5])
        assert not found.sampled
        assert abs(found - truth) <= found.error
        assert found.error < 1e-12
    found = tail_energy(aslinearoperator(matrix), values[:5])
    assert found.sampled
    assert abs(found - truth) < 5 * found.error < 0.5 * truth


@pytest.mark.parametrize(("matrix", "budget", "match"), [(np.ones((2, 3)), 90, "square"), (np.eye(9), 5, "budget")])
def test_an_impossible_trace_is_refused(matrix, budget, match):
    with pytest.raises(InputError, match=match):
        trace(matrix, budget=budget)


def test_a_gauss_rule_is_exact_for_polynomials():
    """With m steps, the moments wᵀ Aʲ w are exact for j < 2m but not for j = 2m."""
    values = np.linspace(0.0, 1.0, 40)
    start = np.random.default_rng(1).standard_normal(40)
    start /= np.linalg.norm(start)
    rule = lanczos(lambda x: values * x, start, 4)
    for power in range(8):
        assert np.sum(rule.weights * rule.nodes**power) == pytest.approx(np.sum(start**2 * values**power), abs=1e-14)
    assert np.sum(rule.weights * rule.nodes**8) != pytest.approx(np.sum(start**2 * values**8), abs=1e-9)


def test_lanczos_stops_when_the_krylov_space_is_exhausted():
    rule = lanczos(lambda x: np.array([2.0, 2.0, 1.0]) * x, np.ones(3), 3)
    np.testing.assert_allclose(rule.nodes, [1, 2], atol=1e-14)
    np.testing.assert_allclose(rule.weights, [1 / 3, 2 / 3], atol=1e-14)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
def test_sums_over_all_singular_values(shape):
    values = np.linspace(0.01, 1.0, 200)
    found = spectral_density(matrix_with(values, *shape), probes=24)
    assert found.n_values == 200
    assert found.matvecs == 2 * 24 * 48
    for function in (np.square, lambda s: s**6, lambda s: np.exp(-s), lambda s: np.log1p(s**2)):
        total = found.sum(function)
        assert total.sampled
        assert abs(total - function(values).sum()) < 4 * total.error
    flat = found.sum(lambda s: s**0)
    assert flat == pytest.approx(200, abs=1e-9)


def test_the_standard_error_of_a_sum_is_the_actual_error():
    values = np.linspace(0.0, 1.0, 60)
    matrix = matrix_with(values, 70, 60)
    found = [spectral_density(matrix, probes=8, steps=12, seed=seed).sum(np.square) for seed in range(150)]
    error = np.array(found) - np.sum(values**2)
    stated = np.array([estimate.error for estimate in found])
    assert 0.8 < np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(stated**2)) < 1.25


def test_histogram_of_separated_clusters():
    values = np.repeat([1.0, 0.5, 0.1], [10, 60, 30])
    counts = spectral_density(matrix_with(values, 120, 100), probes=40).histogram(np.array([0.0, 0.3, 0.7, 1.2]))
    assert (np.abs(counts.value - [30, 60, 10]) < 4 * counts.error).all()
    assert counts.value.sum() == pytest.approx(100)
    assert (counts.error < 5).all()


def test_the_smoothed_density_is_the_sum_of_its_kernels():
    values = np.repeat([1.0, 0.4], [20, 80])
    at = np.linspace(-1.0, 2.5, 701)
    curve = spectral_density(matrix_with(values, 120, 100), probes=40).smooth(at, 0.1)
    truth = np.mean(np.exp(-((at[:, None] - values) ** 2) / 0.02), axis=1) / np.sqrt(0.02 * np.pi)
    assert (np.abs(curve.value - truth) <= 4 * curve.error + 1e-9).all()
    assert np.sum(curve.value) * 0.005 == pytest.approx(1.0, abs=1e-9)


def test_a_scaled_identity_has_no_error():
    found = spectral_density(3.0 * np.eye(20), probes=2).sum(np.square)
    assert found == pytest.approx(180)
    assert found.error < 1e-12


@pytest.mark.parametrize("wrong", [{"probes": 1}, {"steps": 0}])
def test_an_impossible_effort_is_refused(wrong):
    with pytest.raises(InputError, match="at least"):
        spectral_density(np.eye(3), **wrong)


def test_products_of_empty_columns_are_free():
    operator = CountingOperator(np.eye(3))
    operator.matmat(np.empty((3, 0)))
    assert operator.matvecs == 0


def test_the_old_name_of_the_density_warns():
    from maetheory.spectra import density

    with pytest.warns(DeprecationWarning, match="use maetheory.spectra.spectral_density"):
        assert density(np.eye(3), probes=2).n_values == 3
