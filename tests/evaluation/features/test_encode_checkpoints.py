"""Features of a loaded encoder: register tokens are skipped, and images of another size are resized first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import encode
from maetheory.evaluation.features.input_images import resize_to_encoder
from maetheory.masks import BernoulliMasks

IMAGES = ImageSet(np.random.default_rng(0).random((9, 3, 8, 8)).astype(np.float32), np.arange(9) % 3, "noise")


def encoder_of(**changes: Any) -> Encoder:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(8, 2, 3, 16, 2, 2, 16, 32, **changes))
    for value in encoder.parameters():
        nn.init.normal_(value, std=0.3)
    return encoder.eval()


@pytest.mark.parametrize(
    "changes",
    [{}, {"registers": 3}, {"cls": False, "registers": 2, "position_prefix": 0}, {"cls": False, "position_prefix": 0}],
)
def test_readouts_skip_the_tokens_before_the_patches(changes: Any) -> None:
    encoder = encoder_of(**changes)
    tokens = encoder(torch.from_numpy(IMAGES.images)).detach()
    patches = tokens[:, -16:]
    torch.testing.assert_close(encode(encoder, IMAGES, readout="mean", batch=4), patches.mean(1))
    torch.testing.assert_close(encode(encoder, IMAGES, readout="tokens"), patches.flatten(0, 1))
    if encoder.has_cls:
        torch.testing.assert_close(encode(encoder, IMAGES), tokens[:, 0])
    else:
        with pytest.raises(InputError, match="no cls token: read the mean of its patches"):
            encode(encoder, IMAGES)


def test_masks_with_different_numbers_of_visible_patches() -> None:
    masks = BernoulliMasks(16, 0.5).sample(np.random.default_rng(1), 9)
    for encoder in (encoder_of(registers=2), encoder_of(positions="relative", position_prefix=0)):
        for readout in ("cls", "mean", "tokens"):
            alone = [encode(encoder, IMAGES.images[i : i + 1], readout=readout, mask=masks[i]) for i in range(9)]  # type: ignore[arg-type]
            torch.testing.assert_close(
                encode(encoder, IMAGES, readout=readout, mask=masks),  # type: ignore[arg-type]
                torch.cat(alone),
                atol=1e-5,
                rtol=0,
            )


def test_a_norm_of_the_readout_is_applied_to_the_readout() -> None:
    encoder = encoder_of(norm="pooled")
    states = encoder.hidden_states(torch.from_numpy(IMAGES.images))
    mean = states[-1][:, 1:].mean(1)
    torch.testing.assert_close(encode(encoder, IMAGES, readout="mean"), encoder.fc_norm(mean).detach())
    torch.testing.assert_close(encode(encoder, IMAGES, readout="mean", final_norm=False), mean.detach())
    torch.testing.assert_close(encode(encoder, IMAGES, layer=1, final_norm=False), states[1][:, 0].detach())


def test_images_of_another_side_are_resized_as_pillow_does() -> None:
    rng = np.random.default_rng(0)
    for shape, resized, box in (((12, 20), (8, 13), (2, 0, 10, 8)), ((5, 5), (8, 8), (0, 0, 8, 8))):
        picture = rng.integers(0, 256, shape, dtype=np.uint8)
        ours = resize_to_encoder(torch.from_numpy(picture)[None, None], 8, 3)
        theirs = Image.fromarray(picture).resize(resized[::-1], Image.Resampling.BICUBIC).crop(box)
        assert ours.shape == (1, 3, 8, 8)
        assert float((255 * ours[0, 1] - torch.from_numpy(np.asarray(theirs).copy())).abs().max()) < 1.01
    with pytest.raises(InputError, match=r"shape \(N, 3, H, W\), or one channel, but theirs is \(1, 2, 8, 8\)"):
        resize_to_encoder(torch.zeros(1, 2, 8, 8), 8, 3)


def test_grey_images_and_bytes_are_converted() -> None:
    encoder = encoder_of()
    grey = np.random.default_rng(2).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
    repeated = torch.from_numpy(np.repeat(grey, 3, 1)).float() / 255
    torch.testing.assert_close(encode(encoder, grey), encoder(repeated)[:, 0].detach())
    small = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(encode(encoder, small), encoder(resize_to_encoder(small, 8, 3))[:, 0].detach())


def test_a_gray_encoder_takes_gray_images_of_three_equal_channels() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(8, 2, 1, 16, 2, 2, 16, 32, mean=(0.5,), std=(0.5,)))
    gray = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(encode(encoder, gray.expand(-1, 3, -1, -1)), encode(encoder, gray))
    with pytest.raises(InputError, match="takes gray images, but these have colours"):
        encode(encoder, torch.rand(4, 3, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(2, 4001), (3000, 3)])
def test_of_a_long_strip_only_the_middle_is_resized(height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, interpolate = [], torch.nn.functional.interpolate

    def recording(images: torch.Tensor, size: tuple[int, int], **options: object) -> torch.Tensor:
        sizes.append(size)
        return interpolate(images, size, **options)  # type: ignore[arg-type]  # as the caller gave them

    monkeypatch.setattr("maetheory.evaluation.features.input_images.F.interpolate", recording)
    ramp = (
        torch.linspace(0, 1, max(height, width)).reshape((-1, 1) if height > width else (1, -1)).expand(height, width)
    )
    view = resize_to_encoder(ramp[None, None], 16, 3)
    assert view.shape == (1, 3, 16, 16)
    assert float(view.mean()) == pytest.approx(0.5, abs=1 / max(height, width))
    assert max(h * w for h, w in sizes) <= 16 * 16 * 9
