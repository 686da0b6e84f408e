"""``--json`` of every command, with every option that adds to the output, is one document of standard JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from scipy import sparse

from maetheory.cli import app, run_command
from maetheory.core import Estimate
from maetheory.core.json_documents import json_ready, strict_json
from maetheory.theory import THEOREMS, Theorem, Verdict

TINY = ["--epochs", "1", "--batch", "64", "--limit", "64", "--warmup-epochs", "0"]
FIGURES = Path(__file__).parents[2] / "figures"


def parse_strictly(text: str) -> Any:
    """Parse standard JSON, in which NaN and infinities are errors, and nothing may follow the document."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def commands(group: Any = None, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command of the program."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        yield from commands(command, (*before, name)) if hasattr(command, "commands") else [(*before, name)]


@dataclass(frozen=True)
class Odd:
    """A value of a kind that no command prints yet."""

    slack: float
    law: Any


def test_every_command_takes_json() -> None:
    root = typer.main.get_command(app)
    names = list(commands())
    assert len(names) >= 11
    for words in names:
        command: Any = root
        for word in words:
            command = command.commands[word]
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (np.float32("inf"), None),
        ({"a": {1: -math.inf}}, {"a": {"1": None}}),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array([True, False]), [True, False]),
        (torch.tensor([1.5, math.inf]), [1.5, None]),
        (sparse.csr_array(np.eye(2)), [[1.0, 0.0], [0.0, 1.0]]),
        (Estimate(math.inf, sampled=True), None),
        (Verdict.HOLDS, "HOLDS"),
        (np.int64(3), 3),
        (True, True),
        ((Path("a"), {2}), ["a", [2]]),
        (Odd(math.nan, np.eye(1)), {"slack": None, "law": [[1.0]]}),
        (None, None),
    ],
)
def test_any_value_becomes_standard_json(value: Any, expected: Any) -> None:
    assert json_ready(value) == expected
    assert parse_strictly(strict_json(value)) == expected


@pytest.mark.slow
def test_every_theorem_is_searched_and_certified_in_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(import_module("maetheory.theory.falsify"), "_STEP_BUDGET", 3)
    assert run_command(["check", "--search", "--worlds", "1", "--json"]) == 0
    document = parse_strictly(capsys.readouterr().out)
    assert [one["slug"] for one in document["searches"]] == list(THEOREMS)
    found = {one["slug"]: one["smallest"] for one in document["searches"] if one["smallest"]}
    assert len(found) > len(THEOREMS) // 2
    for slug, one in found.items():
        declared = set(THEOREMS[slug].objects)
        assert declared <= one["objects"].keys() <= declared.union(THEOREMS[slug].optional)
        assert " at 0x" not in json.dumps(one)  # no address in place of a value


CHECK_FLAGS = ([], ["--search"], ["--certify"], ["--out", "{out}"])


@pytest.mark.parametrize("slug", ["mask-ratio-duality", "pair-error-bounded-by-label-errors"])
@pytest.mark.parametrize("flags", list(chain.from_iterable(combinations(CHECK_FLAGS[1:], n) for n in range(4))))
def test_check_does_all_that_is_asked(
    slug: str,
    flags: tuple[list[str], ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(import_module("maetheory.theory.falsify"), "_STEP_BUDGET", 3)
    if ["--certify"] in flags:
        pytest.importorskip("flint")
    words = ["check", slug, "--worlds", "2", *(word.format(out=tmp_path / "out") for flag in flags for word in flag)]
    assert run_command([*words, "--json"]) == 0
    document = parse_strictly(capsys.readouterr().out)
    assert bool(document["searches"]) == (["--search"] in flags)
    assert bool(document["certificates"]) == (["--certify"] in flags)
    assert (tmp_path / "out" / "checks.jsonl").exists() == (["--out", "{out}"] in flags)
    assert run_command(words) == 0
    text = capsys.readouterr().out
    assert (f"search {slug}" in text) == (["--search"] in flags)
    assert ("Proved in ball arithmetic" in text) == (["--certify"] in flags)


def test_an_object_that_is_not_finite_is_null(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = Theorem("endless", "∞ >= 0", "nobody", ("h",), lambda h: np.inf, lambda h: 0.0)
    monkeypatch.setattr("maetheory.theory.THEOREMS", {"endless": endless})
    run_command(["check", "--worlds", "1", "--search", "--json"])
    assert parse_strictly(capsys.readouterr().out)["theorems"][0]["slug"] == "endless"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained for one step."""
    folder = tmp_path_factory.mktemp("json") / "run"
    assert run_command(["train", "--out", str(folder), *TINY, "--json"]) == 0
    return folder


GRAPH = ["graph", "--limit", "40", "--patch", "4", "--codes", "3", "--mask-ratio", "0.5", "--k", "2"]


@pytest.mark.parametrize(
    "words",
    [
        ["data", "list"],
        ["inspect", "{run}"],
        ["inspect", "{run}", "--image-size", "16"],
        ["collapse", "{run}", "--limit", "40", "--initialisations", "1"],
        ["probe", "{run}", "--limit", "60"],
        ["probe", "{run}", "--limit", "60", "--mode", "knn", "--out", "{out}"],
        ["probe", "{run}", "--limit", "60", "--mode", "sgd", "--epochs", "1", "--batch", "30"],
        ["probe", "{run}", "--limit", "60", "--mode", "lars", "--epochs", "1", "--batch", "30"],
        ["probe", "{run}", "--limit", "60", "--mode", "finetune", "--epochs", "1", "--batch", "30", "--out", "{out}"],
        ["train", *TINY, "--out", "{out}"],
        ["train", *TINY, "--out", "{out}", "--objective", "simmim", "--mask-law", "block"],
        [*GRAPH, "--kind", "exact"],
        [*GRAPH, "--kind", "exact", "--positions", "dropped", "--out", "{out}"],
        [*GRAPH, "--masks", "3"],
        [*GRAPH, "--limit", "400", "--masks", "3", "--targets", "pooled"],
        ["graph", "--kind", "kernel", "--limit", "40", "--masks", "2", "--k", "3"],
        ["graph", "--kind", "kernel", "--limit", "40", "--masks", "2", "--k", "3", "--bandwidth", "1e6"],
        ["table", "--published", str(FIGURES)],
        ["check", "--worlds", "0"],
    ],
)
def test_every_command_prints_one_document(
    words: list[str], run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"run": run_folder, "out": tmp_path / "out"}
    assert run_command([*(word.format(**names) for word in words), "--json"]) == 0
    assert parse_strictly(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["reproduce", "--preset", "digits", "--epochs", "1", "--workers", "1", "--out", "{out}"],
        ["mask-ratio", "--limit", "60", "--ratio", "0.5", "--ratio", "0.75", "--out", "{out}"],
        ["mask-ratio", "--limit", "60", "--ratio", "0.5", "--checkpoint", "{run}", "--out", "{out}"],
        ["figure", "mask_ratio", "--out", "{out}"],
        [
            "collapse",
            "{run}",
            "{run}",
            "--limit",
            "40",
            "--initialisations",
            "1",
            "--layer",
            "all",
            "--readout",
            "mean",
        ],
        ["collapse", "{run}", "--limit", "40", "--initialisations", "2", "--out", "{out}"],
    ],
)
def test_every_long_command_prints_one_document(
    words: list[str], run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test_every_command_prints_one_document(words, run_folder, tmp_path, capsys)
