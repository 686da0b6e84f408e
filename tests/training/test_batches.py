"""Training on a streamed folder equals training on the same images in memory, and resumes exactly."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maetheory.core import InputError
from maetheory.data import FolderStream, ImageSet, load_or_stream
from maetheory.data.folder import load_image_folder
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, TrainStep, load_run, train

MODEL = MAEConfig(ViTConfig(8, 2, 3, width=16, depth=1, heads=2), decoder_width=16, decoder_depth=1, decoder_heads=2)
CONFIG = TrainConfig(MODEL, epochs=3, batch=8, base_lr=4e-2, warmup_epochs=0, accumulate=2, log_every=1)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Two classes of ten JPEGs of 12x16 noise."""
    for i in range(20):
        folder = tmp_path / "noise" / "train" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.jpg")
    return tmp_path / "noise"


def same_weights(a: Path, b: Path) -> bool:
    one, two = (load_run(path)[0].state_dict() for path in (a, b))
    return all(torch.equal(one[name], two[name]) for name in one)


def test_streamed_central_crops_give_the_in_memory_run(noise: Path, tmp_path: Path) -> None:
    train(CONFIG, load_image_folder(noise, size=8), out=tmp_path / "in-memory")
    train(CONFIG, FolderStream(noise, size=8, workers=0), out=tmp_path / "streamed")
    assert same_weights(tmp_path / "in-memory", tmp_path / "streamed")


@pytest.mark.filterwarnings("ignore::maetheory.data.image_files.SkippedFilesWarning")
def test_resumed_within_an_epoch_is_uninterrupted(noise: Path, tmp_path: Path) -> None:
    (noise / "train" / "a" / "00.jpg").write_bytes(b"no picture")
    stream = FolderStream(noise, size=8, train=True, workers=0)
    train(CONFIG, stream, out=tmp_path / "whole")

    def stop(train_step: TrainStep) -> None:
        if train_step.step == 3:  # of two steps an epoch
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, replace(stream, workers=1), out=tmp_path / "cut", callbacks=[stop])
    train(CONFIG, replace(stream, workers=0), out=tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_readable_is_refused(noise: Path, tmp_path: Path, workers: int) -> None:
    for file in noise.glob("train/*/*.jpg"):
        file.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"^hardly any file"):
        train(CONFIG, FolderStream(noise, size=8, workers=workers), out=tmp_path / "run")


def test_size_decides(noise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(load_or_stream(noise, 8), ImageSet)
    assert isinstance(load_or_stream(noise, 8, stream=True), FolderStream)
    monkeypatch.setattr("maetheory.data.sources.MAX_IN_MEMORY_BYTES", 3 * 8 * 8 * 20 - 1)
    assert isinstance(load_or_stream(noise, 8), FolderStream)
    assert isinstance(load_or_stream(noise, 8, limit=19), ImageSet)
    with pytest.raises(InputError, match="can be streamed"):
        load_or_stream("digits", 8, stream=True)
