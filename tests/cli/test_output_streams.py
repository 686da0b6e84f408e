"""A closed pipe, a full disk and a poor encoding: what becomes of the output, and of the exit code."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import maetheory
from maetheory.cli.program import run_command
from maetheory.cli.terminal import (
    ResumableInterrupt,
    _line_progress,
    deferred_warnings,
    print_line,
    print_note,
    show_progress,
)

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(("words", "code"), [(["nonsense"], 2), (["data", "list"], 0)])
def test_messages_that_find_no_room_change_no_exit_code(words: list[str], code: int) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)


def test_notes_warnings_and_progress_are_dropped_where_standard_error_has_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    full = Full()
    with pytest.raises(OSError, match="No space left"):
        print_line("a result", full)
    monkeypatch.setattr(sys, "stderr", full)
    print_line("a message", full)
    print_note("a note")
    with deferred_warnings():
        warnings.simplefilter("always")
        warnings.warn("a warning", stacklevel=2)
    report = _line_progress()
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    report(1, 2, "progress")


def test_a_progress_bar_on_a_closed_terminal_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hung(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Hung())

    def stopped_by_hangup() -> None:
        with show_progress() as progress:
            progress(1, 2, "working")
            raise KeyboardInterrupt("saved")

    with pytest.raises(ResumableInterrupt, match="saved"):
        stopped_by_hangup()


def test_a_progress_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with show_progress() as progress:
        progress(1, 2, "working")
    assert "working" in terminal.getvalue()


def test_an_internal_error_keeps_its_code_where_standard_error_has_no_room() -> None:
    code = (
        "import maetheory.data as d, sys; from maetheory.cli import main\n"
        "d.DATASETS = None\n"
        'sys.argv = ["maetheory", "data", "list"]; main()'
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.returncode == 70


@pytest.mark.parametrize(("name", "code"), [("run\udcff", 2), ("run\ud800", 70)])
def test_a_name_that_a_library_cannot_encode_is_one_sentence(
    name: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first is a byte of a file name; the second is no name that a system has given, so it is our mistake."""

    def library(*_: object, **__: object) -> None:
        name.encode()

    monkeypatch.setattr("maetheory.cli.data.print_result", library)
    assert run_command(["data", "list"]) == code
    sentence = "maetheory: run\\udcff is not valid UTF-8, as a library that is given this name needs; choose another\n"
    assert (capsys.readouterr().err == sentence) == (code == 2)


def test_every_text_file_is_opened_with_its_encoding() -> None:
    """The default is that of the terminal, in which a Greek letter may be missing."""
    without = []
    for path in sorted((Path(maetheory.__file__).parent).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and _opens_text(call) and not _names(call, "encoding"):
                without.append(f"{path}:{call.lineno}")
    assert without == []


def _opens_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    module = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name != "open" or module in ("os", "gzip", "tarfile", "Image", "archive"):
        return False
    modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return not any("b" in mode for mode in modes)


def _names(call: ast.Call, keyword: str) -> bool:
    return any(one.arg in (keyword, None) for one in call.keywords)


@pytest.mark.slow
def test_reports_are_the_same_bytes_in_a_terminal_of_ascii(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for name, change in (("utf8", {"PYTHONUTF8": "1"}), ("ascii", ascii_only)):
        words = [
            "graph",
            "--kind",
            "kernel",
            "--limit",
            "30",
            "--masks",
            "2",
            "--k",
            "1",
            "--out",
            str(tmp_path / name),
        ]
        done = subprocess.run([*PROGRAM, *words], capture_output=True, env={**os.environ, **change}, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "ascii" / "graph.txt").read_bytes() == (tmp_path / "utf8" / "graph.txt").read_bytes()
    assert "λ" in (tmp_path / "ascii" / "graph.txt").read_text(encoding="utf-8")


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
