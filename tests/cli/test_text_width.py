"""On a terminal no line of text is wider than the terminal; in a pipe, lines are left whole for grep."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from maetheory.cli import run_command
from maetheory.cli.terminal import wrapped
from maetheory.models import MAE, PRESETS

LABEL = "note               the file does not state mean and std: 0.5 assumed; set --mean and --std to change them"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("width") / "a.pth"
    torch.save(MAE(PRESETS["digits"]).state_dict(), path)
    return path


def command(name: str, checkpoint: Path) -> list[str]:
    rest = {
        "inspect": [str(checkpoint)],
        "data": ["list"],
        "check": ["3.4", "--worlds", "2"],
    }
    return [name, *rest[name]]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["inspect", "data", "check"])
def test_no_line_is_wider_than_the_terminal(
    name: str, width: int, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert run_command(command(name, checkpoint)) == 0
    lines = capsys.readouterr().out.splitlines()
    too_long = [line for line in lines if len(line) > width and len(line.split()) > 1]  # a path alone is kept whole
    assert not too_long


def test_lines_in_a_pipe_are_left_whole(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert run_command(["inspect", str(checkpoint)]) == 0
    assert any(line.startswith("note") and "to change them" in line for line in capsys.readouterr().out.splitlines())


def test_a_value_goes_on_below_its_label_and_words_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    first, second, *rest = wrapped(LABEL).splitlines()
    assert first.startswith("note               the file")
    assert second.startswith(" " * 19)
    assert " ".join(" ".join([first, second, *rest]).split()) == " ".join(LABEL.split())
    monkeypatch.setenv("COLUMNS", "70")
    digest = "0a1c07dc7d68d5cf17213e21c6a8cad047b538dd71053cfb7f8370aadd120d04"
    assert wrapped(f"sha256             {digest}").splitlines() == ["sha256", f"  {digest}"]
    monkeypatch.delenv("COLUMNS")
    assert wrapped(LABEL) == LABEL
