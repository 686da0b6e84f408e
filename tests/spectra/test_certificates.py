"""Test the bounds on computed and on missed values against dense SVD, with planted errors."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import (
    CountingOperator,
    certify,
    enclosure_radius,
    missed_below,
    missed_below_by_lanczos,
    residual_block,
)

MISSED_BOUNDS = [missed_below, missed_below_by_lanczos]


def matrix_with(values: np.ndarray, rows: int, columns: int, seed: int) -> np.ndarray:
    """A dense matrix with the given singular values and random singular vectors."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rows, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((columns, len(values))))[0]
    return left @ np.diag(values) @ right.T


@pytest.fixture
def clustered() -> np.ndarray:
    return matrix_with(np.r_[np.ones(4), np.linspace(0.6, 0.0, 76)], 120, 80, 5)


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
@pytest.mark.parametrize("deflated", [0, 1, 4, 20])
def test_bounds_enclose_the_norm_of_the_deflated_matrix(clustered, bound, deflated):
    right = np.linalg.svd(clustered)[2][:deflated].T
    truth = np.linalg.norm(clustered @ (np.eye(80) - right @ right.T), 2)
    found = bound(CountingOperator(clustered), right, rng=np.random.default_rng(1), failure_probability=1e-6)
    assert 0.9 * truth < found.lower <= truth + 1e-14
    assert truth - 1e-14 <= found.upper < 1.1 * truth
    assert found.failure_probability == 1e-6


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
def test_upper_bounds_fail_no_more_often_than_promised(bound):
    """At a failure probability of one half and a tiny effort the bound fails at most half the time, and does fail."""
    matrix = matrix_with(np.array([1.0, 0.3]), 40, 30, 2)
    effort = {"probes": 1, "power": 1} if bound is missed_below else {"steps": 3}
    none = np.empty((30, 0))
    upper = [
        bound(CountingOperator(matrix), none, rng=np.random.default_rng(seed), failure_probability=0.5, **effort).upper
        for seed in range(200)
    ]
    wrong = np.mean(np.array(upper) < 1 - 1e-12)
    assert wrong <= 0.5 + 4 * np.sqrt(0.25 / 200)
    if bound is missed_below:
        assert wrong >= 0.3  # one value towers: the quantile is nearly attained


def test_deflating_both_sides_would_bound_a_later_value():
    """With B = I₂, u = e₁ and v = e₂, deflating both sides gives 0 although σ₂ = 1; deflating one side gives 1."""
    e = np.eye(2)
    two_sided = (e - e[:, :1] @ e[:, :1].T) @ (e - e[:, 1:] @ e[:, 1:].T)
    assert np.linalg.norm(two_sided) == 0.0
    for bound in MISSED_BOUNDS:
        assert bound(CountingOperator(e), e[:, 1:], rng=np.random.default_rng(0)).upper >= 1.0


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("lost", [0, 2, 4])
def test_a_dropped_singular_vector_is_flagged(clustered, form, lost):
    left, values, right = np.linalg.svd(clustered, full_matrices=False)
    keep = np.delete(np.arange(6), lost)
    found = certify(form(clustered), values[keep], left[:, keep], right[keep].T)
    assert found.missed
    assert not found.complete
    assert found.missed_above > 0.9 * values[lost]
    assert found.summary.startswith("incomplete")
    assert found.residuals.max() < 1e-14  # the residuals alone would have said that all is well


def test_a_complete_spectrum_with_a_gap_is_certified(clustered):
    left, values, right = np.linalg.svd(clustered, full_matrices=False)
    found = certify(clustered, values[:4], left[:, :4], right[:4].T)
    assert found.complete
    assert not found.missed
    assert found.summary.startswith("complete")
    within = certify(clustered, values[:3], left[:, :3], right[:3].T)
    assert not within.complete
    assert not within.missed
    assert within.summary.startswith("undecided")


@pytest.mark.parametrize("noise", [1e-9, 1e-4, 1e-1])
def test_enclosure_holds_for_perturbed_and_skewed_vectors(clustered, noise):
    rng = np.random.default_rng(3)
    truth = np.linalg.svd(clustered, compute_uv=False)
    left, values, right = np.linalg.svd(clustered, full_matrices=False)
    u = left[:, :6] + noise * rng.standard_normal((120, 6))
    v = right[:6].T + noise * rng.standard_normal((80, 6))
    residual = residual_block(CountingOperator(clustered), values[:6], u, v)
    radius = enclosure_radius(residual, u, v, 1.0)
    spectrum = np.concatenate([truth, -truth, np.zeros(40)])  # of H
    assert all(np.sum(np.abs(spectrum - value) <= radius) >= 1 for value in values[:6])
    assert radius <= 100 * noise


def test_enclosure_is_attained_by_a_single_rayleigh_quotient():
    """For B = diag(1, 0) and a vector at 45 degrees, σ = 1/2 is 1/2 from both eigenvalues and the residual is 1/2."""
    b, v = np.diag([1.0, 0.0]), np.full((2, 1), 1 / np.sqrt(2))
    radius = enclosure_radius(residual_block(CountingOperator(b), np.array([0.5]), v, v), v, v, 1.0)
    assert radius == pytest.approx(0.5, abs=1e-14)


def test_enclosure_takes_the_norm_of_the_block_not_of_its_columns():
    """The block of two equal columns has √2 times their norm."""
    residual = np.ones((4, 2)) / 2.0
    basis = np.eye(2)
    assert enclosure_radius(residual, basis, basis, 0.0) == pytest.approx(np.sqrt(2.0))


def test_dependent_vectors_enclose_nothing():
    twice = np.ones((2, 2)) / np.sqrt(2)
    residual = residual_block(CountingOperator(np.eye(2)), np.ones(2), twice, twice)
    assert enclosure_radius(residual, twice, twice, 1.0) > 1e6 * np.abs(residual).max()


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
@pytest.mark.parametrize("failure_probability", [0.0, 1.0, np.nan])
def test_an_impossible_probability_is_refused(bound, failure_probability):
    with pytest.raises(InputError, match=r"^failure_probability is"):
        bound(
            CountingOperator(np.eye(3)),
            np.eye(3)[:, :1],
            rng=np.random.default_rng(0),
            failure_probability=failure_probability,
        )


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"^values, left and right have shapes"):
        certify(np.eye(3), np.ones(2), np.ones((3, 2)), np.ones((2, 2)))


def of_some(matrix: np.ndarray, chosen: np.ndarray, **options: int):
    left, values, right = np.linalg.svd(matrix)
    return certify(matrix, values[chosen], left[:, chosen], right[chosen].T, **options)


def test_extra_values_certify_the_top_of_a_slowly_decaying_spectrum():
    values = 0.99 ** np.arange(80)
    matrix = matrix_with(values, 120, 80, 6)
    assert not of_some(matrix, np.arange(8)).complete
    found = of_some(matrix, np.arange(24), steps=48).first(8)
    assert found.complete
    assert found.values == pytest.approx(values[:8], rel=1e-13)
    assert (found.left.shape, found.right.shape, found.residuals.shape) == ((120, 8), (80, 8), (8,))
    assert values[8] - 1e-12 < found.missed_above <= values[8] <= found.missed_below < values[8] + 1e-12
    assert found.first(8) is found


def test_extra_values_do_not_hide_a_missed_one():
    matrix = matrix_with(0.99 ** np.arange(80), 120, 80, 6)
    without = of_some(matrix, np.delete(np.arange(24), 3), steps=48).first(8)
    assert without.missed
    assert not without.complete
    beyond = of_some(matrix, np.delete(np.arange(24), 8), steps=48).first(8)
    assert beyond.missed_above == pytest.approx(0.99**8, rel=1e-3)  # above the bound from the extra values, 0.99**9
    assert beyond.missed_below >= 0.99**8


def test_more_steps_tighten_the_bound_on_missed_values():
    matrix = matrix_with(0.99 ** np.arange(80), 120, 80, 6)
    few, many = (float(of_some(matrix, np.arange(8), steps=steps).missed_below) for steps in (16, 48))
    assert 0.99**8 <= many < few


def test_old_names_of_attributes_warn():
    found = of_some(np.diag([1.0, 0.5, 0.25]), np.arange(2))
    with pytest.warns(DeprecationWarning, match=r"use Spectrum\.enclosure_radius"):
        assert found.enclosure == found.enclosure_radius
    with pytest.warns(DeprecationWarning, match=r"use Spectrum\.summary"):
        assert found.reading == found.summary
