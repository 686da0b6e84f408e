"""A closed pipe, a full disk and a poor encoding: what becomes of the output, and of the exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maetheory.cli.terminal import print_line

PROGRAM = [sys.executable, "-m", "maetheory"]


def run_without_reader(*words: str, stream: str) -> tuple[int, str]:
    """Run a command whose output (or errors) nobody reads; return the exit code and the other stream."""
    reader, writer = os.pipe()
    os.close(reader)
    other = "stderr" if stream == "stdout" else "stdout"
    options: dict = {stream: writer, other: subprocess.PIPE}
    done = subprocess.run([*PROGRAM, *words], **options, text=True, check=False)
    os.close(writer)
    return done.returncode, getattr(done, other)


@pytest.mark.parametrize("words", [["data", "list"], ["data", "list", "--json"], ["--help"], ["--version"]])
def test_a_closed_pipe_is_not_violated(words: list[str]) -> None:
    assert run_without_reader(*words, stream="stdout") == (0, "")


def test_a_sentence_that_nobody_reads_keeps_its_exit_code() -> None:
    assert run_without_reader("nonsense", stream="stderr") == (2, "")


@pytest.mark.slow
def test_a_violation_that_nobody_reads_stays_one() -> None:
    code = (
        "import maetheory.theory as t; from maetheory.cli import main; import sys\n"
        'false = t.Theorem("false", "-1 >= 0", "nobody", ("h",), lambda h: -1.0, lambda h: 0.0)\n'
        't.THEOREMS = {"false": false}\n'
        'sys.argv = ["maetheory", "check", "--worlds", "1"]; main()'
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_one_sentence_and_2() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "data", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in done.stderr


def test_a_character_that_the_terminal_lacks_is_escaped(tmp_path: Path) -> None:
    for encoding, expected in (("ascii", "\\u03b1 = 1"), ("utf-8", "α = 1")):
        path = tmp_path / encoding
        with path.open("w", encoding=encoding) as stream:
            print_line("α = 1", stream)
        assert path.read_text(encoding=encoding) == f"{expected}\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_help_is_printed_in_any_encoding(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([*PROGRAM, "train", "--help"], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--uniformity-weight" in done.stdout


def test_a_stream_that_was_closed_before_the_start_drops_the_line() -> None:
    print_line("lost", None)
