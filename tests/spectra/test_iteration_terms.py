"""Counts of products, tolerances and reorthogonalisation of the iterations decide in these tests."""

from __future__ import annotations

import numpy as np
import pytest
from exact_singular_values import matrix_with
from scipy.linalg import eigvalsh_tridiagonal

from maetheory.spectra import CountingOperator, lanczos
from maetheory.spectra import block_golub_kahan as golub_kahan
from maetheory.spectra.block_golub_kahan import block_golub_kahan_svd
from maetheory.spectra.orthonormalise import orthonormalise

EPS = float(np.finfo(float).eps)


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
