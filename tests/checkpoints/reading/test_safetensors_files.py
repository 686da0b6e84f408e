"""Tensors in safetensors files at paths that are no UTF-8, and the operating system's own errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from maetheory.checkpoints import load_checkpoint
from maetheory.checkpoints.convert import convert_checkpoint
from maetheory.checkpoints.reading.safetensors_files import load_tensors, save_tensors
from maetheory.checkpoints.reading.safetensors_metadata import read_safetensors_metadata
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, load_run, train

NOT_UTF8 = os.fsdecode(b"a\xff")  # legal on Linux
CONFIG = TrainConfig(
    MAEConfig(ViTConfig(8, 2, 1, width=16, depth=1, heads=2), 16, 1, 2), epochs=1, batch=8, warmup_epochs=0
)
IMAGES = ImageSet(np.zeros((8, 1, 8, 8), np.uint8), np.zeros(8, int), "black")
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not name open descriptors")


@pytest.mark.parametrize("folder", ["plain", NOT_UTF8])
def test_tensors_and_texts_come_back_from_any_folder(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "w.safetensors"
    path.parent.mkdir()
    save_tensors({"a": torch.arange(3.0)}, path, {"heads": "3"})
    assert list(path.parent.iterdir()) == [path]
    for name in ("b.safetensors", f"{NOT_UTF8}.safetensors"):
        path = path.rename(path.with_name(name))
        assert load_tensors(path)["a"].tolist() == [0, 1, 2]
        assert read_safetensors_metadata(path) == {"heads": 3}


@pytest.mark.parametrize(
    ("words", "number"), [("I/O error: No space left on device (os error 28)", 28), ("no words", errno.EIO)]
)
def test_a_failed_write_is_the_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, number: int
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError(words)

    monkeypatch.setattr("maetheory.checkpoints.reading.safetensors_files.save_file", full)
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        save_tensors({}, tmp_path / "w.safetensors")
    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path / "w.safetensors"))


def test_a_run_in_a_folder_that_is_no_utf8_is_trained_resumed_loaded_and_converted(tmp_path: Path) -> None:
    out = tmp_path / NOT_UTF8 / "run"
    train(CONFIG, IMAGES, out=out)
    assert load_run(out)[2] == 1
    train(CONFIG, IMAGES, out=out, resume=True)
    weights = load_checkpoint(out)[0].state_dict()
    for name in ("t.safetensors", f"{NOT_UTF8}.safetensors"):
        again = load_checkpoint(convert_checkpoint(out, tmp_path / name, force=True).weights)[0].state_dict()
        assert all(torch.equal(again[key], weights[key]) for key in ("blocks.0.mlp.fc1.weight", "cls_token"))


def test_a_full_disk_under_a_converted_checkpoint_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(CONFIG, IMAGES, out=tmp_path / "run")

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("maetheory.checkpoints.reading.safetensors_files.save_file", full)
    with pytest.raises(InputError, match=r"t\.safetensors cannot be written: No space left on device$"):
        convert_checkpoint(tmp_path / "run", tmp_path / "t.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
