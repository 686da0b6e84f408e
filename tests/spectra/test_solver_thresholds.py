"""Thresholds between solvers, tolerances and the search through components decide in these tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from exact_singular_values import exact_singular_values
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import CountingOperator, NormBounds, large_components, small_components, solvers, spectrum
from maetheory.spectra import solve as solving
from maetheory.spectra.component_spectrum import ComponentSpectrum, merge_components, pad_with_null_vectors
from maetheory.spectra.connected_components import split_components
from maetheory.spectra.counting_operator import GramOperator, as_float64_matrix
from maetheory.spectra.large_components import ComponentMatrix, solve_large_components
from maetheory.spectra.small_components import is_small_component, solve_small_components
from maetheory.spectra.solvers import (
    arpack_svd,
    dense_svd,
    gram_svd,
    lapack_backward_error,
    prefers_full_svd,
    prefers_gram_svd,
    to_dense,
)
from maetheory.spectra.triplets import SingularTriplets

EPS = float(np.finfo(float).eps)


def matrix_with(values: np.ndarray, rows: int, columns: int, seed: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((side, len(values))))[0] for side in (rows, columns))
    return left * np.asarray(values) @ right.T


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


# Large components


def components_of(values: list[list[float]]) -> list[ComponentMatrix]:
    ends = np.cumsum([0, *map(len, values)])
    return [
        ComponentMatrix(np.arange(a, b), np.arange(a, b), np.diag(some))
        for (a, b), some in zip(pairwise(ends), values, strict=True)
    ]


def solve_recorded(
    monkeypatch: pytest.MonkeyPatch, values: list[list[float]], k: int, known: list[float]
) -> tuple[list[ComponentSpectrum], list[tuple[float, int]]]:
    """Solve diagonal components by a solver that returns what it is asked for, and list (largest value, count)."""
    asked = []

    def solver(products: CountingOperator, count: int, rng: np.random.Generator) -> SingularTriplets:
        asked.append((float(products.matrix[0, 0]), count))
        return dense_svd(products.matrix).first(count)

    monkeypatch.setattr(large_components, "prefers_full_svd", lambda shape, count: count >= min(shape))
    monkeypatch.setattr(large_components, "prefers_gram_svd", lambda shape: False)
    whole = CountingOperator(np.eye(sum(map(len, values))))
    parts = solve_large_components(components_of(values), k, np.array(known), solver, np.random.default_rng(0), whole)
    return parts, asked


def test_a_component_is_solved_for_its_share_and_two_more(monkeypatch: pytest.MonkeyPatch) -> None:
    even = [list(np.linspace(top, 0.1, 30)) for top in (1.0, 1.001, 1.002)]
    _, asked = solve_recorded(monkeypatch, even, 7, [])
    assert asked == [(1.0, 5), (1.001, 5), (1.002, 5)]  # ceil(7 / 3) + 2
    _, asked = solve_recorded(monkeypatch, even[:1], 6, [])
    assert asked == [(1.0, 6)]  # never more than k


def test_a_component_is_solved_deeper_while_its_last_value_is_among_the_k_largest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    high, low = list(np.linspace(2.0, 1.5, 40)), list(np.linspace(1.0, 0.5, 40))
    parts, asked = solve_recorded(monkeypatch, [high, low], 18, [])
    assert asked == [(2.0, 11), (1.0, 11), (2.0, 18)]
    values = np.sort(np.concatenate([part.values for part in parts]))[::-1]
    np.testing.assert_allclose(values[:18], high[:18])
    _, asked = solve_recorded(monkeypatch, [high, low], 18, [3.0] * 18)
    assert asked == [(2.0, 11), (1.0, 11)]  # 18 known values are larger
    for k in (20, 30):  # ceil(20 / 2) + 2 are all of them, and there are no 30
        parts, asked = solve_recorded(monkeypatch, [high[:12], low[:12]], k, [])
        assert asked == []
        assert [len(part.values) for part in parts] == [12, 12]
    tied = [[1.0] * 40, [0.5] * 40]
    _, asked = solve_recorded(monkeypatch, tied, 12, [1.0] * 12)
    assert asked == [(1.0, 8), (0.5, 8), (1.0, 12)]  # a value that ties with the k-th may hide another one


def test_components_are_doubled_up_to_k(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [list(np.linspace(2.0, 1.5, 60)), *([0.1] * 30 for _ in range(9))]
    _, asked = solve_recorded(monkeypatch, values, 21, [])
    assert [count for top, count in asked if top == 2.0] == [5, 10, 20, 21]


def test_the_errors_of_large_components_are_their_formulas() -> None:
    matrix = 3.0 * matrix_with(np.linspace(1.0, 0.4, 90), 100, 90)
    component = ComponentMatrix(np.arange(100), np.arange(90), matrix)
    products = CountingOperator(matrix)
    base = 8 * EPS * np.sqrt(190)
    noise = 1e-3 * np.random.default_rng(0).standard_normal((90, 2))

    def rough(operator: CountingOperator, k: int, rng: np.random.Generator) -> SingularTriplets:
        found = dense_svd(matrix).first(k)
        return SingularTriplets(found.left, found.values, found.right + noise)

    large = solve_large_components([component], 2, np.empty(0), rough, np.random.default_rng(0), products)
    (by_squares,) = large
    assert (by_squares.none_missed, by_squares.complete, len(by_squares.values)) == (True, False, 3)
    np.testing.assert_allclose(by_squares.errors, base * (matrix**2).sum() / by_squares.values[-1], rtol=1e-12)
    full = large_components._solve_component(component, 23, rough, np.random.default_rng(0), products)
    assert (full.none_missed, full.complete, len(full.values)) == (True, True, 90)
    np.testing.assert_allclose(full.errors, 3.0 * base, rtol=1e-9)


def test_the_error_of_an_iterative_solver_is_its_residual_and_its_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.diag(3.0 * np.linspace(1.0, 0.4, 90))  # whose triplets have no residual at all
    component = ComponentMatrix(np.arange(90), np.arange(90), matrix)
    monkeypatch.setattr(large_components, "prefers_gram_svd", lambda shape: False)
    rounding = 3.0 * (8 + 1) * EPS * np.sqrt(180)
    for size in (0.0, 1e-3):
        noise = size * np.random.default_rng(0).standard_normal((90, 2))

        def rough(operator: CountingOperator, k: int, rng: np.random.Generator, noise=noise) -> SingularTriplets:
            found = dense_svd(matrix).first(k)
            return SingularTriplets(found.left, found.values, found.right + noise)

        part = large_components._solve_component(
            component, 2, rough, np.random.default_rng(0), CountingOperator(matrix)
        )
        residual = np.linalg.norm(noise * part.values)
        assert (part.none_missed, part.complete) == (False, False)
        np.testing.assert_allclose(part.errors, residual + rounding, rtol=1e-9)


def test_squares_that_lose_digits_give_way_to_a_full_svd() -> None:
    matrix = matrix_with(np.r_[1.0, 0.05, np.full(88, 0.01)], 100, 90)
    component = ComponentMatrix(np.arange(100), np.arange(90), matrix)
    part = large_components._solve_component(
        component, 1, lambda *_: None, np.random.default_rng(0), CountingOperator(matrix)
    )
    assert part.complete


# Merging components, and what was not returned


def component(values: list[float], errors: list[float], at: int) -> ComponentSpectrum:
    n = len(values)
    eye = np.eye(n)

    def top(count: int) -> SingularTriplets:
        return SingularTriplets(eye[:, :count], np.array(values)[:count], eye[:, :count])

    where = np.arange(at, at + n)
    return ComponentSpectrum(where, where, np.array(values), np.array(errors), True, True, top)


def test_what_is_computed_and_not_returned_bounds_the_next_value() -> None:
    """The largest upper bound of a dropped value need not belong to the largest dropped value."""
    parts = [component([1.0, 0.5], [0.0, 0.0], 0), component([0.75, 0.375], [0.0625, 0.25], 2)]
    for k, above, below in ((2, 0.5, 0.625), (1, 0.6875, 0.8125), (3, 0.125, 0.625), (4, 0.0, 0.0)):
        merged = merge_components(parts, (4, 4), k)
        assert (merged.dropped_above, merged.dropped_below) == (above, below)
        np.testing.assert_array_equal(merged.triplets.values, [1.0, 0.75, 0.5, 0.375][:k])
        np.testing.assert_array_equal(merged.triplets.left, np.eye(4)[:, [0, 2, 1, 3][:k]])
        np.testing.assert_array_equal(merged.triplets.right, np.eye(4)[:, [0, 2, 1, 3][:k]])
    assert merge_components(parts[1:], (4, 4), 2).triplets.left.shape == (4, 2)
    assert merge_components(parts[:1], (2, 2), 5).triplets.left.shape == (2, 2)
    assert merge_components(parts[:1], (2, 3), 2).triplets.right.shape == (3, 2)


def test_ties_between_components_go_to_the_first() -> None:
    parts = [component([0.5, 0.5], [0.0, 0.0], 0), component([0.5], [0.0], 2)]
    np.testing.assert_array_equal(merge_components(parts, (3, 3), 2).triplets.left, np.eye(3)[:, :2])
    np.testing.assert_array_equal(merge_components(parts, (3, 3), 3).triplets.left, np.eye(3))


def test_null_vectors_are_orthonormal_even_beside_many_others() -> None:
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 37)))[0]
    triplets = SingularTriplets(basis, np.ones(37), basis[:39])
    found = pad_with_null_vectors(SingularTriplets(basis, np.ones(37), basis), 40, np.random.default_rng(1))
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(40), atol=40 * EPS)
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(40), atol=40 * EPS)
    np.testing.assert_array_equal(found.values, np.r_[np.ones(37), np.zeros(3)])
    assert pad_with_null_vectors(triplets, 37, np.random.default_rng(1)) is triplets


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
    if form is not np.asarray and dtype is np.longdouble:
        pytest.skip("SciPy multiplies no sparse long doubles")
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
