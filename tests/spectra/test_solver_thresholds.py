"""Thresholds between solvers, their tolerances and the errors of small components decide in these tests."""

from __future__ import annotations

import numpy as np
import pytest
from exact_singular_values import exact_singular_values, matrix_with
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import CountingOperator, small_components, solvers
from maetheory.spectra.connected_components import split_components
from maetheory.spectra.counting_operator import GramOperator
from maetheory.spectra.small_components import is_small_component, solve_small_components
from maetheory.spectra.solvers import (
    arpack_svd,
    gram_svd,
    lapack_backward_error,
    prefers_full_svd,
    prefers_gram_svd,
    to_dense,
)

EPS = float(np.finfo(float).eps)


def test_the_backward_error_of_lapack_grows_with_the_root_of_the_sides() -> None:
    assert lapack_backward_error((12, 4)) == pytest.approx(32 * EPS, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("shape", "k", "full"),
    [
        ((64, 65), 1, True),
        ((65, 65), 1, False),
        ((65, 64), 1, True),
        ((64, 62_500), 1, True),
        ((64, 62_501), 1, False),
        ((400, 500), 100, False),
        ((400, 500), 101, True),
        ((500, 400), 101, True),
    ],
)
def test_a_full_svd_is_for_small_matrices_and_many_values(shape: tuple[int, int], k: int, full: bool) -> None:
    assert prefers_full_svd(shape, k) is full
    if k == 1:
        assert is_small_component(shape) is full


@pytest.mark.parametrize(
    ("shape", "gram"),
    [((256, 300), True), ((257, 300), False), ((300, 257), False), ((200, 20_000), True), ((200, 20_001), False)],
)
def test_a_gram_matrix_is_for_one_short_side(shape: tuple[int, int], gram: bool) -> None:
    assert prefers_gram_svd(shape) is gram


@pytest.mark.parametrize("transposed", [False, True])
def test_a_gram_matrix_serves_down_to_a_tenth_of_the_largest_value(transposed: bool) -> None:
    for last, served in ((0.11, True), (0.09, False)):
        matrix = 8.0 * matrix_with([1.0, 0.5, last, 0.01], 9, 6)
        found = gram_svd(matrix.T if transposed else matrix, 3)
        assert (found is not None) is served
        if found is not None:
            np.testing.assert_allclose(found.values / 8, [1.0, 0.5, last], atol=50 * EPS)
    assert gram_svd(np.diag([8.0, 0.8]), 2) is not None  # a tenth itself still counts


def test_arpack_converges_to_twelve_digits_of_the_vectors() -> None:
    matrix = matrix_with(0.97 ** np.arange(120), 150, 120)
    for b in (matrix, matrix.T):
        products = CountingOperator(b)
        found = arpack_svd(products, 4, np.random.default_rng(0))
        residual = np.linalg.norm(b.T @ found.left - found.right * found.values, axis=0)
        assert residual.max() < 2e-12
        np.testing.assert_allclose(found.values, 0.97 ** np.arange(4), atol=100 * EPS)
    assert products.matvecs < 450  # a basis of 24: one of 4k or less would restart more often


def test_arpack_takes_a_basis_of_the_larger_of_three_k_and_k_plus_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str, float]] = []
    sides = []

    def eigsh(gram: GramOperator, k: int, which: str, ncv: int, v0: np.ndarray, tol: float) -> tuple:
        asked.append((ncv, which, tol))
        sides.append(gram.shape[0])
        return None, np.linalg.svd(gram.operator.matrix)[2][:k].T

    monkeypatch.setattr(solvers, "eigsh", eigsh)
    for k, side in ((2, 60), (15, 60), (30, 60), (2, 21)):
        arpack_svd(CountingOperator(np.random.default_rng(0).standard_normal((70, side))), k, np.random.default_rng(0))
    assert asked == [(22, "LM", 1e-12), (45, "LM", 1e-12), (60, "LM", 1e-12), (21, "LM", 1e-12)]
    arpack_svd(CountingOperator(np.random.default_rng(0).standard_normal((50, 70))), 2, np.random.default_rng(0))
    assert sides == [60, 60, 60, 21, 50]  # always the shorter side


def test_gram_matrices_are_those_of_the_shorter_side(monkeypatch: pytest.MonkeyPatch) -> None:
    sides, eigh = [], solvers.eigh

    def record(gram: np.ndarray, subset_by_index: list[int]) -> tuple:
        sides.append((gram.shape, subset_by_index))
        return eigh(gram, subset_by_index=subset_by_index)

    monkeypatch.setattr(solvers, "eigh", record)
    for shape in ((9, 5), (5, 9), (5, 5)):
        assert gram_svd(np.random.default_rng(0).standard_normal(shape), 1) is not None
    assert sides == [((5, 5), [4, 4])] * 3


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_an_operator_is_made_dense_from_its_shorter_side(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape)
    products = CountingOperator(aslinearoperator(matrix))
    np.testing.assert_allclose(to_dense(products), matrix, atol=4 * EPS)
    assert products.matvecs == min(shape)
    explicit = CountingOperator(matrix)
    assert to_dense(explicit) is explicit.matrix
    assert explicit.matvecs == 0


def test_a_matrix_is_made_dense_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solvers, "LARGEST_ENTRIES", 15)
    for form in (sparse.csr_array, aslinearoperator):
        assert to_dense(CountingOperator(form(np.ones((3, 5))))).shape == (3, 5)
        with pytest.raises(InputError, match=r"4 x 4 matrix.* 1\.28e-07 GB: ask for 1 at most"):
            to_dense(CountingOperator(form(np.ones((4, 4)))))
    assert to_dense(CountingOperator(np.ones((4, 4)))).shape == (4, 4)
    assert solvers.DENSE_ENTRIES == 4_000_000


def test_the_largest_matrix_made_dense_has_250_million_entries() -> None:
    class Never(LinearOperator):
        def _matmat(self, x: np.ndarray) -> np.ndarray:
            raise MemoryError

        def _adjoint(self) -> Never:
            return Never(float, self.shape[::-1])

    for side, refusal in ((250_000_001, InputError), (250_000_000, MemoryError)):
        with pytest.raises(refusal):
            to_dense(CountingOperator(Never(float, (side, 1))))


# Small components


def blocks(*dense: np.ndarray) -> list:
    return split_components(sparse.csr_array(sparse.block_diag(dense)))


@pytest.mark.parametrize("ratio", [0.11, 0.09])
@pytest.mark.parametrize("k", [3, 4])
def test_squares_serve_while_the_k_th_value_of_all_is_large(ratio: float, k: int) -> None:
    """With SVDs the error is 8 ε √(n1 + n2) σ₁ for every value, with squares it grows towards small ones."""
    dense = matrix_with([8.0, 4.0], 4, 2), matrix_with([8 * ratio, 0.4], 2, 3)
    parts = solve_small_components(blocks(*dense), k)
    squares = k == 3 and ratio > 0.1
    values = np.concatenate([part.values for part in parts])
    np.testing.assert_allclose(np.sort(values) / 8, np.sort([1.0, 0.5, ratio, 0.05]), atol=1e-14)
    assert all(part.complete and part.none_missed for part in parts)
    for part in parts:
        assert (part.errors[1] > 1.5 * part.errors[0]) == squares
    (all_large,) = solve_small_components(blocks(np.diag([1.0, 0.5]) + 1e-3), 2)  # as many values as are asked for
    assert all_large.errors[1] > 1.5 * all_large.errors[0]
    assert solve_small_components([], 1) == []


def test_errors_of_small_components_are_their_formulas_and_cover() -> None:
    """λ of BᵀB is wrong by 8 ε √(n1 + n2) tr BᵀB at most, and σ by the larger root."""
    matrix = 3.0 * matrix_with([1.0, 0.3, 1e-7, 1e-9], 5, 4)
    truth = np.array([float(x) for x in exact_singular_values(matrix)])
    both, stack = blocks(matrix, 10 * matrix), np.stack([matrix, 10 * matrix])  # each by its own size
    by_squares, larger = small_components._gram_spectrum(both, stack)
    np.testing.assert_allclose(larger.errors[1:], 10 * by_squares.errors[1:], rtol=0.3)
    by_svd, larger = small_components._svd_spectrum(both, stack)
    np.testing.assert_allclose(larger.errors, 10 * by_svd.errors, rtol=1e-12)
    delta = 24 * EPS * (by_squares.values**2).sum()
    np.testing.assert_allclose(
        by_squares.errors, np.sqrt(by_squares.values**2 + delta) - by_squares.values, rtol=1e-6, atol=5 * EPS
    )
    np.testing.assert_allclose(by_svd.errors, 24 * EPS * by_svd.values[0], rtol=1e-12)
    for part in (by_squares, by_svd):
        assert (np.abs(part.values - truth) <= part.errors).all()
    assert by_squares.errors[-1] > 1e-9  # where squares lose the value, the error says so
    (of_zero,) = small_components._gram_spectrum(blocks(np.ones((2, 2))), np.zeros((1, 2, 2)))
    assert (of_zero.errors == 0.0).all()


def test_components_of_one_shape_are_stacked_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_components, "DENSE_ENTRIES", 12)
    rng = np.random.default_rng(0)
    dense = [rng.random((2, 3)) for _ in range(5)] + [rng.random((3, 2))] + [rng.random((4, 4))]
    stacks = [stack.shape for _, stack in small_components._stack_equal_shapes(blocks(*dense))]
    assert stacks == [(2, 3, 2), (2, 3, 2), (1, 3, 2), (1, 3, 2), (1, 4, 4)]
    found = solve_small_components(blocks(*dense), 3)
    for part in found:
        triplets = part.top_triplets(2)
        assert (triplets.left.shape, triplets.right.shape) == ((len(part.rows), 2), (len(part.columns), 2))
    values = np.sort(np.concatenate([part.values for part in found]))
    wanted = np.sort(np.concatenate([np.linalg.svd(one, compute_uv=False) for one in dense]))
    np.testing.assert_allclose(values, wanted, atol=1e-7)


def test_vectors_of_small_components_come_from_the_matrix_itself() -> None:
    """At a ratio of 1e-7 eigenvectors of BᵀB have residuals of 1e-9; the triplets are those of an SVD."""
    matrix = matrix_with([1.0, 1e-7], 5, 3)
    (part,) = solve_small_components(blocks(matrix), 1)
    triplets = part.top_triplets(2)
    assert np.linalg.norm(matrix.T @ triplets.left - triplets.right * triplets.values) < 50 * EPS
