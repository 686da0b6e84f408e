"""Test `spectrum` against dense SVD: components, ties, deficient ranks and bad input."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from maetheory.core import InputError
from maetheory.spectra import Spectrum, spectrum

EPS = np.finfo(float).eps


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def random_graph(rng: np.random.Generator, rows: int, columns: int, degree: int) -> sparse.csr_array:
    """A connected normalised bipartite graph with random weights."""
    row = np.concatenate([np.repeat(np.arange(rows), degree), np.arange(rows), np.arange(columns) % rows])
    column = np.concatenate([rng.integers(columns, size=rows * degree), np.arange(rows) % columns, np.arange(columns)])
    joint = sparse.csr_array(sparse.coo_array((rng.random(len(row)) + 0.1, (row, column)), shape=(rows, columns)))
    return sparse.csr_array(
        sparse.diags_array(joint.sum(axis=1) ** -0.5) @ joint @ sparse.diags_array(joint.sum(axis=0) ** -0.5)
    )


def assert_certified(found: Spectrum, dense: np.ndarray, k: int) -> None:
    truth = np.append(np.linalg.svd(dense, compute_uv=False), 0.0)
    tolerance = 50 * EPS * np.sqrt(sum(dense.shape)) * truth[0]
    assert found.values.shape == (k,)
    assert found.left.shape == (dense.shape[0], k)
    assert found.right.shape == (dense.shape[1], k)
    np.testing.assert_allclose(found.values, truth[:k], atol=tolerance)
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(k), atol=tolerance / truth[0])
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(k), atol=tolerance / truth[0])
    error = np.vstack(
        [dense @ found.right - found.left * found.values, dense.T @ found.left - found.right * found.values]
    )
    np.testing.assert_allclose(found.residuals, np.linalg.norm(error, axis=0) / np.sqrt(2), atol=tolerance)
    assert (found.lower <= truth[:k]).all()
    assert (truth[:k] <= found.upper).all()
    assert found.enclosure_radius >= found.residuals.max()
    assert found.missed_below + tolerance >= truth[k]
    assert not found.missed


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_matrix, aslinearoperator])
@pytest.mark.parametrize(("shape", "k"), [((300, 200), 5), ((150, 400), 7), ((40, 30), 30), ((1, 5), 1), ((6, 6), 2)])
def test_values_vectors_and_bounds_agree_with_dense_svd(rng, form, shape, k):
    dense = random_graph(rng, *shape, 4).toarray()
    found = spectrum(form(dense), k)
    assert_certified(found, dense, k)
    next_value = np.append(np.linalg.svd(dense, compute_uv=False), 0.0)[k]
    assert found.missed_below <= 1.1 * next_value + 1e-13
    assert found.missed_above >= 0.9 * next_value - 1e-13


def test_every_copy_of_one_over_many_components(rng):
    graph = sparse.block_diag([random_graph(rng, 30 + j, 20, 3) for j in range(9)] + [random_graph(rng, 500, 300, 4)])
    shuffled = sparse.csr_array(graph)[rng.permutation(graph.shape[0])][:, rng.permutation(graph.shape[1])]
    found = spectrum(shuffled, 12)
    assert_certified(found, shuffled.toarray(), 12)
    assert np.sum(np.abs(found.values - 1) < 1e-12) == 10


def test_empty_rows_and_columns_add_zeros_with_orthonormal_vectors(rng):
    dense = np.zeros((12, 9))
    dense[:3, :2] = rng.random((3, 2))
    dense[5:6, 4:8] = rng.random((1, 4))
    for k in (2, 5, 9):
        assert_certified(spectrum(sparse.csr_array(dense), k), dense, k)


def test_a_zero_matrix_has_zero_values(rng):
    found = spectrum(sparse.csr_array((5, 4)), 3)
    np.testing.assert_array_equal(found.values, 0.0)
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(3), atol=1e-14)


def test_the_same_seed_gives_the_same_numbers(rng):
    graph = random_graph(rng, 400, 300, 4)
    first, second = spectrum(graph, 6, seed=3), spectrum(graph, 6, seed=3)
    np.testing.assert_array_equal(first.right, second.right)
    assert first.missed_below == second.missed_below


def test_matvecs_counts_the_products_with_the_operator(rng):
    graph, columns = random_graph(rng, 400, 300, 4), []

    def counted(matrix):
        def multiply(x):
            columns.append(1 if x.ndim == 1 or x.shape[1] == 1 else x.shape[1])
            return matrix @ x

        return multiply

    product, adjoint = counted(graph), counted(graph.T)
    operator = LinearOperator(
        graph.shape, matvec=product, rmatvec=adjoint, matmat=product, rmatmat=adjoint, dtype=float
    )
    assert spectrum(operator, 4).matvecs == sum(columns)


@pytest.mark.parametrize("k", [0, -1, 5, 2.5, None, "3"])
def test_an_impossible_count_is_refused(k):
    with pytest.raises(InputError, match=r"^k is"):
        spectrum(np.ones((4, 6)), k)


@pytest.mark.parametrize(
    "matrix", [np.full((2, 2), np.nan), np.ones(3), np.ones((0, 3)), np.ones((2, 2)) * 1j, sparse.csr_array([[np.inf]])]
)
def test_anything_but_a_real_matrix_is_refused(matrix):
    with pytest.raises(InputError, match=r"^operator"):
        spectrum(matrix, 1)


@pytest.mark.parametrize("form", [sparse.csr_array, aslinearoperator])
def test_all_values_of_a_matrix_that_does_not_fit_into_memory_are_refused(form):
    """A chain of 40 000 rows and columns is one component, which takes 13 GB as a dense array."""
    side = 40_000
    chain = form(sparse.csr_array(sparse.diags([1.0, 0.5], [0, 1], shape=(side, side))))
    with pytest.raises(InputError, match=r"40000 x 40000 .* 12\.8 GB: ask for 10000 at most"):
        spectrum(chain, side // 4 + 1)


def test_an_array_that_is_already_in_memory_is_decomposed_densely(monkeypatch, rng):
    monkeypatch.setattr("maetheory.spectra.solvers.LARGEST_ENTRIES", 10)
    matrix = rng.normal(size=(70, 80))
    np.testing.assert_allclose(spectrum(matrix, 60).values, np.linalg.svd(matrix)[1][:60], atol=1e-12)
    with pytest.raises(InputError, match="ask for 17 at most"):
        spectrum(sparse.csr_array(matrix), 60)
