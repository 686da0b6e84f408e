"""Test null baselines, jackknife, bootstrap, and alignment over masks and graphs."""

import numpy as np
import pytest
import scipy.sparse
from metric_oracles import cosine

from maetheory.core import InputError
from maetheory.metrics import (
    Moments,
    bootstrap,
    effective_rank,
    graph_alignment,
    jackknife,
    marchenko_pastur,
    mask_alignment,
    mean_cosine,
    metric_by_sample_size,
    participation_ratio,
    rankme,
    shuffled_columns,
)


@pytest.mark.parametrize("shape", [(600, 200), (200, 600), (300, 300)])
def test_the_marchenko_pastur_law_agrees_with_noise(shape):
    noise = np.linalg.svd(np.random.default_rng(0).normal(size=shape), compute_uv=False)
    law = marchenko_pastur(*shape)
    assert law.shape == noise.shape
    assert np.abs(law - noise).max() < 0.02 * noise[0]
    assert (law**2).sum() == pytest.approx(shape[0] * shape[1], rel=1e-3)  # the first moment of the law is one


@pytest.mark.parametrize(("n", "known"), [(256, 244), (512, 458), (1024, 673), (4096, 749), (25_600, 765)])
def test_rankme_of_noise_grows_with_the_number_of_rows(n, known):
    assert rankme(np.diag(marchenko_pastur(n, 768))) == pytest.approx(known, abs=1)


def test_shuffling_keeps_columns_and_removes_their_dependence():
    Z = np.outer(np.random.default_rng(0).normal(size=500), np.ones(6))
    free = shuffled_columns(Z, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(free, axis=0), np.sort(Z, axis=0))
    assert participation_ratio(Z) == pytest.approx(1)
    assert participation_ratio(free) > 5.5
    with pytest.raises(InputError, match="positive"):
        marchenko_pastur(0, 3)


def test_the_jackknife_interval_agrees_with_the_spread_of_the_metric():
    rng = np.random.default_rng(0)
    scale = np.arange(1, 9.0) ** -0.5

    def run():
        parts = [Moments(8).update(rng.normal(size=(50, 8)) * scale) for _ in range(20)]
        return jackknife(participation_ratio, parts)

    runs = [run() for _ in range(60)]
    spread = 2 * np.std([float(one) for one in runs])
    assert np.mean([one.error for one in runs]) == pytest.approx(spread, rel=0.3)
    assert all(one.sampled for one in runs)
    with pytest.raises(InputError, match="two disjoint"):
        jackknife(participation_ratio, [Moments(3)])


def test_the_jackknife_of_a_mean_is_its_standard_error():
    rows = np.random.default_rng(0).normal(size=(30, 1))
    parts = [Moments(1).update(row[None]) for row in rows]
    estimate = jackknife(lambda moments: moments.sum[0] / moments.count, parts)
    assert estimate == pytest.approx(rows.mean())
    assert estimate.error == pytest.approx(2 * rows.std(ddof=1) / np.sqrt(30))


def test_the_bootstrap_interval_agrees_with_the_spread_of_the_metric():
    rng = np.random.default_rng(0)
    values = [mean_cosine(rng.normal(size=(150, 4)) + 1) for _ in range(200)]
    estimate = bootstrap(mean_cosine, rng.normal(size=(150, 4)) + 1, rng)
    assert estimate.error == pytest.approx(2 * np.std(values), rel=0.35)
    with pytest.raises(InputError, match="draws"):
        bootstrap(mean_cosine, np.eye(3), rng, draws=1)


def test_the_sample_size_curve_ends_at_the_metric_of_all_images():
    Z = np.random.default_rng(0).normal(size=(90, 40))
    curve = metric_by_sample_size(effective_rank, Z, np.random.default_rng(1), sizes=[20, 90])
    assert curve[-1] == (90, pytest.approx(effective_rank(Z)))
    assert curve[0][1] < 20
    with pytest.raises(InputError, match="between 2 and the 90 rows"):
        metric_by_sample_size(effective_rank, Z, np.random.default_rng(1), sizes=[91])


def test_mask_alignment_agrees_with_its_loops():
    Z = np.random.default_rng(0).normal(size=(7, 4, 3))
    pairs = [2 - 2 * cosine(v[i], v[j]) for v in Z for i in range(4) for j in range(4) if i != j]
    assert mask_alignment(Z) == pytest.approx(np.mean(pairs), rel=1e-10)


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
def test_graph_alignment_agrees_with_its_loops(form):
    rng = np.random.default_rng(0)
    Z, weights = rng.normal(size=(6, 3)), rng.uniform(size=(6, 6)) * (rng.uniform(size=(6, 6)) < 0.5)
    expected = sum(weights[i, j] * (2 - 2 * cosine(Z[i], Z[j])) for i in range(6) for j in range(6)) / weights.sum()
    assert graph_alignment(Z, form(weights)) == pytest.approx(expected, rel=1e-10)
    for wrong in (weights[:5], -weights, 0 * weights, weights * np.nan):
        with pytest.raises(InputError, match="weights"):
            graph_alignment(Z, form(wrong))
