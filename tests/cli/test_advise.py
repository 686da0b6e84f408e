"""`maetheory advise`: one document, files written before the figure, labels from a file, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from maetheory.cli import run_command
from maetheory.data import load_images

QUICK = ["--laws", "uniform,block", "--mask-ratios", "0.5", "--patch-sizes", "4", "--limit", "60", "--masks", "2"]


def test_one_document_and_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "advice"
    assert run_command(["advise", "digits", *QUICK, "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "2 candidates on 60 images: about " in captured.err
    assert {path.name for path in out.iterdir()} == {f"advice.{kind}" for kind in ("json", "csv", "svg", "png")}
    stored = json.loads((out / "advice.json").read_text())
    assert stored["scores"] == found["scores"]
    assert stored["git"] or stored["versions"]
    table = pd.read_csv(out / "advice.csv")
    assert len(table) == len(found["scores"]) == 6
    assert {row["dataset"] for row in found["evidence"]} >= {"digits", "CIFAR-10"}
    assert found["leading_score"] == "tokens pair_label_error"
    assert "7 codes a region, not 32" in " ".join(found["assumptions"])


def test_the_text_names_every_candidate_and_group(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    mixture = ["--laws", "uniform,block,mixture", "--mask-ratios", "0.25,0.5,0.75"]
    assert run_command(["advise", *QUICK, *mixture]) == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if re.fullmatch(r"(uniform|block|mixture) [\d.+]+ patch 4  .*", line)]
    assert len(rows) == 7
    assert all(
        re.search(r" \d\.\d{3} \[.*\] \(\d\) +\d\.\d{3} \(\d\) +\d\.\d{3} \(\d\)$", row) for row in rows
    )  # one line each
    assert max(map(len, text.splitlines())) <= 80
    for word in (
        "uniform 0.5 patch 4",
        "block 0.5 patch 4",
        "φ, token graphs",
        "share kept by",
        "Group 1",
        "digits -0.54 (cls)",
    ):
        assert word in text


@pytest.mark.filterwarnings("ignore:.*has no splits")
def test_labels_come_from_a_file_or_are_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = load_images("digits", limit=60)
    np.save(tmp_path / "images.npy", images.images)
    np.save(tmp_path / "labels.npy", images.labels)
    (tmp_path / "labels.txt").write_text("\n".join(map(str, images.labels)) + "\n")
    read = ["advise", str(tmp_path / "images.npy"), *QUICK, "--json"]
    documents = []
    for options in (["--labels", str(tmp_path / "labels.npy")], ["--labels", str(tmp_path / "labels.txt")], []):
        assert run_command([*read, *options]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    with_labels, again, without = documents
    assert with_labels["scores"] == again["scores"]
    assert {row["score"] for row in without["scores"]} == {"linear_mae_kept_share"}
    assert without["undecided"].startswith("no score that could be computed")
    assert run_command(["advise", *QUICK, "--no-labels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recommended"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--laws", "ring"], "the mask laws are uniform, bernoulli, block, mixture, but 'ring' was given"),
        (["--mask-ratios", "0.5,1"], "strictly between 0 and 1"),
        (["--mask-ratios", "half"], "--mask-ratios takes numbers separated by commas"),
        (["--patch-sizes", "2.5"], "--patch-sizes takes whole numbers separated by commas"),
        (["--patch-sizes", "3"], "3 does not divide 8x8"),
        (["--labels", "a.txt", "--no-labels"], "leave one out"),
        (["--labels", "{bad}"], "must hold one whole number for each image"),
        (["--labels", "{short}"], "one whole number for each of the 1437 images"),
        (["--labels", "{none}"], "none.txt"),
        (["--masks", "1"], "at least 2 masks"),
        (["--limit", "5"], "at least 20 images"),
        (["--k", "0"], "k must be at least 1"),
        (["--out", "{bad}"], "is a file"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: tmp_path / f"{name}.txt" for name in ("bad", "short", "none")}
    names["bad"].write_text("1 2 cat")
    names["short"].write_text("1 2 3")
    options = [word.format(**names) for word in words]
    out = [] if "--out" in options else ["--out", str(tmp_path / "out")]
    assert run_command(["advise", "digits", *options, *out]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.txt", "short.txt"]
