"""A converted checkpoint is one that timm itself builds from config.json, with the same features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from maetheory.checkpoints import Encoder, EncoderConfig, load_checkpoint
from maetheory.checkpoints.convert import convert_checkpoint
from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.checkpoints.timm_format import to_timm
from maetheory.cli import run_command
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from mae_peers import randomized
from parity import close, standardized

PLAIN = EncoderConfig(16, 4, 3, 48, 2, 3, 48, 100)
TABLE = {"positions": "table", "position_prefix": 1}
NONE = {"positions": "none", "position_prefix": 0}
CONFIGS: dict[str, EncoderConfig] = {
    "plain": PLAIN,
    "rectangles": replace(PLAIN, image_size=(16, 24), patch=(4, 8)),
    "CLIP": replace(PLAIN, eps=1e-5, activation="quick-gelu", norm_pre=True, norm="pooled"),
    "no cls": replace(PLAIN, cls=False, position_prefix=0, norm="pooled", layer_scale=True, qkv_bias=False),
    "registers with positions of cls": replace(PLAIN, registers=3, qk_norm=True, layer_scale=True),
    "all tokens have positions": replace(PLAIN, registers=1, position_prefix=2, norm="none"),
    "sub-layer norms": replace(PLAIN, attention_norm=True, mlp_norm=True, eps=1e-5, norm="pooled"),
    "no positions": replace(PLAIN, **NONE, activation="gelu-tanh"),
    "relative": replace(PLAIN, positions="relative", position_prefix=0),
    "shared relative": replace(PLAIN, positions="shared relative", position_prefix=0, layer_scale=True, norm="pooled"),
    "EVA-02": replace(PLAIN, activation="swiglu", rotary=RotaryPositions("axial", reference_grid=(8, 8))),
    "EVA-02 with norms": replace(
        PLAIN, activation="swiglu", mlp_norm=True, attention_norm=True, rotary=RotaryPositions("axial"), norm="pooled"
    ),
    "DINOv3": replace(
        PLAIN,
        image_size=(16, 32),
        registers=4,
        layer_scale=True,
        eps=1e-5,
        rotary=RotaryPositions("normalized", 100.0, split_halves=True),
        **NONE,
    ),
    "RoPE-ViT mixed": replace(
        PLAIN, layer_scale=True, position_prefix=0, rotary=RotaryPositions("mixed", 10.0, column_first=True)
    ),
    "post-norm": replace(PLAIN, block="post-norm"),
    "SwiGLU": replace(PLAIN, activation="swiglu", registers=2, layer_scale=True),
    "eps of Hugging Face": replace(PLAIN, eps=1e-12),
}


def saved(config: EncoderConfig, folder: Path) -> tuple[Encoder, Path]:
    """Return an encoder with random parameters, and the folder of a checkpoint that states all of its configuration."""
    encoder = randomized(Encoder(config)).eval()
    torch.save({"model": encoder.state_dict()}, folder / "source.pth")
    return encoder, folder / "source.pth"


@pytest.mark.parametrize("kind", CONFIGS)
def test_timm_computes_the_same_features(kind: str, tmp_path: Path) -> None:
    config = CONFIGS[kind]
    encoder = randomized(Encoder(config)).eval()
    model = to_timm(encoder)
    arguments = json.loads(json.dumps(model.arguments))
    theirs = timm.create_model(model.architecture, pretrained=False, **arguments).eval()
    theirs.load_state_dict(model.tensors)
    images = torch.rand(2, 3, *config.image_shape)
    with torch.no_grad():
        ours = encoder(images)
        close(theirs.forward_features(standardized(images, (config.mean, config.std))), ours)


@pytest.mark.parametrize("kind", ["EVA-02 with norms", "rectangles", "eps of Hugging Face", "relative"])
def test_a_converted_folder_is_loaded_by_timm_and_by_us(kind: str, tmp_path: Path) -> None:
    """config.json states everything: timm's loader and ours need no option."""
    config = replace(CONFIGS[kind], mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    encoder = randomized(Encoder(config)).eval()
    torch.save({"model": encoder.state_dict()}, tmp_path / "source.pth")
    options: dict[str, Any] = {
        "mean": config.mean,
        "std": config.std,
        "eps": config.eps,
        "image_size": config.image_size,
    }
    if "EVA" in kind:
        options |= {"dialect": "EVA-02"}
    if "relative" not in kind:
        options |= {"heads": 3}
    # The code base that a bare file is read as assumes positions scaled to 16 x 16; so does the source here.
    if config.rotary is not None:
        config = replace(config, rotary=RotaryPositions("axial", reference_grid=(16, 16)))
        state = encoder.state_dict()
        encoder = Encoder(config).eval()
        encoder.load_state_dict(state)
        names = {"attn.qkv.weight": "qkv", "attn.qkv.bias": "qkv"}
        separate = {}
        for name, value in state.items():
            if name.endswith(tuple(names)):
                kind_of = name.rsplit(".", 1)[1]
                for letter, part in zip("qkv", value.chunk(3)):
                    separate[name.replace(f"qkv.{kind_of}", f"{letter}_proj.{kind_of}")] = part
            else:
                separate[name] = value
        torch.save(separate, tmp_path / "source.pth")
    out = tmp_path / "converted" / "model.safetensors"
    convert_checkpoint(tmp_path / "source.pth", out, **options)
    images = torch.rand(2, 3, *config.image_shape)
    theirs = timm.create_model(f"local-dir:{out.parent}", pretrained=True).eval()
    loaded, report = load_checkpoint(out.parent)
    with torch.no_grad():
        wanted = encoder(images)
        close(theirs.forward_features(standardized(images, (config.mean, config.std))), wanted)
        close(loaded(images), wanted)
    assert theirs.pretrained_cfg["mean"] == list(config.mean) or theirs.pretrained_cfg["mean"] == config.mean
    assert report.config.image_size == config.image_size
    assert not any("assumed" in note for note in report.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block": "parallel"}, "attention and MLP side by side"),
        ({"patch_norm": True}, "norms before and after the patch embedding"),
        ({"norm_kind": "rms"}, "RMS norms"),
        ({"inner": 96}, "96 features of attention for 48"),
        ({"eps": 0.1}, r"no place for LayerNorm's eps 0\.1"),
        ({"rotary": RotaryPositions("axial"), "activation": "quick-gelu"}, "quick-gelu in a network with rotary"),
    ],
)
def test_what_timm_cannot_compute_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        to_timm(randomized(Encoder(replace(PLAIN, **changes))).eval())


def test_files_are_written_whole_and_never_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source = saved(PLAIN, tmp_path)
    out = tmp_path / "out" / "vit.safetensors"
    command = ["convert", str(source), str(out), "--heads", "3"]
    assert run_command([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["architecture"], document["weights"]) == ("vit_base_patch16_224", str(out))
    assert any("the file does not state mean and std" in note for note in document["notes"])
    assert run_command(command) == 2
    assert "exist: pass force=True (--force)" in capsys.readouterr().err
    assert run_command([*command, "--force"]) == 0
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    assert sorted(path.name for path in before) == ["config.json", "vit.safetensors"]
    with monkeypatch.context() as patch:
        patch.setattr("maetheory.checkpoints.convert.save_tensors", _disk_full)
        with pytest.raises(InputError, match="No space left"):
            convert_checkpoint(source, out, force=True, heads=3)
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        convert_checkpoint(source, tmp_path / "a.pth", heads=3)


def _disk_full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_the_config_of_converted_weights_is_not_believed_of_others(tmp_path: Path) -> None:
    """config.json holds the hash of its weights: it follows them under another name, and says nothing of other ones."""
    _, source = saved(PLAIN, tmp_path)
    out = tmp_path / "out" / "vit.safetensors"
    convert_checkpoint(source, out, heads=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), eps=1e-5)
    renamed = out.with_name("model.safetensors")
    renamed.write_bytes(out.read_bytes())
    for path in (out, renamed):
        described, report = load_checkpoint(path)
        assert (described.config.mean, described.config.eps) == ((0.1, 0.2, 0.3), 1e-5)
        assert not any("not used" in note for note in report.notes)
    save_file({name: value + 1 for name, value in load_file(out).items()}, out)
    other, report = load_checkpoint(out, heads=3)
    assert other.config.mean != (0.1, 0.2, 0.3)
    assert "config.json beside it describes other weights, so it was not used" in report.notes
