"""The README is short and no wider than its page; its output is real, its numbers are published, its links exist."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import typer

from maetheory.cli import app, run_command
from maetheory.experiments.studies.objectives_page import summary_sentence
from maetheory.reports import claim_verdicts, read_published_ledgers
from maetheory.reports.markdown_block import verdict_table
from maetheory.theory import THEOREMS

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "figures"
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(README.split())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE, CODE_CHARACTER, WIDE_CHARACTER, CELL_PADDING = 830, 8.2, 9.5, 27  # pixels on the page of a repository


def blocks() -> list[list[str]]:
    """Return the lines of each block that starts with a command."""
    return [text.splitlines() for text in re.findall(r"```text\n(\$ .*?)```", README, re.S)]


def shown(command: str) -> list[str]:
    """Return the output that the README shows below a command, without the notes at the right of it."""
    (block,) = [lines for lines in blocks() if lines[0] == f"$ {command}"]
    lines = [re.split(r"\s+<- ", line)[0].rstrip() for line in block[1:]]
    return [line for line in lines if line and not line.lstrip().startswith("^")]


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_no_table_or_code_is_wider_than_the_page() -> None:
    """A cell can be as narrow as its longest word, so that a table whose longest words fit does not scroll."""
    for lines in re.findall(r"((?:^\|.*\n)+)", README, re.M):
        rows = [row.strip("|").split("|") for row in lines.splitlines() if not row.startswith("|-")]
        cells = [[re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell) for cell in row] for row in rows]
        words = [max(len(word) for row in cells for word in row[i].split()) for i in range(len(rows[0]))]
        assert sum(WIDE_CHARACTER * length + CELL_PADDING for length in words) <= PAGE, rows[0]
    code = [line for block in re.findall(r"```\w*\n(.*?)```", README, re.S) for line in block.splitlines()]
    code += re.findall(r"^    (.*)", README, re.M)
    assert max(map(len, code)) * CODE_CHARACTER + 32 <= PAGE, max(code, key=len)


def test_every_command_and_file_named_is_there() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    named = set(re.findall(r"(?:^\$ |`)maetheory ([a-z][\w-]*)", README, re.M))
    assert {"collapse", "check", "inspect", "convert", "table", "data"} <= named <= set(commands)
    for path in re.findall(r"\]\(([^)h#][^)#]*)(?:#[\w-]+)?\)", README):
        assert (ROOT / path).exists(), path
    targets = {
        line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if re.match(r"[a-z]+:", line)
    }
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets


def test_badges_extras_and_versions_are_those_of_the_project() -> None:
    python, torch = PROJECT["requires-python"].strip(">="), PROJECT["dependencies"][0].partition(">=")[2]
    assert f"Python {python} or newer, torch {torch} or newer" in WORDS
    assert f"![Python {python}+](https://img.shields.io/badge/python-{python}%2B-" in README
    assert f"![torch {torch}+](https://img.shields.io/badge/torch-{torch}%2B-" in README
    assert (
        f"![{len(THEOREMS)} statements checked](https://img.shields.io/badge/statements_checked-{len(THEOREMS)}-"
        in README
    )
    assert PROJECT["license"] in README
    install = README[README.index("## Install") : README.index("## Two commands")]
    extras = set(re.findall(r"`([a-z]+)`", install))
    assert extras <= set(PROJECT["optional-dependencies"])
    assert extras >= {"hf", "timm", "hub", "certify", "lightning", "tensorboard", "notebooks"}
    tested = dict(re.findall(r"^(\w+)==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.M))["torch"]
    assert f"and torch {tested.rpartition('.')[0]}" in install


def test_what_reproduce_prints_is_its_summary_of_the_published_ledger() -> None:
    ledger = read_published_ledgers(FIGURES)
    said = shown("make reproduce")
    assert " ".join(said[:-1]) == summary_sentence(ledger[ledger.experiment == "digits"])
    assert said[-1] == "report: runs/digits/report.html"


def test_check_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", "theorem 3.4"]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    said = shown('maetheory check "theorem 3.4"')
    assert len(said) >= 6
    assert [line for line in printed if line in said] == said


@pytest.mark.slow
def test_collapse_prints_what_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are as shown, numbers within their errors: the images of the baseline depend on the machine's speed."""
    file = Path(
        os.environ.get("MAETHEORY_DATA", "none"), "checkpoints/cifar10-vit-tiny/vit-t-classifier-mae_284_epochs.pt"
    )
    if not file.exists():
        pytest.skip("the checkpoint is not in the folder that MAETHEORY_DATA names")
    monkeypatch.setenv("COLUMNS", "120")
    assert run_command(["collapse", str(file), "--data", "cifar10", "--limit", "1000"]) == 0
    printed = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    place = 0  # of the number in the cells of a table; those before it name the row
    for line in shown("maetheory collapse vit.pt --data cifar10 --limit 1000"):
        cells = re.split(r"\s{2,}", line)
        if cells[0] == "readout":  # a heading: the rows of its table follow
            printed = printed[printed.index(cells) + 1 :]
            place = cells.index("number") if "number" in cells else 1
            continue
        if len(cells) == 1:  # the answer
            assert cells in printed
            continue
        same = next(row for row in printed if row[:place] == cells[:place] and len(row) == len(cells))
        assert same[-1] == cells[-1] or place == 1
        value, other = (float(re.match(r"[\d.]+", row[place]).group()) for row in (cells, same))  # type: ignore[union-attr]  # a number starts the cell
        error = float((re.findall(r"± ([\d.]+)", cells[place]) or ["1"])[0])
        assert abs(value - other) <= 2 * error


def test_verdicts_are_those_of_the_ledgers() -> None:
    verdicts = verdict_table(claim_verdicts(read_published_ledgers(FIGURES))).set_index(["claim", "preset", "readout"])
    rank, probe = "U-MAE over MAE, effective rank", "U-MAE over MAE, linear probing accuracy"

    def row(claim: str, preset: str, readout: str) -> tuple[str, str]:
        found = verdicts.loc[claim, preset, readout]
        return found.difference, found.verdict

    (cifar10, first), (digits, second) = row(rank, "cifar10-small-10", "cls"), row(rank, "digits-20", "cls")
    assert first == second == "confirmed"
    assert f"confirmed: by {cifar10.strip('+')} on CIFAR-10, {digits.strip('+')} on digits" in WORDS
    gain, confirmed = row(probe, "digits-20", "mean")
    loss, refuted = row(probe, "tin20-10", "cls")
    assert (confirmed, refuted) == ("confirmed", "refuted")
    assert f"digits: {gain}, confirmed (mean of patches)" in WORDS
    assert f"Tiny-ImageNet, 20 classes: {loss.removesuffix(' points')}, refuted (cls)" in WORDS
    loss, refuted = row(probe, "cifar10-small-10", "cls")
    assert refuted == "refuted"
    assert f"CIFAR-10: {loss.removesuffix(' points')}, refuted (cls, 10 seeds, 6 epochs)" in WORDS
    assert row(probe, "cifar10-small-10", "mean")[1] == "undecided"
    assert {row(probe, "cifar10-small", readout)[1] for readout in ("cls", "mean")} == {"undecided"}


def test_ranks_and_correlations_are_those_of_the_ledgers() -> None:
    ledger = read_published_ledgers(FIGURES)
    ledger = ledger[(ledger.readout == "cls") & (ledger.metric == "effective_rank")]

    def rank(experiment: str, cell: str) -> str:
        values = ledger[(ledger.experiment == experiment) & (ledger.cell == cell)].value
        return f"{values.mean():.1f} ± {values.std():.1f}"

    mae, untrained = (rank("cifar10-small-10", cell) for cell in ("MAE", "random"))
    normal = rank("cifar10-small-untrained", "Hugging Face's normal (0.02)")
    assert f"rank {mae}: below {untrained} (Xavier), not below {normal} (normal 0.02, 3 seeds)" in WORDS
    rhos = [
        pd.read_csv(FIGURES / folder / "score_correlations.csv").set_index(["score", "readout"]).rho
        for folder in ("digits", "cifar10-small")
    ]
    (digits, cls), (cifar10, other) = (
        [f"{one['tokens pair_label_error', readout]:.2f}" for readout in ("mean", "cls")] for one in rhos
    )
    assert (
        f"(mean of patches: ρ = {digits} on digits, {cifar10} on CIFAR-10; cls: {cls} and an undecided {other})"
        in WORDS
    )
    spectrum = pd.read_csv(FIGURES / "trained_spectrum.csv")
    ranks = [f"{value:.1f}" for value in spectrum[spectrum.kind == "U-MAE, cls"].groupby("weight")["rank"].first()]
    assert f"reach {ranks[0]}, {ranks[1]} and {ranks[2]} at three weights" in WORDS
