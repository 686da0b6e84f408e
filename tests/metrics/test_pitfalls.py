"""Test known pitfalls of collapse metrics.

Pitfalls tested elsewhere in this folder:

- singular values or eigenvalues, centred or not, each ε: ``test_every_convention_of_a_rank_agrees_with_its_definition``
- 1 <= effective rank <= rank: ``test_exact_rank_bounds_the_effective_rank``
- RankMe grows with N: ``test_rankme_of_noise_grows_with_the_number_of_rows``
- LiDAR of noise, of wrong groups, of another scale, its cap: ``test_lidar_of_noise_…``, ``test_lidar_edges``
- NESum is the stable rank of centred rows; stable rank is scale-free: ``ORACLES``, ``test_invariance_under_scale_…``
- the corrected participation ratio: ``test_corrected_participation_ratio_removes_the_bias``
- self-cluster of a tight frame, of D = 1: ``test_closed_forms``, ``test_agrees_with_…_beyond_a_line``
- coherence in 1..N/r, divided by the rank or by min(N, D): ``test_coherence_between_one_and_n_over_r``
- a collapsed matrix has an infinite condition number: ``test_constant_rows_are_collapsed``
- U-MAE's uniformity with or without its diagonal: ``test_umae_uniformity_in_its_four_forms``
- matrix entropy <= ln min(N, D), other kernels ln N: ``test_matrix_entropy_never_exceeds_…``, ``test_kernel_entropy_…``
- IsoScore takes rows as images: ``published_iso_score``
- CKA requires paired rows and is biased: ``test_cka_refuses_unpaired_rows``, ``test_cka_invariances_and_bias``
- TwoNN and repeated rows: ``test_twonn_ignores_repeats_…``
- squaring loses half the digits: ``test_rank_one_is_exactly_one_by_svd_…``, ``test_the_squaring_error_is_as_stated``
- constant rows, exact rank, N < D, N = 1, repeats, NaN, float16, D = 1: ``test_spectral_metrics.py``
"""

import tracemalloc

import numpy as np
import pytest
from metric_oracles import spectrum, stable

from maetheory.metrics import (
    Moments,
    alignment,
    alpha_req,
    coherence,
    direction_std,
    effective_rank,
    iso_score,
    mean_cosine,
    nesum,
    participation_ratio,
    rankme,
    self_cluster,
    singular_values,
    stable_rank,
    umae_uniformity,
    uniformity,
)


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_one_matrix_has_many_rankmes():
    """With a large mean, squaring or centring changes RankMe a lot, another library's ε only a little."""
    Z = gaussian(1000, 192) * np.arange(1, 193) ** -0.6 + 0.5 * gaussian(192, seed=1)
    paper, larger, squares, centred = (
        rankme(Z, convention=name) for name in (None, "stable-pretraining", "eigenvalues", "centred")
    )
    assert 0 < larger / paper - 1 < 0.05
    assert squares < paper / 4
    assert centred > 1.1 * paper
    assert rankme(Z, convention="reptrix") == pytest.approx(rankme(Z - Z.mean(0), convention="eigenvalues"))


@pytest.mark.parametrize(("name", "epsilon"), [("garrido-2023", 1e-7), ("stable-pretraining", 1e-5)])
def test_epsilon_inflates_rankme_beyond_the_rank(name, epsilon):
    p = 1 / 40 + epsilon
    assert rankme(np.eye(40), convention=name) == pytest.approx(p ** (-40 * p), rel=1e-12)
    assert rankme(np.eye(40), convention=name) > 40
    flat = np.zeros((40, 40))
    flat[0, 0] = 1  # one direction, and 39 shares that are nothing but ε
    assert rankme(flat, convention=name) > 1 == effective_rank(flat)


def test_gaussian_features_have_full_rankme():
    assert rankme(gaussian(6000, 48)) > 47.5


def with_eigenvalues(values):
    return np.concatenate([np.diag(values**0.5), -np.diag(values**0.5)])


def test_the_fitted_range_reverses_a_comparison_of_power_laws():
    """One spectrum is steep at its head, the other in its tail; the sweep over ranges shows the dependence."""
    rank = np.arange(1, 121.0)
    head = np.where(rank <= 15, rank**-2.0, 15**-1.5 * rank**-0.5)
    tail = np.where(rank <= 15, rank**-0.5, 15**1.5 * rank**-2.0)
    one, two = (alpha_req(with_eigenvalues(values)) for values in (head, tail))
    assert one.range == two.range == (10, 99)
    assert one.alpha < two.alpha
    early = [alpha_req(with_eigenvalues(values), ranks=(1, 15)).alpha for values in (head, tail)]
    assert early == pytest.approx([2.0, 0.5])
    assert [span for span, _ in one.sweep] == [(10, 99), (3, 99), (5, 49), (5, 99), (11, 99)]
    gaps = [a - b for (_, a), (_, b) in zip(one.sweep, two.sweep, strict=True)]
    assert max(gaps) - min(gaps) > 0.5
    assert one.r2 < 0.99 < alpha_req(with_eigenvalues(rank**-0.5)).r2


def test_nesum_is_the_stable_rank_of_centred_rows_and_not_of_raw_ones():
    Z = gaussian(50, 6) + 3
    assert nesum(Z) == pytest.approx(stable(Z - Z.mean(0)), rel=1e-12)
    assert stable_rank(Z) < nesum(Z) / 2
    assert stable_rank(1e-9 * Z) == pytest.approx(stable_rank(Z), rel=1e-12)


def test_the_bias_of_the_participation_ratio_agrees_with_its_formula():
    axes, n = np.arange(1, 31.0) ** -0.5, 99
    ratio = (axes**2).sum() ** 2 / (axes**4).sum()
    found = np.mean([1 / participation_ratio(gaussian(n + 1, 30, seed=seed) * axes) for seed in range(200)])
    assert found == pytest.approx(1 / ratio + (1 + 1 / ratio - 2 / ratio**2) / n, rel=0.01)
    assert found > 1.05 / ratio


def test_self_cluster_is_umae_uniformity_in_other_units():
    Z = gaussian(60, 7) + 0.5
    for rows in (Z, Moments(7).update(Z)):
        assert self_cluster(rows) == pytest.approx((7 * umae_uniformity(Z) - 1) / 6, rel=1e-11)


def test_coherence_is_unstable_under_subsampling():
    Z = gaussian(400, 5)
    Z[17] *= 300  # one image alone carries a direction
    without = np.delete(Z, 17, axis=0)
    assert coherence(Z) == pytest.approx(80, rel=0.05)
    assert coherence(without) < 6


def test_unnormalised_rows_would_have_uniformity_minus_infinity():
    Z = 30 * gaussian(50, 8)
    distance = np.square(Z[:, None] - Z[None]).sum(-1)
    with np.errstate(divide="ignore"):
        assert np.log(np.exp(-2 * distance[~np.eye(50, dtype=bool)]).mean()) == -np.inf
    lengths = np.random.default_rng(1).uniform(0.1, 10, (50, 1))
    assert uniformity(lengths * Z) == pytest.approx(uniformity(Z), rel=1e-12)
    assert alignment(lengths * Z, Z[::-1]) == pytest.approx(alignment(Z, Z[::-1]), rel=1e-12)
    assert -8 < uniformity(Z) < 0


def test_uniformity_never_holds_all_pairs():
    Z = gaussian(6000, 3)
    tracemalloc.start()
    uniformity(Z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000**2 * 8 / 8  # bytes; a matrix of all pairs is eight times that


def test_metrics_of_complete_collapse_do_not_detect_dimensional_collapse():
    spread = gaussian(4000, 16)
    line = np.outer(gaussian(4000, seed=1), gaussian(16, seed=2)) + 1e-3 * spread
    for Z in (spread, line):  # half of the rows of the line point the other way
        assert mean_cosine(Z) == pytest.approx(0, abs=0.01)
    assert direction_std(spread) == pytest.approx(1 / 4, rel=0.02)
    assert effective_rank(line) < 1.2 < 15 < effective_rank(spread)
    assert umae_uniformity(line) > 0.99 > 0.1 > umae_uniformity(spread)
    assert direction_std(line) > 0.75 * direction_std(spread)


def test_centred_metrics_do_not_detect_a_shared_vector():
    Z = gaussian(500, 12)
    shared = Z + 1000 * np.ones(12)
    for metric in (participation_ratio, nesum, iso_score):
        assert metric(shared) == pytest.approx(metric(Z), rel=1e-9)
    assert mean_cosine(shared) > 0.999
    assert effective_rank(shared) < 1.2
    assert effective_rank(shared, convention="centred") > 11


def test_iso_score_of_the_transpose_is_another_number():
    Z = gaussian(60, 6) * np.arange(1, 7)
    assert abs(iso_score(Z) - iso_score(Z.T)) > 0.1


def test_small_singular_values_are_lost_in_float64_products_but_not_in_the_svd():
    Z = gaussian(500, 6) * np.array([1, 1, 1, 1, 1e-7, 1e-9])
    assert singular_values(Z)[-1] == pytest.approx(spectrum(Z)[-1], rel=1e-6)
    moments = Moments(6).update(Z)
    found = singular_values(moments)
    assert found[-1] == 0.0
    assert np.abs(np.square(found) - np.square(spectrum(Z))).max() <= 2 * moments.error
