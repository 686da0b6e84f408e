"""Sampled traces, tails and densities are their formulas, and their errors cover."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from exact_singular_values import exact_singular_values, matrix_with
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from maetheory.core import InputError, generator
from maetheory.spectra import CountingOperator, SpectralDensity, lanczos, spectral_density, spectrum, tail_energy, trace

EPS = float(np.finfo(float).eps)


# Traces and tails


def test_hutch_plus_plus_is_its_formula() -> None:
    """Algorithm 1 with the same signs, from dense matrices; the error is one standard error and a rounding error."""
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((40, 40))
    for budget in (6, 7, 21, 39):
        found = trace(matrix, budget=budget, seed=5)
        draw, third = generator(5, "trace"), budget // 3
        q = np.linalg.qr(matrix @ draw.choice([-1.0, 1.0], size=(40, third)))[0]
        g = (np.eye(40) - q @ q.T) @ draw.choice([-1.0, 1.0], size=(40, third))
        samples = np.einsum("ij,ij->j", g, matrix @ g)
        captured = np.trace(q.T @ matrix @ q)
        assert found == pytest.approx(captured + samples.mean(), rel=1e-10, abs=0)
        assert found.error == pytest.approx(samples.std(ddof=1) / np.sqrt(third), rel=1e-10, abs=0)
        assert found.sampled


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_sampled_trace_errs_by_its_rounding_where_nothing_is_left_to_sample(sign: float) -> None:
    """The trace of diag(J, ± J), J = 10⁸ · 1: everything is captured, and with the minus it cancels."""
    ones = np.full((45, 45), 1e8)
    found = trace(np.block([[ones, 0 * ones], [0 * ones, sign * ones]]), budget=30)
    assert found.sampled
    assert abs(found - 4.5e9 * (1 + sign)) <= found.error
    assert found.error == pytest.approx(2 * EPS * np.sqrt(90) * 9e9, rel=0.3, abs=0)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("n", [1, 7, 200])
def test_an_exact_trace_errs_by_its_rounding(n: int, form: type) -> None:
    diagonal = np.random.default_rng(n).standard_normal(n)
    products = CountingOperator(form(np.diag(diagonal)))
    found = trace(products.matrix, budget=max(n, 6))
    exact = sum(map(Fraction, diagonal.tolist()))
    assert abs(Fraction(found.value) - exact) <= Fraction(found.error)
    assert found.error == pytest.approx(2 * EPS * np.sqrt(n) * np.abs(diagonal).sum(), rel=1e-12, abs=0)
    assert not found.sampled
    if n == 200:
        assert trace(products.matrix, budget=199).sampled


def test_a_budget_of_six_is_the_least() -> None:
    assert trace(np.eye(9), budget=6).sampled
    with pytest.raises(InputError, match="at least 6"):
        trace(np.eye(3), budget=5)
    with pytest.raises(InputError, match="square"):
        trace(np.ones((9, 8)))


@pytest.mark.parametrize("seed", range(30))
def test_tails_cover_the_rounding_of_given_values(seed: int) -> None:
    """The values come from an SVD that errs by some ε σ₁ each; the tail is a difference of nearly equal sums."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6, 2)
    matrix = np.diag(rng.random(m)) if seed % 3 == 0 else rng.standard_normal((n, m))
    exact = exact_singular_values(matrix)
    for k in range(1, min(matrix.shape) + 1):
        for form in (np.asarray, sparse.csr_array, aslinearoperator):
            found = tail_energy(form(matrix), spectrum(matrix, k).values)
            truth = sum((value**2 for value in exact[k:]), mpmath.mpf(0))
            assert abs(found.value - truth) <= found.error
            assert found.value >= 0.0


def test_the_error_of_a_tail_is_the_sum_of_its_roundings() -> None:
    matrix = 0.1 * np.diag([3.0, 2.0, 1.0])
    for form, terms, count in ((np.asarray, 9, 0), (sparse.csr_array, 3, 0), (aslinearoperator, 0, 1)):
        for values in (np.empty(0), np.array([0.3, 0.2])):
            found = tail_energy(form(matrix), values)
            wanted = EPS * np.sqrt(terms) * 0.14
            if count:
                wanted = EPS * np.sqrt(3) * 0.28 + 0.28 * EPS * (np.sqrt(6) + 3)
            wanted += EPS * np.sqrt(len(values)) * np.sum(values**2)
            wanted += 16 * EPS * np.sqrt(6) * (values.max(initial=0.0) * values.sum())
            assert found.error == pytest.approx(wanted, rel=1e-12, abs=0)
            assert found == pytest.approx(0.14 - np.sum(values**2), abs=1e-15)


def test_long_sums_of_an_operator_are_covered() -> None:
    """Bᵀ(B e₁) adds a hundred thousand equal terms one by one."""
    found = tail_energy(aslinearoperator(sparse.csr_array(np.full((100_000, 2), 0.1))), np.empty(0))
    assert 1e-12 < abs(Fraction(found.value) - Fraction(0.1) ** 2 * 200_000) <= found.error


# Spectral density


@pytest.mark.parametrize("shape", [(9, 6), (6, 9)])
@pytest.mark.parametrize("steps", [3, 6, 20])
def test_the_density_is_a_gauss_rule_for_each_probe(shape: tuple[int, int], steps: int) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape)
    gram = matrix.T @ matrix if shape[0] > shape[1] else matrix @ matrix.T
    seen = []
    found = spectral_density(matrix, probes=3, steps=steps, seed=4, progress=lambda *state: seen.append(state[:2]))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert found.nodes.shape == (3, min(steps, 6))
    assert found.matvecs == 2 * 3 * min(steps, 6)
    for j in range(3):
        rule = lanczos(lambda x: gram @ x, generator(4, "density", j).standard_normal(6), steps)
        np.testing.assert_allclose(found.nodes[j], np.sqrt(rule.nodes.clip(min=0)), rtol=1e-6)
        np.testing.assert_allclose(found.weights[j], rule.weights, rtol=1e-6, atol=1e-12)


def test_rules_that_end_early_are_padded_with_weight_zero() -> None:
    found = spectral_density(np.diag([2.0, 2.0, 2.0, 0.0, 0.0]), probes=2, steps=5)
    assert found.nodes.shape == (2, 5)
    assert (found.weights[:, 2:] == 0.0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=10 * EPS)
    assert found.nodes.min() >= 0.0


def test_sums_histograms_and_kernels_are_means_over_probes() -> None:
    nodes, weights = np.array([[0.5, 1.5], [0.25, 2.0]]), np.array([[0.75, 0.25], [0.5, 0.5]])
    density = SpectralDensity(nodes, weights, 8, 0)
    total = density.sum(np.square)  # 8 · (0.1875 + 0.5625) and 8 · (0.03125 + 2)
    assert total == (6.0 + 16.25) / 2
    assert total.error == pytest.approx((16.25 - 6.0) / 2)
    assert total.sampled
    bins = density.histogram(np.array([0.0, 1.0, 3.0]))
    np.testing.assert_array_equal(bins.at, [0.5, 2.0])
    np.testing.assert_array_equal(bins.value, [5.0, 3.0])
    np.testing.assert_allclose(bins.error, [1.0, 1.0])
    for width in (0.5, 2.0):
        curve = density.smooth([0.0, 1.0], width)
        kernel = [
            [
                sum(
                    w * np.exp(-(((x - at) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
                    for x, w in zip(*rule, strict=True)
                )
                for at in (0.0, 1.0)
            ]
            for rule in zip(nodes, weights, strict=True)
        ]
        np.testing.assert_allclose(curve.value, np.mean(kernel, axis=0), rtol=1e-12)
        np.testing.assert_allclose(curve.error, np.abs(np.subtract(*kernel)) / 2, rtol=1e-12)
        np.testing.assert_array_equal(curve.at, [0.0, 1.0])


def test_two_probes_and_one_step_are_the_least() -> None:
    least = spectral_density(np.eye(3), probes=2, steps=1)
    assert least.nodes.shape == (2, 1)
    for wrong in ({"probes": 1}, {"steps": 0}):
        with pytest.raises(InputError, match="at least 2 and at least 1"):
            spectral_density(np.eye(3), **wrong)


def test_defaults_are_those_of_the_documentation() -> None:
    """Cost and accuracy that the docstrings state: products of a certificate, a trace and a density."""
    matrix = matrix_with(0.9 ** np.arange(100), 110, 100)
    operator = CountingOperator(matrix)
    assert spectral_density(operator.matrix).matvecs == 2 * 16 * 48
    assert spectral_density(operator.matrix).nodes.shape == (16, 48)
    counts = []

    def counted(x: np.ndarray) -> np.ndarray:
        counts.append(x.shape[1] if x.ndim == 2 else 1)
        return x

    identity = sparse.linalg.LinearOperator((100, 100), matvec=counted, matmat=counted, rmatvec=counted, dtype=float)
    trace(identity)
    assert sum(counts) == 90
