"""Errors of metrics of moments cover every spectrum that the stated squaring error allows, and are not much larger.

Let δ be the stated squaring error. Moments are made with a given diagonal second moment and a given δ. The features
behind them may have any eigenvalues within δ of that diagonal. Over corners of this set, among them those where a
metric moves most, the metric computed from features must stay within its error, and reach a share of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from maetheory import metrics
from maetheory.core import Estimate
from maetheory.metrics import Moments
from maetheory.metrics.matrix_entropy import spectral_entropy
from maetheory.metrics.squaring_error import (
    entropy_error,
    relative_squaring_error,
    sum_error,
    sum_of_squares_error,
    without_spectrum,
)

EPS = float(np.finfo(float).eps)


def rows_of(squares: Any) -> np.ndarray:
    """Features, centred, with these eigenvalues of ``Σzzᵀ``."""
    axes = np.diag(np.sqrt(np.asarray(squares, float) / 2))
    return np.concatenate([axes, -axes])


def moments_of(squares: Any, delta: float, *, direction: bool = False) -> Moments:
    """Moments of `rows_of` with squaring errors `delta`; with ``direction``, of unit rows with these eigenvalues."""
    d = len(squares)
    moments = Moments(d).update(rows_of(squares))
    packed = moments.pack(np.zeros(d))
    factor = 64 + np.sqrt(d) + np.sqrt(2 * d / 4096)
    packed[3] = packed[4] = packed[-1] = delta / factor
    if direction:
        packed[-1 - d * d : -1] = np.diag(squares).ravel()
    return Moments.unpack(packed, centre=np.zeros(d))


def corners(squares: np.ndarray, delta: float) -> list[np.ndarray]:
    """Spectra within δ of `squares`, most of them at its ends."""
    rng = np.random.default_rng(0)
    d = len(squares)
    top, small = np.arange(d) == 0, squares < delta
    signs = [np.ones(d), -np.ones(d), np.where(top, 1, -1), np.where(top, -1, 1), np.where(small, 1, -1)]
    signs += [np.where(small, -1, 1), np.where(top | small, -1, 1), np.arange(d) % 2 * 2 - 1]
    signs += [np.where(np.arange(d) == i, 1, -1) for i in range(1, d)] + [
        np.where(np.arange(d) == i, -1, 0) for i in range(1, d)
    ]
    signs += list(rng.choice([-1, 1], size=(20, d))) + list(rng.uniform(-1, 1, size=(5, d)))
    return [np.maximum(squares + sign * delta, 0) for sign in signs]


# Metric, and how many times the largest gap its error may be in each of `SPECTRA`; bounds of entropies, by their
# modulus of continuity, are wide where no value is small.
METRICS: dict[str, tuple[Callable[[Any], Any], tuple[float, float, float]]] = {
    "effective_rank": (metrics.effective_rank, (2.2, 4.2, 110)),
    "of eigenvalues": (lambda Z: metrics.effective_rank(Z, convention="eigenvalues"), (2.6, 5, 75)),
    "rankme": (metrics.rankme, (2.2, 4.2, 110)),
    "stable_rank": (metrics.stable_rank, (1.5, 2.4, 2.5)),
    "participation_ratio": (metrics.participation_ratio, (1.6, 3.2, 8)),
    "uncentred": (lambda Z: metrics.participation_ratio(Z, convention="uncentred"), (1.6, 3.2, 8)),
    "corrected": (lambda Z: metrics.participation_ratio(Z, convention="corrected"), (1.6, 3.2, 8)),
    "nesum": (metrics.nesum, (1.5, 2.4, 2.5)),
    "iso_score": (metrics.iso_score, (1.6, 3.2, 8)),
    "matrix_entropy": (metrics.matrix_entropy, (2.6, 5, 75)),
    "entropy of order 2": (lambda Z: metrics.matrix_entropy(Z, alpha=2), (3, 9.5, 42)),
    "entropy of order 1/2": (lambda Z: metrics.matrix_entropy(Z, alpha=0.5), (3.6, 6, 5500)),
    "min-entropy": (lambda Z: metrics.matrix_entropy(Z, alpha=np.inf), (3, 7, 12)),
}
FULL = np.array([1.0, 0.7, 0.5, 0.4, 0.1, 0.06])
SPECTRA = {
    "one direction": np.array(
        [1.0, 0.999, 0.999, 0.999, 0.999, 0.999]
    ),  # the others in units of δ, and counted as zero
    "values beside the threshold": np.array([1.0, 0.5, 1.01, 1.01, 0.99, 0]),
    "full": FULL,
}


def spectrum_at(name: str, delta: float) -> np.ndarray:
    squares = SPECTRA[name].copy()
    squares[{"one direction": 1, "values beside the threshold": 2, "full": 6}[name] :] *= delta
    return squares


@pytest.mark.parametrize("delta", [1e-12, 1e-6, 1e-3, 0.04])
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", METRICS)
def test_the_error_covers_every_spectrum_that_squaring_allows(name: str, spectrum: str, delta: float) -> None:
    metric, largest_ratios = METRICS[name]
    squares = spectrum_at(spectrum, delta)
    found = metric(moments_of(squares, delta))
    assert isinstance(found, Estimate)
    gaps = [abs(metric(rows_of(corner)) - found.value) for corner in corners(squares, delta)]
    assert max(gaps) <= found.error * (1 + 1e-9) + 1e-13 * (1 + abs(found.value))
    if 1e-6 <= delta < 1e-2:  # else rounding, or the cap at what the metric can be
        assert found.error <= largest_ratios[list(SPECTRA).index(spectrum)] * max(gaps)


def test_many_lost_values_count_beyond_first_order() -> None:
    """One direction, and 300 values counted as zero of up to 2δ each: the total grows by 60 %, its square by 156 %."""
    delta = 1e-3
    squares = np.array([1.0, *[0.999 * delta] * 300])
    moments, largest = moments_of(squares, delta), rows_of(squares + delta * (np.arange(301) > 0))
    for metric, generous in ((metrics.participation_ratio, 1.1), (metrics.stable_rank, 1.1)):
        found = metric(moments)
        gap = metric(largest) - found.value
        assert gap <= found.error <= generous * gap, metric


@pytest.mark.parametrize("delta", [1e-9, 1e-3, 0.02, 0.055])
@pytest.mark.parametrize("convention", ["uncentred", "centred"])
def test_the_error_of_the_condition_number_covers_a_smallest_value_near_the_threshold(
    convention: str, delta: float
) -> None:
    found = metrics.condition_number(moments_of(FULL, delta), convention=convention)
    gaps = [
        abs(metrics.condition_number(rows_of(corner), convention=convention) - found.value)
        for corner in corners(FULL, delta)
    ]
    assert max(gaps) <= found.error * (1 + 1e-9) <= 2.5 * max(gaps)


@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-3])
def test_the_error_of_a_power_law_covers_values_near_the_threshold(delta: float) -> None:
    squares = np.array([1.0, 0.5, 0.3, 1.2e-3])
    found = metrics.alpha_req(moments_of(squares, delta), ranks=(1, 4))
    gaps = [
        abs(metrics.alpha_req(rows_of(corner), ranks=(1, 4)).alpha - found.alpha) for corner in corners(squares, delta)
    ]
    assert max(gaps) <= found.error + 1e-14
    assert found.error <= 1.2 * max(gaps)


@pytest.mark.parametrize("delta", [1e-9, 1e-4, 1e-2])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, np.inf])
@pytest.mark.parametrize("squares", [[12.0], [6.0, 3, 1, 1, 0.5, 0.5]])
def test_entropies_of_unit_rows_are_covered(squares: list[float], alpha: float, delta: float) -> None:
    """The second moment of 12 unit rows has trace 12; the entropies are those of its eigenvalues."""
    values = np.array([*squares, *[0.999 * delta] * (6 - len(squares))])
    moments = moments_of(values, delta, direction=True)
    score = metrics.vendi(moments, alpha=alpha)
    exact = [spectral_entropy(corner, alpha) for corner in corners(values, delta)]
    gaps = [abs(np.exp(one) - score.value) for one in exact]
    assert max(gaps) <= score.error * (1 + 1e-9) + 1e-13
    if len(squares) == 1 or alpha != 0.5:  # whose modulus of continuity is a root
        assert score.error <= (5 if len(squares) == 1 else 400) * max(gaps) + 1e-12
    if alpha == 1:
        bits = metrics.matrix_entropy(moments, convention="giraldo-2014")
        in_bits = [abs(one / np.log(2) - bits.value) for one in exact]
        assert max(in_bits) <= bits.error * (1 + 1e-9) + 1e-13
        assert bits.error <= (5 if len(squares) == 1 else 400) * max(in_bits) + 1e-12


def test_the_sum_of_singular_values_moves_most_where_values_are_lost_or_at_the_threshold() -> None:
    delta = 1e-6
    found = np.sqrt(np.array([1.0, delta * (1 + 1e-12), 0, 0]))
    largest = (1 - np.sqrt(1 - delta)) + np.sqrt(delta) + 2 * np.sqrt(2 * delta)
    assert largest <= sum_error(found, delta) <= largest * (1 + 1e-3)
    assert sum_error(np.array([1.0, 0.5]), delta) == pytest.approx(3 * delta)
    assert 1 * delta + 3 * 2 * delta <= sum_of_squares_error(found, delta) == pytest.approx(8 * delta)


def test_an_entropy_error_is_capped_at_the_largest_entropy() -> None:
    assert entropy_error(8, 0.0, 1.0) == 0.0
    assert entropy_error(8, 100.0, 1.0) == entropy_error(8, 0.0, 0.0) == pytest.approx(np.log(8))
    assert entropy_error(0, 1.0, 1.0) == 0.0
    at_most = 8 / np.e  # t ln(K/t) increases up to here
    assert entropy_error(8, at_most / 2 * (1 + 1e-9), 1.0) == pytest.approx(np.log(8))
    for share in (0.01, 0.3, 0.9):
        assert entropy_error(8, share / 2, 1.0) == pytest.approx(share * np.log(8 / share))
        assert entropy_error(8, share, 2.0) == pytest.approx(share * np.log(8 / share))
    assert entropy_error(8, 0.05, 1.0, np.inf, 0.4) == pytest.approx(0.1 / (0.4 - 0.05))
    assert (
        entropy_error(30, 0.5, 1.0, np.inf, 0.5)
        == entropy_error(30, 0.6, 1.0, np.inf, 0.5)
        == pytest.approx(np.log(30))
    )
    assert entropy_error(30, 0.45, 1.0, np.inf, 0.5) == pytest.approx(np.log(30))
    assert entropy_error(8, 0.05, 1.0, 2.0, 0.4) == pytest.approx(0.2 / 0.2)
    assert entropy_error(8, 0.005, 1.0, 3.0, 0.4) == pytest.approx(0.03 / (2 * 0.37))
    assert entropy_error(8, 0.005, 1.0, 0.5, 2.0) == pytest.approx(
        np.sqrt(8 * 0.01) / (0.5 * (2 - np.sqrt(8 * 0.01))), rel=1e-12
    )
    assert entropy_error(8, 0.5, 1.0, 2.0, 0.4) == pytest.approx(np.log(8))  # a power sum that may be zero


def test_the_largest_share_may_fall_by_half_the_error_of_the_shares() -> None:
    """Shares that sum to one: what one loses the others gain, so it moves by at most half the total change."""
    shares, moved = np.array([0.5, *[0.5 / 20] * 20]), np.array([0.1, *[0.9 / 20] * 20])
    total_change = float(np.abs(shares - moved).sum())
    gap = abs(spectral_entropy(shares, np.inf) - spectral_entropy(moved, np.inf))
    assert gap <= entropy_error(21, total_change / 2, 1.0, np.inf, 0.5) <= np.log(21)


def test_the_corrected_participation_ratio_of_rows_as_isotropic_as_they_can_be_is_infinite() -> None:
    """Three points at equal distances have PR = N − 1, where the correction divides by zero."""
    for angle in np.linspace(0, 2, 9):
        corner = angle + 2 * np.pi / 3 * np.arange(3)
        Z = np.column_stack([np.cos(corner), np.sin(corner)])
        assert metrics.participation_ratio(Z, convention="corrected") == np.inf
    assert metrics.participation_ratio([[0.0], [1.0]], convention="corrected") == np.inf
    for n in (4, 9, 30, 70):  # n + 1 corners of a simplex, turned
        turned = np.linalg.qr(np.random.default_rng(n).normal(size=(n + 1, n + 1)))[0]
        assert metrics.participation_ratio(turned, convention="corrected") == np.inf
        assert metrics.participation_ratio(turned * np.linspace(1, 1.01, n + 1), convention="corrected") < np.inf
    nearly = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.87]])
    assert 1e4 < metrics.participation_ratio(nearly, convention="corrected") < 1e12
    for delta in (1e-3, 0.02):
        found = metrics.participation_ratio(moments_of([1.0, 0.99], delta), convention="corrected")
        gaps = [
            abs(metrics.participation_ratio(rows_of(corner), convention="corrected") - found.value)
            for corner in corners(np.array([1.0, 0.99]), delta)
        ]
        assert max(gaps) <= found.error


def unit_moments(rows: np.ndarray, delta: float) -> Moments:
    moments = Moments(rows.shape[1]).update(rows)
    packed = moments.pack()
    packed[4] *= delta / moments.direction_error
    return Moments.unpack(packed)


@pytest.mark.parametrize("delta", [0.0, 1e-9, 1e-3, 0.5])
@pytest.mark.parametrize("convention", ["off-diagonal", "with-diagonal"])
@pytest.mark.parametrize("balanced", [True, False])
def test_the_error_of_the_mean_cosine_covers_sums_of_directions_within_it(
    balanced: bool, convention: str, delta: float
) -> None:
    """Also where the directions balance: a sum that is 0 by luck may be as long as δ."""
    rows = np.concatenate([np.eye(3), -np.eye(3)]) if balanced else np.random.default_rng(0).normal(size=(6, 3)) + 1
    moments = unit_moments(rows, delta)
    found = metrics.mean_cosine(moments, convention=convention)
    total = moments.direction_sum
    along = total / np.linalg.norm(total) if total.any() else np.array([1.0, 0, 0])
    pairs, own = (36, 0) if convention == "with-diagonal" else (30, 6)
    gaps = [abs((np.square(total + sign * delta * along).sum() - own) / pairs - found.value) for sign in (1, -1)]
    assert max(gaps) - 1e-15 <= found.error <= max(gaps) * (1 + 1e-9) + 1e-15


@pytest.mark.parametrize("diagonal", [True, False])
def test_the_error_of_uniformity_covers_second_moments_within_it(diagonal: bool) -> None:
    """A change of operator norm δ moves ``‖S‖_F²`` most when it is δ times the polar factor of S."""
    rows, delta = np.repeat(np.concatenate([np.eye(4), -np.eye(4)]), 5, axis=0), 0.1
    moments = unit_moments(rows, delta)
    second, n = moments.direction_second_moment, 40
    pairs = n**2 if diagonal else n * (n - 1)
    found = metrics.umae_uniformity(moments, diagonal=diagonal)
    gap = (np.square(second + delta * np.eye(4)).sum() - np.square(second).sum()) / pairs
    assert gap <= found.error <= 1.6 * gap
    cluster = metrics.self_cluster(moments)
    assert cluster.error == pytest.approx(metrics.umae_uniformity(moments).error * 4 / 3, rel=1e-12)
    assert abs((4 * (metrics.umae_uniformity(moments) + gap) - 1) / 3 - cluster) <= cluster.error


def test_the_error_of_unnormalised_uniformity_is_of_the_second_moment_of_rows() -> None:
    moments = moments_of(FULL, 1e-3)
    found = metrics.umae_uniformity(moments, normalize=False)
    gap = (np.square(FULL + 1e-3).sum() - np.square(FULL).sum()) / (12 * 11)
    assert gap <= found.error <= 4 * gap


@pytest.mark.parametrize("variance", [0.0, 0.5, 0.999, 1.001, 3.0, 100.0])
def test_the_error_of_a_standard_deviation_covers_variances_within_it(variance: float) -> None:
    """In units of the error of a variance: below it the deviation may be √2 of its root, above it v/√v."""
    d, n, error = 2, 8, 1e-4
    packed = Moments(d).update(np.repeat(np.eye(d), 4, axis=0)).pack()
    packed[4] = error * (n - 1) / (64 + np.sqrt(d) + np.sqrt(n / 4096))
    packed[5 + d : 5 + 2 * d] = 0.0
    packed[-d * d :] = ((n - 1) * error * np.diag([variance, variance])).ravel()
    moments = Moments.unpack(packed)
    assert moments.direction_error / (n - 1) == pytest.approx(error)
    found = metrics.direction_std(moments)
    assert found == pytest.approx(np.sqrt(variance * error), abs=1e-12)
    ends = [np.sqrt(max(variance + sign, 0.0) * error) for sign in (1, -1)]
    gap = max(abs(end - found) for end in ends)
    assert gap * (1 - 1e-9) <= found.error <= 2.1 * gap
    with np.errstate(all="raise"):
        metrics.direction_std(moments)


def test_a_negative_variance_is_zero_and_not_nan() -> None:
    packed = unit_moments(np.repeat(np.eye(2), 4, axis=0), 1e-3).pack()
    packed[-4:] = [-1e-4, 0, 0, 1.0]
    packed[7:9] = 0.0
    assert metrics.direction_std(Moments.unpack(packed)) == pytest.approx(np.sqrt(1 / 7) / 2)


def test_the_stated_errors_are_those_of_the_docstring() -> None:
    """δ = (64 + √D + √(n/4096)) ε Σ‖z‖², with the spread for centred rows and the count for unit rows."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(8192, 9)) + 1
    Z[5] = 0
    moments = Moments(9).update(Z)
    factor = 64 + 3 + np.sqrt(2)
    assert moments.error == pytest.approx(factor * EPS * np.square(Z).sum(), rel=1e-12)
    assert moments.direction_error == pytest.approx(factor * EPS * 8191, rel=1e-12)
    spread = np.square(Z - Z.mean(0)).sum()
    assert moments.centred_error == pytest.approx(
        2 * factor * EPS * spread, rel=0.01
    )  # of the product and of the square of the mean
    half = Moments(9, precision="float32").update(Z)  # the tile of the zero row is multiplied in float64
    assert half.error == pytest.approx(factor * 2.0**-23 * np.square(Z[4096:]).sum(), rel=1e-6)
    assert half.direction_error == pytest.approx(factor * 2.0**-23 * 4096, rel=1e-6)
    assert relative_squaring_error(moments, top=2.0) == moments.error / 4
    assert relative_squaring_error(moments, centred=True) == moments.centred_error
    assert relative_squaring_error(moments, normalized=True, centred=True) == moments.direction_error


def test_a_mean_that_hides_the_spread_leaves_its_last_digit_in_the_centred_error() -> None:
    """ε² Σ‖z‖² decides where the spread is below the last digit of the mean."""
    moments = Moments(1).update(np.array([[1.0], [1.0 + EPS], [1.0], [1.0 + EPS]]))
    last_digit = EPS**2 * 4
    assert moments.centred_error == pytest.approx(last_digit, rel=1e-6)
    assert moments.scatter()[0, 0] == pytest.approx(EPS**2)
    assert metrics.singular_values(moments, centred=True)[0] == 0.0
    wide = Moments(1).update(np.array([[1.0], [1.0 + 4 * EPS], [1.0], [1.0 + 4 * EPS]]))
    assert metrics.singular_values(wide, centred=True)[0] == pytest.approx(4 * EPS)


def test_sums_of_equal_directions_in_float32_need_the_constant_of_the_error() -> None:
    """Rounding keeps its sign there: the roots of D and of the number of tiles alone would not cover it."""
    worst = 0.0
    for x in (0.3, 0.7, 0.9, 1.1, 1.7):
        moments = Moments(2, precision="float32").update(np.tile([1.0, x], (4096, 1)))
        exact = 4096 * np.outer([1.0, x], [1.0, x]) / (1 + x**2)
        gap = float(np.abs(np.linalg.eigvalsh(moments.direction_second_moment - exact)).max())
        assert gap <= moments.direction_error
        worst = max(worst, gap / moments.direction_error * (64 + np.sqrt(2) + 1))
    assert worst > np.sqrt(2) + 1


def test_moments_packed_about_the_origin_know_the_error_of_their_spread() -> None:
    """Without a centre the vector holds no error of the spread: it is that of Σzzᵀ, and of subtracting the mean."""
    moments = Moments(3).update(np.random.default_rng(0).normal(size=(60, 3)) + 1)
    lost = Moments.unpack(moments.pack())
    assert lost.error == pytest.approx(moments.error)
    assert lost.centred_error == pytest.approx(2 * moments.error, rel=1e-6)
    kept = Moments.unpack(moments.pack(np.ones(3)), centre=np.ones(3))
    assert moments.centred_error < kept.centred_error < 0.8 * lost.centred_error


def test_a_lost_spectrum_is_as_uncertain_as_the_metric_can_be() -> None:
    rows = np.tile([1.0, 2.0], (4, 1))
    equal, packed = Moments(2).update(rows), Moments.unpack(Moments(2).update(rows).pack())
    assert without_spectrum(equal, 2.0, centred=True).error == 0.0
    assert without_spectrum(packed, 2.0, centred=True).error == 2.0
    zero = Moments(2).update(np.zeros((4, 2)))
    assert without_spectrum(zero, 2.0, centred=False).error == 0.0
    some = Moments(2).update(np.concatenate([np.zeros((4, 2)), [[1e-200, 0.0]]]))
    assert without_spectrum(some, 2.0, centred=False).error == 2.0
    assert without_spectrum(rows, 2.0, centred=False) == 0.0


@pytest.mark.parametrize("delta", [1e-6, 1e-3, 1e-2])
def test_the_error_of_the_corrected_ratio_is_that_of_its_function(delta: float) -> None:
    """With n + 1 rows it is f(r) = ((n + 1) r − 2) / (n − r), which grows, of r ± e, plug-in: f(r + e) − f(r)."""
    moments = moments_of(np.array([1.0, 0.1, 0.05]), delta)
    plain, corrected = (metrics.participation_ratio(moments, convention=name) for name in ("plug-in", "corrected"))
    n = 5  # of six rows

    def function(ratio: float) -> float:
        return ((n + 1) * ratio - 2) / (n - ratio)

    assert corrected.value == pytest.approx(function(plain.value))
    wanted = function(plain.value + plain.error) - corrected.value
    assert corrected.error == pytest.approx(wanted, rel=1e-3, abs=1e-12)
