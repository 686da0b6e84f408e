"""Scores of a candidate against loops, the graph of the sample, and images drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError, generator
from maetheory.data import ImageSet, load_images
from maetheory.empirical import linear_mae_kept_share, region_sample
from maetheory.empirical.advice.candidate_scores import (
    bootstrap_weights,
    kept_share_score,
    pair_label_error_score,
    pair_label_errors,
    relative_distance_score,
)
from maetheory.empirical.advice.candidates import Candidate
from maetheory.empirical.tokens import region_tokens
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook_to_vectors
from maetheory.masks import UniformMasks
from maetheory.metrics import class_distances

LAW = Candidate("uniform 0.75 patch 2", UniformMasks(16, 4), 2)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=160)


def by_loops(views: np.ndarray, targets: np.ndarray, labels: np.ndarray) -> float:
    """Pr[labels of views differ] over pairs of rows that share a target, with repetition."""
    label_of = {v: np.bincount(labels[views == v]).argmax() for v in set(views.tolist())}
    n, differ = len(views), 0.0
    for i in range(n):
        same = np.flatnonzero(targets == targets[i])
        differ += np.mean([label_of[views[i]] != label_of[views[j]] for j in same])
    return differ / n


def test_weighted_label_errors_are_those_of_repeated_images() -> None:
    rng = np.random.default_rng(0)
    views, targets, labels = rng.integers(0, 7, 40), rng.integers(0, 5, 40), rng.integers(0, 3, 40)
    weights = np.stack([np.ones(40, int), rng.multinomial(40, np.full(40, 1 / 40))])
    found = pair_label_errors(views, targets, labels, weights)
    for row, weight in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(40), weight)
        assert row == pytest.approx(by_loops(views[drawn], targets[drawn], labels[drawn]), abs=1e-12)


def test_phi_is_that_of_the_graphs_of_the_study(digits: ImageSet) -> None:
    found = pair_label_error_score(digits, LAW, bootstrap_weights(160, 0), n_masks=3, codes=12, seed=0)
    masks = LAW.law.sample(generator(0, "kernel masks"), 3)
    each = [float(region_sample(digits, LAW.law, m, patch=2, codes=12).graph.pair_label_error()) for m in masks]
    assert found.value == pytest.approx(np.mean(each), abs=1e-12)
    assert found.mask_variance == pytest.approx(np.var(each, ddof=1) / 3)
    assert found.structure > 2  # digits show their label
    rng = np.random.default_rng(0)
    noise = ImageSet(digits.images, rng.permutation(digits.labels), "shuffled")
    again = pair_label_error_score(noise, LAW, bootstrap_weights(160, 0), n_masks=3, codes=12, seed=0)
    assert abs(again.structure) < 3


def test_the_kept_share_has_the_spread_of_its_estimate(digits: ImageSet) -> None:
    found = kept_share_score(digits, LAW, bootstrap_weights(160, 0), k=10, seed=0)
    estimate = linear_mae_kept_share(digits.images, LAW.law, patch=2, k=10)
    assert found.value == estimate.value
    assert found.replicates.std() == pytest.approx(estimate.error / 2, rel=0.15)
    assert found.mask_variance == 0
    assert found.structure > 3
    noise = ImageSet(generator(0, "noise").random((160, 1, 8, 8)), digits.labels, "noise")
    assert abs(kept_share_score(noise, LAW, bootstrap_weights(160, 0), k=10, seed=0).structure) < 3


def test_the_relative_distance_has_the_spread_of_its_estimate(digits: ImageSet) -> None:
    found = relative_distance_score(digits, LAW, n_masks=4, seed=0)
    masks = LAW.law.sample(generator(0, "kernel masks"), 4)
    patches = np.stack([digits.images.reshape(160, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4)]).reshape(160, 16, 4)
    ratio = class_distances((patches[:, m].reshape(160, -1).astype(float) for m in masks), digits.labels).ratio
    assert found.value == pytest.approx(ratio.value)
    spread = np.sqrt(found.replicates.var(ddof=1) + found.mask_variance)
    assert spread == pytest.approx(ratio.error / 2, rel=0.15)
    assert found.structure > 3


def test_a_region_is_quantised_with_the_first_seed_that_leaves_no_code_empty(
    digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, tried = LAW.law.sample(np.random.default_rng(0), 1)[0], []

    def fit(rows: np.ndarray, patch: int, codes: int, *, seed: int) -> Codebook:
        tried.append(seed)
        if seed < bad:
            raise InputError("k-means left 1 of 12 codes without a patch")
        return fit_codebook_to_vectors(rows, patch, codes, seed=seed)

    monkeypatch.setattr(region_tokens, "fit_codebook_to_vectors", fit)
    bad = 3
    found = region_sample(digits, LAW.law, mask, patch=2, codes=12, seed=1)
    assert tried == [1, 2, 3, 1, 2, 3]
    monkeypatch.undo()
    assert (found.views == region_sample(digits, LAW.law, mask, patch=2, codes=12, seed=3).views).all()
    monkeypatch.setattr(region_tokens, "fit_codebook_to_vectors", fit)
    bad = 6
    with pytest.raises(InputError, match="without a patch"):
        region_sample(digits, LAW.law, mask, patch=2, codes=12, seed=1)


def test_all_scores_draw_the_same_images_again() -> None:
    weights = bootstrap_weights(50, 3)
    assert (weights.sum(1) == 50).all()
    assert (weights == bootstrap_weights(50, 3)).all()
    assert (weights != bootstrap_weights(50, 4)).any()
