"""`inspect`, `collapse` and `probe` take what a file does not state: mean, std, ε, heads and activation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command

GIVEN = ["--heads", "3", "--mean", "0.4,0.5,0.6", "--std", "0.2", "--eps", "1e-5", "--activation", "quick-gelu"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    torch.manual_seed(0)
    torch.save(Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict(), tmp_path / "vit.pth")
    return str(tmp_path / "vit.pth")


def test_inspect_reports_what_is_given_and_what_is_assumed(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["inspect", checkpoint, "--json", *GIVEN]) == 0
    document = json.loads(capsys.readouterr().out)
    config, sources = document["config"], document["sources"]
    assert (config["mean"], config["std"]) == ([0.4, 0.5, 0.6], [0.2, 0.2, 0.2])
    assert (config["heads"], config["eps"], config["activation"]) == (3, 1e-5, "quick-gelu")
    assert {sources[name] for name in ("mean", "std", "heads", "eps", "activation")} == {"argument"}
    assert not any("the file does not state mean" in note or "activation" in note for note in document["notes"])
    assert run_command(["inspect", checkpoint, "--heads", "3", "--mean", "0.5"]) == 0
    text = capsys.readouterr().out
    assert "mean             0.5, 0.5, 0.5 (argument)" in text
    assert "std              0.229, 0.224, 0.225 (assumed: " in text
    assert "the file does not state std: " in text


COLLAPSE = ["collapse", "--limit", "30", "--initialisations", "1"]


@pytest.mark.parametrize(
    "words", [["probe", "--limit", "60", "--mode", "knn"], pytest.param(COLLAPSE, marks=pytest.mark.slow)]
)
def test_collapse_and_probe_use_what_is_given(
    words: list[str], checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = []
    for options in (["--heads", "3"], GIVEN):
        assert run_command([*words, checkpoint, "--data", "digits", "--readout", "mean", "--json", *options]) == 0
        documents.append(capsys.readouterr().out)
    assumed, given = documents
    assert "the file does not state mean and std: (0.485, 0.456, 0.406)" in assumed
    assert "the file does not state LayerNorm's eps and the activation" in assumed
    assert "the file does not state mean" not in given
    assert "the file does not state LayerNorm" not in given


@pytest.mark.parametrize("command", ["inspect", "collapse", "probe"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mean", "grey"], "one number, or one a channel separated by commas, but it is 'grey'"),
        (["--mean", "0.1,0.2"], "one value for each of 3 channels"),
        (["--std", "0"], "std must be positive numbers"),
        (["--eps", "3"], "eps must be a number between 0 and 1"),
        (["--activation", "relu"], "activation must be one of gelu, gelu-tanh, quick-gelu, swiglu"),
    ],
)
def test_impossible_values_are_refused(
    command: str, words: list[str], sentence: str, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [] if command == "inspect" else ["--data", "digits", "--limit", "30"]
    assert run_command([command, checkpoint, "--heads", "3", *data, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
