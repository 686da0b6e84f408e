"""Readouts, layers, masks and callables of `encode`, and probes of its features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import collapse_report, encode, knn_probe, linear_probe, mask_pair_alignment
from maetheory.evaluation.probes import linear_and_knn
from maetheory.masks import BernoulliMasks, UniformMasks
from maetheory.models import MAE, MAEConfig, SimMIM, ViTConfig

CONFIG = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2), 16, 1, 2)


@pytest.fixture
def images() -> ImageSet:
    rng = np.random.default_rng(0)
    return ImageSet(rng.random((30, 1, 8, 8)).astype(np.float32), np.arange(30) % 3, "noise")


@pytest.mark.parametrize("kind", [MAE, SimMIM])
def test_readouts_are_tokens_of_the_encoder(kind: type, images: ImageSet) -> None:
    torch.manual_seed(0)
    model = kind(CONFIG)
    tokens = model.eval().encode(torch.from_numpy(images.images)).detach()
    model.train()
    torch.testing.assert_close(encode(model, images, batch=7), tokens[:, 0])
    torch.testing.assert_close(encode(model, images, readout="mean"), tokens[:, 1:].mean(1))
    torch.testing.assert_close(encode(model, images, readout="tokens"), tokens[:, 1:].flatten(0, 1))
    assert model.training


def test_layers_and_final_norm(images: ImageSet) -> None:
    torch.manual_seed(0)
    model = MAE(CONFIG).eval()
    states = model.encoder.hidden_states(torch.from_numpy(images.images))
    for layer, state in enumerate(states):
        torch.testing.assert_close(encode(model, images, layer=layer, final_norm=False), state[:, 0].detach())
    torch.testing.assert_close(encode(model, images, layer=2), encode(model, images))
    with pytest.raises(InputError, match="between 0 and 2"):
        encode(model, images, layer=3)


def test_masks_and_foreign_callables(images: ImageSet) -> None:
    torch.manual_seed(0)
    model = MAE(CONFIG).eval()
    mask = np.arange(16) < 5
    direct = model.encode(torch.from_numpy(images.images), torch.from_numpy(mask).expand(30, -1))
    torch.testing.assert_close(encode(model, images, mask=mask), direct[:, 0].detach())
    flat = encode(lambda x: x.flatten(1), images)
    torch.testing.assert_close(flat, torch.from_numpy(images.images).flatten(1))
    with pytest.raises(InputError, match="callable"):
        encode(lambda x: x.flatten(1), images, mask=mask)
    with pytest.raises(InputError, match="readout"):
        encode(model, images, readout="sum")  # type: ignore[arg-type]


def test_features_do_not_depend_on_the_masks_of_other_images(images: ImageSet) -> None:
    torch.manual_seed(0)
    model = MAE(CONFIG).eval()
    masks = BernoulliMasks(16, 0.5).sample(np.random.default_rng(1), 30)
    for readout in ("cls", "mean", "tokens"):
        alone = [encode(model, images.images[i : i + 1], readout=readout, mask=masks[i]) for i in range(30)]  # type: ignore[arg-type]
        together = encode(model, images, readout=readout, mask=masks, batch=11)  # type: ignore[arg-type]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_one_mask_row_for_each_image(images: ImageSet) -> None:
    masks = UniformMasks(16, 4).sample(np.random.default_rng(0), 20)
    for model in (MAE(CONFIG), SimMIM(CONFIG)):
        with pytest.raises(InputError, match="each of the 30 images, but it has 20"):
            encode(model, images, mask=masks)
        with pytest.raises(InputError, match="each of the 30 images, but it has 20"):
            model(torch.from_numpy(images.images), torch.from_numpy(masks))
    with pytest.raises(InputError, match="there are 0"):
        encode(MAE(CONFIG), images.images[:0])


def test_a_foreign_model_receives_floats_in_0_1(images: ImageSet) -> None:
    bytes_ = (255 * images.images).astype(np.uint8)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    expected = linear(torch.from_numpy(bytes_).flatten(1) / 255).detach()
    torch.testing.assert_close(encode(linear, bytes_), expected)
    torch.testing.assert_close(encode(linear, bytes_ / 255), expected)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: 255 * x, r"must lie in \[0, 1\], but these reach from 0 to 255; divide them by 255"),
        (lambda x: (x - 0.45) / 0.225, "reach from -2 to 2.44444; if mean and std were applied"),
        (lambda x: 65535 * x, "divide them by their largest possible value"),
        (lambda x: (255 * x).long(), r"must be uint8 \(0..255\) or floating point in \[0, 1\], but they are int64"),
        (lambda x: x > 0.5, "but they are bool"),
        (lambda x: torch.where(x > 0.5, torch.nan, x), "at least one pixel is NaN"),
        (lambda x: x[:, 0], r"must have shape \(N, C, H, W\)"),
        (lambda x: (255 * x).bfloat16(), "reach from 0 to 255"),
    ],
)
def test_images_out_of_range_are_refused_as_an_image_set_refuses_them(
    images: ImageSet, change: Callable[[torch.Tensor], torch.Tensor], sentence: str
) -> None:
    pixels = torch.from_numpy(images.images).clone()
    pixels[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    foreign = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    for encoder in (MAE(CONFIG), foreign):
        for images_ in (change(pixels), change(pixels).float().numpy() if "reach" in sentence else change(pixels)):
            for measure in (encode, collapse_report):
                with pytest.raises(InputError, match=sentence):
                    measure(encoder, images_)  # type: ignore[operator]  # mypy joins the two functions to object
        assert len(encode(encoder, pixels)) == len(encode(encoder, pixels.bfloat16())) == 30


def test_a_plain_function_may_take_any_numbers() -> None:
    """A module's images are pixels; a function is also a way to measure features that are given in place of images."""
    features = 1e3 + torch.randn(30, 1, 1, 5)
    torch.testing.assert_close(encode(lambda x: x.flatten(1), features), features.flatten(1))
    with pytest.raises(InputError, match="must lie in"):
        encode(torch.nn.Flatten(), features)


def test_a_probe_that_did_not_converge_notes_it_in_its_recipe_only(monkeypatch: pytest.MonkeyPatch) -> None:
    Z, y = np.random.default_rng(0).normal(size=(60, 40)), np.arange(60) % 3
    assert "not converged" not in linear_probe(Z, y, Z, y).recipe
    monkeypatch.setattr(linear_and_knn, "MAX_ITERATIONS", 2)
    assert "not converged" in linear_probe(Z, y, Z, y).recipe
    with pytest.raises(InputError, match="as wide as Z"):
        linear_probe(Z, y, Z[:, :3], y)


def test_report_and_alignment(images: ImageSet) -> None:
    torch.manual_seed(0)
    model = MAE(CONFIG)
    frame = collapse_report(model, images)
    assert set(frame.readout) == {"cls", "mean"}
    row = frame.query("readout == 'cls' and metric == 'effective_rank'").iloc[0]
    s = np.linalg.svd(encode(model, images).double().numpy(), compute_uv=False)
    p = s / s.sum()
    assert row.value == pytest.approx(np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()), rel=1e-9)
    assert 0 < mask_pair_alignment(model, images, UniformMasks(16, 4)) < 4
    assert mask_pair_alignment(lambda_free_constant(model), images, UniformMasks(16, 4)) == pytest.approx(0, abs=1e-9)


def lambda_free_constant(model: MAE) -> MAE:
    """A model whose features do not depend on its input."""
    with torch.no_grad():
        model.encoder.norm.weight.zero_()
        model.encoder.norm.bias.fill_(1.0)
    return model


def test_probes_separate_what_is_separable_and_guess_noise() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400)
    Z = np.eye(4)[y] + 0.01 * rng.standard_normal((400, 4))
    for probe in (linear_probe, knn_probe):
        assert probe(Z[:200], y[:200], Z[200:], y[200:]).accuracy == 1.0
        noise = rng.standard_normal((400, 4))
        guess = probe(noise[:200], y[:200], noise[200:], y[200:]).accuracy
        assert abs(guess - 0.25) < 5 * guess.error
    with pytest.raises(InputError, match="one label a row"):
        linear_probe(Z, y[:3], Z, y)
    Z[3, 1] = np.nan
    with pytest.raises(InputError, match="1 rows of Z hold NaN"):
        linear_probe(Z, y, Z, y)
