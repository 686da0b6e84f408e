"""Every guard, floor and tie rule of the metrics, from both sides of the place where it decides."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from maetheory import metrics
from maetheory.core import Estimate, InputError
from maetheory.metrics import Moments, bootstrap, class_distances, jackknife, metric_by_sample_size, singular_values
from maetheory.metrics.alpha_req import _fit_power_law
from maetheory.metrics.centred_moments import CentredMoments
from maetheory.metrics.matrix_entropy import spectral_entropy
from maetheory.metrics.nearest_neighbour_search import distances_to, nearest_neighbours
from maetheory.metrics.tile_buffers import TileBuffers
from maetheory.metrics.uncertainty import jackknife_error
from maetheory.metrics.validation import centre_rows, check_features, normalize_rows, rounding_floor

EPS = float(np.finfo(float).eps)
EPS32 = float(np.finfo(np.float32).eps)


def gaussian(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# Powers, shares and counts at the ends of their ranges


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        (lambda: metrics.alignment(np.eye(2), np.eye(2), a=1e-9), lambda: metrics.alignment(np.eye(2), np.eye(2), a=0)),
        (lambda: metrics.uniformity(np.eye(2), t=1e-9), lambda: metrics.uniformity(np.eye(2), t=0.0)),
        (lambda: metrics.twonn(gaussian(9, 2), discard=0), lambda: metrics.twonn(gaussian(9, 2), discard=-1e-9)),
        (lambda: metrics.twonn(gaussian(9, 2), discard=0.99), lambda: metrics.twonn(gaussian(9, 2), discard=1.0)),
        (lambda: metrics.twonn([[0.0], [1.0], [3.0]]), lambda: metrics.twonn([[0.0], [1.0], [1.0]])),
        (lambda: metrics.alpha_req(gaussian(9, 4), ranks=(1, 2)), lambda: metrics.alpha_req(np.eye(4), ranks=(0, 2))),
        (lambda: metrics.alpha_req(gaussian(9, 4), ranks=(1, 3)), lambda: metrics.alpha_req(np.eye(4), ranks=(2, 2))),
        (lambda: spectral_entropy(np.ones(2), 1e-9), lambda: spectral_entropy(np.ones(2), 0.0)),
        (lambda: metrics.matrix_entropy(np.zeros((2, 2))), lambda: metrics.matrix_entropy(np.zeros((2, 2)), alpha=-1)),
        (lambda: metrics.lidar(gaussian(2, 2, 3), delta=1e-9), lambda: metrics.lidar(gaussian(2, 2, 3), delta=0.0)),
        (lambda: metrics.lidar(gaussian(2, 2, 1)), lambda: metrics.lidar(gaussian(1, 2, 3))),
        (lambda: metrics.acr(gaussian(2, 2, 2)), lambda: metrics.acr(gaussian(2, 1, 2))),
        (lambda: metrics.marchenko_pastur(1, 1), lambda: metrics.marchenko_pastur(3, 0)),
        (lambda: metrics.marchenko_pastur(1, 1), lambda: metrics.marchenko_pastur(0, 3)),
        (
            lambda: metrics.linear_cka(gaussian(4, 2), gaussian(4, 1, seed=1), convention="debiased"),
            lambda: metrics.linear_cka(gaussian(3, 2), gaussian(3, 1), convention="debiased"),
        ),
        (lambda: metrics.linear_cka(gaussian(2, 2), gaussian(2, 1)), lambda: metrics.linear_cka([[1.0]], [[1.0]])),
        (lambda: Moments(1), lambda: Moments(0)),
        (lambda: Moments(2.0), lambda: Moments(2.5)),  # type: ignore[arg-type]  # what a caller may do
        (lambda: Moments(1).update([[-0.9e70]]), lambda: Moments(1).update([[-1.1e70]])),
        (lambda: Moments(1).update([[0.9e70]]), lambda: Moments(1).update([[1.1e70]])),
        (lambda: Moments(1).update(np.empty((0, 1))), lambda: Moments(1).update(np.empty((0, 2)))),
        (lambda: check_features([[1.0]], min_rows=1), lambda: check_features(np.empty((2, 0)))),
        (lambda: check_features([[1.0]] * 2), lambda: check_features([[1.0]])),
        (lambda: metrics.effective_rank(Moments(1).update([[1.0]] * 2)), lambda: metrics.effective_rank(Moments(1))),
        (lambda: Moments.unpack(Moments(1).pack()), lambda: Moments.unpack(np.zeros(8))),
        (lambda: Moments.unpack(Moments(2).pack()), lambda: Moments.unpack(np.zeros(16))),
        (lambda: Moments.unpack(Moments(3).pack()), lambda: Moments.unpack(np.zeros(3))),
        (lambda: Moments(3).merge(Moments(3)), lambda: Moments(3).merge(np.eye(3))),  # type: ignore[arg-type]  # ditto
        (
            lambda: Moments.unpack(Moments(2).pack(np.ones(2)), centre=np.ones(2)),
            lambda: Moments.unpack(Moments(2).pack(np.ones(2)), centre=np.ones(3)),
        ),
        (
            lambda: bootstrap(metrics.mean_cosine, gaussian(9, 2), np.random.default_rng(0), draws=2),
            lambda: bootstrap(metrics.mean_cosine, gaussian(9, 2), np.random.default_rng(0), draws=1),
        ),
        (
            lambda: metric_by_sample_size(np.sum, gaussian(9, 2), np.random.default_rng(0), sizes=[2, 9]),
            lambda: metric_by_sample_size(np.sum, gaussian(9, 2), np.random.default_rng(0), sizes=[1, 9]),
        ),
        (
            lambda: jackknife(metrics.mean_cosine, [Moments(2).update(gaussian(3, 2, seed=i)) for i in range(2)]),
            lambda: jackknife(metrics.mean_cosine, [Moments(2).update(gaussian(3, 2))]),
        ),
    ],
)
def test_the_last_value_accepted_and_the_first_refused(accepted, refused) -> None:
    accepted()
    with pytest.raises(InputError):
        refused()


def test_sentences_count_one_row_and_several() -> None:
    with pytest.raises(InputError, match="Z has 1 row, but this metric needs at least 2"):
        check_features([[1.0]])
    with pytest.raises(InputError, match="Z has 0 rows, but"):
        check_features(np.empty((0, 2)))
    with pytest.raises(InputError, match="moments are of 1 row, but"):
        metrics.effective_rank(Moments(2).update([[1.0, 2.0]]))
    with pytest.raises(InputError, match="moments are of 0 rows, but"):
        metrics.effective_rank(Moments(2))
    with pytest.raises(InputError, match="in 1 of its 3 rows"):
        check_features([[1.0], [np.inf], [2.0]])


def test_infinities_that_cancel_and_sums_that_overflow_are_told_apart() -> None:
    with pytest.raises(InputError, match="in 2 of its 2 rows"):
        check_features([[np.inf, 1.0], [-np.inf, 1.0]])
    assert check_features([[1e308, 1e308], [1e308, 1e308]]).shape == (2, 2)


@pytest.mark.parametrize("weights", [[[0.0, np.inf], [1.0, 0.0]], [[0.0, -1e-300], [1.0, 0.0]], [[0.0, 0.0]] * 2])
def test_weights_of_pairs_are_finite_and_not_negative(weights) -> None:
    with pytest.raises(InputError, match="finite, non-negative and not all zero"):
        metrics.graph_alignment(np.eye(2), weights)


def test_stored_zeros_of_sparse_weights_are_weights() -> None:
    weights = scipy.sparse.coo_array((np.array([0.0, 2.0]), (np.array([0, 1]), np.array([1, 0]))), shape=(2, 2))
    assert metrics.graph_alignment(np.eye(2), weights) == pytest.approx(2.0)


# Floors of singular values


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (64, 2)])
def test_singular_values_up_to_epsilon_times_the_longer_side_are_zero(shape: tuple[int, int]) -> None:
    """The floor is ε max(N, D) ‖Z‖_F."""
    longer = max(shape)
    assert rounding_floor(np.ones(shape)) == pytest.approx(EPS * longer * np.sqrt(np.prod(shape)))
    for share, lost in ((0.9, True), (1.1, False)):
        Z = np.zeros(shape)
        Z[0, 0], Z[1, 1] = 1.0, share * EPS * longer
        assert (singular_values(Z)[1] == 0) == lost
        assert (metrics.condition_number(Z) == np.inf) == lost
        assert (metrics.coherence(Z) == pytest.approx(shape[0])) == lost


def test_centred_singular_values_below_the_last_digit_of_the_mean_are_zero() -> None:
    """ε ‖Z‖_F is added to the floor of the centred rows."""
    for spread, lost in ((1.0, True), (8.0, False)):
        Z = np.array([[1.0], [1.0 + spread * EPS]] * 8)
        assert (singular_values(Z, centred=True)[0] == 0) == lost
        assert (metrics.participation_ratio(Z) == 0) == lost
    tiny = np.array([[1.0], [-1.0]] * 8)
    assert singular_values(tiny, centred=True)[0] == pytest.approx(4.0)


def test_covariance_eigenvalues_are_those_of_the_unbiased_covariance() -> None:
    Z = gaussian(6, 3)
    expected = np.linalg.eigvalsh(np.cov(Z.T))[::-1]
    np.testing.assert_allclose(metrics.covariance_eigenvalues(Z), expected)
    np.testing.assert_allclose(metrics.covariance_eigenvalues(Moments(3).update(Z)), expected)


def test_moments_of_few_rows_have_as_many_values_as_rows() -> None:
    assert len(singular_values(Moments(5).update(gaussian(3, 5)))) == 3
    assert len(singular_values(Moments(3).update(gaussian(5, 3)))) == 3


def test_centred_rows_of_a_large_mean_keep_their_spread() -> None:
    for offset in (1e8, 1e15):
        Z = gaussian(100, 3) + offset
        exact = [[Fraction(x) for x in row] for row in Z]
        mean = [sum(column) / 100 for column in zip(*exact)]
        centred = np.array([[float(x - m) for x, m in zip(row, mean)] for row in exact])
        np.testing.assert_allclose(centre_rows(Z), centred, rtol=0, atol=8 * EPS * np.abs(centred).max())
        assert np.abs(centre_rows(Z).mean(0)).max() <= 4 * EPS * np.abs(centred).max()


def test_rows_of_any_length_are_scaled_and_a_zero_row_stays() -> None:
    Z = np.array([[3e-320, 4e-320], [3e200, 4e200], [0.0, 0.0], [-3.0, 4.0]])
    np.testing.assert_allclose(normalize_rows(Z), [[0.6, 0.8], [0.6, 0.8], [0, 0], [-0.6, 0.8]], atol=1e-3)


# Power laws


def test_the_power_law_gives_the_first_covariance_eigenvalue() -> None:
    axes = 3.0 * np.arange(1, 6.0) ** -1.0  # l_i = 2 · 9 i^−2 / (N − 1), N = 10
    fit = metrics.alpha_req(np.concatenate([np.diag(axes), -np.diag(axes)]), ranks=(1, 5))
    assert (fit.alpha, np.exp(fit.intercept), fit.r2) == pytest.approx((2.0, 2.0, 1.0))
    one = metrics.alpha_req(np.concatenate([np.diag(axes), -np.diag(axes)]), ranks=(2, 4))
    assert np.exp(one.intercept) == pytest.approx(2.0)
    assert _fit_power_law(np.zeros(5), np.zeros(5), 1, 3).alpha == 0
    assert np.isnan(_fit_power_law(np.zeros(5), np.zeros(5), 1, 2).alpha)
    assert np.isnan(_fit_power_law(np.zeros(5), np.zeros(5), 4, 9).alpha)
    assert np.isnan(_fit_power_law(np.zeros(5), np.zeros(5), 1, 5).r2)  # no variation to explain
    assert not np.isnan(_fit_power_law(np.zeros(5), np.zeros(5), 3, 9).alpha)


@pytest.mark.parametrize(
    ("floors", "drop", "left_out"),
    [(0.9, 0.09, 1), (0.9, 0.11, 0), (1.1, 0.09, 0), (1e-9, 0.09, 1), (0.0, 0.0, 1)],
)
def test_a_null_direction_lies_below_the_floor_of_float32_and_below_a_tenth_of_the_one_before(
    floors: float, drop: float, left_out: int
) -> None:
    """The floor is ten times ε ‖Z‖_F / √D of float32; a mean, which the norm holds, may lie above it."""
    last = floors
    before = max(last / drop if drop else 0.0, 2.0)
    floor = 10 * EPS32 / np.sqrt(4)
    values = np.array([0.0, before, before, last]) * floor
    values[0] = np.sqrt(1 - (values**2).sum())
    Z = np.concatenate([np.diag(values), -np.diag(values)]) / np.sqrt(2)
    fit = metrics.alpha_req(Z, ranks=(1, 4))
    assert fit.left_out == left_out
    assert fit.range == (1, 4 - left_out)
    assert metrics.alpha_req(Z, ranks=(1, 3)).left_out == 0
    assert metrics.alpha_req(Z, ranks=(4, 9)).left_out == left_out
    assert metrics.alpha_req(Z, ranks=(5, 9)).left_out == 0
    assert metrics.alpha_req(Z, ranks=(9, 12)).left_out == 0


def test_centring_takes_a_direction_from_few_rows_and_no_null_direction() -> None:
    fit = metrics.alpha_req(gaussian(4, 6), ranks=(1, 6))
    assert (fit.range, fit.left_out) == ((1, 3), 0)


# Kernels and entropies


def test_a_kernel_matrix_is_symmetric_to_a_millionth() -> None:
    K = np.array([[2.0, 1.0], [1.0, 2.0]])
    for off, accepted in ((0.5e-6, True), (2e-6, False), (-0.5e-6, True), (-2e-6, False)):
        K[0, 1] = 1 + off
        check_kernel(K, accepted)
    for off, accepted in ((1.5e-12, True), (3e-12, False)):  # 1e-12 of the largest entry where there is a zero
        check_kernel(np.array([[2.0, off], [0.0, 2.0]]), accepted)
    with pytest.raises(InputError, match=r"its shape is \(2, 3\)"):
        metrics.kernel_entropy(np.ones((2, 3)))
    assert metrics.kernel_entropy([[3.0]]) == 0


def check_kernel(K: np.ndarray, accepted: bool) -> None:
    if accepted:
        metrics.kernel_entropy(K)
    else:
        with pytest.raises(InputError, match="symmetric"):
            metrics.kernel_entropy(K)


@pytest.mark.parametrize("n", [2, 16])
def test_a_kernel_matrix_may_have_eigenvalues_below_zero_by_rounding(n: int) -> None:
    floor = EPS * n * 3.0
    K = np.zeros((n, n))
    K[0, 0], K[1, 1] = 3.0, -0.9e4 * floor
    assert metrics.kernel_entropy(K) == 0
    K[1, 1] = -1.1e4 * floor
    with pytest.raises(InputError, match="semi-definite"):
        metrics.kernel_entropy(K)
    K[1, 1] = 0.9 * floor
    assert metrics.kernel_entropy(K, alpha=0.5) == 0
    K[1, 1] = 1.1 * floor
    assert metrics.kernel_entropy(K, alpha=0.5) > 1e-8
    K[0, 0], K[1, 1] = -3.0, 0.0
    with pytest.raises(InputError, match="semi-definite"):
        metrics.kernel_entropy(K)


def test_an_entropy_stays_between_zero_and_the_logarithm_of_the_number_of_shares() -> None:
    rng = np.random.default_rng(0)
    for n in range(2, 60):
        for alpha in (0.3, 1.0, 1.7, 5.0, np.inf):
            assert spectral_entropy(np.full(n, rng.random()), alpha) <= np.log(n)
            assert spectral_entropy(np.full(n, 1 / n), alpha) == pytest.approx(np.log(n), rel=1e-12)
            assert spectral_entropy(np.eye(n)[0] * rng.random() + 1e-17, alpha) >= 0
    assert spectral_entropy(np.array([0.0, 3.0, 0.0]), 0.5) == 0
    assert spectral_entropy(np.array([0.75, 0.25]), np.inf) == pytest.approx(np.log(4 / 3))
    assert spectral_entropy(np.zeros(4), 1.0) == 0


# LiDAR, CKA, confusion


@pytest.mark.parametrize("n", [2, 3, 7, 49])
def test_image_means_that_differ_by_rounding_alone_have_no_discriminant_rank(n: int) -> None:
    view = gaussian(3, seed=n)
    assert metrics.lidar(np.broadcast_to(view, (n, 3, 3))) == 0
    apart = np.repeat(np.broadcast_to(view, (n, 3))[:, None], 2, axis=1).copy()
    apart[0] += 20 * n * EPS * np.abs(view).max()
    assert metrics.lidar(apart) > 0


def test_features_whose_spread_is_rounding_have_no_alignment_of_kernels() -> None:
    """Constant up to ε N of the largest entry."""
    other = gaussian(50, 2)
    for steps, constant in ((40, True), (60, False)):
        X = np.ones((50, 1))
        X[::2] += 2 * steps * EPS
        assert np.isnan(metrics.linear_cka(X, other)) == constant
        assert np.isnan(metrics.linear_cka(other, X)) == constant


def test_an_initial_encoder_that_confuses_every_view_has_no_relative_confusion() -> None:
    kept = np.array([[[1.0, 0.0], [1.0, 0.1]], [[0.0, 1.0], [0.1, 1.0]]])
    confused = kept.transpose(1, 0, 2)
    assert metrics.acr(confused) == 1
    assert metrics.arc(kept, confused) == np.inf
    assert np.isnan(metrics.arc(confused, confused))
    assert metrics.arc(confused, kept) == 0


# Neighbours


@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_of_equal_rows_are_those_of_lowest_index(k: int) -> None:
    for row in (np.zeros(2), np.full(2, 0.1)):
        index, distance = nearest_neighbours(np.tile(row, (6, 1)), k)
        assert index.tolist() == [[j for j in range(6) if j != i][:k] for i in range(6)]
        assert not distance.any()


def test_neighbours_of_rows_whose_products_round_are_found_by_differences() -> None:
    """Points of a line whose gaps are below the rounding of their squares, in one and in many dimensions."""
    for d in (1, 300):
        rng = np.random.default_rng(d)
        far = np.repeat([[0.0], [1.0]], 40, axis=0) + 0 * rng.random((80, 1))
        rows = far * np.ones(d) + 1e-9 * rng.permutation(80)[:, None] * np.ones(d) / np.sqrt(d)
        index = nearest_neighbours(rows, 1)[0][:, 0]
        for i in range(80):
            apart = [abs(Fraction(rows[i, 0]) - Fraction(rows[j, 0])) if j != i else Fraction(9) for j in range(80)]
            assert apart[index[i]] == min(apart)


def test_distances_neither_underflow_nor_overflow() -> None:
    for scale in (1e-200, 1.0, 1e200):
        assert distances_to(np.zeros(2), scale * np.array([[3.0, 4.0]])) == pytest.approx([5 * scale], rel=1e-15)
    assert distances_to(np.zeros(2), np.zeros((1, 2))).tolist() == [0.0]
    assert distances_to(np.zeros(2), np.empty((0, 2))).tolist() == []


def test_the_largest_ratio_of_neighbours_is_never_used() -> None:
    """With nothing discarded the last of n ratios is left out, where ln(1 − F) is infinite."""
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])
    ratios = np.log([3.0, 2.0, 1.5, 6 / 4])  # r₂/r₁ of each row
    x, y = np.sort(ratios)[:3], -np.log(1 - np.arange(1, 4) / 4)
    assert metrics.twonn(rows, discard=0) == pytest.approx(float(x @ y / (x @ x)))
    assert metrics.twonn(rows, discard=0.5) == pytest.approx(float(x[:2] @ y[:2] / (x[:2] @ x[:2])))


# Class distances


def test_class_distances_refuse_what_overflows_and_what_is_not_there() -> None:
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(InputError, match="NaN or infinity"), np.errstate(all="ignore"):
        class_distances([gaussian(4, 2) * np.inf], labels)
    large, small = (class_distances([gaussian(4, 2) * size], labels) for size in (1e300, 1.0))  # squares do not fit
    assert large.intra.value == pytest.approx(1e300 * small.intra.value, rel=1e-12)
    with pytest.raises(InputError, match="there are none"):
        class_distances([np.empty((0, 2))], np.empty(0, int))
    with pytest.raises(InputError, match="a row per label"):
        class_distances([gaussian(4)], labels)
    one, fewer = class_distances([gaussian(6, 2)], np.arange(6) % 2), class_distances([gaussian(4, 2)], labels)
    with pytest.raises(InputError, match="6 images under 1 and 4 images under 1"):
        one.difference(fewer)
    two = class_distances([gaussian(4, 2), gaussian(4, 2, seed=1)], labels)
    assert two.difference(fewer).error > 0
    assert np.isfinite(class_distances([gaussian(6, 2)], np.arange(6) % 2).ratio.error)


def test_class_distances_of_equal_images_far_from_the_origin_are_zero_and_not_nan() -> None:
    labels = np.array([0, 0, 1, 1])
    rows = np.array([[0.1, 0.7], [0.1, 0.7], [1.3, 0.2], [1.3, 0.2]]) + 1e3
    found = class_distances([rows], labels)
    assert found.intra.value <= 1e-6
    assert found.inter.value == pytest.approx(np.hypot(1.2, 0.5), rel=1e-9)


# Moments


def test_moments_of_no_rows_are_packed_and_merged() -> None:
    empty, some = Moments(2), Moments(2).update(np.tile([0.1, 0.7], (5, 1)))
    assert np.isfinite(empty.pack()).all()
    assert Moments.unpack(empty.pack()).count == 0
    assert not empty.second_moment.any()
    for merged in (Moments(2).merge(some), Moments(2).update(np.tile([0.1, 0.7], (5, 1))).merge(empty)):
        assert merged.all_rows_equal
        assert merged.pack().tolist() == some.pack().tolist()


def test_a_second_moment_that_is_set_replaces_the_spread() -> None:
    moments = Moments(2).update(gaussian(9, 2))
    total = moments.sum
    moments.second_moment = np.diag([5.0, 7.0]) + np.outer(total, total) / 9
    np.testing.assert_allclose(moments.second_moment, np.diag([5.0, 7.0]) + np.outer(total, total) / 9)
    np.testing.assert_allclose(moments.scatter(), np.diag([5.0, 7.0]), atol=1e-12)
    np.testing.assert_allclose(moments.sum, total)


@pytest.mark.parametrize(("square", "single"), [(0.5e-30, False), (2e-30, True), (0.5e30, True), (2e30, False)])
def test_rows_far_from_overflow_in_float32_are_multiplied_in_float32(square: float, single: bool) -> None:
    rows = np.array([[np.sqrt(square)], [1.0]])
    moments = Moments(1, precision="float32").update(rows)
    epsilon = EPS32 if single else EPS
    assert moments.error == pytest.approx((65 + np.sqrt(2 / 4096)) * epsilon * (square + 1), rel=1e-5)
    np.testing.assert_allclose(moments.direction_sum, [2.0], rtol=1e-6)


def test_the_error_of_a_merge_is_of_all_that_was_subtracted() -> None:
    def alone(count: int, shift: float, residual: float, rounding: float) -> CentredMoments:
        return CentredMoments(count, np.array([shift]), np.array([residual]), np.zeros((1, 1)), rounding)

    one, two = alone(2, 1.0, 6.0, 1e-3), alone(4, 4.0, -20.0, 1e-5)  # means 4 and −1
    merged = one.merged(two)
    assert merged.scatter[0, 0] == pytest.approx(8 / 6 * 25)
    assert merged.rounding == pytest.approx(1e-3 + 1e-5 + EPS * 8 / 6 * (3 + 3 + 5) ** 2, rel=1e-15)
    assert merged.rounding - 1e-3 - 1e-5 == pytest.approx(EPS * 8 / 6 * 121, rel=1e-2)
    assert merged.sum[0] == pytest.approx(8 - 4)
    assert abs(merged.residual[0]) < 1e-12


def test_sums_about_a_point_that_is_not_the_mean_have_the_error_of_the_subtraction() -> None:
    about_mean = CentredMoments.from_sums(2, np.zeros(1), np.zeros(1), np.array([[8.0]]), 0.0)
    assert (about_mean.rounding, about_mean.scatter[0, 0]) == (0.0, 8.0)
    about_other = CentredMoments.from_sums(2, np.zeros(1), np.array([2.0]), np.array([[8.0]]), 1e-20)
    assert about_other.scatter[0, 0] == 6.0
    assert about_other.rounding == pytest.approx(1e-20 + 8 * EPS)
    assert about_other.shift[0] == 1.0


@pytest.mark.parametrize("scale", [2.0**-75, 2.0**-21, 2.0**-19, 1.0, 2.0**19, 2.0**21, 2.0**75])
def test_tiles_of_any_scale_have_the_scatter_of_their_differences(scale: float) -> None:
    rows = (scale * gaussian(50, 3)).astype(np.float32)
    found = TileBuffers(50, 3, np.float32).centred_moments(rows)
    wide = rows.astype(float)
    exact = (wide - wide.mean(0)).T @ (wide - wide.mean(0))
    np.testing.assert_allclose(found.scatter, exact, rtol=0, atol=1e-5 * np.trace(exact))
    np.testing.assert_allclose(found.sum, wide.sum(0), rtol=0, atol=1e-5 * np.abs(wide).sum())
    assert EPS32 * np.trace(exact) * 0.99 <= found.rounding <= EPS32 * np.trace(exact) * 1.01 + EPS * np.trace(exact)


def test_half_precision_rows_are_centred_in_single_precision() -> None:
    rows = (1 + 2.0**-10 * np.arange(5)[:, None] % 3).astype(np.float16)
    found = TileBuffers(5, 1, np.float64).centred_moments(rows)
    wide = rows.astype(float)
    assert found.scatter[0, 0] == pytest.approx(np.square(wide - wide.mean()).sum(), rel=1e-6)


def test_a_spread_whose_squares_vanish_is_not_counted_as_none() -> None:
    buffers = TileBuffers(2, 1, np.float64)
    assert buffers.centred_moments(np.array([[1.0], [1.0]])).rounding == 0.0
    assert buffers.centred_moments(np.array([[1e-200], [2e-200]])).rounding > 0.0


# Jackknife


def test_the_jackknife_adds_rounding_only_where_it_exceeds_the_standard_error() -> None:
    """Two parts with values 0 and 2 without one of them: one standard error is 1."""
    parts = [Moments(1).update([[0.0]]), Moments(1).update([[2.0]])]
    for error, expected in ((0.4, 2.0), (0.5, 2.0), (0.6, 3.2), (5.0, 12.0)):  # two parts, so twice the error
        found = jackknife(lambda one, error=error: Estimate(one.sum[0], error), parts)
        assert found.error == pytest.approx(expected)
        only_whole = jackknife(lambda one, e=error: Estimate(one.sum[0], e if one.count == 2 else 0), parts)
        only_part = jackknife(lambda one, e=error: Estimate(one.sum[0], e if one.sum[0] == 2 else 0), parts)
        assert only_whole.error == only_part.error == pytest.approx(expected)
    assert jackknife_error([0.0, 2.0]) == pytest.approx(1.0)
    assert jackknife_error([1.0, 1.0, 4.0]) == pytest.approx(np.sqrt(2 / 3 * 6))


def test_the_corrected_jackknife_removes_a_bias_of_first_order_exactly() -> None:
    """The square of a mean of one number has bias s²/n, which the jackknife removes: mean² − s²/n."""
    numbers = np.array([0.3, 1.1, -0.4, 2.0, 0.9])
    parts = [Moments(1).update([[x]]) for x in numbers]

    def square(moments: Moments) -> float:
        return float(moments.sum[0] / moments.count) ** 2

    found = jackknife(square, parts, corrected=True)
    assert found == pytest.approx(numbers.mean() ** 2 - numbers.var(ddof=1) / 5)
    assert jackknife(square, parts) == pytest.approx(numbers.mean() ** 2)


def test_the_bootstrap_is_two_standard_deviations_of_its_draws() -> None:
    values = iter([5.0, 1.0, 2.0, 4.0])
    found = bootstrap(lambda rows: next(values), np.zeros((3, 1)), np.random.default_rng(0), draws=3)
    assert (found.value, found.error) == pytest.approx((5.0, 2 * np.std([1, 2, 4], ddof=1)))


def test_the_bootstrap_draws_a_hundred_resamples_by_default() -> None:
    calls: list[int] = []
    bootstrap(lambda rows: float(calls.append(len(rows)) or len(calls)), np.zeros((3, 1)), np.random.default_rng(0))
    assert len(calls) == 101


def test_the_sizes_of_a_curve_are_halvings_from_two_rows_on() -> None:
    def sizes(n: int) -> list[int]:
        return [size for size, _ in metric_by_sample_size(np.sum, np.zeros((n, 1)), np.random.default_rng(0))]

    assert sizes(3) == [3]
    assert sizes(4) == [2, 4]
    assert sizes(100) == [6, 12, 25, 50, 100]
