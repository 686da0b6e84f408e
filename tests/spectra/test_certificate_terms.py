"""Every term of a certificate decides in one of these tests; 50-digit arithmetic is the judge."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from exact_singular_values import exact_singular_values
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from maetheory.core import Estimate, InputError
from maetheory.spectra import (
    CountingOperator,
    NormBounds,
    Spectrum,
    certify,
    coupling_bound,
    enclosure_radius,
    residual_block,
)
from maetheory.spectra.certificate import certified_spectrum
from maetheory.spectra.component_spectrum import MergedSpectrum
from maetheory.spectra.enclose import _divide_by_smallest
from maetheory.spectra.triplets import SingularTriplets

EPS = float(np.finfo(float).eps)
E = np.eye(4)


# Residual, enclosure and coupling


def test_the_residual_block_holds_both_residuals_over_root_two() -> None:
    b, u, v = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[1.0], [0.0], [2.0]]), np.array([[3.0], [1.0]])
    found = residual_block(CountingOperator(b), np.array([0.5]), u, v)
    np.testing.assert_allclose(np.sqrt(2) * found[:, 0], [4.5, 13.0, 20.0, 9.5, 13.5], rtol=4 * EPS)


@pytest.mark.parametrize("angle", [0.5, 1e-3, 1e-6, 1e-7, 1e-9, 0.0])
def test_nearly_parallel_vectors_count_as_one(angle: float) -> None:
    """B = diag(1, 0) has one value 1; two nearly parallel vectors with σ = 1 have a residual of `angle`."""
    b, x = np.diag([1.0, 0.0, 0.0]), np.array([[1.0, 1.0], [0.0, angle], [0.0, 0.0]])
    found = certify(b, np.ones(2), x, x)
    assert found.residuals.max() <= angle
    assert found.enclosure_radius >= 1.0
    assert found.enclosure_radius < 4.0 or angle < 1e-8
    assert (found.lower <= [1.0, 0.0]).all()
    assert not found.complete


@pytest.mark.parametrize("norm", [0.0, 1e12])
def test_radii_are_their_definitions(norm: float) -> None:
    """With and without a rounding error that dominates; left and right vectors have different lengths."""
    rng = np.random.default_rng(0)
    left, right = 3.0 * rng.standard_normal((6, 2)), rng.standard_normal((5, 2))
    residual = rng.standard_normal((11, 2))
    stacked = np.vstack([left, right]) / np.sqrt(2)
    least = np.linalg.svd(stacked)[1][-1]
    for given, relative in ((None, EPS * np.sqrt(11)), (1e-3, 1e-3)):
        wanted = (np.linalg.norm(residual, 2) + relative * norm * np.linalg.norm(stacked)) / least
        assert enclosure_radius(residual, left, right, norm, rounding_error=given) == pytest.approx(
            wanted, rel=1e-12, abs=0
        )
        size = max(
            np.sqrt(2) * np.linalg.norm(residual[:6], 2) + relative * norm * np.linalg.norm(right),
            np.sqrt(2) * np.linalg.norm(residual[6:], 2) + relative * norm * np.linalg.norm(left),
        )
        for u, v, rows in ((left, right, residual), (right, left, np.vstack([residual[6:], residual[:6]]))):
            least_of_each = min(np.linalg.svd(x)[1][-1] for x in (u, v))
            found = coupling_bound(rows, u, v, norm, rounding_error=given)
            assert found == pytest.approx(size / least_of_each, rel=1e-12, abs=0)


def test_the_rounding_error_of_a_gram_matrix_is_taken_from_its_smallest_eigenvalue() -> None:
    for small, rows in ((4e-13, 400), (1e-14, 4)):
        wanted = 3.0 / np.sqrt(small - EPS * np.sqrt(rows) * (2.0 + small))
        assert _divide_by_smallest(3.0, np.diag([2.0, small]), rows) == pytest.approx(wanted, rel=1e-9, abs=0)
    assert _divide_by_smallest(0.0, np.diag([2.0, 8e-15]), 400) == np.inf
    assert _divide_by_smallest(0.0, np.zeros((1, 1)), 4) == np.inf


def test_a_residual_of_zero_is_no_better_than_rounding() -> None:
    found = certify(np.diag([7.0, 0.0, 0.0]), np.array([7.0]), E[:3, :1], E[:3, :1])
    smallest = 1.0 - EPS * np.sqrt(6)
    assert found.enclosure_radius == pytest.approx(7.0 * EPS * np.sqrt(6) / np.sqrt(smallest), rel=1e-12, abs=0)
    assert found.coupling_bound == pytest.approx(found.enclosure_radius, rel=1e-12, abs=0)


@pytest.mark.parametrize("side", [0, 1])
def test_coupling_sees_a_vector_that_nearly_vanishes(side: int) -> None:
    """u = √2 e₁ and v = 10⁻⁸ e₁ make X = (u, v) / √2 as long as a unit vector, and one residual 10⁻⁸."""
    b = np.array([[0.0, 0.0], [1.0, 0.0]])
    pair = np.sqrt(2.0) * E[:2, :1], 1e-8 * E[:2, :1]
    found = certify(b if side == 0 else b.T, np.zeros(1), *(pair if side == 0 else pair[::-1]))
    assert found.enclosure_radius < 1e-7
    assert found.upper[0] >= 1.0


# Bounds on the values, from the radii and from what was missed


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_upper_bounds_count_what_couples_the_vectors_to_the_rest(size: float, transposed: bool) -> None:
    """B = c e₂e₁ᵀ, u = v = e₁, σ = 0: a value is 0, the residual is c/√2, but σ₁ = c."""
    b = np.zeros((3, 3))
    b[2, 1], b[0, 0] = size, 5.0
    found = certify(b.T if transposed else b, np.array([5.0, 0.0]), E[:3, :2], E[:3, :2])
    truth = exact_singular_values(b)
    assert found.enclosure_radius < 0.8 * size
    assert found.upper[1] >= truth[1]
    assert found.first(1).missed_below >= truth[1]
    assert truth[0] <= found.upper[0] < 5.0 + 3.0 * size


def test_a_coupling_is_no_missed_value() -> None:
    """σ₂ = 10⁻⁶ is right, nothing larger was left out, and ‖B(I − VVᵀ)‖ = 10⁻⁴ comes from the error of v₁."""
    b = np.diag([1.0, 1e-6, 0.0, 0.0])
    b[0, 2] = 1e-4
    assert exact_singular_values(b)[1] < 1.001e-6
    found = certify(b, np.array([1.0, 1e-6]), E[:, :2], E[:, :2])
    assert found.missed_above > found.values[-1] + found.enclosure_radius
    assert not found.missed
    assert not found.complete


def test_bounds_hold_for_any_triplets() -> None:
    """Random matrices and vectors of any quality: lower and upper bounds hold, and `complete` means the top k."""
    rng = np.random.default_rng(1)
    decided = 0
    for trial in range(400):
        n, m = rng.integers(2, 6, 2)
        k = int(rng.integers(1, min(n, m) + 1))
        b = rng.standard_normal((n, m)) * 10.0 ** rng.integers(-3, 1, m)
        left, values, right = np.linalg.svd(b, full_matrices=False)
        noise = 10.0 ** rng.uniform(-12, 0)
        chosen = np.sort(rng.permutation(len(values))[:k]) if trial % 2 else np.arange(k)
        u = left[:, chosen] + noise * rng.standard_normal((n, k))
        v = right[chosen].T + noise * rng.standard_normal((m, k))
        claimed = np.abs(values[chosen] + noise * rng.standard_normal(k))
        found = certify(b, claimed, u, v, seed=trial)
        slack = 50 * EPS * values[0]
        for part in (found, *(found.first(j) for j in range(1, k))):
            j = len(part.values)
            assert (part.lower <= values[:j] + slack).all()
            assert (part.upper >= values[:j] - slack).all()
            following = values[j] if j < len(values) else 0.0
            assert part.missed_below >= following - slack
            if part.complete:
                assert (np.abs(part.values - values[:j]) <= part.enclosure_radius + slack).all()
                decided += 1
            if part.missed:
                assert following > part.values[-1] or (values[:j] > part.values + part.enclosure_radius / 2).any()
                decided += 1
    assert decided > 100


def made(**changes: object) -> Spectrum:
    """A spectrum whose numbers are exact binary fractions."""
    plain = Spectrum(
        values=np.array([1.0, 0.75, 0.5]),
        left=E[:, :3],
        right=E[:, :3],
        residuals=np.array([0.0, 0.125, 0.25]),
        missed_below=Estimate(0.375, sampled=True),
        matvecs=7,
        enclosure_radius=0.125,
        missed_above=0.25,
        failure_probability=1e-6,
        coupling_bound=0.0625,
    )
    return replace(plain, **changes)


STEP = 2.0**-40


def test_bounds_are_formed_from_the_radii() -> None:
    np.testing.assert_array_equal(made().lower, [0.875, 0.625, 0.375])
    np.testing.assert_array_equal(made(enclosure_radius=0.625).lower, [0.375, 0.125, 0.0])
    np.testing.assert_array_equal(made().upper, [1.125, 0.875, 0.625])
    np.testing.assert_array_equal(made(missed_below=Estimate(0.875)).upper, [1.125, 0.9375, 0.9375])


def test_complete_needs_the_next_value_below_the_last_one() -> None:
    assert made().complete  # 0.375 <= 0.5 - 0.125
    assert made().summary == (
        "complete: every singular value left out is at most 0.375 (wrong with probability at most 1e-06)"
    )
    above = made(missed_below=Estimate(0.375 + STEP))
    assert not above.complete
    assert above.summary.startswith("undecided: what was left out is at most 0.375 (wrong")
    assert "not below the last one kept, 0.5" in above.summary
    assert "probability" not in made(failure_probability=0.0).summary


def test_missed_needs_more_than_the_coupling() -> None:
    limit = 0.5 + 3 * 0.0625
    at = made(missed_above=limit)
    assert not at.missed
    beyond = made(missed_above=limit + STEP)
    assert beyond.missed
    assert beyond.summary == "incomplete: a singular value of at least 0.5625 was left out"


def test_the_first_values_are_bounded_by_the_next_one() -> None:
    two = made().first(2)
    assert two.missed_below == 0.625  # upper[2]
    assert two.missed_below.sampled
    assert two.missed_above == 0.375  # lower[2], above what was missed, 0.25
    assert made(missed_above=0.4375).first(2).missed_above == 0.4375
    assert made(missed_below=Estimate(0.875)).first(2).missed_below == 0.9375
    np.testing.assert_array_equal(two.residuals, [0.0, 0.125])
    assert (two.left.shape, two.right.shape) == ((4, 2), (4, 2))
    whole = made()
    assert whole.first(3) is whole
    assert whole.first(4) is whole
    assert len(whole.first(1).values) == 1


def test_a_certificate_takes_the_worse_of_what_was_dropped_and_what_was_missed() -> None:
    products = CountingOperator(np.diag([1.0, 0.5, 0.25, 0.125]))
    triplets = SingularTriplets(E[:, :1], np.ones(1), E[:, :1])
    for dropped, missed in product((0.25, 0.5), (0.375,)):
        found = certified_spectrum(
            products, MergedSpectrum(triplets, dropped, 2 * dropped), NormBounds(missed, 2 * missed, 1e-6)
        )
        assert found.missed_above == max(dropped, missed)
        assert found.missed_below == 2 * max(dropped, missed)
        assert found.missed_below.sampled
    assert not certified_spectrum(
        products, MergedSpectrum(triplets, 0.5, 0.5), NormBounds(0, 0, 0)
    ).missed_below.sampled


def test_rounding_errors_scale_with_what_was_missed() -> None:
    """The residual of 10⁻²⁰ is computed beside σ₁ = 1, and is no better than ε."""
    found = certify(np.diag([1.0, 1e-20]), np.array([1e-20]), E[:2, 1:2], E[:2, 1:2])
    assert EPS <= found.enclosure_radius <= 10 * EPS
    assert found.missed


@pytest.mark.parametrize("form", [sparse.csr_array, aslinearoperator])
def test_sums_of_equal_terms_round_the_same_way(form: type) -> None:
    """A row of 300 equal entries is added one by one: a value from such products is wrong by more than ε √(N1 + N2)."""
    n, entry, v = 300, 1.06 / 300, np.full((300, 1), 300**-0.5)
    matrix = sparse.csr_array(np.full((n, n), entry))
    value = (matrix @ v)[0] / v[0]
    found = certify(form(matrix), value, v, v)
    error = abs(Fraction(value[0]) - n * Fraction(entry))
    assert found.residuals[0] < EPS
    assert 1.4 * EPS * np.sqrt(2 * n) * entry * n < error <= found.enclosure_radius < 1e-12


def test_the_rounding_error_of_products_counts_the_longest_sum() -> None:
    wide = np.zeros((3, 6))
    wide[1], wide[0, 0] = 1.0, 1.0
    base = EPS * 3.0
    assert CountingOperator(wide).rounding_error == base
    for matrix in (wide, wide.T):
        assert CountingOperator(sparse.csr_array(matrix)).rounding_error == pytest.approx(
            base + 6 * EPS, rel=1e-15, abs=0
        )
        assert CountingOperator(aslinearoperator(matrix)).rounding_error == pytest.approx(
            base + 6 * EPS, rel=1e-15, abs=0
        )


# What `certify` takes


def test_certify_sorts_and_scales_its_rounding_with_the_images_and_the_claims() -> None:
    b = np.diag([1.0, 0.5, 0.0, 0.0])
    found = certify(b, np.array([0.5, 1.0]), E[:, [1, 0]], E[:, [1, 0]])
    np.testing.assert_array_equal(found.values, [1.0, 0.5])
    np.testing.assert_array_equal(found.right, E[:, :2])
    assert found.residuals.max() == 0.0
    for claim, norm in ((1e-9, 1.0), (10.0, 10.0)):  # ‖BV‖ is 1 whatever is claimed
        some = certify(b, np.array([claim, 0.0]), E[:, :2], E[:, :2], steps=20)
        relative = (np.log(1.648 * 2.0 / 1e-6) / 39) ** 2
        wanted = np.sqrt(8 * EPS * np.sqrt(8.0) * norm**2 / (1 - relative))
        assert some.missed_below == pytest.approx(wanted, rel=1e-9, abs=0)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_triplets_that_are_not_finite_are_refused(which: int, entry: float) -> None:
    triplets = [np.ones(2), E[:, :2].copy(), E[:, :2].copy()]
    triplets[which].flat[1] = entry
    with pytest.raises(InputError, match="hold NaN or infinity"):
        certify(E, *triplets)


@pytest.mark.parametrize(
    ("values", "left", "right"),
    [(np.empty(0), E[:, :0], E[:, :0]), (1.0, E[:, 0], E[:, 0]), (np.ones(2), E[:, :1], E[:, :2])],
)
def test_triplets_that_do_not_fit_are_refused(values, left, right) -> None:
    with pytest.raises(InputError, match="with at least one value are expected"):
        certify(E, values, left, right)
