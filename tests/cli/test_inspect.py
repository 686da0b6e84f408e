"""`maetheory inspect`: text and JSON document; `maetheory probe` on a foreign checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    torch.manual_seed(0)
    state = Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()
    torch.save({"model": state, "epoch": 4}, tmp_path / "mae.pth")
    return str(tmp_path / "mae.pth")


def test_inspect_as_text_and_as_a_document(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["inspect", checkpoint, "--heads", "3"]) == 0
    text = capsys.readouterr().out
    for line in ("written by", "heads            3 (argument)", "trained with       epoch 4", "cannot reconstruct"):
        assert line in text
    assert (
        run_command(["inspect", checkpoint, "--heads", "3", "--image-size", "16", "--weights", "model", "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["config"]["image_size"] == 16
    assert document["sources"]["heads"] == "argument"
    assert len(document["sha256"]) == 64


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "pass heads= (--heads)"),
        (["--heads", "0"], "--heads"),
        (["--heads", "5"], "must divide 24, but it is 5"),
        (["--dialect", "latin"], "there is no dialect 'latin'"),
        (["--heads", "3", "--weights", "ema"], "no weights 'ema'"),
        (["--heads", "3", "--image-size", "9"], "2 does not divide 9"),
    ],
)
def test_what_is_missing_is_named(
    words: list[str], sentence: str, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["inspect", checkpoint, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_probe_takes_any_checkpoint(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["probe", checkpoint, "--heads", "3", "--readout", "mean", "--limit", "100", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accuracy"] > 0.3  # chance is 0.1
    assert document["checkpoint"] == checkpoint
