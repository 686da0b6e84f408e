"""BEiT, data2vec and the vision towers of CLIP and SigLIP are loaded as transformers computes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.core import InputError
from maetheory.models.positions import sincos_positions

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from mae_peers import randomized

transformers = pytest.importorskip("transformers", "5.23", reason="needs transformers 5.23: pip install maetheory[hf]")

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
SHAPE: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "image_size": 32,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 9,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
MODELS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "CLIP tower": ("CLIPVisionModel", "CLIPVisionConfig", SHAPE, ""),
    "CLIP": ("CLIPModel", "CLIPConfig", {"vision_config": SHAPE, "text_config": TEXT}, "vision_model"),
    "SigLIP tower": ("SiglipVisionModel", "SiglipVisionConfig", SHAPE, ""),
    "SigLIP": ("SiglipModel", "SiglipConfig", {"vision_config": SHAPE, "text_config": TEXT}, "vision_model"),
    "BEiT, shared": ("BeitModel", "BeitConfig", {**SHAPE, "use_shared_relative_position_bias": True}, ""),
    "BEiT, relative": (
        "BeitModel",
        "BeitConfig",
        {**SHAPE, "use_relative_position_bias": True, "use_mean_pooling": False},
        "",
    ),
    "BEiT, classifier": (
        "BeitForImageClassification",
        "BeitConfig",
        {**SHAPE, "use_relative_position_bias": True},
        "beit",
    ),
    "DINOv3": ("DINOv3ViTModel", "DINOv3ViTConfig", {**SHAPE, "num_register_tokens": 3, "rope_theta": 50.0}, ""),
    "DINOv3, gated": (
        "DINOv3ViTModel",
        "DINOv3ViTConfig",
        {**SHAPE, "use_gated_mlp": True, "hidden_act": "silu", "key_bias": True},
        "",
    ),
    "BLIP tower": ("BlipVisionModel", "BlipVisionConfig", SHAPE, ""),
    "BLIP-2 tower": ("Blip2VisionModel", "Blip2VisionConfig", SHAPE, ""),
    "OWL-ViT tower": ("OwlViTVisionModel", "OwlViTVisionConfig", SHAPE, ""),
    "BEiT, table": ("BeitModel", "BeitConfig", {**SHAPE, "use_absolute_position_embeddings": True}, ""),
    "data2vec": ("Data2VecVisionModel", "Data2VecVisionConfig", {**SHAPE, "use_relative_position_bias": True}, ""),
}


@pytest.mark.parametrize("kind", MODELS)
def test_state_dicts_in_memory_have_names_of_their_own(kind: str, tmp_path: Path) -> None:
    """What torch.save writes of a model of transformers 5 has other names than what save_pretrained writes."""
    model_class, config_class, options, part = MODELS[kind]
    model = randomized(getattr(transformers, model_class)(getattr(transformers, config_class)(**options)))
    torch.save({"model_state_dict": model.state_dict(), "epoch": 1}, tmp_path / "a.pth")
    activation = {"activation": "swiglu"} if "gated" in kind else {}
    size = {"image_size": 32} if "DINOv3" in kind else {}
    eps = getattr(model.config, "layer_norm_eps", None)
    encoder, _ = load_checkpoint(tmp_path / "a.pth", heads=4, eps=eps, mean=0.5, std=0.5, **activation, **size)
    torch.save(model, tmp_path / "whole.pt")
    whole, report = load_checkpoint(tmp_path / "whole.pt", mean=0.5, std=0.5, **size)
    with torch.no_grad():
        theirs = (getattr(model, part) if part else model)(pixel_values=2 * IMAGES - 1).last_hidden_state
        for ours in [whole] if kind == "DINOv3" else [whole, encoder]:  # a state dict has no temperature
            torch.testing.assert_close(ours(IMAGES), theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))
    assert report.sources["heads"] == "stated in the file: the pickled module" or "BEiT" in kind or kind == "data2vec"


@pytest.mark.parametrize("kind", MODELS)
def test_last_hidden_states_and_poolers(kind: str, tmp_path: Path) -> None:
    model_class, config_class, options, part = MODELS[kind]
    config = getattr(transformers, config_class)(**options)
    model = randomized(getattr(transformers, model_class)(config))
    model.save_pretrained(tmp_path)
    encoder, report = load_checkpoint(tmp_path)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (report.config.mean, report.config.std))
    with torch.no_grad():
        theirs = (getattr(model, part) if part else model)(pixel_values=(IMAGES - mean) / std)
        ours = encoder(IMAGES)
        bound = 3e-5 * float(theirs.last_hidden_state.abs().max())
        torch.testing.assert_close(ours, theirs.last_hidden_state, rtol=0, atol=bound)
        if kind.startswith("CLIP"):
            torch.testing.assert_close(encoder.fc_norm(ours[:, 0]), theirs.pooler_output, rtol=0, atol=bound)
    assert report.config.heads == 4
    assert any(note.startswith("the file does not state mean and std") for note in report.notes)
    assert not any(note.startswith("config.json says") for note in report.notes)
    means = dict.fromkeys(("CLIP", "CLIP tower", "BLIP tower", "BLIP-2 tower", "OWL-ViT tower"), CLIP_MEAN_STD[0])
    means |= dict.fromkeys(("DINOv3", "DINOv3, gated"), IMAGENET_MEAN_STD[0])
    assert report.config.mean == means.get(kind, (0.5, 0.5, 0.5))


@pytest.mark.parametrize("kind", ["ViT", "Beit", "Dinov2", "CLIPVision"])
@pytest.mark.parametrize(
    "part", ["vision_config", "image_config", "backbone_config", "encoder", "vision_encoder", "image_encoder"]
)
def test_the_part_of_config_json_that_describes_the_images_is_believed(kind: str, part: str, tmp_path: Path) -> None:
    other = {"num_attention_heads": 2, "hidden_act": "gelu_new", "layer_norm_eps": 0.1, "model_type": "gpt2"}
    positions = {"use_absolute_position_embeddings": True} if kind == "Beit" else {}
    config = getattr(transformers, f"{kind}Config")(**SHAPE, **positions, hidden_act="quick_gelu", layer_norm_eps=1e-3)
    model = randomized(getattr(transformers, f"{kind}Model")(config))
    state = {f"{part}.model.{name}": value for name, value in model.state_dict().items()}
    torch.save({**state, "decoder.wte.weight": torch.zeros(9, 8)}, tmp_path / "pytorch_model.bin")
    record = {**other, "decoder": other, "text_config": other, part: config.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(record))
    encoder, report = load_checkpoint(tmp_path, mean=0.5, std=0.5)
    with torch.no_grad():
        theirs = model(pixel_values=2 * IMAGES - 1).last_hidden_state
        torch.testing.assert_close(encoder(IMAGES), theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))
    values = (report.config.heads, report.config.activation, report.config.eps)
    assert values == (4, "quick-gelu", 1e-3)
    assert report.sources["activation"] == report.sources["eps"] == "stated in the file: config.json"


def test_an_unknown_model_type_is_noted(tmp_path: Path) -> None:
    """GIT's tower has CLIP's names and norms all its tokens at the end."""
    randomized(transformers.GitVisionModel(transformers.GitVisionConfig(**SHAPE))).save_pretrained(tmp_path)
    notes = load_checkpoint(tmp_path)[1].notes
    assert any(note.startswith("config.json says model_type 'git_vision_model', whose tensors") for note in notes)


def test_the_scale_of_an_msn(tmp_path: Path) -> None:
    randomized(transformers.ViTMSNModel(transformers.ViTMSNConfig(**SHAPE))).save_pretrained(tmp_path)
    assert load_checkpoint(tmp_path)[1].config.mean == IMAGENET_MEAN_STD[0]


def test_a_preprocessor_states_the_scale_of_images(tmp_path: Path) -> None:
    randomized(transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SHAPE))).save_pretrained(tmp_path)
    record = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(record))
    report = load_checkpoint(tmp_path)[1]
    assert (report.config.mean, report.config.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert report.sources["mean"] == "stated in the file: preprocessor_config.json"
    assert not any("mean" in note for note in report.notes)


def test_one_channel_and_another_size_of_vit_mae(tmp_path: Path) -> None:
    options = {**SHAPE, "num_channels": 1, "mask_ratio": 0.0}
    model = randomized(transformers.ViTMAEModel(transformers.ViTMAEConfig(**options)))
    with torch.no_grad():  # MAE's fixed table, which transformers interpolates as any other
        model.embeddings.position_embeddings.copy_(sincos_positions(48, 4, 4))
    model.save_pretrained(tmp_path)
    for size in (32, 48):
        encoder, report = load_checkpoint(tmp_path, image_size=size)
        assert (report.config.mean, report.config.std) == ((0.5,), (0.5,))
        assert any(
            note.startswith("the file does not state mean and std: (0.5) and (0.5) assumed") for note in report.notes
        )
        images = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(2))
        noise = torch.arange((size // 8) ** 2).float().expand(2, -1)  # keeps the order of the patches
        with torch.no_grad():
            theirs = model(pixel_values=2 * images - 1, noise=noise, interpolate_pos_encoding=True).last_hidden_state
            torch.testing.assert_close(encoder(images), theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))


def test_rectangular_images_and_patches_of_a_configuration(tmp_path: Path) -> None:
    options = {**SHAPE, "image_size": (16, 64), "patch_size": (8, 16)}
    model = randomized(transformers.ViTModel(transformers.ViTConfig(**options)))
    model.save_pretrained(tmp_path)
    encoder, report = load_checkpoint(tmp_path)
    images = torch.rand(2, 3, 16, 64)
    with torch.no_grad():
        theirs = model(pixel_values=2 * images - 1).last_hidden_state
        torch.testing.assert_close(encoder(images), theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))
    assert (report.config.image_size, report.config.patch, report.config.grid) == ((16, 64), (8, 16), (2, 4))


def test_a_wrapped_model_of_timm(tmp_path: Path) -> None:
    arguments = {"img_size": 32, "depth": 2}
    config = transformers.TimmWrapperConfig(architecture="vit_tiny_patch16_224", model_args=arguments, num_classes=0)
    model = randomized(transformers.TimmWrapperModel(config))
    model.save_pretrained(tmp_path)
    encoder, report = load_checkpoint(tmp_path)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (report.config.mean, report.config.std))
    with torch.no_grad():
        theirs = model(pixel_values=(IMAGES - mean) / std).last_hidden_state
        torch.testing.assert_close(encoder(IMAGES), theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))
    assert (report.config.heads, report.config.image_size) == (3, 32)
    assert not report.sources["heads"].startswith("assumed")


def test_overlapping_patches_of_spectrograms_are_refused(tmp_path: Path) -> None:
    options = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 96}
    transformers.ASTModel(transformers.ASTConfig(**options, max_length=64)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="patches of a spectrogram overlap"):
        load_checkpoint(tmp_path, image_size=(192, 96))
