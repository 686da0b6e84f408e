"""`images_from_patches` inverts `patchify`, and sampled images follow the distribution of the world."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import FiniteWorld, images_from_patches, sample_images, worlds
from maetheory.masks import ListedMasks, patchify


def test_patchify_inverts_images_from_patches():
    pixels = np.random.default_rng(0).random((3, 9, 12))
    images = images_from_patches(pixels, 2)
    assert images.shape == (3, 3, 6, 6)
    np.testing.assert_array_equal(patchify(images, 2), pixels)


def test_drawn_images_follow_the_law():
    world, n = worlds.mixture(4, 2, 2, 0.2), 20_000
    images = sample_images(world, n, np.random.default_rng(0))
    code = images.images.reshape(n, 4) @ [8, 4, 2, 1]
    expected = n * world.probability
    counts = np.bincount(code.astype(int), minlength=16)
    assert ((counts - expected) ** 2 / expected).sum() < 15 + 6 * np.sqrt(30)
    assert (images.labels == world.labels[code.astype(int)]).all()


def test_what_does_not_fit_is_one_sentence():
    with pytest.raises(InputError, match="square"):
        images_from_patches(np.zeros((1, 6, 1)), 1)
    with pytest.raises(InputError, match="multiple of 4 values"):
        images_from_patches(np.zeros((1, 4, 3)), 2)
    with pytest.raises(InputError, match="at least 1"):
        sample_images(FiniteWorld(np.zeros((1, 4), int), [1.0], None, [0.0]), 0, np.random.default_rng(0))
    with pytest.raises(InputError, match="show at least one"):
        ListedMasks(np.ones((1, 3), bool))
    with pytest.raises(InputError, match="sum to 1"):
        ListedMasks(np.array([[True, False]]), [0.5])
