"""The page of the command line: the help of every command, as the program prints it."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import typer

from maetheory.cli import app, run_command

INTRODUCTION = """# Command line

`maetheory COMMAND` and `python -m maetheory COMMAND` are the same. Each command prints one result on standard output;
progress and notes go to standard error. With `--json` the result is one strict JSON document.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a statement is VIOLATED |
| 2 | bad input: one sentence says what is wrong and what would be right |
| 3 | a condition of `--fail-if` is met |
| 70 | a fault of the program |
| 130 | interrupted; the last line says how to resume |
"""


def command_page(folder: Path, _: Path) -> None:
    """Write the page of the command line."""
    parts = [INTRODUCTION]
    for words in _commands(typer.main.get_command(app), []):
        shown = io.StringIO()
        with redirect_stdout(shown):
            run_command([*words, "--help"])
        parts.append(f"## maetheory {' '.join(words)}\n\n```text\n{shown.getvalue().rstrip()}\n```\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commands.md").write_text("\n".join(parts), encoding="utf-8")


def _commands(command: object, words: list[str]) -> list[list[str]]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        return [words]
    return [found for name, one in subcommands.items() for found in _commands(one, [*words, name])]
