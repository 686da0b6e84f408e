"""Advisory locks on files and folders, which the system releases when their process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no lock is taken, and leftovers are never known to be abandoned
    fcntl = None  # type: ignore[assignment]  # mypy types a missing module as a module


@contextmanager
def advisory_lock(path: Path) -> Iterator[None]:
    """Wait for the lock on a file and hold it inside a ``with`` block; a missing file is created empty.

    On a file system without such locks, nothing is held.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        wait_for_lock(handle)
        if _is_same_file(handle, path):  # otherwise its last holder has just deleted it
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


def wait_for_lock(handle: int) -> None:
    """Wait for the lock on an open file, and hold it until the file is closed."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock on a folder or file inside a ``with`` block, so that no cleanup removes it."""
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    wait_for_lock(handle)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def lock_if_abandoned(path: Path) -> Iterator[bool]:
    """Yield whether no process holds a file or folder; if none does, it is held inside the ``with`` block."""
    handle = _open_existing(path)
    if handle is None:
        yield False
        return
    try:
        yield _try_lock(handle) and _is_same_file(handle, path)
    finally:
        os.close(handle)


def _open_existing(path: Path) -> int | None:
    """Return an open handle of a file or folder, None for a link, one that is gone, or without locks."""
    if fcntl is None or path.is_symlink():
        return None
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
