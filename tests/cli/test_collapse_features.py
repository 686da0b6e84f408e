"""`maetheory collapse` of files of features, and of checkpoints for which no images are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command
from maetheory.metrics import effective_rank

Z = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)


def test_a_file_of_features_is_measured_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "z.npz", train=Z, test=Z[:30])
    assert run_command(["collapse", str(tmp_path / "z.npz")]) == 2
    assert "--array NAME" in capsys.readouterr().err
    out = tmp_path / "out"
    command = ["collapse", str(tmp_path / "z.npz"), "--array", "train", "--json", "--out", str(out)]
    assert run_command(command) == 0
    document = json.loads(capsys.readouterr().out)
    (one,) = document["checkpoints"]
    assert (one["load"]["array"], one["load"]["shape"]) == ("train", [40, 5])
    assert "there is no initialisation to compare with" in " ".join(one["notes"])
    row = next(row for row in document["records"] if row["metric"] == "effective_rank")
    assert row["value"] == pytest.approx(effective_rank(Z.astype(np.float64)), rel=1e-6)
    assert (row["readout"], row["random_init"]) == ("features", None)
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--layer", "all"], "holds features without their network: layers and final norm cannot"),
        (["--readout", "cls"], "leave them out"),
        (["--readout", "cls", "--readout", "mean"], "choose one readout for its tokens, not 2"),
        (["--array", "b"], "no array 'b'"),
    ],
)
def test_options_that_features_do_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    np.savez(tmp_path / "z.npz", a=Z)
    assert run_command(["collapse", str(tmp_path / "z.npz"), *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("side", [8, 16])
def test_only_encoders_of_eight_pixels_have_default_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], side: int
) -> None:
    torch.manual_seed(0)
    path = tmp_path / "a.pth"
    torch.save(Encoder(EncoderConfig(side, 4, 1, 12, 1, 3, 12, 24, mean=(0.5,), std=(0.5,))).state_dict(), path)
    command = ["collapse", str(path), "--heads", "3", "--limit", "10", "--initialisations", "1"]
    assert run_command(command) == (0 if side == 8 else 2)
    captured = capsys.readouterr()
    if side == 8:
        assert "the digits were measured" in " ".join(captured.out.split())
    else:
        assert f"takes gray images of {side} pixels, and none were named: give --data" in captured.err
