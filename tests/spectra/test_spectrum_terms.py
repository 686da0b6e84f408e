"""Which components are probed, when a solver is replaced, and which matrices are taken decide in these tests."""

from __future__ import annotations

import numpy as np
import pytest
from exact_singular_values import matrix_with
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import CountingOperator, NormBounds, large_components, spectrum
from maetheory.spectra import solve as solving
from maetheory.spectra.connected_components import split_components
from maetheory.spectra.counting_operator import GramOperator, as_float64_matrix
from maetheory.spectra.solvers import (
    dense_svd,
)
from maetheory.spectra.triplets import SingularTriplets

EPS = float(np.finfo(float).eps)


# The whole: `spectrum`


def sparse_blocks(sizes: list[int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        matrix_with(np.r_[1.0, np.linspace(0.7, 0.1, size - 1)], size + 5, size, int(rng.integers(99)))
        for size in sizes
    ]


def test_missed_values_are_bounded_by_their_coupling_to_the_computed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two large components whose solver errs by 1e-2: the bound on missed values exceeds that of the probes by it."""
    monkeypatch.setattr(large_components, "prefers_gram_svd", lambda shape: False)
    monkeypatch.setattr(large_components, "prefers_full_svd", lambda shape, k: False)
    monkeypatch.setattr(solving, "is_small_component", lambda shape: False)
    monkeypatch.setattr(solving, "missed_below_by_lanczos", lambda *args, **options: NormBounds(0.0, 2.0, 1e-6))

    def rough(products: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
        found = dense_svd(products.matrix.toarray()).first(k)
        tilted = found.right + 1e-2 * np.eye(*found.right.shape)
        return SingularTriplets(found.left, found.values, tilted)

    monkeypatch.setattr(solving, "_arpack_or_block_golub_kahan", rough)
    found = spectrum(sparse.csr_array(sparse.block_diag(sparse_blocks([30, 31]))), 4)
    residual = 1e-2 * np.sqrt(1.0 + np.sum(np.linspace(0.7, 0.1, 30)[:3] ** 2))  # of the larger component
    assert found.missed_below == pytest.approx(2.0 + residual, rel=1e-6, abs=0)


def test_only_components_whose_solver_may_miss_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    probe = solving.missed_below_by_lanczos

    def record(products, found, *, norm, columns, rng) -> NormBounds:
        seen.append((found.shape, norm, columns.tolist()))
        return probe(products, found, norm=norm, columns=columns, rng=rng)

    monkeypatch.setattr(solving, "missed_below_by_lanczos", record)
    monkeypatch.setattr(large_components, "prefers_gram_svd", lambda shape: False)
    dense = [sparse_blocks([70])[0], np.array([[2.0, 1.0], [0.5, 3.0]]), 0.5 * sparse_blocks([75], 1)[0]]
    matrix = sparse.block_diag(dense).toarray()[:, ::-1]
    found = spectrum(sparse.csr_array(matrix), 4)
    assert seen == [((145, 8), pytest.approx(1.0), [*range(75), *range(77, 147)])]
    truth = np.linalg.svd(matrix, compute_uv=False)
    assert found.missed_above <= truth[4] <= found.missed_below < 1.2 * truth[4]
    assert not found.missed
    seen.clear()
    spectrum(sparse.csr_array(sparse.block_diag(dense[1:2] * 2)), 2)
    assert seen == []
    spectrum(dense[0], 2)
    assert seen == [((70, 2), pytest.approx(1.0), list(range(70)))]


def test_the_block_method_serves_below_a_hundredth_and_where_arpack_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def block(products: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
        used.append(k)
        return dense_svd(products.matrix).first(k)

    monkeypatch.setattr(solving, "block_golub_kahan_svd", block)
    for last, blurred in ((0.0101, False), (0.0099, True), (0.01, False)):
        b = CountingOperator(np.diag([4.0, 1.0, 4 * last, 0.0]))
        monkeypatch.setattr(solving, "arpack_svd", lambda products, k, rng: dense_svd(products.matrix).first(k))
        used.clear()
        solving._arpack_or_block_golub_kahan(b, 3, np.random.default_rng(0))
        assert used == ([3] if blurred else [])

    def fails(products: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
        raise ArpackNoConvergence("no", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(solving, "arpack_svd", fails)
    used.clear()
    assert solving._arpack_or_block_golub_kahan(b, 3, np.random.default_rng(0)).values[0] == 4.0
    assert used == [3]


def test_missed_values_are_looked_for_with_wider_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, sizes = matrix_with(np.r_[np.ones(3), np.linspace(0.7, 0.0, 297)], 310, 300), []

    def misses(products, k, rng, block_size=None) -> SingularTriplets:
        sizes.append(block_size)
        found = dense_svd(products.matrix)
        return SingularTriplets(found.left[:, 1 : k + 1], found.values[1 : k + 1], found.right[:, 1 : k + 1])

    monkeypatch.setattr(solving, "arpack_svd", misses)
    monkeypatch.setattr(solving, "block_golub_kahan_svd", misses)
    assert spectrum(matrix, 4).missed
    assert sizes == [None, 32, 64]
    monkeypatch.setattr(solving, "arpack_svd", lambda products, k, rng: dense_svd(products.matrix).first(k))
    sizes.clear()
    assert not spectrum(matrix, 4).missed
    assert sizes == []


def test_small_and_large_components_are_told_apart_only_among_several() -> None:
    one = sparse.csr_array(np.ones((2, 2)) + np.eye(2))
    small, large = solving._solve_small_and_select_large(one, 1)
    assert (len(small), len(large)) == (0, 1)
    small, large = solving._solve_small_and_select_large(sparse.csr_array(sparse.block_diag([one, one])), 1)
    assert (len(small), len(large)) == (2, 0)
    wide = sparse.csr_array(sparse.block_diag([one, matrix_with(np.ones(70), 70, 70)]))
    small, large = solving._solve_small_and_select_large(wide, 1)
    assert [(len(part.rows), len(part.columns)) for part in small] == [(2, 2)]
    assert [one.n_values for one in large] == [70]
    small, large = solving._solve_small_and_select_large(np.eye(3), 1)
    assert (small, large[0].rows.tolist(), large[0].columns.tolist()) == ([], [0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("k", [1, 3, np.int64(3), True])
def test_any_whole_number_up_to_the_shorter_side_is_a_count(k: int) -> None:
    assert len(spectrum(np.diag([3.0, 2.0, 1.0, 0.0])[:3], k).values) == int(k)


def test_a_zero_matrix_is_complete() -> None:
    for form in (np.asarray, sparse.csr_array, aslinearoperator):
        found = spectrum(form(np.zeros((5, 4))), 3)
        assert found.complete
        assert not found.missed


# Matrices as operators


def test_operators_count_columns_and_keep_their_counter() -> None:
    b = CountingOperator(np.arange(6.0).reshape(2, 3))
    b.matmat(np.ones(3))
    b.rmatmat(np.ones((2, 4)))
    assert b.matvecs == 5
    assert b.tall is not b
    assert b.tall.shape == (3, 2)
    b.tall.matmat(np.ones((2, 2)))
    b.with_matrix(np.eye(2)).matmat(np.ones((2, 3)))
    assert b.matvecs == 10
    square = CountingOperator(np.eye(2))
    assert square.tall is square
    np.testing.assert_array_equal(b.transposed.matmat(np.eye(2)), b.rmatmat(np.eye(2)))
    gram = GramOperator(b)
    np.testing.assert_array_equal(gram.matmat(np.eye(3)), b.matrix.T @ b.matrix)
    np.testing.assert_array_equal(gram @ np.ones(3), b.matrix.T @ b.matrix @ np.ones(3))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32, np.longdouble])
def test_every_real_type_is_widened(form: type, dtype: type) -> None:
    matrix = as_float64_matrix(form(np.array([[1, 0], [1, 1]], dtype)))
    assert matrix.dtype == np.float64
    assert not sparse.issparse(matrix) or matrix.format == "csr"


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.array([["a"]]), "real numbers are expected"),
        (np.array([[1j]]), "real numbers are expected"),
        (sparse.csr_array([[1j]]), "real numbers are expected"),
        ([1.0, 2.0], "a matrix with at least one row and column is expected"),
        (np.ones((1, 0)), "a matrix with at least one row and column is expected"),
        (np.ones((1, 1, 1)), "a matrix with at least one row and column is expected"),
        (aslinearoperator(np.ones((0, 1))), "a matrix with at least one row and column is expected"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "every entry must be finite"),
        (sparse.csr_array([[1.0, -np.inf], [0.0, 1.0]]), "every entry must be finite"),
    ],
)
def test_one_wrong_entry_or_side_is_refused(matrix: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_float64_matrix(matrix)
    assert as_float64_matrix([[1, 2]]).shape == (1, 2)
    assert as_float64_matrix(np.ones((1, 1))).shape == (1, 1)


def test_duplicates_and_stored_zeros_are_no_edges() -> None:
    """Entries 1 and −1 of one place cancel, and with them the only edge between two components."""
    row, column = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 1])
    summed = sparse.coo_array((np.array([1.0, 1.0, -1.0, 2.0, 3.0]), (row, column)), shape=(2, 2)).tocsr()
    data = np.array([1.0, 1.0, -1.0, 2.0, 3.0])
    raw = sparse.csr_array((data, column, np.array([0, 3, 5])), shape=(2, 2))
    stored = sparse.csr_array((np.array([1.0, 0.0, 5.0]), np.array([0, 1, 1]), np.array([0, 2, 3])), shape=(2, 2))
    for matrix in (summed, raw, stored):
        before = matrix.data.copy()
        parts = split_components(matrix)
        assert [part.toarray().tolist() for part in parts] == [[[1.0]], [[5.0]]]
        assert [part.matrix.toarray().tolist() for part in parts] == [[[1.0]], [[5.0]]]
        np.testing.assert_array_equal(matrix.data, before)


def test_components_come_in_the_order_of_their_first_row_without_empty_ones() -> None:
    matrix = sparse.csr_array(
        np.array([[0, 0, 0, 0, 2], [0, 0, 0, 0, 0], [0, 3, 0, 0, 0], [0, 0, 0, 0, 1], [0, 4, 0, 5, 0]])
    )
    parts = split_components(matrix)
    assert [(part.rows.tolist(), part.columns.tolist()) for part in parts] == [([0, 3], [4]), ([2, 4], [1, 3])]
    assert parts[1].toarray().tolist() == [[3, 0], [4, 5]]
    assert split_components(sparse.csr_array((3, 2))) == []
    rng = np.random.default_rng(0)
    many = sparse.csr_array(sparse.block_diag([np.ones((70, 50))] * 3))[rng.permutation(210)][:, rng.permutation(150)]
    for part in split_components(many):
        assert (np.diff(part.rows) > 0).all()
        assert (np.diff(part.columns) > 0).all()
