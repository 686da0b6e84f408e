"""The search through large components, their errors and their merging decide in these tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from exact_singular_values import matrix_with

from maetheory.spectra import CountingOperator, large_components
from maetheory.spectra.component_spectrum import ComponentSpectrum, merge_components, pad_with_null_vectors
from maetheory.spectra.large_components import ComponentMatrix, solve_large_components
from maetheory.spectra.solvers import (
    dense_svd,
)
from maetheory.spectra.triplets import SingularTriplets

EPS = float(np.finfo(float).eps)


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


def test_a_component_has_as_many_values_as_its_shorter_side() -> None:
    """A side alone would count too many values of one of the two."""
    for rows, columns in ((3, 5), (5, 3)):
        assert ComponentMatrix(np.arange(rows), np.arange(columns), np.ones((rows, columns))).n_values == 3
