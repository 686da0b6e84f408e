"""Directions found from some images, and scores of others: shares and errors on new images, few images, no variance."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.evaluation.explanation.content_free_share import content_free_share, variance_ratios
from maetheory.evaluation.explanation.cross_fitted_directions import (
    cross_fitted_directions,
    leading_directions,
    ratio_of_means,
)

SPREAD = np.array([3.0, 2.0, 1.0, 0.5])
SHARES = SPREAD**2 / np.square(SPREAD).sum()
MEAN = np.array([1.0, -2.0, 0.0, 0.5])


def draw(seed: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 4)) * SPREAD + MEAN


def test_directions_are_those_of_the_covariance() -> None:
    Z = draw(0)
    found = cross_fitted_directions(Z, 4)
    _, vectors = np.linalg.eigh(np.cov(Z.T))
    np.testing.assert_allclose(np.abs(found.directions.T @ vectors[:, ::-1]), np.eye(4), atol=1e-10)
    variances = (Z @ found.directions).var(0)
    assert (variances[:-1] > variances[1:]).all()
    largest = found.directions[np.abs(found.directions).argmax(0), np.arange(4)]
    assert (largest > 0).all()
    assert float(found.share) == pytest.approx(1, abs=1e-12)
    assert float(sum(found.shares)) == pytest.approx(1, abs=1e-12)


def test_scores_of_an_image_do_not_depend_on_it() -> None:
    Z = draw(0, 100)
    found = cross_fitted_directions(Z, 2)
    changed = Z.copy()
    changed[7] += 100.0
    again = cross_fitted_directions(changed, 2)
    fold = found.fold_of_image[7]
    before, after = found.fold_directions[fold], again.fold_directions[fold]
    np.testing.assert_array_equal(np.abs(before), np.abs(after))  # the sign is that of the direction of all images
    np.testing.assert_allclose(
        np.abs(again.scores[7] - found.scores[7] * (before * after).sum(0)), np.abs(np.full(4, 100.0) @ after)
    )


def test_folds_agree_on_the_sign() -> None:
    """Along (1, -1) either entry may be the largest one, which makes it positive, with another fold left out."""
    Z = draw(0, 100)
    Z[:, :2] = (Z[:, :2] @ [[1, -1], [1, 1]]) / np.sqrt(2)
    found = cross_fitted_directions(Z, 2)
    along = (Z - found.mean) @ found.directions
    for k in range(2):
        assert np.corrcoef(found.scores[:, k], along[:, k])[0, 1] > 0.98


def test_scores_of_other_images_are_minus_the_mean_of_those_outside_the_fold() -> None:
    """A shift of all images without content is no variance, and the same features have the same scores."""
    Z = draw(0, 100)
    found = cross_fitted_directions(Z, 2)
    images = np.arange(100)
    np.testing.assert_allclose(found.scores_of(Z, images), found.scores, atol=1e-12)
    np.testing.assert_allclose(found.scores_of(Z + 50.0, images), found.scores, atol=1e-10)
    np.testing.assert_allclose(found.scores_of(Z[::-1], images[::-1]), found.scores[::-1], atol=1e-12)


def test_shares_and_their_errors_are_those_of_new_images() -> None:
    found = [cross_fitted_directions(draw(seed), 3) for seed in range(100)]
    for k in range(3):
        values, errors = (np.array([f(one.shares[k]) for one in found]) for f in (float, lambda share: share.error))
        assert values.mean() == pytest.approx(SHARES[k], abs=4 * values.std() / np.sqrt(100) + 0.003)
        inside = np.abs(values - SHARES[k]) < errors
        assert 0.88 < inside.mean() < 0.995
    true = MEAN @ MEAN / (MEAN @ MEAN + np.square(SPREAD).sum())
    inside = [abs(float(one.mean_share) - true) < one.mean_share.error for one in found]
    assert 0.88 < np.mean(inside) < 0.995


def test_few_images_of_many_dimensions_do_not_favour_the_images_that_found_the_direction() -> None:
    """Isotropic features of real images and of others: the true ratio is 1 along every direction."""
    ratios, in_sample = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        Z, others = rng.standard_normal((2, 60, 60))
        ratios.append(variance_ratios(Z, others, 1)[0])
        mean, (first,) = leading_directions(Z, 1)[0], leading_directions(Z, 1)[1].T
        in_sample.append(np.square((others - others.mean(0)) @ first).mean() / np.square((Z - mean) @ first).mean())
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(40))
    assert np.mean(in_sample) < 0.5


def test_equal_features_have_no_direction_and_rounding_is_none() -> None:
    constant = np.ones((40, 3))
    assert cross_fitted_directions(constant, 2).m == 0
    tiny = constant + 1e-8 * np.random.default_rng(0).standard_normal((40, 3))
    assert cross_fitted_directions(tiny, 2).m == 0
    small = constant + 1e-4 * np.random.default_rng(0).standard_normal((40, 3))
    assert cross_fitted_directions(small, 2).m == 2
    one_direction = np.outer(np.random.default_rng(0).standard_normal(40), [1.0, 2.0, 3.0])
    found = cross_fitted_directions(one_direction, 3)
    assert found.m == 1
    assert float(found.shares[0]) == pytest.approx(1)
    assert np.isnan(float(ratio_of_means(np.zeros(4), np.zeros(4))))


def test_directions_that_share_their_variance_are_called_unstable() -> None:
    rng = np.random.default_rng(0)
    apart = cross_fitted_directions(rng.standard_normal((100, 20)) * np.r_[5.0, 3.0, np.ones(18)], 2)
    alike = cross_fitted_directions(rng.standard_normal((100, 20)), 2)
    assert apart.stability.min() > 0.98
    assert alike.stability.max() < 0.97


def test_a_ratio_contains_the_truth_as_often_as_its_error_says() -> None:
    inside = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        real, without = rng.standard_normal(200), 0.7 * rng.standard_normal(200)
        share = content_free_share("noise", real, without, paired=False)
        inside.append(share.ratio.low < 0.49 < share.ratio.high)
        assert np.isnan(share.explained)
    assert 0.9 < np.mean(inside) < 0.98


def test_the_explained_share_is_the_squared_correlation_of_pairs() -> None:
    inside = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        real = rng.standard_normal(300)
        without = 0.6 * real + 0.8 * rng.standard_normal(300)
        share = content_free_share("constant", real, without, paired=True)
        inside.append(share.explained_low < 0.36 < share.explained_high)
    assert 0.9 < np.mean(inside) < 0.98
    rng = np.random.default_rng(0)
    unrelated = content_free_share("constant", *rng.standard_normal((2, 300)), paired=True)
    assert unrelated.explained_low == 0  # the correlation's interval contains 0
    assert 0 < unrelated.explained < unrelated.explained_high < 0.1
    same = content_free_share("constant", real, -2 * real, paired=True)
    assert (round(float(same.ratio), 9), round(same.explained, 9)) == (4, 1)
    assert same.explained_low == pytest.approx(1)
    assert content_free_share("constant", real, 0 * real, paired=True).has_direction is False


@pytest.mark.parametrize(
    ("scale", "follows", "answer"),
    [(1.0, 1.0, True), (0.5, 1.0, False), (1.0, 0.3, False), (0.71, 0.9, None), (1.0, 0.71, None)],
)
def test_half_of_the_variance_and_of_the_score_decide(scale: float, follows: float, answer: bool | None) -> None:
    rng = np.random.default_rng(1)
    real, other = rng.standard_normal((2, 2000))
    other -= real * (real @ other) / (real @ real)
    other *= np.linalg.norm(real) / np.linalg.norm(other)
    without = scale * (follows * real + np.sqrt(1 - follows**2) * other)
    assert content_free_share("constant", real, without, paired=True).has_direction is answer
