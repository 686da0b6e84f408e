"""Let one process at a time write a folder, through a lock file that names its host and process.

A lock file outlives a process that was killed. Such a stale lock is recognised on its own host, because no process has
its number and start time any more, and is taken over. Whether a process of another host is alive cannot be seen from
here, so its lock is respected.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from maetheory.core.advisory_lock import advisory_lock
from maetheory.core.errors import InputError
from maetheory.core.files import make_folder
from maetheory.core.json_files import read_json_object
from maetheory.core.printable import printable

LOCK_FILE = ".maetheory.lock"
ORPHAN_SECONDS = 60.0
_POLL_SECONDS = 0.1


@contextmanager
def lock_folder(folder: str | Path) -> Iterator[None]:
    """Hold a folder for this process inside a ``with`` block.

    The folder is created if it is missing; one that was created and in which nothing was written is removed again.

    A worker whose parent was killed saves and ends by itself: its lock is awaited for up to a minute.

    Raises
    ------
    InputError
        If another process holds the folder, or the folder cannot be created.
    OSError
        If the folder cannot be written.
    """
    missing = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    path = Path(folder) / LOCK_FILE
    holder = _describe_this_process()
    try:
        _acquire_lock_file(path, holder)
        try:
            yield
        finally:
            _release_lock_file(path, holder)
    finally:
        with suppress(OSError):  # a folder that holds something stays
            for empty in missing:
                empty.rmdir()


def _acquire_lock_file(path: Path, holder: dict[str, Any]) -> None:
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        make_folder(path.parent)
        try:
            with advisory_lock(path):
                present = _read_holder(path)
                if present is None or _is_stale(present):
                    _write_holder(path, holder)
                    return
        except FileNotFoundError:  # another process has just removed the folder as empty
            if time.monotonic() > deadline:
                raise
            continue
        if not _is_orphan(present) or time.monotonic() > deadline:
            raise _folder_in_use_error(path, present)
        time.sleep(_POLL_SECONDS)


def _write_holder(path: Path, holder: dict[str, Any]) -> None:
    """Write a lock file; on a full disk leave none."""
    try:
        path.write_text(json.dumps(holder) + "\n", encoding="utf-8")
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _release_lock_file(path: Path, holder: dict[str, Any]) -> None:
    with suppress(OSError, InputError):  # the work is done, whatever became of the lock meanwhile
        if path.exists():
            with advisory_lock(path):
                if _read_holder(path) == holder:
                    path.unlink()


def _describe_this_process() -> dict[str, Any]:
    parent = multiprocessing.parent_process()
    started = None if parent is None or parent.pid is None else _start_time(parent.pid)
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _start_time(os.getpid()),
        "parent": None if parent is None else {"pid": parent.pid, "started": started},
    }


def _read_holder(path: Path) -> dict[str, Any] | None:
    """Return the content of a lock file; None if there is none, or a process was killed while it wrote the file."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        holder = read_json_object(path)
    except InputError as error:
        raise InputError(
            f"the lock {path} is damaged, so it is not known whether another process writes this folder ({error}); "
            "delete the file if no process does"
        ) from error
    return holder


def _is_stale(holder: dict[str, Any]) -> bool:
    return holder.get("host") == socket.gethostname() and not _is_alive(holder)


def _is_orphan(holder: dict[str, Any]) -> bool:
    """Return whether the holder is a worker of this host whose parent has ended."""
    parent = holder.get("parent")
    return holder.get("host") == socket.gethostname() and isinstance(parent, dict) and not _is_alive(parent)


def _is_alive(process: dict[str, Any]) -> bool:
    """Return whether a process of this host runs: its number is in use, by a process that started at the same time."""
    pid, started = process.get("pid"), process.get("started")
    if isinstance(pid, bool) or not isinstance(pid, int) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # a process of another user
        pass
    now = _start_time(pid)
    return started is None or now is None or started == now


def _start_time(pid: int) -> str | None:
    """Return when a process started, in clock ticks since the machine did; None where there is no /proc."""
    try:
        state, *fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (OSError, ValueError):
        return None
    return "ended" if state in "ZX" else fields[18]  # a killed process stays in the table until its parent asks


def _folder_in_use_error(path: Path, holder: dict[str, Any]) -> InputError:
    host, pid = printable(str(holder.get("host"))), printable(str(holder.get("pid")))
    return InputError(
        f"process {pid} on {host} is writing {path.parent}; wait until it has ended, or choose another folder "
        f"(if it no longer runs, delete {path})"
    )
