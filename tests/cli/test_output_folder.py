"""One command at a time writes a folder, whichever commands they are; a folder that nobody wrote does not stay."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sample_files import ledger_record

from maetheory.cli import run_command
from maetheory.cli.output_folder import hold_output_folder
from maetheory.core import InputError
from maetheory.core.folder_lock import LOCK_FILE, lock_folder
from maetheory.models import PRESETS
from maetheory.training import TrainConfig

COMMANDS = {
    "advise": ["advise", "--limit", "20", "--out"],
    "check": ["check", "mask-ratio-duality", "--worlds", "1", "--out"],
    "figure": ["figure", "--out"],
    "mask-ratio": ["mask-ratio", "--limit", "20", "--out"],
    "collapse": ["collapse", "none.pth", "--out"],
    "probe": ["probe", "none.pth", "--out"],
    "graph": ["graph", "--limit", "20", "--out"],
    "table": ["table", "--add", "none", "--published"],
    "train": ["train", "--epochs", "1", "--limit", "16", "--accelerator", "cpu", "--out"],
    "reproduce": ["reproduce", "--epochs", "1", "--workers", "1", "--out"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_another_process_writes_is_refused_before_any_work(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    with lock_folder(out):
        assert run_command([*COMMANDS[command], str(out)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == (
            f"maetheory: process {os.getpid()} on {socket.gethostname()} is writing {out}; wait until it has ended, "
            f"or choose another folder (if it no longer runs, delete {out / LOCK_FILE})\n"
        )
        assert [path.name for path in out.iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize("command", ["collapse", "probe", "table", "figure"])
def test_a_folder_in_which_nothing_was_written_does_not_stay(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = ["nonsense"] if command == "figure" else []
    assert run_command([*COMMANDS[command], "new/folder", *wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_was_written_or_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "new" / "inner"):
        with hold_output_folder(folder):
            assert (folder / LOCK_FILE).exists()
            if folder.name == "inner":
                (folder / "result").touch()
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["new", "inner", "result", "there"]
    with hold_output_folder(None):
        pass
    with pytest.raises(InputError, match="result is a file"), hold_output_folder(tmp_path / "new/inner/result/x"):
        pass


@pytest.mark.parametrize(
    "words",
    [["graph", "--limit", "20", "--kind", "exact", "--out"], ["table", "--add", "ledger.jsonl", "--published"]],
    ids=["graph", "table"],
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    record = ledger_record(TrainConfig(PRESETS["digits"], epochs=2).to_dict())
    Path("ledger.jsonl").write_text(json.dumps(record) + "\n")
    monkeypatch.setattr(os, "fsync", full)
    assert run_command([*words, str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "maetheory: a file cannot be used: No space left on device"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "ledger.jsonl"]


CLOSED = """
import os, sys
os.close(1), os.close(2)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
OPENED = """
from maetheory.__main__ import _occupy_standard_descriptors
_occupy_standard_descriptors()
import os
handle = os.open("checkpoint", os.O_CREAT | os.O_WRONLY)
os.write(handle, str(handle).encode())
os.write(1, b"printed by a library")
os.write(2, b"printed by another one")
"""


def test_what_libraries_print_to_closed_streams_lands_in_no_file(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CLOSED, OPENED], cwd=tmp_path, check=True, timeout=120)
    assert int((tmp_path / "checkpoint").read_text()) > 2


INTERRUPTED = """
import builtins, sys
import maetheory.__main__ as program
real = builtins.__import__
def interrupted(name, *rest, **more):
    if name == "maetheory.cli":
        raise KeyboardInterrupt
    return real(name, *rest, **more)
builtins.__import__ = interrupted
sys.argv = ["maetheory", "data", "list"]
program.main()
"""


def test_ctrl_c_while_modules_are_imported_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "maetheory: interrupted\n")
