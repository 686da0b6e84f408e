"""Download CIFAR-10 from its official site, verified by its hash."""

from __future__ import annotations

import os
from pathlib import Path

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import cifar10_archive
from maetheory.data.cifar10 import folders_to_search

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


def fetch_cifar10(root: str | os.PathLike[str] | None = None, progress: Progress = no_progress) -> Path:
    """Download the official archive (162 MiB), verify and unpack it; do nothing if the files exist already.

    The archive gets its name only when its hash is right, and the folder only when all its files are complete, so
    that an interrupted download leaves nothing that could be taken for the data set.

    Parameters
    ----------
    root : path, optional
        Where to put it: by default ``$MAETHEORY_DATA`` if set, else the cache of the operating system.
    progress : Progress
        Called with the number of bytes downloaded so far.

    Returns
    -------
    Path
        The folder ``cifar-10-batches-bin``.

    Raises
    ------
    InputError
        If the download fails, its hash is wrong, or the folder cannot be written.
    """
    folder = folders_to_search(root)[0]
    found = cifar10_archive.find_cifar10(folder)
    if found is not None:
        for name in cifar10_archive.ALL_FILES:
            cifar10_archive.read_records(found / name)
        return found
    try:
        return cifar10_archive.unpack_archive(_download(folder, progress), folder / cifar10_archive.FOLDER)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"CIFAR-10 could not be fetched into {folder}: {cifar10_archive.error_reason(error)}; "
            f"by hand, put {cifar10_archive.ARCHIVE} from {URL} there"
        ) from error


class _PoochProgressBar:
    """Adapter from pooch's progress-bar protocol to the `Progress` callback."""

    def __init__(self, progress: Progress, message: str) -> None:
        self.total, self._done, self._progress, self._message = 0, 0, progress, message

    def update(self, n: int) -> None:
        """Add `n` downloaded bytes and report the sum."""
        self._done = min(self._done + n, self.total) if self.total else self._done + n
        self._progress(self._done, self.total or self._done, self._message)

    def reset(self) -> None:
        """Start counting from zero."""
        self._done = 0

    def close(self) -> None:
        """Do nothing: the callback has nothing to close."""


def _download(folder: Path, progress: Progress) -> Path:
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # pooch logs to standard error; the progress callback reports instead
    try:
        bar = _PoochProgressBar(progress, "downloading CIFAR-10")
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 18)
        known_hash, name = f"md5:{cifar10_archive.MD5}", cifar10_archive.ARCHIVE
        return Path(pooch.retrieve(URL, known_hash, fname=name, path=folder, downloader=downloader))
    finally:
        logger.setLevel(level)
