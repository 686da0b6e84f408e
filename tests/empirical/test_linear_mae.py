"""The minimal loss of a linear MAE on images against enumerated masks, the factor form, and deleted images."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError, generator
from maetheory.empirical import linear_mae_loss_share
from maetheory.masks import patchify
from maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem import (
    all_pixel_linear_mae_optimum,
)

MIXING = generator(0, "mixing").normal(size=(8, 8)) * np.linspace(2, 0.2, 8)[:, None]


def pictures(seed, n):
    """Gaussian images of 2 x 4 pixels with second moments MIXINGᵀ MIXING about their mean."""
    return (generator(seed, "pictures").normal(size=(n, 8)) @ MIXING + 3).reshape(n, 1, 2, 4)


def by_factors(images, patch, m, k):
    """The statement's own optimum, computed without second moments."""
    rows = patchify(images, patch).astype(float)
    rows = rows - rows.mean(0)
    patches = np.repeat(np.arange(rows.shape[1]), rows.shape[2])
    flat = rows.reshape(len(rows), -1)
    return all_pixel_linear_mae_optimum(flat, patches, m, k).loss / ((flat**2).sum() / len(flat))


@pytest.mark.parametrize(("patch", "m", "k"), [(1, 0.75, 2), (2, 0.5, 1), (2, 0.9, 8)])
def test_the_share_is_the_optimum_of_the_statement(patch, m, k):
    images = pictures(0, 40)
    found = linear_mae_loss_share(images, patch=patch, mask_probability=m, k=k)
    assert found == pytest.approx(by_factors(images, patch, m, k), rel=1e-11)


def test_at_full_rank_it_is_regression_on_every_mask_at_once():
    """Normal equations of all four masks of two patches, weighted by their probability, by loops."""
    images, m = pictures(1, 30), 0.6
    flat = np.array([np.concatenate([x[0, :, :2].ravel(), x[0, :, 2:].ravel()]) for x in images])
    flat = flat - flat.mean(0)
    rows, aims = [], []
    for left, right in product([0, 1], repeat=2):
        weight = np.sqrt((1 - m if left else m) * (1 - m if right else m))
        rows.append(weight * flat * np.repeat([left, right], 4))
        aims.append(weight * flat)
    weights = np.linalg.lstsq(np.vstack(rows), np.vstack(aims))[0]
    expected = ((np.vstack(aims) - np.vstack(rows) @ weights) ** 2).sum() / (flat**2).sum()
    assert linear_mae_loss_share(images, patch=2, mask_probability=m, k=8) == pytest.approx(expected, rel=1e-11)


def test_the_error_is_that_of_deleting_each_image():
    images, n = pictures(2, 150), 150
    found = linear_mae_loss_share(images, patch=2, mask_probability=0.75, k=2)
    without = [by_factors(np.delete(images, i, 0), 2, 0.75, 2) for i in range(n)]
    expected = 2 * np.sqrt((n - 1) / n * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found.error == pytest.approx(expected, rel=0.05)  # terms of order 1/n
    assert found.sampled


def test_the_interval_covers_the_share_of_infinitely_many_images():
    patches, energy = np.array([0, 0, 1, 1, 0, 0, 1, 1]), (MIXING**2).sum()
    truth = all_pixel_linear_mae_optimum(np.sqrt(8) * MIXING, patches, 0.75, 2).loss / energy
    found = [linear_mae_loss_share(pictures(s, 400), patch=2, mask_probability=0.75, k=2) for s in range(100)]
    assert sum(each.low <= truth <= each.high for each in found) >= 87  # P < 0.001 at a coverage of 0.954
    assert np.std([each.value for each in found]) == pytest.approx(
        np.mean([each.error for each in found]) / 2, rel=0.25
    )


def test_it_rises_with_the_mask_ratio_and_falls_with_the_width():
    images = pictures(3, 60)
    by_ratio = [float(linear_mae_loss_share(images, patch=1, mask_probability=m, k=3)) for m in (0.2, 0.5, 0.8, 0.95)]
    by_width = [float(linear_mae_loss_share(images, patch=1, mask_probability=0.5, k=k)) for k in range(1, 9)]
    assert np.all(np.diff(by_ratio) > 0)
    assert np.all(np.diff(by_width) < 0)
    assert 0 < min(by_ratio + by_width) < max(by_ratio + by_width) < 1


def test_independent_patches_cost_what_is_hidden_and_equal_pixels_what_no_mask_shows():
    """Alone, a patch is shrunk by nothing and lost with probability m; P equal patches share V = C((1−m) + m/P)."""
    rng, m = generator(0, "noise"), 0.7
    signs = rng.permutation(np.tile([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], (5, 1)))
    alone = linear_mae_loss_share(signs.reshape(20, 1, 1, 2), patch=1, mask_probability=m, k=2)
    assert alone == pytest.approx(m, rel=1e-12)
    equal = np.broadcast_to(rng.normal(size=(20, 1, 1, 1)), (20, 1, 2, 2))
    found = linear_mae_loss_share(equal, patch=1, mask_probability=m, k=1)
    assert found == pytest.approx(1 - (1 - m) / ((1 - m) + m / 4), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_the_share_has_no_unit(scale):
    images = pictures(4, 50)
    one = linear_mae_loss_share(images, patch=2, mask_probability=0.5, k=2)
    other = linear_mae_loss_share(images * scale + 0.0, patch=2, mask_probability=0.5, k=2)
    assert (other.value, other.error) == pytest.approx((one.value, one.error), rel=1e-10)


def test_bytes_and_constant_pixels_are_welcome():
    images = np.clip(pictures(5, 50) * 20 + 100, 0, 255).astype(np.uint8)
    images[:, :, 0] = 7
    found = linear_mae_loss_share(images, patch=2, mask_probability=0.75, k=2)
    assert found == pytest.approx(by_factors(images, 2, 0.75, 2), rel=1e-11)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k must be from 1 to 8, the values of an image, but 0"),
        ({"k": 9}, "but 9 was given"),
        ({"mask_probability": 1.0}, "strictly between 0 and 1, but 1.0"),
        ({"mask_probability": float("nan")}, "strictly between 0 and 1, but nan"),
        ({"images": pictures(0, 1)}, "at least two, of shape"),
        ({"images": np.ones((5, 1, 2, 4))}, "all images are equal"),
        ({"images": np.full((5, 1, 2, 4), 0.1)}, "all images are equal"),
        ({"images": np.where(np.arange(8).reshape(1, 2, 4) == 3, np.nan, pictures(0, 5))}, "not a finite number"),
        ({"patch": 3}, "3"),
    ],
)
def test_bad_arguments_are_named(change, words):
    given = {"images": pictures(0, 20), "patch": 2, "mask_probability": 0.5, "k": 2} | change
    with pytest.raises(InputError, match=words):
        linear_mae_loss_share(given.pop("images"), **given)
