"""`maetheory probe`: the result of every mode, and refusal of options that a mode does not have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from maetheory.cli import run_command
from maetheory.models import MAE, MAEConfig, ViTConfig


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = str(tmp_path_factory.mktemp("runs") / "mae")
    words = ["--epochs", "1", "--batch", "64", "--limit", "128", "--warmup-epochs", "0"]
    assert run_command(["train", "--out", out, *words]) == 0
    return out


def test_every_mode_reports_its_accuracy(trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    words = {"linear": "L-BFGS", "knn": "nearest neighbours", "sgd": "SGD", "lars": "LARS", "finetune": "fine-tuned"}
    for mode, word in words.items():
        steps = (
            ["--epochs", "1", "--batch", "50", "--base-lr", "0.001", "--seed", "3"]
            if mode not in ("linear", "knn")
            else []
        )
        out = tmp_path / mode
        assert (
            run_command(["probe", trained, "--mode", mode, "--limit", "100", "--out", str(out), "--json", *steps]) == 0
        )
        document = json.loads(capsys.readouterr().out)
        assert word in document["recipe"]
        assert document["mode"] == mode
        assert document["readout"] == ("mean" if mode == "finetune" else "cls")
        assert json.loads((out / "probe.json").read_text()) == document
        assert ("batch 50, base lr 0.001" in document["recipe"]) == bool(steps)
    again = [
        "probe",
        trained,
        "--mode",
        "finetune",
        "--limit",
        "100",
        "--out",
        str(tmp_path / "finetune"),
        "--json",
        "--epochs",
        "1",
        "--batch",
        "50",
        "--base-lr",
        "0.001",
        "--seed",
        "3",
    ]
    assert run_command(again) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert run_command([*again, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert run_command(["probe", document["run"], "--limit", "50", "--readout", "mean"]) == 0


def test_notes_report_assumptions_and_resized_images(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Notes say that the number of heads is a guess and that small images were enlarged."""
    encoder = MAE(MAEConfig(ViTConfig(16, 4, 3, 192, 1, 3), 32, 1, 2))
    torch.save(encoder.state_dict(), tmp_path / "mae.pth")
    capsys.readouterr()
    assert run_command(["probe", str(tmp_path / "mae.pth"), "--mode", "knn", "--limit", "60"]) == 0
    first, *notes = capsys.readouterr().out.splitlines()
    assert first.startswith("accuracy")
    assert any("images of 8 x 8 were resized to 16 x 16 and their one channel was repeated 3 times" in n for n in notes)
    assert all(note.startswith("note: ") for note in notes)
    assert run_command(["probe", trained, "--mode", "knn", "--limit", "60", "--heads", "2", "--json"]) == 0
    assert any("2 heads as asked for, though by" in note for note in json.loads(capsys.readouterr().out)["notes"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mode", "svm"], "the mode must be one of linear, knn, sgd, lars, finetune, but it is 'svm'"),
        (["--mode", "linear", "--epochs", "3"], "the mode 'linear' has no --epochs"),
        (["--mode", "sgd", "--trust", "1"], "the mode 'sgd' has no --trust"),
        (["--mode", "lars", "--layer-decay", "1"], "the mode 'lars' has no --layer-decay"),
        (["--mode", "knn", "--resume"], "only finetune can be resumed"),
        (["--mode", "sgd", "--base-lr", "0"], "base_lr must be positive"),
        (["--mode", "finetune", "--readout", "max"], "a probe reads 'cls' or 'mean', but the readout is 'max'"),
    ],
)
def test_options_that_a_mode_does_not_have_are_refused(
    trained: str,
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert run_command(["probe", trained, *words]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""
    assert not list(tmp_path.iterdir())
