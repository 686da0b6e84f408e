"""Test the metrics of the spectrum and of cosines: references, invariances, closed forms, conventions, bad input."""

import numpy as np
import pytest
import torch
from metric_oracles import (
    cosine,
    exponential_entropy,
    gram_entropy,
    pair_mean,
    participation,
    published_iso_score,
    spectrum,
    stable,
    tsitsulin_self_cluster,
    umae,
)

from maetheory.core import Estimate, InputError
from maetheory.metrics import (
    CONVENTIONS,
    Moments,
    alpha_req,
    coherence,
    condition_number,
    direction_std,
    effective_rank,
    iso_score,
    linear_cka,
    matrix_entropy,
    mean_cosine,
    nesum,
    participation_ratio,
    rankme,
    self_cluster,
    singular_values,
    stable_rank,
    twonn,
    umae_uniformity,
    uniformity,
    vendi,
)

RANKS = [effective_rank, rankme, stable_rank, participation_ratio, nesum]
SPECTRAL = [*RANKS, condition_number, iso_score, matrix_entropy]
ANGULAR = [mean_cosine, umae_uniformity, self_cluster, direction_std]


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


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
    (nesum, lambda Z: np.trace(np.atleast_2d(np.cov(Z.T))) / np.linalg.norm(np.atleast_2d(np.cov(Z.T)), 2)),
    (condition_number, lambda Z: np.linalg.cond(Z)),
    (matrix_entropy, gram_entropy),
    (lambda Z: matrix_entropy(Z, alpha=2), lambda Z: gram_entropy(Z, 2)),
    (lambda Z: matrix_entropy(Z, alpha=0.5), lambda Z: gram_entropy(Z, 0.5)),
    (lambda Z: matrix_entropy(Z, convention="giraldo-2014"), lambda Z: gram_entropy(unit(Z)) / np.log(2)),
    (vendi, lambda Z: np.exp(gram_entropy(unit(Z)))),
    (direction_std, lambda Z: np.mean([np.std(column, ddof=1) for column in unit(Z).T])),
]
BEYOND_A_LINE = [(iso_score, published_iso_score), (self_cluster, tsitsulin_self_cluster)]  # undefined when D is 1


@pytest.mark.parametrize(("metric", "oracle"), ORACLES)
@pytest.mark.parametrize("shape", [(40, 12), (7, 12), (25, 1), (2, 3)])
def test_agrees_with_an_independent_implementation(metric, oracle, shape):
    Z = features(*shape)
    assert metric(Z) == pytest.approx(oracle(Z), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("metric", "oracle"), BEYOND_A_LINE)
@pytest.mark.parametrize("shape", [(40, 12), (7, 12), (2, 3)])
def test_agrees_with_an_independent_implementation_beyond_a_line(metric, oracle, shape):
    Z = features(*shape)
    assert metric(Z) == pytest.approx(oracle(Z), rel=1e-8, abs=1e-12)
    assert np.isnan(metric(Z[:, :1]))


@pytest.mark.parametrize(("metric", "oracle"), ORACLES + BEYOND_A_LINE)
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
def test_invariance_under_scale_and_rotation(metric):
    Z = features()
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    assert metric(1e5 * Z @ Q) == pytest.approx(metric(Z), rel=1e-10)


@pytest.mark.parametrize("metric", ANGULAR)
def test_invariance_under_the_length_of_each_row(metric):
    Z = features()
    assert metric(Z * np.random.default_rng(1).uniform(0.1, 10, (40, 1))) == pytest.approx(metric(Z), rel=1e-10)


def test_closed_forms():
    Z = np.concatenate([np.eye(6), -np.eye(6)])
    for metric in RANKS:
        assert metric(Z) == pytest.approx(6, rel=1e-5 if metric is rankme else 1e-13)
    assert condition_number(Z) == pytest.approx(1)
    assert iso_score(Z) == pytest.approx(1)
    assert matrix_entropy(Z) == pytest.approx(np.log(6))
    assert vendi(Z) == pytest.approx(6)
    assert self_cluster(Z) == pytest.approx(-1 / 11)  # a tight frame lies just below an even spread
    assert mean_cosine(Z) == pytest.approx(-1 / 11)
    assert umae_uniformity(Z) == pytest.approx(1 / 11)


def test_constant_rows_are_collapsed():
    Z = np.tile([0.1, 0.2, -0.7], (50, 1))
    assert effective_rank(Z) == 1
    assert stable_rank(Z) == pytest.approx(1, abs=1e-14)
    assert participation_ratio(Z) == nesum(Z) == iso_score(Z) == 0
    assert condition_number(Z) == np.inf
    assert matrix_entropy(Z) == 0
    assert self_cluster(Z) == pytest.approx(1, abs=1e-13)
    assert direction_std(Z) == pytest.approx(0, abs=1e-15)
    assert mean_cosine(Z) == pytest.approx(1, abs=1e-14)
    assert umae_uniformity(Z) == pytest.approx(1, abs=1e-14)


def test_rank_one_is_exactly_one_by_svd_and_within_the_stated_error_by_moments():
    rng = np.random.default_rng(0)
    Z = np.outer(rng.normal(size=4000), rng.normal(size=32))
    assert effective_rank(Z) == 1
    assert condition_number(Z) == condition_number(Moments(32).update(Z)) == np.inf
    assert effective_rank(Moments(32).update(Z)) == pytest.approx(1, abs=1e-12)  # what is below the error is zero


@pytest.mark.parametrize("r", [2, 5])
def test_exact_rank_bounds_the_effective_rank(r):
    rng = np.random.default_rng(r)
    Z = rng.normal(size=(300, r)) @ rng.normal(size=(r, 20))
    assert np.count_nonzero(singular_values(Z)) == r
    assert 1 <= effective_rank(Z) <= r
    assert np.count_nonzero(singular_values(Moments(20).update(Z))) == r


def test_duplicated_rows_do_not_change_a_spectral_metric():
    Z = features()
    assert effective_rank(np.repeat(Z, 3, axis=0)) == pytest.approx(effective_rank(Z), rel=1e-12)


def test_half_precision_features_are_converted_exactly():
    Z = features().astype(np.float16)
    assert effective_rank(Z) == effective_rank(Z.astype(float))
    big = (Z * 1000).astype(np.float16)
    assert np.isfinite(effective_rank(Moments(12).update(big)))


@pytest.mark.parametrize("metric", SPECTRAL + ANGULAR)
def test_unusable_features_are_refused(metric):
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


def test_every_convention_of_a_rank_agrees_with_its_definition():
    Z = features(50, 8, mean=2.0)
    s, c = spectrum(Z), spectrum(Z, centred=True)
    forms = {
        "garrido-2023": (s, 1e-7),
        "stable-pretraining": (s, 1e-5),
        "reptrix": (c**2, 1e-7),
        "centred": (c, 1e-7),
        "eigenvalues": (s**2, 1e-7),
    }
    assert list(forms) == [convention.name for convention in CONVENTIONS["rankme"]]
    for name, form in forms.items():
        assert rankme(Z, convention=name) == pytest.approx(exponential_entropy(*form), rel=1e-10)
    assert effective_rank(Z, convention="centred") == pytest.approx(exponential_entropy(c), rel=1e-10)
    assert effective_rank(Z, convention="eigenvalues") == pytest.approx(exponential_entropy(s**2), rel=1e-10)
    assert stable_rank(Z, convention="centred") == pytest.approx(stable(Z - Z.mean(0)), rel=1e-10)
    assert participation_ratio(Z, convention="uncentred") == pytest.approx((s**2).sum() ** 2 / (s**4).sum(), rel=1e-10)
    assert condition_number(Z, convention="centred") == pytest.approx(c[0] / c[-1], rel=1e-10)
    assert matrix_entropy(Z, convention="centred") == pytest.approx(gram_entropy(Z - Z.mean(0)), rel=1e-10)
    assert mean_cosine(Z, convention="with-diagonal") == pytest.approx(pair_mean(Z, cosine, diagonal=True), rel=1e-10)


def test_nothing_is_collapsed_further_than_zero():
    Z = np.zeros((5, 3))
    for metric in (effective_rank, rankme, stable_rank, participation_ratio, nesum, matrix_entropy):
        assert metric(Z) == 0
        assert metric(Moments(3).update(Z)) == 0


@pytest.mark.parametrize("alpha", [0.3, 1, 2, np.inf])
@pytest.mark.parametrize("shape", [(5, 9), (9, 5)])
def test_matrix_entropy_never_exceeds_the_logarithm_of_the_smaller_side(alpha, shape):
    Z = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 5)))[0].reshape(9, 5)
    Z = Z if shape == (9, 5) else Z.T
    assert matrix_entropy(Z, alpha=alpha) == pytest.approx(np.log(5))
    assert matrix_entropy(Z, alpha=alpha) <= np.log(5)
    assert matrix_entropy(features(*shape), alpha=alpha) < np.log(5)
    with pytest.raises(InputError, match="positive order"):
        matrix_entropy(Z, alpha=0)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_no_size_of_features_overflows(size):
    Z = features()
    for metric in SPECTRAL + ANGULAR:
        assert metric(size * Z) == pytest.approx(metric(Z), rel=1e-9)
    assert alpha_req(size * Z, ranks=(2, 9)).alpha == pytest.approx(alpha_req(Z, ranks=(2, 9)).alpha, rel=1e-9)
    assert twonn(size * Z) == pytest.approx(twonn(Z), rel=1e-9)
    assert linear_cka(size * Z, Z**2) == pytest.approx(linear_cka(Z, Z**2), rel=1e-9)
    assert uniformity(size * Z) == pytest.approx(uniformity(Z), rel=1e-9)
    assert coherence(size * Z) == pytest.approx(coherence(Z), rel=1e-9)


@pytest.mark.parametrize("metric", SPECTRAL + ANGULAR)
@pytest.mark.parametrize("shape", [(40, 12), (7, 12), (25, 1), (2, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, "tensor", "list"])
def test_every_array_type_gives_the_same_metric(metric, shape, kind):
    Z = features(*shape).astype(np.float16)
    same = {"tensor": torch.tensor, "list": np.ndarray.tolist}.get(kind, lambda rows: rows.astype(kind))(Z)
    np.testing.assert_allclose(metric(same), metric(Z.astype(float)), rtol=1e-13)
    found = metric(Moments(shape[1]).update(same))
    if np.isfinite(found):  # D = 1 leaves IsoScore and self-cluster undefined
        assert abs(found - metric(Z.astype(float))) <= found.error + 1e-12


def test_a_moments_metric_returns_a_float_that_knows_its_error():
    found = effective_rank(Moments(12).update(features()))
    assert isinstance(found, Estimate)
    assert not found.sampled
    assert 0 < found.error < 1e-6
    assert type(effective_rank(features())) is float


def test_metrics_that_need_the_features_refuse_moments():
    for metric in (uniformity, coherence, twonn):
        with pytest.raises(InputError, match="features themselves"):
            metric(Moments(2).update(np.eye(2)))
    with pytest.raises(InputError, match="differ in length"):
        effective_rank([[1.0], [1.0, 2.0]])
