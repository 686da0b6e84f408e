"""Hold the folder that a command writes, so that two commands never mix their files in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maetheory.core import check_writable
from maetheory.core.folder_lock import lock_folder


@contextmanager
def hold_output_folder(folder: Path | None) -> Iterator[None]:
    """Hold an output folder inside a ``with`` block around the work of a command; without a folder do nothing.

    Raises
    ------
    InputError
        If the folder cannot be written, or another process writes it.
    """
    if folder is None:
        yield
        return
    check_writable(folder)
    with lock_folder(folder):
        yield
