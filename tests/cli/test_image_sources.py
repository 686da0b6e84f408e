"""`maetheory collapse --data`: folders of any layout, at the encoder's size and channels, with skipped files named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command

N_IMAGES = 8
SHADES = np.random.default_rng(0).random((N_IMAGES, 5, 5)).repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An encoder of 16 x 16 images of three channels."""
    return _save(tmp_path / "mae.pth", 3)


def _save(path: Path, channels: int) -> Path:
    torch.manual_seed(0)
    config = EncoderConfig(16, 8, channels, 24, 1, 3, 24, 48, mean=(0.5,) * channels, std=(0.5,) * channels)
    torch.save({"model": Encoder(config).state_dict()}, path)
    return path


def _put(folder: Path, levels: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(levels):
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder


def _collapse(capsys: pytest.CaptureFixture[str], checkpoint: Path, data: Path) -> tuple[dict[str, Any], str]:
    """Return the document of one checkpoint, with the values of the records, and standard error."""
    arguments = ["collapse", str(checkpoint), "--heads", "3", "--data", str(data), "--twins", "1", "--json"]
    capsys.readouterr()
    assert run_command(arguments) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    values = {(row["metric"], row["convention"], row["readout"]): row["value"] for row in document["records"]}
    return {**document["checkpoints"][0], "dataset": document["dataset"], "values": values}, captured.err


def _answers(one: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(finding["readout"], finding["question"], str(finding["answer"])) for finding in one["reading"]]


def test_twelve_bits_give_the_verdict_of_eight(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eight, _ = _collapse(capsys, checkpoint, _put(tmp_path / "d8", (SHADES * 255).astype(np.uint8)))
    twelve, _ = _collapse(capsys, checkpoint, _put(tmp_path / "d12", (SHADES * 4095).astype(np.uint16)))
    assert _answers(eight) == _answers(twelve)
    key = next(found for found in eight["values"] if found[0] == "effective_rank" and found[2] == "mean")
    assert twelve["values"][key] == pytest.approx(eight["values"][key], rel=0.02)
    assert any("0 to 4095 was scaled to 0 to 255" in note for note in twelve["notes"])
    assert not any("scaled" in note for note in eight["notes"])


@pytest.mark.filterwarnings("default::maetheory.data.image_files.SkippedFilesWarning")
def test_skipped_files_are_one_line_and_named_in_the_report(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _put(tmp_path / "data", (SHADES * 255).astype(np.uint8))
    os.mkfifo(data / "f.jpg")
    (data / "empty.png").write_bytes(b"")
    Image.new("L", (100_000, 1)).save(data / "strip.png")
    one, error = _collapse(capsys, checkpoint, data)
    assert one["skipped"] == ["empty.png", "f.jpg", "strip.png"]
    assert any("3 files cannot be decoded and were left out: empty.png, f.jpg, strip.png" in n for n in one["notes"])
    (line,) = [line for line in error.splitlines() if "files under" in line]
    assert line.startswith("maetheory: warning: 3 of 11 files under")
    assert error.count("strip.png") <= 1
    assert ".py:" not in error


def test_a_gray_encoder_measures_gray_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = _collapse(capsys, _save(tmp_path / "gray.pth", 1), _put(tmp_path / "g", (SHADES * 255).astype(np.uint8)))
    assert one["values"]
    assert not any("repeated" in note for note in one["notes"])


def test_images_of_several_sizes_are_decoded_at_the_encoders_size(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _put(tmp_path / "train", (SHADES * 255).astype(np.uint8))
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(data / "other.png")
    one, _ = _collapse(capsys, checkpoint, data)
    assert one["dataset"] == "train"
    notes = "\n".join(one["notes"])
    assert "9 of 9 images were resized and cropped to their central 16 x 16 pixels" in notes
    assert "224 x 224" not in notes
    assert "no train/, val/ or test/; all images in it were read" in notes


@pytest.mark.filterwarnings("default::UserWarning")
def test_other_commands_say_at_the_end_how_images_were_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = (SHADES[:, ::10, ::10] * 1023).astype(np.uint16)
    data = _put(tmp_path / "a", levels[:4]).parent
    _put(tmp_path / "b", levels[4:])
    capsys.readouterr()
    command = ["graph", "--kind", "exact", "--data", str(data), "--patch", "1", "--codes", "2", "--k", "1", "--json"]
    assert run_command(command) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    notes = captured.err.splitlines()[-2:]
    assert all(line.startswith("maetheory: warning: ") for line in notes)
    assert "no train/, val/ or test/; all images in it were read" in notes[0]
    assert "0 to 1023 was scaled to 0 to 255" in notes[1]
