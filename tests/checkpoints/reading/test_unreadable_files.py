"""A file that is no checkpoint is refused with one sentence that says what it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from reading_checks import refusal_message
from torch import nn

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents

WRONG = {
    "the file is empty": b"",
    "damaged, or no checkpoint": b"hello, this is a text\n" * 3,
    "web page": b"\n<!DOCTYPE html><html><body>404</body></html>",
    "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n",
    "data.pkl of a torch file": b"PK\x05\x06" + b"\0" * 18,
    "an HDF5 file, not a checkpoint": b"\x89HDF\r\n\x1a\n" + b"\0" * 40,
    "a PNG image, not a checkpoint": b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    "packed with gzip, not a checkpoint; unpack it first": b"\x1f\x8b\x08" + b"\0" * 40,
    "its end is missing or damaged; the download was cut short": b"PK\x03\x04" + b"\0" * 40,
    "cut short: its header is longer than the file": (10**6).to_bytes(8, "little") + b'{"a"',
}


@pytest.mark.parametrize("words", WRONG)
def test_other_files_are_refused_with_one_sentence(words: str, tmp_path: Path) -> None:
    content = WRONG[words]
    if content.startswith(b"PK\x05"):
        np.savez(tmp_path / "a.npz", a=np.ones(2))
        content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.pt").write_bytes(content)
    assert words in refusal_message(tmp_path / "a.pt")


def test_missing_and_special_files_are_refused_with_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not an ordinary file" in refusal_message(tmp_path / "pipe")
    assert "not an ordinary file" in refusal_message(Path("/dev/zero"))
    assert "there is no file nowhere.pt" in refusal_message(tmp_path / "nowhere.pt")
    assert "cannot be read" in refusal_message(tmp_path / "x" / "\0")
    (tmp_path / "empty").mkdir()
    assert "the folder holds no checkpoint" in refusal_message(tmp_path / "empty")
    for name in ("a.pt", "b.pt"):
        torch.save({}, tmp_path / name)
    assert "several checkpoints (a.pt, b.pt); name one" in refusal_message(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "config.json is not JSON" in refusal_message(tmp_path / "a.pt")


def test_a_missing_file_and_the_folder_of_an_experiment_lead_to_the_models_that_are_there(tmp_path: Path) -> None:
    for name in ("mae-seed0", "u-mae-seed0"):
        step = tmp_path / "runs" / name / "step-00000010"
        step.mkdir(parents=True)
        (step / "state.json").write_text("{}")
    assert refusal_message(tmp_path / "mae-seed0").endswith(f"; did you mean {str(tmp_path / 'runs' / 'mae-seed0')!r}?")
    message = refusal_message(tmp_path)
    assert "2 folders with a checkpoint each (runs/mae-seed0, runs/u-mae-seed0); name one" in message
    assert "(mae-seed0, u-mae-seed0); name one" in refusal_message(tmp_path / "runs")
    (tmp_path / "vit_base.pt").write_bytes(b"")
    assert refusal_message(tmp_path / "vit_bsae.pt").endswith(f"; did you mean {str(tmp_path / 'vit_base.pt')!r}?")
    assert refusal_message(tmp_path / "clip.pt").endswith("there is no file clip.pt")


def test_only_files_and_folders_are_suggested_and_a_link_to_nothing_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "vit_large.pt").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "vit_larga.pt")
    (tmp_path / "vit_larg\n.pt").write_bytes(b"")
    assert refusal_message(tmp_path / "vit_large.pt").endswith("vit_large.pt is a link to a file that is not there")
    assert refusal_message(tmp_path / "vit_larg.pt").endswith("there is no file vit_larg.pt")
    looped = tmp_path / "looped"
    looped.mkdir()
    (looped / "runs").symlink_to(looped / "runs")
    assert "the folder holds no checkpoint" in refusal_message(looped)


def test_a_program_is_not_weights(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    assert "TorchScript" in refusal_message(tmp_path / "a.pt")


def test_only_dense_tensors(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, 2).to_sparse()}, tmp_path / "a.pt")
    assert "only dense tensors" in refusal_message(tmp_path / "a.pt")
    torch.save({"a": torch.ones(2, device="meta")}, tmp_path / "b.pt")
    assert "only dense tensors" in refusal_message(tmp_path / "b.pt")


def test_max_bytes_limits_the_tensors(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1000)}, tmp_path / "a.pt")
    assert isinstance(read_checkpoint(tmp_path / "a.pt", max_bytes=8000), CheckpointContents)
    assert "its size allows" in refusal_message(tmp_path / "a.pt", max_bytes=3000)
