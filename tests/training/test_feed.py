"""Images from a folder train like images in memory: by (seed, step) alone, whoever decodes and wherever it stopped."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maetheory.cli import run
from maetheory.core import InputError
from maetheory.data import FolderStream, ImageSet, load_images, training_images
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.feed import feed, n_images
from maetheory.training.logbook import read_log

MODEL = MAEConfig(ViTConfig(8, 2, 3, width=16, depth=1, heads=2), 16, 1, 2)
CONFIG = TrainConfig(MODEL, epochs=2, batch=8, base_lr=4e-3, warmup_epochs=0, log_every=1, uniformity_weight=0.1)
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 13 small pictures."""
    rng = np.random.default_rng(0)
    for i in range(26):
        place = tmp_path / "pictures" / "train" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8)).save(place / f"{i}.jpg")
    return tmp_path / "pictures"


def weights(out: Path) -> list[torch.Tensor]:
    return list(load_run(out)[0].state_dict().values())


def test_an_image_folder_streams_and_the_rest_is_held(folder: Path) -> None:
    assert isinstance(training_images(folder), FolderStream)
    assert n_images(training_images(folder, limit=10)) == 10
    assert isinstance(training_images("digits", limit=10), ImageSet)


def test_who_decodes_does_not_matter(folder: Path) -> None:
    one, two = (feed(FolderStream(folder, workers=workers), CONFIG, 8, CPU) for workers in (0, 2))
    for position in range(3):
        batch = one.batch(1, position)
        assert torch.equal(batch, two.batch(1, position))
        assert batch.shape == (8, 3, 8, 8)
    assert not torch.equal(one.batch(0, 0), one.batch(1, 0))
    two.close()


@pytest.mark.parametrize("streamed", [True, False])
def test_the_shares_of_two_processes_are_the_batch_of_one(folder: Path, streamed: bool) -> None:
    images = FolderStream(folder, workers=0) if streamed else load_images("digits", limit=24)
    channels = 3 if streamed else 1
    config = replace(CONFIG, model=replace(MODEL, encoder=replace(MODEL.encoder, channels=channels)))
    whole = feed(images, config, 8, CPU).batch(0, 1)
    for rank in (0, 1):
        assert torch.equal(feed(images, config, 8, CPU, rank, 2).batch(0, 1), whole[rank::2])


def test_resumed_in_the_middle_of_an_epoch_is_uninterrupted(folder: Path, tmp_path: Path) -> None:
    images = FolderStream(folder, workers=0)

    def stop(seen: TrainStep) -> None:
        if seen.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    train(CONFIG, images, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="stopped after step 2 of 6"):
        train(CONFIG, images, out=tmp_path / "cut", callbacks=[stop])
    train(CONFIG, images, out=tmp_path / "cut", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights(tmp_path / "whole"), weights(tmp_path / "cut"), strict=True))
    logs = [read_log(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_damaged_file_is_replaced_within_its_batch_and_named(folder: Path) -> None:
    (folder / "train" / "a" / "0.jpg").write_bytes(b"no picture")
    source = feed(FolderStream(folder, workers=0), CONFIG, 8, CPU)
    with pytest.warns(UserWarning, match=r"0\.jpg"):
        batches = [source.batch(0, position) for position in range(3)] + [source.batch(1, p) for p in range(3)]
    assert all(batch.shape == (8, 3, 8, 8) for batch in batches)
    sets = [len({image.numpy().tobytes() for image in batch}) for batch in batches]
    assert min(sets) == 7
    assert max(sets) == 8


def test_a_batch_without_a_picture_is_an_error(folder: Path) -> None:
    for file in folder.glob("train/*/*.jpg"):
        file.write_bytes(b"no picture")
    with pytest.raises(InputError, match="no file of batch 0 of epoch 0 can be decoded"):
        feed(FolderStream(folder, workers=0), CONFIG, 8, CPU).batch(0, 0)


def test_gray_models_do_not_take_colour_folders(folder: Path) -> None:
    gray = replace(CONFIG, model=replace(MODEL, encoder=replace(MODEL.encoder, channels=1)))
    with pytest.raises(InputError, match="takes 1 channels"):
        feed(FolderStream(folder), gray, 8, CPU)


def test_real_pictures_train_from_the_command_line(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", str(real_data / "tin20"), "--preset", "cifar10-small", "--out", str(tmp_path / "run"),
             "--epochs", "1", "--batch", "32", "--limit", "64", "--warmup-epochs", "0"]  # fmt: skip
    assert run(words) == 0
    assert "after 2 steps" in capsys.readouterr().out
