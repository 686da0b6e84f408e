"""Test the metrics that need the features themselves against slow reference implementations."""

import sys

import numpy as np
import pytest
from metric_oracles import (
    confusion,
    debiased_cka,
    discriminant_rank,
    facco_slope,
    kernel_cka,
    projection_coherence,
    spectrum,
    weighted_slope,
)

import maetheory.metrics.nearest_neighbour_search as nearest_neighbour_search
from maetheory.core import InputError
from maetheory.metrics import (
    Moments,
    acr,
    alpha_req,
    arc,
    coherence,
    kernel_entropy,
    lidar,
    linear_cka,
    matrix_entropy,
    twonn,
    uniformity,
)
from maetheory.metrics.nearest_neighbour_search import distances_to, nearest_neighbours
from maetheory.metrics.shared_results import once_per_array, shared_results

SHARING = (
    (twonn, "facco-2017"),
    (twonn, "scikit-dimension"),
    (coherence, "tsitsulin-2023"),
    (coherence, "full-rank"),
    (uniformity, "wang-isola-2020"),
    (uniformity, "with-diagonal"),
)


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", [(30, 6), (5, 8), (12, 1)])
def test_coherence_agrees_with_the_hat_matrix(shape):
    Z = gaussian(*shape)
    assert coherence(Z) == pytest.approx(projection_coherence(Z), rel=1e-8)


def test_coherence_between_one_and_n_over_r():
    assert coherence(np.tile(np.eye(4), (6, 1))) == pytest.approx(1)
    spike = np.zeros((10, 3))
    spike[4] = [1.0, 2.0, 3.0]
    assert coherence(spike) == pytest.approx(10)
    assert coherence(spike, convention="full-rank") == pytest.approx(10 / 3)
    assert coherence(np.repeat(gaussian(9, 2), 2, axis=1)) == pytest.approx(coherence(gaussian(9, 2)))
    assert np.isnan(coherence(np.zeros((3, 2))))


@pytest.mark.parametrize("shape", [(60, 3), (40, 1), (25, 50)])
@pytest.mark.parametrize("discard", [0.0, 0.1, 0.5])
def test_twonn_agrees_with_its_loops(shape, discard):
    Z = gaussian(*shape) + 100.0
    if discard == 0.0:  # the last point, where ln(1 − F) is infinite, is never used
        assert np.isfinite(twonn(Z, discard=0.0))
    else:
        assert twonn(Z, discard=discard) == pytest.approx(facco_slope(Z, discard), rel=1e-8)
        shifted = facco_slope(Z, discard, first=0)
        assert twonn(Z, discard=discard, convention="scikit-dimension") == pytest.approx(shifted, rel=1e-8)


def test_twonn_ignores_repeats_scale_shift_and_rotation():
    Z = gaussian(200, 5)
    Q = np.linalg.qr(gaussian(5, 5, seed=1))[0]
    assert twonn(np.concatenate([Z, Z[:50], Z[:20]])) == pytest.approx(twonn(Z), rel=1e-12)
    assert twonn(7 * Z @ Q - 3) == pytest.approx(twonn(Z), rel=1e-8)
    assert twonn(Z, convention="scikit-dimension") < twonn(Z)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_twonn_finds_the_dimension(d):
    Z = np.random.default_rng(0).uniform(size=(3000, d)) @ gaussian(d, 12)
    assert twonn(Z) == pytest.approx(d, rel=0.1)


def test_twonn_of_rows_that_centring_makes_equal():
    assert np.isfinite(twonn(np.array([[1e-20], [2e-20], [3.0], [5.0], [9.0]]), discard=0))


def test_lidar_says_where_delta_is_lost():
    views = np.random.default_rng(0).normal(size=(30, 4, 768))
    assert np.isfinite(lidar(views))
    with pytest.raises(InputError, match=r"delta 0\.0001 is lost in the rounding of features this large"):
        lidar(1e8 * views)


def test_twonn_needs_three_distinct_rows_and_a_lattice_has_no_dimension():
    with pytest.raises(InputError, match="2 distinct rows"):
        twonn(np.repeat(np.eye(2), 5, axis=0))
    assert twonn(np.arange(2.0**4)[:, None] % 16, discard=0.2) == np.inf
    with pytest.raises(InputError, match="share"):
        twonn(gaussian(9, 2), discard=1.0)


@pytest.mark.parametrize("n", [6, 40])
def test_cka_agrees_with_kernel_matrices(n):
    X, Y = gaussian(n, 9), gaussian(n, 4, seed=1) + 5
    Y[:, 0] += X[:, 0]
    assert linear_cka(X, Y) == pytest.approx(kernel_cka(X, Y), rel=1e-8)


def test_debiased_cka_agrees_with_the_mean_over_quadruples():
    X, Y = gaussian(8, 5), gaussian(8, 3, seed=1) + 2
    Y[:, 0] += X[:, 0]
    assert linear_cka(X, Y, convention="debiased") == pytest.approx(debiased_cka(X, Y), rel=1e-8)


@pytest.mark.parametrize("convention", [None, "debiased"])
def test_cka_invariances_and_bias(convention):
    X, Y = gaussian(50, 40), gaussian(50, 40, seed=1)
    Q = np.linalg.qr(gaussian(40, 40, seed=2))[0]
    assert linear_cka(X, 3 * X @ Q + 1, convention=convention) == pytest.approx(1)
    assert linear_cka(X @ Q - 2, 9 * Y, convention=convention) == pytest.approx(
        linear_cka(X, Y, convention=convention), rel=1e-9
    )
    assert linear_cka(X, Y, convention=convention) == pytest.approx(0 if convention else 0.45, abs=0.1)
    assert np.isnan(linear_cka(X, np.full((50, 2), 0.1), convention=convention))


def test_cka_refuses_unpaired_rows():
    with pytest.raises(InputError, match="same images"):
        linear_cka(gaussian(5, 2), gaussian(6, 2))
    with pytest.raises(InputError, match="at least 4"):
        linear_cka(gaussian(3, 2), gaussian(3, 2), convention="debiased")


@pytest.mark.parametrize("shape", [(20, 3, 5), (4, 2, 9), (9, 4, 1)])
@pytest.mark.parametrize("delta", [1e-4, 0.5])
def test_lidar_agrees_with_its_loops(shape, delta):
    Z = gaussian(*shape) + gaussian(shape[0], 1, shape[2], seed=1)
    assert lidar(Z, delta=delta) == pytest.approx(discriminant_rank(Z, delta), rel=1e-8)
    small = 1e-5 * Z  # here the absolute ε of the other convention is felt
    expected = discriminant_rank(small, delta, absolute=True)
    assert lidar(small, delta=delta, convention="stable-pretraining") == pytest.approx(expected, rel=1e-8)


def test_lidar_of_noise_is_about_d_and_depends_on_grouping_and_scale():
    noise = gaussian(3000, 4, 8)
    assert lidar(noise) == pytest.approx(8, rel=0.01)
    means = gaussian(400, 1, 8) * np.arange(1, 9.0) ** -2
    Z = means + 0.01 * gaussian(400, 4, 8)
    regrouped = np.random.default_rng(1).permutation(Z.reshape(-1, 8)).reshape(Z.shape)
    assert lidar(regrouped) > 1.5 * lidar(Z)
    assert lidar(100 * Z) != pytest.approx(lidar(Z), rel=1e-3)
    assert lidar(Z, convention="stable-pretraining") == pytest.approx(lidar(Z), rel=1e-5)


def test_lidar_edges():
    assert lidar(np.broadcast_to(gaussian(3)[None, None], (6, 2, 3))) == 0
    few = gaussian(4, 2, 30)
    assert lidar(few) <= 3 * (1 + 1e-4)  # at most n − 1 directions
    with pytest.raises(InputError, match="images, views, dimensions"):
        lidar(gaussian(6, 3))
    with pytest.raises(InputError, match="views"):
        lidar(gaussian(6, 1, 3))
    few[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 of its 8 rows"):
        lidar(few)
    with pytest.raises(InputError, match="delta"):
        lidar(gaussian(6, 2, 3), delta=0)


def test_alpha_req_agrees_with_the_normal_equations():
    Z = gaussian(300, 60) * np.arange(1, 61) ** -0.7
    values = spectrum(Z, centred=True) ** 2
    fit = alpha_req(Z)
    assert fit.range == (10, 60)
    assert fit.alpha == float(fit) == pytest.approx(weighted_slope(values, 10, 60), rel=1e-8)
    assert alpha_req(Z, ranks=(3, 20)).alpha == pytest.approx(weighted_slope(values, 3, 20), rel=1e-8)
    assert alpha_req(Z, convention="reptrix").alpha == pytest.approx(weighted_slope(values, 6, 60), rel=1e-8)
    assert alpha_req(Moments(60).update(Z)).alpha == pytest.approx(fit.alpha, rel=1e-8)
    from_moments = alpha_req(Moments(60, precision="float32").update(Z))
    assert 0 < abs(from_moments.alpha - fit.alpha) <= from_moments.error < 0.01
    assert fit.error == 0
    assert dict(fit.sweep)[(5, 49)] == pytest.approx(weighted_slope(values, 5, 49), rel=1e-8)
    assert 0.5 < fit.r2 < 1
    assert alpha_req(5 * Z + 3).alpha == pytest.approx(fit.alpha, rel=1e-8)


def test_alpha_req_where_there_is_too_little_to_fit():
    fit = alpha_req(gaussian(30, 5))
    assert np.isnan(fit.alpha)
    assert fit.range == (10, 5)
    with pytest.raises(InputError, match="first < last"):
        alpha_req(gaussian(30, 5), ranks=(4, 4))


def test_acr_agrees_with_its_loops():
    Z = gaussian(30, 3, 4) + 1.5 * gaussian(30, 1, 4, seed=1)
    assert acr(Z) == pytest.approx(confusion(Z), rel=1e-12)
    assert 0.1 < acr(Z) < 0.9


def test_arc_of_training_that_pulls_views_together():
    initial = gaussian(40, 3, 4) + gaussian(40, 1, 4, seed=1)
    final = gaussian(40, 3, 16) * 0.01 + gaussian(40, 1, 16, seed=1)
    assert acr(final) == 0
    assert arc(final, initial) == pytest.approx(1 / (1 - confusion(initial)), rel=1e-12)
    with pytest.raises(InputError, match="zero rows"):
        acr(np.zeros((3, 2, 2)))


def test_kernel_entropy_of_a_linear_kernel_is_the_matrix_entropy():
    Z = gaussian(9, 4)
    for alpha in (0.5, 1, 2):
        assert kernel_entropy(Z @ Z.T, alpha=alpha) == pytest.approx(matrix_entropy(Z, alpha=alpha), rel=1e-8)
    assert kernel_entropy(np.eye(9)) == pytest.approx(np.log(9))
    with pytest.raises(InputError, match="symmetric"):
        kernel_entropy(gaussian(3, 3))
    with pytest.raises(InputError, match="semi-definite"):
        kernel_entropy(-np.eye(3))


def all_neighbours(rows, k):
    """Neighbours and distances by a loop over all pairs, from differences in 80 bits."""
    found = []
    for i, row in enumerate(rows):
        distances = np.sqrt(np.square(rows.astype(np.longdouble) - row).sum(1))
        distances[i] = np.inf
        order = np.argsort(distances, kind="stable")[:k]
        found.append((order, distances[order].astype(float)))
    return np.array([order for order, _ in found]), np.array([distances for _, distances in found])


@pytest.mark.parametrize("between", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("within", [1.0, 1e-4, 1e-9, 1e-14])
@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("crowd", [3, 256])  # candidates from which rows are searched again, centred at their mean
def test_neighbours_are_exact_in_tight_and_far_apart_clusters(between, within, offset, crowd, monkeypatch):
    monkeypatch.setattr(nearest_neighbour_search, "_CROWD", crowd)
    rng = np.random.default_rng(0)
    centres = between * rng.normal(size=(4, 5)) + offset
    rows = np.repeat(centres, 75, axis=0) + within * rng.normal(size=(300, 5))
    index, distance = nearest_neighbours(rows, 2)
    expected, exact = all_neighbours(rows, 2)
    np.testing.assert_allclose(distance, exact, rtol=1e-14)
    np.testing.assert_array_equal(index[exact[:, 0] < exact[:, 1]][:, 0], expected[exact[:, 0] < exact[:, 1]][:, 0])


def test_clusters_within_clusters_are_searched_at_their_own_scale(monkeypatch):
    """Three levels, each a millionth of the next: differences to candidates alone would be half of all pairs."""
    monkeypatch.setattr(nearest_neighbour_search, "_CROWD", 8)
    compared = []

    def counted(point, rows):
        compared.append(len(rows))
        return distances_to(point, rows)

    monkeypatch.setattr(nearest_neighbour_search, "distances_to", counted)
    rng = np.random.default_rng(0)
    rows = sum(
        scale * np.repeat(rng.normal(size=(count, 4)), 600 // count, axis=0)
        for scale, count in ((1.0, 2), (1e-8, 4), (1e-15, 600))
    )
    index, distance = nearest_neighbours(rows, 2)
    searched = sum(compared)
    np.testing.assert_allclose(distance, all_neighbours(rows, 2)[1], rtol=1e-14)
    assert len(np.unique(index)) > 2
    assert len(compared) == 600  # each row once, however often it was searched
    monkeypatch.setattr(nearest_neighbour_search, "_CROWD", 600)
    compared.clear()
    nearest_neighbours(rows, 2)
    assert searched < sum(compared) / 4


def test_equal_rows_in_a_crowd_end_the_search(monkeypatch):
    monkeypatch.setattr(nearest_neighbour_search, "_CROWD", 2)
    rows = np.repeat([[0.0, 0.1], [1.0, 0.3]], 20, axis=0)
    index, distance = nearest_neighbours(rows, 1)
    assert index[:, 0].tolist() == [1, *[0] * 19, 21, *[20] * 19]
    assert not distance.any()


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 9])
def test_the_kth_smallest_number_is_found_among_equal_and_infinite_ones(k):
    values = np.random.default_rng(k).integers(0, 6, (50, 9)).astype(float)
    values[:, 3] = np.inf
    expected = np.sort(values, axis=1)[:, k - 1]
    np.testing.assert_array_equal(nearest_neighbour_search._kth_smallest(values, k), expected)


def test_conventions_share_the_neighbours_and_pairs_of_one_array(monkeypatch):
    searched = []

    def counted(rows, k):
        searched.append(len(rows))
        return nearest_neighbours(rows, k)

    monkeypatch.setattr(
        sys.modules["maetheory.metrics.twonn"], "nearest_neighbours", counted
    )  # no attribute: a function
    one, other = gaussian(40, 3), gaussian(30, 3, seed=1)
    alone = [metric(Z, convention=name) for metric, name in SHARING for Z in (one, other)]
    assert searched == [40, 30, 40, 30]
    searched.clear()
    with shared_results():
        assert [metric(Z, convention=name) for metric, name in SHARING for Z in (one, other)] == alone
    assert searched == [40, 30]


def test_results_are_not_shared_with_an_array_that_came_to_the_same_place():
    with shared_results():
        found = [once_per_array(np.full(3, i), "first", lambda i=i: i) for i in range(50)]
    assert found == list(range(50))


@pytest.mark.parametrize("within", [1e-4, 1e-8, 1e-12])
def test_acr_of_nearly_collapsed_views_is_that_of_their_differences(within):
    rng = np.random.default_rng(0)
    images = np.repeat(rng.normal(size=(2, 8)), 50, axis=0) + within * rng.normal(size=(100, 8))
    views = images[:, None] + 0.05 * within * rng.normal(size=(100, 2, 8))
    assert acr(views) == 0
    assert acr(views[:, ::-1]) == 0
    confused = np.stack([images, np.roll(images, 1, axis=0)], axis=1)
    assert acr(confused) > 0.9


def test_twonn_of_tight_clusters_is_that_of_each_cluster():
    rng = np.random.default_rng(0)
    plane = rng.uniform(size=(500, 2)) @ rng.normal(size=(2, 6))
    alone = twonn(plane)
    for size in (1e-6, 1e-9):
        clusters = np.concatenate([size * plane, size * plane[:250] + 1])
        expected = twonn(np.concatenate([plane, plane[:250] + 1e3]))
        assert twonn(clusters) == pytest.approx(expected, rel=1e-3), size
    assert twonn(plane * 1e-12) == pytest.approx(alone, rel=1e-12)
