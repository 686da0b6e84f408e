"""Bounded reading, atomic replacement, removal of what killed writes left, paths for libraries, checks of folders."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from maetheory.core.advisory_lock import hold_lock, lock_if_abandoned, wait_for_lock
from maetheory.core.errors import InputError

_SPARE_BYTES = 2**16  # a file may grow, and those of /proc have a size of 0


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` or ``~name`` at its start replaced by that home folder.

    Raises
    ------
    InputError
        If there is no such user, or the home folder of this one is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"the home folder that {path} begins with is not known; write the path in full") from error


def open_regular_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open an ordinary file to read its bytes, and nothing else: a pipe would wait for its writer.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be opened.
    InputError
        If it is a pipe, a device, a socket or a folder.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # a device may act when it is opened
        raise InputError(f"{path} is not an ordinary file, so it is not read")
    return open(path, "rb", opener=_open_if_regular)


def _open_if_regular(path: str, flags: int) -> int:
    """Return the descriptor of an ordinary file; what looks like one and waits, as some of /proc do, fails at once."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)  # it was replaced after it was looked at
    raise InputError(f"{path} is not an ordinary file, so it is not read")


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of an ordinary file; a pipe or a device is not opened, because it could block for ever.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it cannot be read, is no ordinary file or is larger than `max_bytes`.
    """
    try:
        with open_regular_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            content = b"" if size > max_bytes else _read_at_most(file, size, max_bytes + 1)
            size = max(size, len(content))
            if size > max_bytes:
                raise InputError(f"{path} has {size} bytes, more than the {max_bytes} that are read at most")
            return content
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # a file stands where the folder would be: there is no such file either
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except (OSError, ValueError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{path} cannot be read: {error}") from error


def _read_at_most(file: IO[bytes], size: int, max_bytes: int) -> bytes:
    """Return the bytes of an open file of about `size`, in pieces, because a read takes memory for all it asks for."""
    pieces, length = [], 0
    while length < max_bytes and (
        piece := file.read(min(max(size - length, 0) + _SPARE_BYTES, max_bytes - length)) or b""
    ):  # the end, or None of a file that would wait
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


@contextmanager
def utf8_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a path in valid UTF-8 of the same file, for libraries that take no other; a new file's folder must exist.

    A name in another encoding is legal on Linux. Such a file is named by an open descriptor of itself or its folder.

    Raises
    ------
    OSError
        If neither the file nor its folder can be opened.
    InputError
        If the system does not name open descriptors.
    """
    path = Path(path)
    if _is_utf8(str(path)):
        yield str(path)
        return
    in_folder = _is_utf8(path.name)  # rather than the file itself, beside which a library may write another
    handle = os.open(path.parent if in_folder else path, os.O_RDONLY)
    try:
        link = Path(f"/proc/self/fd/{handle}")
        if not link.exists():
            raise InputError(f"the name of {path} is not valid UTF-8, as the library that reads it needs; rename it")
        yield str(link / path.name if in_folder else link)
    finally:
        os.close(handle)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a byte that was no UTF-8 is a lone surrogate
        return False
    return True


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path` atomically, on failure it is removed.

    Raises
    ------
    OSError
        If the folder cannot be created or written, or the disk is full; `path` then keeps its old content.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftover_files(path.parent)
    handle, temporary = _held_temporary_file(path)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def staging_folder(folder: str | Path, name: str) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, which is removed at the end with what is still in it.

    Temporary folders of the same name that killed processes left are removed first.
    """
    for path in Path(folder).glob(f".{name}.*"):
        _remove_if_abandoned(path)
    stage = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}."))
    try:
        with hold_lock(stage):
            stage.mkdir(exist_ok=True)  # a cleanup may have come between the lines above
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def remove_leftover_files(folder: str | Path) -> None:
    """Remove the temporary files of `atomic_write` that killed processes left in a folder.

    A file that a running process writes is held by its lock, and stays.
    """
    for path in Path(folder).glob(".*.part*"):
        if path.is_file():
            _remove_if_abandoned(path)


def _held_temporary_file(path: Path) -> tuple[int, Path]:
    """Return an open temporary file beside `path`, locked so that no cleanup removes it, and its path in UTF-8."""
    stem, suffix = (part.encode(errors="replace").decode() for part in (path.stem, path.suffix))
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{stem}.", suffix=".part" + suffix)
        wait_for_lock(handle)
        if Path(name).exists():  # otherwise a cleanup came between the two lines above
            return handle, Path(name)
        os.close(handle)


def _remove_if_abandoned(path: Path) -> None:
    with lock_if_abandoned(path) as free:
        if free and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif free:
            path.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise InputError if a folder could not be created or written; create nothing.

    Called before long work, so that a bad output folder is reported before the work and not after it.

    Raises
    ------
    InputError
        If the path is a file, lies below one, or its folder cannot be written.
    """
    existing = Path(path).absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"{path} cannot be used as a folder, because {existing} is a file; name another")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"the folder {path} cannot be written: no permission in {existing}; name another")


def make_folder(path: str | Path) -> None:
    """Create a folder and its missing parents.

    Raises
    ------
    InputError
        If the folder cannot be created.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {path} cannot be written: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
