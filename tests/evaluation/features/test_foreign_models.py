"""Modules of other libraries: mode, device and number format, heads, masks, prefix tokens, mean and std."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.evaluation import collapse_report, encode, measure_collapse
from maetheory.evaluation.features.foreign_model import AssumptionWarning

IMAGES = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def standardised(images: Tensor) -> Tensor:
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@pytest.fixture
def transformers() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("transformers", reason="needs transformers: pip install maetheory[hf]")


SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}
SIDE = {"image_size": 16, "patch_size": 4}


def test_a_headless_model_of_transformers_is_read_and_missing_mean_and_std_are_said(transformers: Any) -> None:
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**SMALL, **SIDE))
    with torch.no_grad():
        bare = model.eval()(IMAGES).last_hidden_state
        with_mean = model(standardised(IMAGES)).last_hidden_state
    model.train()
    with pytest.warns(AssumptionWarning, match="no mean and std were applied to the images in .* that a ViTModel"):
        torch.testing.assert_close(encode(model, IMAGES), bare[:, 0])
    torch.testing.assert_close(encode(model, IMAGES, mean=MEAN, std=STD), with_mean[:, 0])
    torch.testing.assert_close(encode(model, IMAGES, readout="mean", mean=MEAN, std=STD), with_mean[:, 1:].mean(1))
    assert model.training
    notes = " ".join(measure_collapse(model, IMAGES, mean=MEAN, std=STD).notes)
    assert "in training mode; it was measured in evaluation mode" in notes


def test_logits_are_not_features(transformers: Any) -> None:
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**SMALL, **SIDE, num_labels=5)).eval()
    found = encode(model, IMAGES, mean=MEAN, std=STD)
    with torch.no_grad():
        torch.testing.assert_close(found, model.vit(standardised(IMAGES)).last_hidden_state[:, 0])
        logits = model(standardised(IMAGES)).logits
    torch.testing.assert_close(encode(model, IMAGES, readout="logits", mean=MEAN, std=STD), logits)
    notes = measure_collapse(model, IMAGES, mean=MEAN, std=STD).notes
    assert any("read from the ViTModel inside the ViTForImageClassification" in note for note in notes)


@pytest.mark.parametrize("name", ["ViTMAEModel", "ViTMAEForPreTraining"])
def test_a_masked_autoencoder_sees_whole_images(transformers: Any, name: str) -> None:
    config = transformers.ViTMAEConfig(**SMALL, **SIDE, decoder_num_attention_heads=4, decoder_hidden_size=16)
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    found = encode(model, IMAGES, readout="mean", mean=MEAN, std=STD)
    assert config.mask_ratio == 0.75
    config.mask_ratio = 0.0
    with torch.no_grad():
        tokens = getattr(model, "vit", model)(standardised(IMAGES)).last_hidden_state
    torch.testing.assert_close(found, tokens[:, 1:].mean(1))
    config.mask_ratio = 0.75
    assert any("hides 75% of the patches" in note for note in measure_collapse(model, IMAGES, mean=0.5, std=0.5).notes)


def test_vision_towers_without_cls_token_and_with_registers(transformers: Any) -> None:
    torch.manual_seed(0)
    tower = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SMALL, **SIDE)).eval()
    table = collapse_report(tower, IMAGES, mean=0.5, std=0.5)
    assert set(table.readout) == {"mean"}
    with torch.no_grad():
        tokens = tower((IMAGES - 0.5) / 0.5).last_hidden_state
    torch.testing.assert_close(encode(tower, IMAGES, readout="mean", mean=0.5, std=0.5), tokens.mean(1))
    with pytest.raises(InputError, match="16 patch tokens and no cls token"):
        encode(tower, IMAGES, mean=0.5, std=0.5)
    registers = transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**SMALL, **SIDE, num_register_tokens=3)
    ).eval()
    with torch.no_grad():
        tokens = registers(standardised(IMAGES)).last_hidden_state
    assert tokens.shape[1] == 1 + 3 + 16
    torch.testing.assert_close(encode(registers, IMAGES, readout="mean", mean=MEAN, std=STD), tokens[:, 4:].mean(1))


def test_images_of_another_size_are_resized_to_the_size_that_a_model_states(transformers: Any) -> None:
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**SMALL, **SIDE)).eval()
    larger = torch.nn.functional.interpolate(IMAGES, 32, mode="nearest")
    assert encode(model, larger, mean=0.5, std=0.5).shape == (12, 24)
    gray = IMAGES[:, :1]
    torch.testing.assert_close(
        encode(model, gray, mean=0.5, std=0.5), encode(model, gray.expand(-1, 3, -1, -1), mean=0.5, std=0.5)
    )


def test_a_model_of_timm_states_its_prefix_tokens() -> None:
    timm_vit = pytest.importorskip("timm.models.vision_transformer", reason="needs timm: pip install maetheory[timm]")
    torch.manual_seed(0)
    model = timm_vit.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=7, reg_tokens=2
    ).eval()
    with torch.no_grad():
        tokens = model.forward_features(standardised(IMAGES))
    assert tokens.shape == (12, 1 + 2 + 16, 24)
    for images in (IMAGES, torch.nn.functional.pad(IMAGES, (2, 2, 2, 2))):
        assert encode(model.forward_features, images, readout="mean", mean=MEAN, std=STD).shape == (12, 24)
    torch.testing.assert_close(
        encode(model.forward_features, IMAGES, readout="mean", mean=MEAN, std=STD), tokens[:, 3:].mean(1)
    )


class Drop(nn.Module):
    """Features that show training mode, with a submodule that its owner keeps in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.frozen = nn.Dropout(0.5), nn.BatchNorm2d(3)
        self.linear = nn.Linear(3 * 256, 8)
        self.frozen.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.drop(self.frozen(images)).flatten(1))

    def features(self, images: Tensor, scale: float = 1.0) -> Tensor:
        return scale * self(images)


@pytest.mark.parametrize("form", ["module", "method", "partial", "parallel"])
def test_the_module_behind_an_encoder_is_in_evaluation_mode_and_gets_every_mode_back(form: str) -> None:
    torch.manual_seed(0)
    module = Drop()
    encoders: dict[str, Any] = {
        "module": module,
        "method": module.features,
        "partial": functools.partial(module.features, scale=1.0),
        "parallel": nn.DataParallel(module),
    }
    found = encode(encoders[form], IMAGES, batch=5)
    assert module.training
    assert not module.frozen.training
    module.eval()
    with torch.no_grad():
        torch.testing.assert_close(found, module(IMAGES))


def test_a_function_of_a_module_in_training_mode_is_warned_of() -> None:
    module = Drop()
    with pytest.warns(AssumptionWarning, match=r"refers to module in training mode, .* call .eval\(\) first"):
        encode(lambda images: module(images), IMAGES)
    module.eval()
    assert encode(lambda images: module(images), IMAGES).shape == (12, 8)


def test_the_outputs_of_a_head_are_said_to_be_no_features() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flatten, self.fc = nn.Flatten(), nn.Linear(768, 5)

        def forward(self, images: Tensor) -> Tensor:
            return self.fc(self.flatten(images))

    model = Classifier().eval()
    with pytest.warns(AssumptionWarning, match=r"ends with a head \(fc\), so its 5 outputs may be logits"):
        encode(model, IMAGES)
    with pytest.warns(AssumptionWarning, match="may be logits"):
        assert any("may be logits" in note for note in measure_collapse(model, IMAGES).notes)
    model.fc = nn.Identity()  # type: ignore[assignment]  # as one removes a head
    assert encode(model, IMAGES).shape == (12, 768)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_module_is_given_its_own_number_format(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(768, 8)).to(dtype)
    found = encode(module, IMAGES)
    with torch.no_grad():
        expected = module(IMAGES.to(dtype)).float()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    table = collapse_report(module, (255 * IMAGES).byte(), metrics=["effective_rank"])
    assert 1 < table.value[0] < 8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mean": (0.5, 0.5)}, "one number, or one for each of the 3 channels"),
        ({"std": 0.0}, "std must be positive"),
        ({"prefix_tokens": -1}, "prefix_tokens must be at least 0"),
        ({"layer": 1}, "layer, final_norm and mask can be chosen for Vision Transformers only"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        encode(nn.Flatten(), IMAGES, **options)


def test_our_own_models_take_no_options_of_others() -> None:
    from maetheory.models import MAE, PRESETS

    digits = np.zeros((4, 1, 8, 8), np.uint8)
    for options in ({"mean": 0.5}, {"prefix_tokens": 1}, {"readout": "hidden"}):
        with pytest.raises(InputError, match="options for models of other libraries"):
            encode(MAE(PRESETS["digits"]), digits, **options)  # type: ignore[arg-type]
