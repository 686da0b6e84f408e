"""`maetheory collapse --explain`: sentences, JSON document, files, page, and what cannot be explained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from html_pages import check_page

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command
from maetheory.reports import collapse_files

QUICK = ["--heads", "3", "--limit", "40", "--twins", "1", "--precision", "fp32"]
EXPLAIN = [*QUICK, "--explain", "--directions", "2"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "mae.pth"
    torch.save({"model": Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()}, path)
    return str(path)


def test_sentences_tell_what_it_has_collapsed_onto(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["collapse", checkpoint, *EXPLAIN]) == 0
    captured = capsys.readouterr()
    text = " ".join(captured.out.split())
    start = text.index("What lies along the leading directions of the features?")
    assert text.index("mean, dimensional collapse:") < start < text.index("cls: of the 2 leading directions, ")
    assert text.index("cls: of the 2") < text.index("Direction 2 carries") < text.index("mean: of the 2")
    assert "the linear probe changes by" in text
    assert "It can be read from layer" in text
    plan = "maetheory: mae: the explanation takes 40 images, 120 without content, and 320 passes of untrained networks"
    assert f"{plan}: at least 0:" in captured.err


def test_checkpoints_of_one_architecture_share_the_untrained_networks_of_the_explanation(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    other = tmp_path / "other.pth"
    torch.save({"model": Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()}, other)
    narrow = ["--readout", "mean", "--directions", "1", "--json"]
    found = []
    for files in ([checkpoint, str(other)], [str(other)]):
        assert run_command(["collapse", *files, *EXPLAIN, *narrow]) == 0
        captured = capsys.readouterr()
        found.append(json.loads(captured.out)["checkpoints"][-1]["explanation"])
        assert ("other: the explanation takes 40 images, 120 without content, and no passes" in captured.err) == (
            len(files) == 2
        )
    assert found[0] == found[1]


def test_files_page_and_document(checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["collapse", checkpoint, *EXPLAIN, "--out", str(tmp_path), "--json", "--readout", "mean"]
    assert run_command(command) == 0
    document = json.loads(capsys.readouterr().out)
    (one,) = document["checkpoints"][0]["explanation"]["readouts"]
    assert [direction["number"] for direction in one["directions"]] == [1, 2]
    assert one["directions"][0]["origin"]["layer"] in (0, 1, 2)
    assert {part["kind"] for part in one["directions"][0]["content_free"]} == {"constant", "shuffled", "noise"}
    assert {effect["removed"] for effect in one["removal"]} == {"nothing", "first 2", "content-free subspace"}
    names = {"explanation.csv", *(f"directions-1.{suffix}" for suffix in ("svg", "png", "csv"))}
    assert names < {path.name for path in tmp_path.iterdir()}
    table = pd.read_csv(tmp_path / "explanation.csv")
    share = table[(table.direction == 1) & (table.quantity == "share of the variance")]
    assert share.value.item() == pytest.approx(one["directions"][0]["share"]["value"], rel=1e-6)
    page = check_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Leading directions of mae: mean" in page.text
    assert len(page.pictures) == 3
    assert any("Direction 2: " in picture for picture in page.pictures)


def test_a_report_without_explanation_deletes_the_files_of_an_earlier_one(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collapse_files, "_draw_report", lambda *_: [])
    for name in ("explanation.csv", "directions-1.svg", "directions-12.png", "directions-1.txt", "my-directions-1.svg"):
        (tmp_path / name).write_text("earlier")
    assert run_command(["collapse", checkpoint, *QUICK, "--out", str(tmp_path), "--json", "--readout", "mean"]) == 0
    assert "explanation" not in json.loads(capsys.readouterr().out)["checkpoints"][0]
    left = {path.name for path in tmp_path.iterdir() if "directions" in path.name or "explanation" in path.name}
    assert left == {"directions-1.txt", "my-directions-1.svg"}


def test_results_are_written_before_they_are_drawn(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collapse_files, "_draw_report", failing)
    assert run_command(["collapse", checkpoint, *EXPLAIN, "--out", str(tmp_path), "--readout", "cls"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "records.csv",
        "records.jsonl",
        "table.tex",
        "explanation.csv",
    }
    assert "Direction 2 carries" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--readout", "tokens"], "an explanation reads one vector for each image: choose the readout cls or mean"),
        (["--limit", "19"], "an explanation needs at least 20 images, but there are 19"),
        (["--directions", "0"], "Invalid value for '--directions'"),
        (["--device", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_explained_is_said_before_the_work(
    options: list[str], message: str, checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["collapse", checkpoint, *EXPLAIN, *options, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in " ".join(captured.err.split())
    assert "forward passes" not in captured.err
    assert not (tmp_path / "out").exists()


def test_features_alone_cannot_be_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).standard_normal((50, 4)))
    assert run_command(["collapse", str(path), "--explain"]) == 2
    assert "an explanation needs the network and its images" in capsys.readouterr().err


def test_the_last_of_all_layers_is_explained(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["collapse", checkpoint, *EXPLAIN, "--readout", "mean", "--json", "--device", "cpu"]
    assert run_command([*command, "--layer", "all"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["checkpoints"][0]["explanation"]["readouts"]
    assert (one["layer"], len(one["directions"][0]["layers"])) == (2, 3)
