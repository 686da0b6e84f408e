"""What the README says its code prints is what it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from maetheory.cli import app
from maetheory.reports import published, rewrite, tables_block

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_ten_lines_print_what_stands_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = re.search(r"```python\n(import numpy[\s\S]*?)```\n\n((?:    .*\n)+)", README).groups()  # type: ignore[union-attr]
    assert len(code.splitlines()) <= 12
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == [line[4:] for line in shown.splitlines()]


def test_the_bold_bound_falls(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(from maetheory.graph.functionals.*?)```", README, re.S).group(1)  # type: ignore[union-attr]
    exec(code, {})
    assert "VIOLATED: L_MAE(h) >= E‖h‖²: 0 against 1" in capsys.readouterr().out


def test_a_checkpoint_is_measured_beside_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"```python\n(import torch\n.*?)```", README, re.S).group(1)  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    table = names["table"]
    assert list(table.readout) == ["cls", "mean"]
    assert (table.value < table.high).all()
    assert (table.value < table.shuffled).all()
    assert "random_twin" in capsys.readouterr().out


def test_every_command_and_file_named_is_there() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    named = set(re.findall(r"^    maetheory ([\w-]+)", README, re.M)) - {"data"}
    assert named <= commands
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (Path(__file__).resolve().parents[1] / path).exists(), path


def test_the_tables_are_those_of_the_published_ledgers(tmp_path: Path) -> None:
    again = tmp_path / "README.md"
    again.write_text(README)
    assert not rewrite(again, tables_block(published(Path(__file__).resolve().parents[1] / "figures")))
