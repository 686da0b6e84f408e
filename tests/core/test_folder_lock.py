"""One process writes a folder at a time; the lock of a killed process is taken over."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from maetheory.core import InputError, folder_lock
from maetheory.core.folder_lock import LOCK_FILE, lock_folder

HOLD = """
import sys
from maetheory.core.folder_lock import lock_folder
with lock_folder(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_process_is_refused_until_the_first_ends_or_is_killed(tmp_path: Path) -> None:
    for how in ("end", "kill"):
        process = holding(tmp_path / "run")
        refusal = f"process {process.pid} on {socket.gethostname()} is writing .*run; wait until it has ended"
        with pytest.raises(InputError, match=refusal), lock_folder(tmp_path / "run"):
            pass
        if how == "kill":
            process.kill()  # and not waited for: a dead process in the table is no writer
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert (tmp_path / "run" / LOCK_FILE).exists()
        else:
            process.communicate(timeout=60)
        with lock_folder(tmp_path / "run"):
            pass
        assert not list(tmp_path.rglob(LOCK_FILE))
        process.communicate(timeout=60)


def test_threads_of_one_process_are_two_writers(tmp_path: Path) -> None:
    refusals: list[InputError] = []

    def enter() -> None:
        try:
            with lock_folder(tmp_path):
                pass
        except InputError as error:
            refusals.append(error)

    with lock_folder(tmp_path):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(refusals) == 1
    with lock_folder(tmp_path):
        pass


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, True),
        ({"host": "another"}, True),
        ({"started": "1"}, False),  # the number belongs to a later process
        ({"started": None}, True),
        ({"pid": 2**22 + 1}, False),
        ({"pid": 2**22 + 1, "host": "another"}, True),
        ({"pid": 10**30}, False),
        ({"pid": "x"}, False),
    ],
)
def test_a_stale_lock_is_of_no_living_process_of_this_host(
    tmp_path: Path, change: dict[str, object], refused: bool
) -> None:
    holder = folder_lock._describe_this_process()
    (tmp_path / LOCK_FILE).write_text(json.dumps(holder | change))
    if refused:
        with pytest.raises(InputError, match="is writing"), lock_folder(tmp_path):
            pass
        assert (tmp_path / LOCK_FILE).exists()
    else:
        with lock_folder(tmp_path):
            assert json.loads((tmp_path / LOCK_FILE).read_text()) == holder


def test_a_folder_without_content_does_not_stay(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK_FILE).exists()
    assert not list(tmp_path.iterdir())
    with lock_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "result").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "result"]
    with lock_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a" / "result").exists()


def test_a_full_disk_leaves_neither_a_lock_nor_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, text: str, **options: object) -> int:
        with self.open("w", encoding="utf-8") as file:  # as a real one: the file is there, and empty
            file.write("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"), lock_folder(tmp_path / "a" / "b"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_process_removes_as_empty_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def make_and_lose(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        if len(made) == 1:
            folder.rmdir()

    monkeypatch.setattr(folder_lock, "make_folder", make_and_lose)
    with lock_folder(tmp_path / "run"):
        assert len(made) == 2


def test_the_lock_of_another_is_not_released(tmp_path: Path) -> None:
    another = json.dumps(folder_lock._describe_this_process() | {"host": "another"})
    with lock_folder(tmp_path):
        (tmp_path / LOCK_FILE).write_text(another)  # someone deleted our lock by hand and took the folder
    assert (tmp_path / LOCK_FILE).read_text() == another


def test_an_empty_lock_is_free_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    with lock_folder(tmp_path):
        pass
    (tmp_path / LOCK_FILE).write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"is damaged.*delete the file"), lock_folder(tmp_path):
        pass


def test_a_worker_whose_parent_was_killed_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = holding(tmp_path)
    lock = tmp_path / LOCK_FILE
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"parent": {"pid": 2**22 + 1, "started": "1"}}))
    timer = threading.Timer(0.5, process.send_signal, [signal.SIGKILL])
    timer.start()
    with lock_folder(tmp_path):
        assert not timer.is_alive()
    process.communicate(timeout=60)
    monkeypatch.setattr(folder_lock, "ORPHAN_SECONDS", 0.0)
    orphan = folder_lock._describe_this_process() | {"parent": {"pid": 2**22 + 1, "started": "1"}}
    lock.write_text(json.dumps(orphan))
    with pytest.raises(InputError, match="is writing"), lock_folder(tmp_path):
        pass
