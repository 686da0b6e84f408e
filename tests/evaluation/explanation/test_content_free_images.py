"""Images without content keep the colours that they are made of, and statistics of images are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maetheory.evaluation.explanation.content_free_images import (
    ChannelMoments,
    channel_moments,
    content_free_images,
    encoder_pixels,
    patch_shape,
)
from maetheory.evaluation.explanation.image_statistics import correlate_statistics, image_statistics
from maetheory.models import MAE, PRESETS

RNG = np.random.default_rng(0)
PIXELS = torch.from_numpy(RNG.random((6, 3, 8, 12), dtype=np.float32))
MOMENTS = ChannelMoments(torch.tensor([0.4, 0.5, 0.6]).double(), torch.tensor([0.05, 0.1, 0.02]).double())


def test_constant_images_have_the_colour_of_their_image() -> None:
    made = content_free_images("constant", PIXELS, MOMENTS, (2, 3), np.random.default_rng(0))
    assert made.shape == PIXELS.shape
    np.testing.assert_allclose(made[:, :, 3, 4], PIXELS.mean((2, 3)), rtol=1e-6)
    assert float(made.flatten(2).std(2).max()) < 1e-6


def test_shuffled_patches_are_those_of_the_image_in_another_order() -> None:
    made = content_free_images("shuffled", PIXELS, MOMENTS, (2, 3), np.random.default_rng(0))

    def patches(images: torch.Tensor) -> list[list[bytes]]:
        cells = images.reshape(6, 3, 4, 2, 4, 3).permute(0, 2, 4, 1, 3, 5).reshape(6, 16, -1)
        return [[patch.numpy().tobytes() for patch in image] for image in cells]

    before, after = patches(PIXELS), patches(made)
    orders = []
    for a, b in zip(before, after, strict=True):
        assert sorted(a) == sorted(b)
        assert a != b
        orders.append(tuple(a.index(one) for one in b))
    assert len(set(orders)) == 6  # each image has an order of its own


def test_noise_has_the_moments_of_the_data_set_and_depends_on_no_image() -> None:
    pixels = torch.zeros(200, 3, 8, 8)
    made = content_free_images("noise", pixels, MOMENTS, (2, 2), np.random.default_rng(0))
    values = made.transpose(0, 1).flatten(1)
    np.testing.assert_allclose(values.mean(1), MOMENTS.mean, atol=4 * 0.1 / np.sqrt(12_800))
    np.testing.assert_allclose(values.std(1), MOMENTS.std, rtol=4 / np.sqrt(2 * 12_800))
    again = content_free_images("noise", pixels + 0.7, MOMENTS, (2, 2), np.random.default_rng(0))
    torch.testing.assert_close(made, again)
    wide = content_free_images("noise", pixels, ChannelMoments(MOMENTS.mean, 9 * MOMENTS.std), (2, 2), RNG)
    assert (float(wide.min()), float(wide.max())) == (0, 1)


def test_moments_are_those_of_all_pixels() -> None:
    values = PIXELS.double().transpose(0, 1).flatten(1)
    found = channel_moments(values.sum(1), values.square().sum(1), values.shape[1])
    torch.testing.assert_close(found.mean, values.mean(1))
    torch.testing.assert_close(found.std, values.std(1, correction=0))


def test_patches_and_pixels_are_those_of_the_encoder() -> None:
    digits = MAE(PRESETS["digits"])
    patch = digits.encoder.config.patch
    assert patch_shape(digits, 8, 8) == (patch, patch)
    gray = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    torch.testing.assert_close(encoder_pixels(digits, gray), gray.float() / 255)
    torch.testing.assert_close(encoder_pixels(len, gray.double() / 255), gray.float() / 255)


def test_statistics_of_known_images() -> None:
    red_half = torch.zeros(1, 3, 4, 4)
    red_half[:, 0, :, 2:] = 1.0
    found = {name: float(values[0]) for name, values in image_statistics(red_half).items()}
    assert found == pytest.approx(
        {
            "brightness": 0.299 / 2,
            "contrast": 0.299 / 2,
            "edge energy": 4 * 0.299**2 / 24,  # 4 steps among 12 + 12 neighbours
            "saturation": 0.5,
            "red − blue": 0.5,
            "green − magenta": -0.25,
        }
    )
    assert set(image_statistics(red_half[:, :1])) == {"brightness", "contrast", "edge energy"}
    single = image_statistics(torch.full((2, 1, 1, 1), 0.5))
    assert [values.tolist() for values in single.values()] == [[0.5, 0.5], [0, 0], [0, 0]]


def test_correlations_are_corrected_for_all_that_were_looked_at() -> None:
    """Under independence, one of 5 × 6 correlations is below 0.05 in most draws, and a corrected one in few."""
    single = corrected = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        statistics = {str(k): rng.standard_normal(60) for k in range(6)}
        found = correlate_statistics(statistics, rng.standard_normal((60, 5)), seed=seed)
        everything = [one for of_direction in found for one in of_direction.values()]
        single += min(one.p for one in everything) < 0.05
        corrected += min(one.p_adjusted for one in everything) < 0.05
    assert single > 12
    assert corrected < 5
    scores = rng.standard_normal((60, 1))
    (one,) = correlate_statistics({"same": scores[:, 0], "flat": np.ones(60)}, scores)
    assert one["same"].value == pytest.approx(1)
    assert one["same"].p_adjusted < 0.01
    assert np.isnan(one["flat"].value)
