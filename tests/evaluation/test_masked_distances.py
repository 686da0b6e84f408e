"""Distances of masked images, under shared masks and under masks per image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import encode, masked_distances
from maetheory.evaluation.masked_distances import GREY, _draw_masks
from maetheory.masks import patchify
from maetheory.metrics import class_distances
from maetheory.models import MAE, MAEConfig, SimMIM, ViTConfig

CONFIG = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=1, heads=2), 16, 1, 2)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    rng = np.random.default_rng(0)
    return ImageSet((rng.random((24, 1, 8, 8)) * 255).astype(np.uint8), np.arange(24) % 3, "noise")


def same(one, other) -> None:
    for name in ("intra", "inter", "ratio"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first.value, first.error) == pytest.approx((second.value, second.error), rel=1e-5)


def test_shared_masks_give_distances_over_visible_pixels_whatever_replaces_hidden_ones(images):
    masks = list(_draw_masks(16, 0.75, 3, None, 0))
    assert [mask.sum() for mask in masks] == [4, 4, 4]
    pixels = images.images / 255
    patches = patchify(pixels, 2)
    hidden = [np.where(mask[:, None], patches, 0.3).reshape(24, -1) for mask in masks]
    same(masked_distances(images, 2, 0.75, n_masks=3), class_distances(hidden, images.labels))


def test_masks_per_image_differ_and_replace_hidden_pixels_by_grey(images):
    masks = list(_draw_masks(16, 0.5, 2, 24, 5))
    assert len(np.unique(masks[0], axis=0)) > 20
    assert (np.array(masks).sum(2) == 8).all()
    patches = patchify(images.images / 255, 2)
    hidden = [np.where(mask[:, :, None], patches, GREY).reshape(24, -1) for mask in masks]
    found = masked_distances(images, 2, 0.5, masks="per-image", n_masks=2, seed=5)
    same(found, class_distances(hidden, images.labels))


def test_a_larger_ratio_hides_more_of_the_same(images):
    few, many = (next(_draw_masks(16, ratio, 1, None, 3)) for ratio in (0.25, 0.75))
    assert (few | many == few).all()


def test_at_ratio_zero_the_images_themselves_are_compared(images):
    whole = class_distances([images.images.reshape(24, -1) / 255], images.labels)
    for masks in ("shared", "per-image", "one", "own"):
        same(masked_distances(images, 2, 0.0, masks=masks), whole)


@pytest.mark.parametrize("kind", [MAE, SimMIM])
def test_features_are_those_of_visible_patches(images, kind):
    torch.manual_seed(0)
    model = kind(CONFIG)
    for masks, rows in (("shared", None), ("per-image", 24)):
        drawn = list(_draw_masks(16, 0.5, 2, rows, 0))
        features = [encode(model, images, readout="mean", mask=mask).numpy() for mask in drawn]
        found = masked_distances(images, 2, 0.5, masks=masks, encoder=model, readout="mean", n_masks=2)
        same(found, class_distances(features, images.labels))


def test_features_do_not_depend_on_hidden_pixels(images):
    torch.manual_seed(0)
    shown = next(_draw_masks(16, 0.5, 1, None, 0)).reshape(4, 4)
    blank = np.where(np.kron(shown, np.ones((2, 2), bool)), images.images, 7).astype(np.uint8)
    model, again = MAE(CONFIG), ImageSet(blank, images.labels, "blank")
    same(*(masked_distances(some, 2, 0.5, encoder=model, n_masks=1) for some in (images, again)))


def test_errors_are_one_sentence(images):
    model = MAE(CONFIG)
    with pytest.raises(InputError, match="or \"per-image\", but it is 'both'"):
        masked_distances(images, 2, 0.5, masks="both")
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        masked_distances(images, 2, 1.0)
    with pytest.raises(InputError, match="it has 16 and they have 4"):
        masked_distances(images, 4, 0.5, encoder=model)
    with pytest.raises(InputError, match="takes no mask"):
        masked_distances(images, 2, 0.5, encoder=lambda x: x.flatten(1))
    with pytest.raises(InputError, match="'cls' or 'mean'"):
        masked_distances(images, 2, 0.5, encoder=model, readout="tokens")
    with pytest.raises(InputError, match="n_masks must be at least 1"):
        masked_distances(images, 2, 0.5, n_masks=0)
    with pytest.raises(InputError, match="at least two classes"):
        masked_distances(images.take(images.labels == 1), 2, 0.5)
