"""Test values and bounds against dense SVD on three hundred random matrices."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from maetheory.spectra import certify, small_components, solvers, spectrum

EPS = np.finfo(float).eps
KINDS = ["uniform", "decaying", "tied", "nearly tied", "deficient", "repeated"]


@pytest.fixture(autouse=True)
def every_solver(monkeypatch):
    """Lower the size limits between solvers so that matrices of this size reach all of them."""
    monkeypatch.setattr(solvers, "DENSE_SIDE", 8)
    monkeypatch.setattr(small_components, "DENSE_SIDE", 8)
    monkeypatch.setattr(solvers, "GRAM_SIDE", 20)


def singular_values(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    few = int(rng.integers(1, 10))
    values = {
        "uniform": rng.random(count),
        "decaying": np.geomspace(1.0, 10.0 ** -rng.integers(1, 15), count),
        "tied": np.r_[np.ones(few), 0.7 * rng.random(count)],
        "nearly tied": np.r_[1.0 - 1e-10 * rng.random(few), 0.7 * rng.random(count)],
        "deficient": np.r_[rng.random(few), np.zeros(count)],
        "repeated": np.repeat(rng.random(count), few),
    }[kind]
    return values[:count] * 10.0 ** rng.integers(-3, 4)


def block(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A matrix with these singular values, some of its rows and columns empty."""
    rows, columns = (int(side) for side in np.exp(rng.uniform(0.0, np.log(90.0), 2)))
    left, right = (np.linalg.qr(rng.standard_normal((side, min(rows, columns))))[0] for side in (rows, columns))
    empty_rows, empty_columns = rng.integers(4, size=2)
    whole = np.zeros((rows + empty_rows, columns + empty_columns))
    inside = np.ix_(
        np.sort(rng.choice(len(whole), rows, replace=False)),
        np.sort(rng.choice(whole.shape[1], columns, replace=False)),
    )
    whole[inside] = left * singular_values(rng, kind, min(rows, columns)) @ right.T
    return whole


def with_stored_zeros(matrix: np.ndarray) -> sparse.csr_array:
    stored = sparse.csr_array(np.ones_like(matrix))
    stored.data[:] = matrix.ravel()
    return stored


FORMS = [np.asarray, sparse.csr_array, with_stored_zeros, aslinearoperator]


@pytest.mark.parametrize("kind", KINDS)
def test_values_agree_and_bounds_hold(kind):
    for seed in range(50):
        rng = np.random.default_rng([KINDS.index(kind), seed])
        dense = sparse.block_diag([block(rng, kind) for _ in range(rng.integers(1, 4))]).toarray()
        k = int(rng.integers(1, min(*dense.shape, 24) + 1))
        found = spectrum(FORMS[seed % 4](dense), k)
        truth = np.append(np.linalg.svd(dense, compute_uv=False), 0.0)
        oracle = 10 * EPS * np.sqrt(sum(dense.shape)) * truth[0]  # LAPACK's own error, 22 eps on one 6 x 6 matrix
        label = f"{kind}, seed {seed}, {dense.shape}, k = {k}, {FORMS[seed % 4].__name__}"
        np.testing.assert_allclose(found.values, truth[:k], rtol=0, atol=oracle, err_msg=label)
        assert (found.lower <= truth[:k] + oracle).all(), label
        assert (truth[:k] <= found.upper + oracle).all(), label
        assert truth[k] <= found.missed_below + oracle, label
        assert found.missed_above <= truth[k] + found.enclosure_radius + oracle, label
        assert not found.missed, label


@pytest.mark.parametrize("kind", ["uniform", "tied", "nearly tied"])
def test_a_dropped_vector_is_flagged_in_every_form(kind):
    """Drop any vector except those tied with the last one kept, which are indistinguishable from it."""
    for seed in range(12):
        rng = np.random.default_rng([7, seed])
        dense = sparse.block_diag([block(rng, kind) for _ in range(2)]).toarray()
        left, values, right = np.linalg.svd(dense, full_matrices=False)
        keep = np.flatnonzero(values > 0.3 * values[0])
        larger = np.flatnonzero(values > 1.1 * values[keep[-1]])
        if len(larger):
            keep = np.delete(keep, rng.choice(larger))
            found = certify(FORMS[seed % 4](dense), values[keep], left[:, keep], right[keep].T)
            assert found.missed, f"{kind}, seed {seed}"


def test_empty_columns_beside_one_component_do_not_shift_the_certificate():
    """The component has columns 3 to 62, where the certificate must deflate its vectors."""
    rng = np.random.default_rng(0)
    dense = np.zeros((90, 70))
    dense[5:85, 3:63] = rng.random((80, 60))
    truth = np.linalg.svd(dense, compute_uv=False)
    found = spectrum(sparse.csr_array(dense), 3)
    assert not found.missed
    assert 0.9 * truth[3] < found.missed_above <= truth[3] <= found.missed_below < 1.1 * truth[3]
    assert found.matvecs > 0


def test_rounding_errors_of_squares_do_not_count_as_missed_values():
    """Beyond the rank all values are zero, but BᵀB gives the root of its rounding error, 1e-8."""
    rng = np.random.default_rng(1)
    found = spectrum(rng.standard_normal((80, 4)) @ rng.standard_normal((4, 60)), 9)
    assert not found.missed
    assert found.missed_above == 0.0
    assert found.missed_below < 1e-6 * found.values[0]


def test_values_far_below_the_first_keep_their_digits():
    """Squares of 1e-7 are no larger than the rounding error of 1: eigenvectors of BᵀB have residuals above 1e-12."""
    rng = np.random.default_rng(1)
    values = np.r_[np.ones(3), 1e-7 * np.linspace(1.0, 0.2, 57)]
    left, right = (np.linalg.qr(rng.standard_normal((side, 60)))[0] for side in (80, 60))
    found = spectrum(left * values @ right.T, 12)
    rounding = EPS * np.sqrt(140.0)
    np.testing.assert_allclose(found.values, values[:12], rtol=0, atol=10 * rounding)
    assert found.enclosure_radius < 8 * np.sqrt(12.0) * rounding  # the tolerance of the block method for twelve columns
