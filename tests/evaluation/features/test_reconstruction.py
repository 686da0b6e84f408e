"""The reconstruction loss is the mean of the model's loss; its error is the spread over groups of images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.evaluation.features.reconstruction import reconstruction_loss
from maetheory.masks import UniformMasks
from maetheory.models import MAE, PRESETS, SimMIM, sample_masks

LAW = UniformMasks(16, 4)


@pytest.mark.parametrize("kind", [MAE, SimMIM])
def test_the_loss_is_the_mean_over_hidden_values(kind: type[MAE | SimMIM]) -> None:
    images = load_images("digits", split="test", limit=60)
    torch.manual_seed(0)
    model = kind(PRESETS["digits"])
    found = reconstruction_loss(model, images, LAW, seed=3, images_per_group=20)
    masks = sample_masks(LAW, 60, torch.Generator().manual_seed(3))
    losses = []
    for i in range(60):  # one image at a time: every image hides the same number of values
        pixels = torch.as_tensor(images.images[i : i + 1])
        with torch.no_grad():
            losses.append(float(model(pixels, masks[i : i + 1]).loss))
    np.testing.assert_allclose(found.value, np.mean(losses), rtol=1e-5)
    groups = np.reshape(losses, (3, 20)).mean(1)
    np.testing.assert_allclose(found.error, 2 * np.std(groups, ddof=1) / np.sqrt(3), rtol=1e-3)


def test_images_beyond_the_last_full_group_count() -> None:
    images = load_images("digits", split="test", limit=59)
    torch.manual_seed(0)
    model = MAE(PRESETS["digits"])
    found = reconstruction_loss(model, images, LAW, images_per_group=20)
    masks = sample_masks(LAW, 59, torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = float(model(torch.as_tensor(images.images), masks).loss)
    assert found.value == pytest.approx(whole, rel=1e-5)
    changed = images.images.copy()
    changed[-1] = 1 - changed[-1]
    assert reconstruction_loss(model, replace(images, images=changed), LAW, images_per_group=20).value != found.value


def test_models_without_a_prediction_are_refused() -> None:
    images = load_images("digits", split="test", limit=4)
    with pytest.raises(InputError, match="only MAE and SimMIM predict hidden patches, but the model is a Linear"):
        reconstruction_loss(torch.nn.Linear(2, 2), images, LAW)
    with pytest.raises(InputError, match="two images or more"):
        reconstruction_loss(MAE(PRESETS["digits"]), images.take([0]), LAW)
