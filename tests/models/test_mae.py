"""Hidden pixels do not influence the prediction, and padding does not change the result."""

from __future__ import annotations

import pytest
import torch

from maetheory.core import InputError
from maetheory.masks import BernoulliMasks, UniformMasks
from maetheory.models import MAE, MAEConfig, SimMIM, ViTConfig, sample_masks

CONFIG = MAEConfig(ViTConfig(8, 2, 1, width=32, depth=2, heads=2), decoder_width=16, decoder_depth=2, decoder_heads=2)


def masks(n: int, law: object = None, seed: int = 0) -> torch.Tensor:
    return sample_masks(law or UniformMasks(16, 4), n, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]  # a law, typed as an object


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", [MAE, SimMIM])
def test_unequal_counts_equal_the_per_image_forward(kind: type) -> None:
    model, images = kind(CONFIG).double().eval(), torch.rand(9, 1, 8, 8, dtype=torch.float64)
    mask = masks(9, BernoulliMasks(16, 0.3))
    assert mask.sum(1).unique().numel() > 2
    together = model(images, mask)
    losses = []
    for i in range(9):
        alone = model(images[i : i + 1], mask[i : i + 1])
        hidden = int((~mask[i]).sum())
        torch.testing.assert_close(together.prediction[i, :hidden], alone.prediction[0], atol=1e-12, rtol=0)
        tokens = alone.latent.shape[1]
        torch.testing.assert_close(together.latent[i, :tokens], alone.latent[0], atol=1e-12, rtol=0)
        losses.append(alone.loss)
    torch.testing.assert_close(together.loss, torch.stack(losses).mean(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", [MAE, SimMIM])
def test_hidden_pixels_never_reach_the_prediction(kind: type) -> None:
    model, images, mask = kind(CONFIG).eval(), torch.rand(3, 1, 8, 8), masks(3)
    pixels = mask.view(3, 4, 4).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None]
    out, other = model(images, mask), model(torch.where(pixels, images, torch.rand_like(images)), mask)
    torch.testing.assert_close(out.prediction, other.prediction)
    torch.testing.assert_close(out.latent, other.latent)
    assert not torch.isclose(out.loss, other.loss)


def test_loss_is_the_mean_squared_error_of_hidden_patches() -> None:
    model, images, mask = MAE(CONFIG).eval(), torch.rand(3, 1, 8, 8), masks(3)
    out = model(images, mask)
    patches = torch.stack(
        [(2 * images[:, 0, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2] - 1).flatten(1) for r in range(4) for c in range(4)], 1
    )
    target = torch.stack([patches[i][~mask[i]] for i in range(3)])
    torch.testing.assert_close(out.loss, ((out.prediction - target) ** 2).mean())


def test_known_count_is_the_same_forward() -> None:
    model, images, mask = MAE(CONFIG).eval(), torch.rand(3, 1, 8, 8), masks(3)
    torch.testing.assert_close(model(images, mask), model(images, mask, n_visible=4))


def test_encode_is_deterministic_and_sees_everything() -> None:
    model, images = MAE(CONFIG).eval(), torch.rand(3, 1, 8, 8)
    assert model.encode(images).shape == (3, 17, 32)
    torch.testing.assert_close(model.encode(images), model.encode(images), rtol=0, atol=0)
    everything = torch.ones(3, 16, dtype=torch.bool)
    torch.testing.assert_close(model.encode(images), model.encode(images, everything))


def test_uint8_and_unit_floats_are_one_image() -> None:
    model, images = MAE(CONFIG).eval(), torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(model.encode(images), model.encode(images.float() / 255))


def test_norm_pixels_standardises_targets() -> None:
    from dataclasses import replace

    model = MAE(replace(CONFIG, norm_pixels=True)).eval()
    with torch.no_grad():
        model.decoder_pred.weight.zero_()
        model.decoder_pred.bias.zero_()
    out = model(torch.rand(64, 1, 8, 8), masks(64))
    assert out.loss.item() == pytest.approx(3 / 4, abs=1e-3)  # unbiased variance over 4 values


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (torch.zeros(2, 16, dtype=torch.bool), "show at least one"),
        (torch.ones(2, 16, dtype=torch.bool), "hide at least one"),
        (torch.ones(2, 15, dtype=torch.bool), "shape"),
        (torch.ones(2, 16), "boolean"),
    ],
)
def test_impossible_masks_are_refused(mask: torch.Tensor, word: str) -> None:
    with pytest.raises(InputError, match=word):
        MAE(CONFIG)(torch.rand(2, 1, 8, 8), mask)


def test_patch_size_must_divide() -> None:
    with pytest.raises(InputError, match="3 does not divide 8"):
        ViTConfig(8, 3)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="images must have shape"):
        MAE(CONFIG).encode(torch.rand(2, 3, 8, 8))
