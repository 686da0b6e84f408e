"""What the README says its code prints is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maetheory.cli import app

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


def test_every_command_and_file_named_is_there() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    named = set(re.findall(r"^    maetheory ([\w-]+)", README, re.M)) - {"data"}
    assert named <= commands
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (Path(__file__).resolve().parents[1] / path).exists(), path
