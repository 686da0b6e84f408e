import numpy as np
import pytest
from metric_oracles import (
    cosine,
    exponential_entropy,
    pair_mean,
    participation,
    spectrum,
    stable,
    umae,
)

from maetheory.core import InputError
from maetheory.metrics import (
    Moments,
    effective_rank,
    mean_cosine,
    participation_ratio,
    rankme,
    singular_values,
    stable_rank,
    umae_uniformity,
)

SPECTRAL = [effective_rank, rankme, stable_rank, participation_ratio]
ANGULAR = [mean_cosine, umae_uniformity]


def features(n=40, d=12, seed=0, mean=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -1.2 + mean * rng.normal(size=d)


ORACLES = [
    (effective_rank, lambda Z: exponential_entropy(spectrum(Z))),
    (rankme, lambda Z: exponential_entropy(spectrum(Z), 1e-7)),
    (stable_rank, stable),
    (participation_ratio, participation),
    (mean_cosine, lambda Z: pair_mean(Z, cosine)),
    (umae_uniformity, umae),
]


@pytest.mark.parametrize(("metric", "oracle"), ORACLES)
@pytest.mark.parametrize("shape", [(40, 12), (7, 12), (25, 1), (2, 3)])
def test_agrees_with_an_independent_implementation(metric, oracle, shape):
    Z = features(*shape)
    assert metric(Z) == pytest.approx(oracle(Z), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("metric", "oracle"), ORACLES)
def test_moments_agree_with_an_independent_implementation(metric, oracle):
    Z = features(60, 9)
    assert metric(Moments(9).update(Z)) == pytest.approx(oracle(Z), rel=1e-8)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("shape", [(30, 5), (4, 9)])
def test_umae_uniformity_in_its_four_forms(normalize, diagonal, shape):
    Z = features(*shape)
    expected = umae(Z, normalize, diagonal)
    form = {"normalize": normalize, "diagonal": diagonal}
    assert umae_uniformity(Z, **form) == pytest.approx(expected, rel=1e-10)
    assert umae_uniformity(Moments(shape[1]).update(Z), **form) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("metric", SPECTRAL)
def test_scale_and_rotation_change_nothing(metric):
    Z = features()
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    assert metric(1e5 * Z @ Q) == pytest.approx(metric(Z), rel=1e-10)


@pytest.mark.parametrize("metric", ANGULAR)
def test_the_length_of_each_row_changes_nothing(metric):
    Z = features()
    assert metric(Z * np.random.default_rng(1).uniform(0.1, 10, (40, 1))) == pytest.approx(metric(Z), rel=1e-10)


def test_closed_forms():
    Z = np.concatenate([np.eye(6), -np.eye(6)])
    for metric in SPECTRAL:
        assert metric(Z) == pytest.approx(6, rel=1e-5 if metric is rankme else 1e-13)
    assert mean_cosine(Z) == pytest.approx(-1 / 11)
    assert umae_uniformity(Z) == pytest.approx(1 / 11)


def test_constant_rows_are_collapsed():
    Z = np.tile([0.1, 0.2, -0.7], (50, 1))
    assert effective_rank(Z) == 1
    assert stable_rank(Z) == pytest.approx(1, abs=1e-14)
    assert participation_ratio(Z) == 0
    assert mean_cosine(Z) == pytest.approx(1, abs=1e-14)
    assert umae_uniformity(Z) == pytest.approx(1, abs=1e-14)


def test_rank_one_is_exactly_one_by_svd_and_within_the_stated_error_by_moments():
    rng = np.random.default_rng(0)
    Z = np.outer(rng.normal(size=4000), rng.normal(size=32))
    assert effective_rank(Z) == 1
    assert effective_rank(Moments(32).update(Z)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("r", [2, 5])
def test_exact_rank_bounds_the_effective_rank(r):
    rng = np.random.default_rng(r)
    Z = rng.normal(size=(300, r)) @ rng.normal(size=(r, 20))
    assert np.count_nonzero(singular_values(Z)) == r
    assert 1 <= effective_rank(Z) <= r
    assert np.count_nonzero(singular_values(Moments(20).update(Z))) == r


def test_duplicates_change_nothing_in_a_spectrum():
    Z = features()
    assert effective_rank(np.repeat(Z, 3, axis=0)) == pytest.approx(effective_rank(Z), rel=1e-12)


def test_half_precision_is_read_as_the_numbers_it_holds():
    Z = features().astype(np.float16)
    assert effective_rank(Z) == effective_rank(Z.astype(float))
    big = (Z * 1000).astype(np.float16)
    assert np.isfinite(effective_rank(Moments(12).update(big)))


@pytest.mark.parametrize("metric", SPECTRAL + ANGULAR)
def test_unusable_features_are_refused_in_a_sentence(metric):
    with pytest.raises(InputError, match="1 row"):
        metric(np.ones((1, 4)))
    with pytest.raises(InputError, match="1 row"):
        metric(Moments(4).update(np.ones((1, 4))))
    Z = features()
    Z[3, 2], Z[5, 0], Z[5, 1] = np.nan, np.inf, np.nan
    with pytest.raises(InputError, match="2 of its 40 rows"):
        metric(Z)
    with pytest.raises(InputError, match="shape"):
        metric(np.ones(7))
    with pytest.raises(InputError, match="convention"):
        metric(features(), convention="nobody-1999")


@pytest.mark.parametrize("metric", ANGULAR)
def test_a_zero_row_has_no_cosine(metric):
    Z = features()
    Z[:3] = 0
    with pytest.raises(InputError, match="3 zero rows of 40"):
        metric(Z)
    with pytest.raises(InputError, match="3 zero rows of 40"):
        metric(Moments(12).update(Z))


def test_corrected_participation_ratio_removes_the_bias():
    rng = np.random.default_rng(3)
    scale = np.arange(1, 31) ** -0.5
    truth = (scale**2).sum() ** 2 / (scale**4).sum()
    draws = [rng.normal(size=(40, 30)) * scale for _ in range(200)]
    plain = np.mean([1 / participation_ratio(Z) for Z in draws])
    corrected = [1 / participation_ratio(Z, convention="corrected") for Z in draws]
    assert plain > 1.15 / truth
    assert np.mean(corrected) == pytest.approx(1 / truth, rel=0.02)
