"""Counts of products, tolerances and reorthogonalisation of the iterations, and the errors of sampled sums, decide."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from exact_singular_values import exact_singular_values
from scipy import sparse
from scipy.linalg import eigvalsh_tridiagonal
from scipy.sparse.linalg import aslinearoperator

from maetheory.core import InputError, generator
from maetheory.spectra import CountingOperator, SpectralDensity, lanczos, spectral_density, spectrum, tail_energy, trace
from maetheory.spectra import block_golub_kahan as golub_kahan
from maetheory.spectra.block_golub_kahan import block_golub_kahan_svd
from maetheory.spectra.orthonormalise import orthonormalise

EPS = float(np.finfo(float).eps)


def matrix_with(values: np.ndarray, rows: int, columns: int, seed: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((side, len(values))))[0] for side in (rows, columns))
    return left * np.asarray(values) @ right.T


SLOW = matrix_with(0.999 ** np.arange(120), 130, 120)  # nothing converges before the second restart


# Block Golub–Kahan


@pytest.mark.parametrize(
    ("k", "options", "limit"),
    [
        (2, {}, 120),  # 2 + 8 · 16 exceeds the side
        (2, {"block_size": 4}, 34),  # 2 + 8 · 4
        (20, {"block_size": 4}, 60),  # 3 · 20, above 20 + 8 · 4
        (2, {"block_size": 4, "max_basis_columns": 48}, 48),
        (2, {"block_size": 4, "max_basis_columns": 3}, 10),  # at least 2 + 2 · 4
        (2, {"block_size": 4, "max_basis_columns": 500}, 120),
        (1, {"block_size": 500}, 120),
    ],
)
def test_the_basis_grows_to_its_limit_between_restarts(k: int, options: dict, limit: int) -> None:
    block = min(options.get("block_size", 16), 120)
    first = -(-limit // block) * block  # columns at the first restart, in whole blocks
    again = max(-(-(limit - k - block) // block) * block, 0) if first < 120 else 0  # k + block columns are kept
    for matrix in (SLOW, SLOW.T):
        for restarts, columns in ((1, first), (2, first + again)):
            products = CountingOperator(matrix)
            block_golub_kahan_svd(products, k, np.random.default_rng(0), max_restarts=restarts, **options)
            assert products.matvecs == 2 * min(columns, 120 + again) + k


def test_only_a_given_tolerance_is_checked_after_every_block() -> None:
    """All residuals of the identity are zero after one block."""
    for tolerance, columns in ((0.0, 33), (1e-6, 4)):
        products = CountingOperator(np.eye(60))
        block_golub_kahan_svd(products, 1, np.random.default_rng(0), block_size=4, tolerance=tolerance)
        assert products.matvecs == 2 * (-(-columns // 4) * 4) + 1


def test_a_zero_matrix_converges_at_once() -> None:
    products = CountingOperator(np.zeros((40, 30)))
    found = block_golub_kahan_svd(products, 2, np.random.default_rng(0), block_size=4)
    assert (found.values == 0.0).all()
    assert products.matvecs <= 2 * 36 + 2


@pytest.mark.parametrize(
    ("tolerance", "limit"), [(0.0, 8 * EPS * np.sqrt(250.0)), (1e-20, 8 * EPS * np.sqrt(250.0)), (1e-3, 1e-3)]
)
def test_the_iteration_goes_on_above_its_tolerance(
    tolerance: float, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Residuals of the first k triplets just below the tolerance end it, also where the next ones are large."""
    restart = golub_kahan._restart_bases
    for part, restarts in ((0.99, 1), (1.01, 5)):
        calls = []

        def report(state, keep: int, part=part, calls=calls) -> tuple:
            kept, residuals = restart(state, keep)
            calls.append(keep)
            return kept, np.r_[np.full(3, part * limit * kept.projected[0, 0]), np.ones(len(residuals) - 3)]

        monkeypatch.setattr(golub_kahan, "_restart_bases", report)
        monkeypatch.setattr(golub_kahan, "_largest_residual", lambda state, k: 1.0)
        block_golub_kahan_svd(
            CountingOperator(5.0 * SLOW), 3, np.random.default_rng(0), block_size=4, max_restarts=5, tolerance=tolerance
        )
        assert calls == [7] * restarts


@pytest.mark.parametrize("rate", [0.95, 0.99])
def test_the_iteration_stops_at_the_rounding_error(rate: float) -> None:
    """Without a tolerance residuals fall to 8 ε √(N1 + N2) σ₁, which is reached, and no further."""
    matrix = 7.0 * matrix_with(rate ** np.arange(150), 160, 150)
    products = CountingOperator(matrix)
    found = block_golub_kahan_svd(products, 3, np.random.default_rng(0), block_size=3, max_basis_columns=30)
    residual = np.linalg.norm(matrix.T @ found.left - found.right * found.values, axis=0).max()
    assert residual < 10 * EPS * np.sqrt(310) * 7.0
    assert products.matvecs < (400 if rate == 0.95 else 1500)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_a_tolerance_is_relative_to_the_largest_value(tolerance: float, scale: float) -> None:
    matrix = matrix_with(0.97 ** np.arange(150), 160, 150)
    counts = []
    for asked, size in ((tolerance, 1.0), (tolerance, scale)):
        products = CountingOperator(size * matrix)
        found = block_golub_kahan_svd(products, 3, np.random.default_rng(0), block_size=3, tolerance=asked)
        residual = np.linalg.norm(matrix.T @ found.left - found.right * found.values / size, axis=0).max()
        assert 1e-3 * asked < residual <= asked
        counts.append(products.matvecs)
    assert counts[0] == counts[1]


def test_the_largest_residual_is_that_of_the_top_triplets() -> None:
    rng = np.random.default_rng(0)
    projected, coupling = rng.standard_normal((4, 4)), rng.standard_normal((2, 4))
    state = golub_kahan._GolubKahanState(np.eye(9)[:, :4], np.eye(7)[:, :4], projected, np.eye(7)[:, 5:], coupling)
    left, values, right = np.linalg.svd(projected)
    for k in (1, 3, 4):
        wanted = np.linalg.norm(coupling @ left[:, :k], axis=0).max() / values[0]
        assert golub_kahan._largest_residual(state, k) == pytest.approx(wanted, rel=1e-12, abs=0)
    assert golub_kahan._largest_residual(state, 5) == np.inf
    kept, residuals = golub_kahan._restart_bases(state, 3)
    np.testing.assert_allclose(residuals, np.linalg.norm(coupling @ left[:, :3], axis=0))
    np.testing.assert_allclose(kept.projected, np.diag(values[:3]))
    np.testing.assert_allclose(kept.right[:4], right[:3].T)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_the_block_method_finds_all_values_of_a_small_matrix(k: int) -> None:
    values = np.r_[np.ones(4), 0.5, 0.5, np.linspace(0.3, 0.0, 24)]
    for matrix in (matrix_with(values, 40, 30), matrix_with(values, 30, 40)):
        found = block_golub_kahan_svd(CountingOperator(matrix), k, np.random.default_rng(0), block_size=3)
        np.testing.assert_allclose(found.values, values[:k], atol=50 * EPS)


# Orthonormalisation


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("outside", [1.0, 2e-3, 0.5e-3, 1e-8, 1e-12, 0.0])
def test_orthonormal_to_rounding_however_little_lies_outside_the_basis(outside: float, size: float) -> None:
    """One column lies in the basis but for a part `outside`; projections cancel all digits but those of that part."""
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.standard_normal((60, 20)))[0]
    block = basis @ rng.standard_normal((20, 3))
    block += rng.standard_normal((60, 3)) * [1.0, outside, 1.0]
    block *= size
    along, corner, new = orthonormalise(block, basis, rng)
    both = np.hstack([basis, new])
    np.testing.assert_allclose(both.T @ both, np.eye(23), atol=10 * EPS)
    np.testing.assert_allclose(basis @ along + new @ corner, block, atol=100 * EPS * np.linalg.norm(block))


def test_well_conditioned_blocks_keep_the_signs_of_qr() -> None:
    """Deficient blocks are rotated by an SVD; the others are only projected, so that A stays triangular."""
    rng = np.random.default_rng(0)
    basis = np.eye(12)[:, :3]
    for outside, triangular in ((2e-3, True), (0.5e-3, False)):
        block = np.eye(12)[:, [4, 5]] + np.eye(12)[:, [0, 0]]
        block[:, 1] = np.eye(12)[0] * 3.0 + outside * np.linalg.norm(block) * np.eye(12)[5] + np.eye(12)[4]
        block[5, 1] = outside * np.linalg.norm(block)
        corner = orthonormalise(block, basis, rng)[1]
        assert (abs(corner[1, 0]) < 1e-12) == triangular


def test_directions_are_lost_below_the_rounding_error_of_the_block() -> None:
    """A singular value below ε √n ‖block‖ is replaced by a random direction with a zero row in A."""
    basis = np.eye(16)[:, :2]
    for part, kept in ((2.0, True), (0.5, False)):
        block = np.zeros((16, 2))
        block[3, 0], block[0, 0] = 3.0, 4.0
        block[5, 1] = part * EPS * 4.0 * 5.0  # √16 · ‖block‖
        _, corner, new = orthonormalise(block, basis, np.random.default_rng(0))
        assert corner.shape == new.T[:, :2].shape == (2, 2)
        assert (np.linalg.norm(corner[1]) > 0) == kept
        np.testing.assert_allclose(new.T @ new, np.eye(2), atol=10 * EPS)


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_no_more_directions_than_the_space_has(columns: int) -> None:
    rng = np.random.default_rng(0)
    block, basis = rng.standard_normal((7, columns)), np.eye(7)[:, :5]
    along, corner, new = orthonormalise(block, basis, rng)
    assert new.shape == (7, min(columns, 2))
    np.testing.assert_allclose(basis @ along + new @ corner, block, atol=50 * EPS)
    np.testing.assert_allclose(new.T @ new, np.eye(new.shape[1]), atol=10 * EPS)
    assert orthonormalise(block, np.eye(7), rng)[2].shape == (7, 0)


# Lanczos


def test_gauss_rules_have_no_ghosts() -> None:
    """Without full reorthogonalisation, twice, the dominating value would be found again and again."""
    values = np.r_[1.0, np.linspace(1e-6, 1e-5, 59)]
    start = np.random.default_rng(0).standard_normal(60)
    rule = lanczos(lambda x: values * x, start, 60)
    np.testing.assert_allclose(np.sort(rule.nodes), np.sort(values), atol=100 * EPS)
    assert np.sum(rule.nodes > 0.5) == 1
    np.testing.assert_allclose(rule.weights.sum(), 1.0, atol=100 * EPS)
    unit = start / np.linalg.norm(start)
    np.testing.assert_allclose(rule.weights[np.argmax(rule.nodes)], unit[0] ** 2, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_lanczos_stops_where_the_space_ends(scale: float) -> None:
    """Three distinct values give three nodes, at any scale; a coupling of 1e-10 is no end."""
    values = scale * np.repeat([1.0, 2.0, 5.0], 30)
    calls = []

    def product(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return values * x

    rule = lanczos(product, np.random.default_rng(0).standard_normal(90), 20)
    assert len(calls) == len(rule.nodes) == 3
    np.testing.assert_allclose(rule.nodes, scale * np.array([1.0, 2.0, 5.0]), rtol=50 * EPS)
    weak = np.diag([1.0, 2.0, 0.0, 0.0])
    weak[1, 2] = weak[2, 1] = 1e-10
    assert len(lanczos(lambda x: weak @ x, np.array([1.0, 1.0, 0.0, 0.0]), 4).nodes) == 3
    assert len(lanczos(lambda x: 0.0 * x, np.ones(4), 4).nodes) == 1


def test_steps_beyond_the_dimension_are_not_taken() -> None:
    values = np.array([1.0, 2.0, 5.0])
    for steps, count in ((2, 2), (3, 3), (9, 3)):
        rule = lanczos(lambda x: values * x, np.ones(3), steps)
        assert rule.nodes.shape == rule.weights.shape == (count,)
    two = lanczos(lambda x: values * x, np.ones(3), 2)
    first = 8 / 3  # mean of the values; their spread couples the two steps
    spread = np.sqrt(np.mean((values - first) ** 2))
    second = np.mean((values - first) ** 2 * values) / spread**2
    np.testing.assert_allclose(two.nodes, eigvalsh_tridiagonal([first, second], [spread]), rtol=1e-12)


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
    assert found.error == pytest.approx(2 * EPS * np.sqrt(90) * 9e9, rel=0.5, abs=0)


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
