"""`maetheory collapse`: text, JSON document, complete folders, and errors in one sentence."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import torch
from html_pages import check_page

from maetheory.checkpoints import Encoder, EncoderConfig, load_checkpoint
from maetheory.cli import run_command
from maetheory.data import load_images
from maetheory.evaluation import encode
from maetheory.metrics import CONVENTIONS, rankme
from maetheory.reports.collapse_files import FILES

SMALL = ["--heads", "3", "--limit", "40", "--twins", "1", "--full", "--precision", "fp32"]


def save_checkpoint(path: Path, seed: int) -> str:
    torch.manual_seed(seed)
    encoder = Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48))
    path.parent.mkdir(exist_ok=True)
    torch.save({"model": encoder.state_dict(), "epoch": 4}, path)
    return str(path)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return [save_checkpoint(folder / "one" / "mae.pth", 0), save_checkpoint(folder / "two" / "mae.pth", 1)]


def parse_json(text: str) -> dict:
    """Parse standard JSON, in which NaN and infinities are errors."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def test_one_document_with_the_origin_of_every_number(
    checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["collapse", *checkpoints, *SMALL, "--seed", "2", "--json"]) == 0
    captured = capsys.readouterr()
    document = parse_json(captured.out)
    assert [one["name"] for one in document["checkpoints"]] == ["one/mae", "two/mae"]
    assert {one["load"]["config"]["heads"] for one in document["checkpoints"]} == {3}
    assert {finding["question"] for finding in document["checkpoints"][0]["reading"]} == {
        "complete collapse",
        "dimensional collapse",
    }
    assert "their one channel was repeated 3 times" in document["checkpoints"][0]["notes"]
    conventions = {(name, c.name) for name, known in CONVENTIONS.items() for c in known}
    found = {(row["metric"], row["convention"]) for row in document["records"]}
    assert found - {("mask_pair_alignment", "wang-isola-2020")} <= conventions
    assert len({row["sha256"] for row in document["records"]}) == 2
    (row,) = [
        r
        for r in document["records"]
        if (r["metric"], r["convention"], r["readout"], r["name"]) == ("rankme", "garrido-2023", "mean", "two/mae")
    ]
    encoder, report = load_checkpoint(checkpoints[1], heads=3)
    z = encode(encoder, load_images("digits", split="test", limit=40), readout="mean").double().numpy()
    assert row["value"] == pytest.approx(rankme(z), rel=1e-9)
    assert row["value"] - row["error"] < row["low"] < row["high"]
    assert (row["n"], row["d"], row["seed"], row["dataset"]) == (40, 24, 2, "digits/test")
    assert (row["sha256"], row["dialect"], row["checkpoint"]) == (report.sha256, report.dialect, checkpoints[1])
    assert row["random_init"] > 0
    assert document["provenance"]["versions"]["torch"]


def test_the_text_reads_first_and_fits_a_terminal(checkpoints: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["collapse", checkpoints[0], *SMALL, "--readout", "mean", "--layer", "all"]) == 0
    text = capsys.readouterr().out
    assert text.index("mean, complete collapse:") < text.index("mean, dimensional collapse:") < text.index("rankme")
    assert "random init" in text
    assert "cls" not in text.replace("cls_token", "")
    assert "effective rank by layer" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 110


def test_a_folder_holds_everything_and_is_replaced(
    checkpoints: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run_command(["collapse", *checkpoints, *SMALL, "--out", str(out), "--json", "--layer", "all"]) == 0
    captured = capsys.readouterr()
    document = parse_json(captured.out)
    assert captured.err.splitlines()[-1] == f"maetheory: the page is {out / 'report.html'}"
    assert {path.name for path in out.iterdir()} == set(FILES)
    (out / "notes.txt").write_text("mine")
    lines = [parse_json(line) for line in (out / "records.jsonl").read_text().splitlines()]
    with (out / "records.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(lines) == len(rows) == len(document["records"])
    assert {line["provenance"]["seed"] for line in lines} == {0}
    layers = pd.read_csv(out / "layers.csv")
    assert set(layers.layer) == {0, 1, 2}
    assert set(pd.read_csv(out / "spectra.csv").who) == {"checkpoint", "random init", "shuffled", "noise"}
    page = check_page((out / "report.html").read_text(encoding="utf-8"))
    assert len(page.pictures) == 3
    assert "one/mae" in page.text
    table = (out / "table.tex").read_text()
    assert table.count(r"\\") in range(1 + 2 * 2 * 16 + 2 * 2, 2 + 2 * 2 * 17 + 2 * 2)  # RankMe's rows may be merged
    assert r"effective\_rank" in table
    assert run_command(["collapse", checkpoints[0], *SMALL, "--out", str(out), "--readout", "mean"]) == 0
    assert {path.name for path in out.iterdir()} == {name for name in FILES if "layers" not in name} | {"notes.txt"}


def test_a_bad_checkpoint_among_several_is_named_and_nothing_is_written(
    checkpoints: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.pth"
    torch.save({"a": torch.ones(3)}, bad)
    out = tmp_path / "out"
    assert run_command(["collapse", checkpoints[0], str(bad), checkpoints[1], *SMALL, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(bad) in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("where", "fails", "code"),
    [("latex_table", OSError(28, "No space left on device"), 2), ("write_page", KeyboardInterrupt(), 130)],
)
def test_a_failed_report_leaves_the_folder_unchanged(
    where: str,
    fails: BaseException,
    code: int,
    checkpoints: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["collapse", checkpoints[0], *SMALL, "--out", str(tmp_path), "--readout", "mean"]
    for name in FILES:
        (tmp_path / name).write_text(f"the old {name}")

    def failing(*_: object, **__: object) -> None:
        raise fails

    monkeypatch.setattr(f"maetheory.reports.collapse_files.{where}", failing)
    assert run_command(command) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith("maetheory: ")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {name: f"the old {name}" for name in FILES}


def test_ctrl_c_while_encoding_is_130(
    checkpoints: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Encoder, "iter_hidden_states", stopped)
    assert run_command(["collapse", checkpoints[0], *SMALL]) == 130
    assert capsys.readouterr().err == "maetheory: interrupted\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--readout", "sum"], "the readout must be 'cls', 'mean' or 'tokens', but it is 'sum'"),
        (["--layer", "first"], "the layer must be 'last', 'all', a number from 0, or one below 0"),
        (["--layer", "3"], "layer must lie between 0 and 2"),
        (["--limit", "2"], "at least 3 are needed"),
        (["--limit", "0"], "positive integer"),
        (["--data", "/nowhere"], "/nowhere"),
        (["--seed", "-1"], "--seed"),
        (["--weights", "ema"], "ema"),
        (["--out", "/dev/null/below"], "/dev/null/below"),
    ],
)
def test_bad_input_is_one_sentence_and_2(
    words: list[str], sentence: str, checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["collapse", checkpoints[0], "--heads", "3", "--limit", "8", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


QUICK = ["--heads", "3", "--limit", "40", "--precision", "fp32"]


def test_a_condition_that_is_met_exits_with_3_and_is_said(
    checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    met = ["--fail-if", "effective_rank < 24", "--fail-if", "twonn > 1e6"]
    assert run_command(["collapse", checkpoints[0], *QUICK, *met, "--json"]) == 3
    document = parse_json(capsys.readouterr().out)
    results = document["checkpoints"][0]["fail_if"]
    assert [(one["condition"], one["readout"], one["met"]) for one in results] == [
        (condition, readout, condition.startswith("effective"))
        for condition in ("effective_rank < 24", "twonn > 1e6")  # measured because a condition names it
        for readout in ("cls", "mean")
    ]
    assert results[0]["beyond_error"] is True
    assert run_command(["collapse", checkpoints[0], *QUICK, "--fail-if", "effective_rank < 1"]) == 0
    assert "--fail-if: effective_rank < 1 is not met by cls" in capsys.readouterr().out


def test_a_collapsed_checkpoint_fails_and_a_sound_one_does_not(
    checkpoints: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = torch.load(checkpoints[0])["model"]
    weights["norm.weight"] = torch.zeros(24)
    weights["norm.bias"] = torch.ones(24)
    torch.save({"model": weights}, tmp_path / "constant.pth")
    words = ["--fail-if", "collapsed", "--json"]
    assert run_command(["collapse", str(tmp_path / "constant.pth"), *QUICK, *words]) == 3
    assert parse_json(capsys.readouterr().out)["checkpoints"][0]["fail_if"][0]["met"] is True
    assert run_command(["collapse", checkpoints[0], *QUICK, *words]) == 0
    assert parse_json(capsys.readouterr().out)["checkpoints"][0]["fail_if"][0]["met"] is False


@pytest.mark.parametrize("condition", ["rank < 3", "effective_rank = 3", "effective_rank < x"])
def test_a_condition_that_cannot_be_read_is_2_before_any_work(
    condition: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["collapse", "/nowhere.pth", "--fail-if", condition]) == 2
    captured = capsys.readouterr()
    assert "/nowhere" not in captured.err
    assert captured.err.count("\n") == 1


def test_the_plan_precision_and_every_yardstick_are_said(
    checkpoints: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int | None] = []
    encoding = import_module("maetheory.evaluation.features.encode")
    monkeypatch.setattr(encoding, "_batch_size", lambda encoder, images, batch: batches.append(batch) or batch or 16)
    command = ["collapse", checkpoints[0], "--heads", "3", "--limit", "40", "--precision", "bf16"]
    assert run_command(command) == 0
    brief = capsys.readouterr().out
    assert "--verbose prints" in brief
    assert "n → ∞  " not in brief  # the column of the table of all metrics
    assert set(batches) == {None}
    batches.clear()
    assert run_command([*command, "--verbose", "--batch-size", "7"]) == 0
    assert set(batches) == {7}
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) > 1.5 * len(brief.splitlines())
    assert "mae: 40 images; 9 untrained networks on 40 of them; 400 forward passes in bf16, about" in captured.err
    for words in ("few directions", "one vector dominates", "forward passes in bf16", "n → ∞", "MAE, CIFAR-10"):
        assert words in captured.out
    assert max(map(len, captured.out.splitlines())) <= 110


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["mae_284_epochs", "from_scratch"])
def test_real_checkpoints_and_their_baselines(name: str, real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With 400 images; the tests of loading compare RankMe of all 10 000 with its known value."""
    path = real_data / "checkpoints" / "cifar10-vit-tiny" / f"vit-t-classifier-{name}.pt"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    assert (
        run_command(["collapse", str(path), "--data", "cifar10", "--limit", "400", "--twins", "2", "--full", "--json"])
        == 0
    )
    document = parse_json(capsys.readouterr().out)
    for readout in ("cls", "mean"):
        (row,) = [
            r
            for r in document["records"]
            if (r["readout"], r["metric"], r["convention"]) == (readout, "rankme", "garrido-2023")
        ]
        assert 0 < row["high"] - row["low"] < 5
        assert row["random_init"] < row["value"] < row["shuffled"] < row["noise"]
        assert row["n"] == 400
