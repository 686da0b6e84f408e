"""Test the block method against dense SVD, on clusters wider and narrower than its block."""

import numpy as np
import pytest

from maetheory.spectra import CountingOperator
from maetheory.spectra import solve as solving
from maetheory.spectra.block_golub_kahan import block_golub_kahan_svd
from maetheory.spectra.orthonormalise import orthonormalise
from maetheory.spectra.triplets import SingularTriplets


def matrix_with(values, rows, columns):
    rng = np.random.default_rng(9)
    left = np.linalg.qr(rng.standard_normal((rows, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((columns, len(values))))[0]
    return left @ np.diag(values) @ right.T


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
@pytest.mark.parametrize(("k", "block_size"), [(1, 1), (12, 20), (40, 16), (200, 16)])
def test_values_and_vectors_agree_with_dense_svd(shape, k, block_size):
    values = np.r_[np.ones(10), np.linspace(0.8, 0.0, 190)]
    matrix = matrix_with(values, *shape)
    found = block_golub_kahan_svd(CountingOperator(matrix), k, np.random.default_rng(0), block_size=block_size)
    np.testing.assert_allclose(found.values, values[:k], atol=2e-14)
    np.testing.assert_allclose(matrix @ found.right, found.left * found.values, atol=1e-12)
    np.testing.assert_allclose(matrix.T @ found.left, found.right * found.values, atol=1e-12)
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(k), atol=1e-13)


def test_the_iteration_continues_when_the_krylov_space_is_exhausted():
    """With only five distinct values, blocks become deficient at once, yet all copies are found."""
    values = np.repeat([1.0, 0.8, 0.5, 0.2, 0.0], 12)
    found = block_golub_kahan_svd(
        CountingOperator(matrix_with(values, 90, 60)), 40, np.random.default_rng(0), block_size=8
    )
    np.testing.assert_allclose(found.values, values[:40], atol=1e-13)


def test_orthonormalise_is_a_factorisation_even_of_a_deficient_block():
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.standard_normal((30, 5)))[0]
    block = np.hstack([rng.standard_normal((30, 2)), basis[:, :2]]) @ rng.standard_normal((4, 4))
    along, corner, new = orthonormalise(block, basis, rng)
    np.testing.assert_allclose(basis @ along + new @ corner, block, atol=1e-13)
    np.testing.assert_allclose(np.hstack([basis, new]).T @ np.hstack([basis, new]), np.eye(9), atol=1e-14)
    full = orthonormalise(rng.standard_normal((7, 3)), np.eye(7)[:, :5], rng)[2]
    assert full.shape == (7, 2)


def test_a_solver_that_misses_copies_is_caught_and_replaced(monkeypatch):
    """A solver that returns singular vectors 2..k + 1 has perfect residuals; the certificate rejects it."""
    matrix = matrix_with(np.r_[np.ones(3), np.linspace(0.7, 0.0, 397)], 600, 400)

    def misses_the_first(products, k, rng):
        left, values, right = np.linalg.svd(products.matrix, full_matrices=False)
        return SingularTriplets(left[:, 1 : k + 1], values[1 : k + 1], right[1 : k + 1].T)

    monkeypatch.setattr(solving, "arpack_svd", misses_the_first)
    found = solving.spectrum(matrix, 4)
    np.testing.assert_allclose(found.values, [1, 1, 1, 0.7], atol=1e-13)
    assert not found.missed
    monkeypatch.setattr(solving, "ATTEMPTS", 1)
    assert solving.spectrum(matrix, 4).missed


def test_a_tolerance_saves_products_and_bounds_the_residuals():
    values = 0.99 ** np.arange(200)
    matrix, counts = matrix_with(values, 300, 200), []
    for tolerance in (0.0, 1e-4):
        operator = CountingOperator(matrix)
        found = block_golub_kahan_svd(
            operator, 12, np.random.default_rng(0), block_size=4, max_basis_columns=120, tolerance=tolerance
        )
        counts.append(operator.matvecs)
        np.testing.assert_allclose(found.values, values[:12], atol=max(tolerance, 2e-14))
        assert np.linalg.norm(matrix.T @ found.left - found.right * found.values, axis=0).max() < max(tolerance, 1e-12)
    assert counts[1] < 0.8 * counts[0]


def test_a_tolerance_is_checked_before_the_basis_is_full():
    operator = CountingOperator(matrix_with(0.9 ** np.arange(200), 300, 200))
    found = block_golub_kahan_svd(
        operator, 4, np.random.default_rng(0), block_size=4, max_basis_columns=200, tolerance=1e-6
    )
    assert operator.matvecs < 200  # a full basis takes twice that
    np.testing.assert_allclose(found.values, 0.9 ** np.arange(4), atol=1e-6)


def test_a_wider_basis_saves_products():
    matrix, counts = matrix_with(0.99 ** np.arange(200), 300, 200), []
    for max_basis_columns in (None, 160):
        operator = CountingOperator(matrix)
        block_golub_kahan_svd(
            operator, 12, np.random.default_rng(0), block_size=4, max_basis_columns=max_basis_columns, tolerance=1e-9
        )
        counts.append(operator.matvecs)
    assert counts[1] < counts[0]
