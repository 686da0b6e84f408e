"""The share that k linear features keep, against enumerated masks, alternating least squares, and deleted images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maetheory.core import InputError, generator
from maetheory.empirical import linear_mae_kept_share, linear_mae_loss_share
from maetheory.empirical.pixel_averages import averaging_factor
from maetheory.masks import BernoulliMasks, BlockMasks, ListedMasks, MaskLaw, MixtureOfRatios, UniformMasks, patchify
from maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem import (
    all_pixel_linear_mae_optimum,
)

MIXING = generator(0, "mixing").normal(size=(8, 8)) * np.linspace(2, 0.2, 8)[:, None]
LAWS = [
    UniformMasks(4, 1),
    UniformMasks(4, 3),
    BernoulliMasks(4, 0.4),
    BlockMasks((1, 4), 2),
    MixtureOfRatios(4, (0.25, 0.75), (0.3, 0.7)),
    ListedMasks(np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]], bool), [0.5, 0.3, 0.2]),
]


def pictures(seed: int, n: int) -> np.ndarray:
    """Gaussian images of 1 x 4 pixels and two channels, with second moments MIXINGᵀ MIXING about their mean."""
    return (generator(seed, "pictures").normal(size=(n, 8)) @ MIXING + 3).reshape(n, 2, 1, 4)


def masked(images: np.ndarray, law: MaskLaw, patch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and aims of all masks at once, each times the root of its probability; (m n, D)."""
    rows = patchify(images, patch).astype(float)
    rows -= rows.mean(0)
    flat = rows.reshape(len(rows), -1)
    inputs, aims = [], []
    for mask, probability in zip(*law.support(), strict=True):
        shown = np.repeat(mask, rows.shape[2])
        inputs.append(np.sqrt(probability / len(rows)) * flat * shown)
        aims.append(np.sqrt(probability / len(rows)) * flat)
    return np.vstack(inputs), np.vstack(aims)


def alternating_least_squares(inputs: np.ndarray, aims: np.ndarray, k: int, restarts: int = 20) -> float:
    """Least loss of an autoencoder of width k that alternation finds from random starts; no second moments."""
    best, rng = np.inf, np.random.default_rng(0)
    for _ in range(restarts):
        encoder = rng.normal(size=(inputs.shape[1], k))
        for _ in range(300):
            decoder = np.linalg.lstsq(inputs @ encoder, aims)[0]
            encoder = np.linalg.lstsq(inputs, aims @ np.linalg.pinv(decoder))[0]
        best = min(best, float(((aims - inputs @ encoder @ decoder) ** 2).sum()))
    return best


def reference_share(images: np.ndarray, law: MaskLaw, k: int) -> float:
    """Reduced-rank regression on all masked images: truncate the fitted values, which needs no second moments."""
    inputs, aims = masked(images, law)
    fitted = inputs @ np.linalg.lstsq(inputs, aims)[0]
    gains = np.linalg.svd(fitted, compute_uv=False) ** 2
    return float(gains[:k].sum() / gains.sum())


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("k", [1, 3])
def test_the_optimum_is_the_best_of_alternating_least_squares(law: MaskLaw, k: int) -> None:
    images = pictures(0, 30)
    inputs, aims = masked(images, law)
    least = (aims**2).sum() - alternating_least_squares(inputs, aims, k, restarts=4)
    best = ((inputs @ np.linalg.lstsq(inputs, aims)[0]) ** 2).sum()
    assert linear_mae_kept_share(images, law, patch=1, k=k) == pytest.approx(least / best, rel=1e-6)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_every_width_is_reduced_rank_regression_on_all_masks(law: MaskLaw) -> None:
    images = pictures(1, 25)
    for k in (1, 2, 5, 8, 20):
        found = linear_mae_kept_share(images, law, patch=1, k=k)
        assert found == pytest.approx(reference_share(images, law, k), rel=1e-10)
        assert found.sampled
    assert found == pytest.approx(1, abs=1e-12)
    assert found.error < 1e-10


def test_independent_masks_are_the_statement() -> None:
    """Independent patches may all be hidden, or all shown; a listed law cannot say so, so its moments are given."""

    class Independent(UniformMasks):
        def joint_visibility(self) -> np.ndarray:
            return np.full((4, 4), 0.25**2) + np.eye(4) * (0.25 - 0.25**2)

    images, patches = pictures(2, 40), np.repeat(np.arange(4), 2)
    rows = patchify(images, 1).astype(float)
    flat = (rows - rows.mean(0)).reshape(40, -1)
    variance = (flat**2).sum() / 40
    gains = [variance - all_pixel_linear_mae_optimum(flat, patches, 0.75, k).loss for k in (2, 8)]
    found = linear_mae_kept_share(images, Independent(4, 1), patch=1, k=2)
    assert found == pytest.approx(gains[0] / gains[1], rel=1e-10)
    losses = [float(linear_mae_loss_share(images, patch=1, mask_probability=0.75, k=k)) for k in (2, 8)]
    assert found == pytest.approx((1 - losses[0]) / (1 - losses[1]), rel=1e-10)


@pytest.mark.parametrize("law", LAWS[:5], ids=repr)
def test_uncorrelated_patches_have_one_share_for_all_laws(law: MaskLaw) -> None:
    """Patches of unequal variance, uncorrelated in the sample: the share is the principal components' of the image."""
    signs = np.array([[(i >> j) & 1 for j in range(4)] for i in range(16)]) * 2.0 - 1
    images = np.repeat((signs * [4, 3, 2, 1]).reshape(16, 1, 1, 4), 2, 1)
    shown = np.diag(law.joint_visibility())
    variance = np.sort(shown * [16.0, 9.0, 4.0, 1.0])[::-1]
    found = linear_mae_kept_share(images, law, patch=1, k=2)
    assert found == pytest.approx(variance[:2].sum() / variance.sum(), rel=1e-12)
    if np.ptp(shown) == 0:
        assert found == pytest.approx(25 / 30, rel=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_equal_patches_are_one_feature(law: MaskLaw) -> None:
    one = np.broadcast_to(generator(0, "levels").normal(size=(20, 1, 1, 1)), (20, 2, 1, 4))
    assert linear_mae_kept_share(one, law, patch=1, k=1) == pytest.approx(1, abs=1e-12)


def test_the_error_is_that_of_deleting_each_image() -> None:
    images, law, n = pictures(3, 150), LAWS[3], 150
    found = linear_mae_kept_share(images, law, patch=1, k=2)
    without = [reference_share(np.delete(images, i, 0), law, 2) for i in range(n)]
    expected = 2 * np.sqrt((n - 1) / n * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found.error == pytest.approx(expected, rel=0.05)  # terms of order 1/n


def test_the_interval_covers_the_share_of_infinitely_many_images() -> None:
    root = np.sqrt(8) * MIXING.reshape(8, 2, 1, 4)  # eight images whose second moments are those of the population
    both = np.concatenate([root, -root])  # of mean 0
    truth = reference_share(both, LAWS[1], 2)
    found = [linear_mae_kept_share(pictures(seed, 400), LAWS[1], patch=1, k=2) for seed in range(100)]
    assert sum(each.low <= truth <= each.high for each in found) >= 87  # P < 0.001 at a coverage of 0.954
    assert np.std([each.value for each in found]) == pytest.approx(
        np.mean([each.error for each in found]) / 2, rel=0.25
    )


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_share_has_no_unit(scale: float) -> None:
    one, other = (linear_mae_kept_share(pictures(4, 50) * s, LAWS[3], patch=1, k=2) for s in (1.0, scale))
    assert (other.value, other.error) == pytest.approx((one.value, one.error), rel=1e-9)


def test_large_images_are_averaged_over_squares_within_patches() -> None:
    images = generator(0, "large").normal(size=(30, 3, 32, 32))
    assert averaging_factor(images.shape, 4) == averaging_factor(images.shape, 8) == 2
    small = images.reshape(30, 3, 16, 2, 16, 2).mean((3, 5))
    law = UniformMasks(16, 8)
    found, same = linear_mae_kept_share(images, law, patch=8, k=3), linear_mae_kept_share(small, law, patch=4, k=3)
    assert (found.value, found.error) == pytest.approx((same.value, same.error), rel=1e-9)
    assert averaging_factor((9, 1, 50, 50), 10) == 1  # 2500 values
    assert averaging_factor((9, 1, 51, 51), 17) == 17
    assert averaging_factor((9, 100, 8, 8), 2) == 2  # the whole patch, though 1600 values would do with less


def test_laws_with_too_many_masks_to_list_are_sampled() -> None:
    class Opaque(UniformMasks):
        def joint_visibility(self) -> np.ndarray:
            return MaskLaw.joint_visibility(self)

    images = generator(0, "forty").normal(size=(60, 1, 1, 40)).cumsum(3)
    exact, drawn = (linear_mae_kept_share(images, kind(40, 20), patch=1, k=2) for kind in (UniformMasks, Opaque))
    assert drawn == pytest.approx(exact.value, abs=0.01)
    assert drawn.value != exact.value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k must be at least 1 feature, but 0"),
        ({"law": UniformMasks(5, 2)}, "over 5 patches, but the images have 4 of side 1"),
        ({"patch": 3}, "3 does not divide 1x4"),
        ({"patch": 0}, "0 does not divide"),
        ({"images": pictures(0, 1)}, "at least two, of shape"),
        ({"images": pictures(0, 4)[0]}, "must be of shape"),
        ({"images": np.ones((5, 2, 1, 4))}, "all images are equal"),
        ({"images": np.full((5, 2, 1, 4), np.inf)}, "not a finite number"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"images": pictures(0, 20), "law": LAWS[0], "patch": 1, "k": 2} | change
    with pytest.raises(InputError, match=words):
        linear_mae_kept_share(given.pop("images"), given.pop("law"), **given)


def test_a_law_that_shows_constant_patches_only_is_refused() -> None:
    images = pictures(0, 20)
    images[..., 0] = 7
    with pytest.raises(InputError, match="the patches that the mask law shows are the same in all images"):
        linear_mae_kept_share(images, ListedMasks(np.array([[1, 0, 0, 0]], bool)), patch=1, k=2)
