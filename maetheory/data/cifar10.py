"""CIFAR-10 from its official binary archive: 3073 bytes an image, a label and three planes, and nothing to unpickle."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.data.images import ImageSet, check_split, class_balanced_indices

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
ALL_FILES = FILES["train"] + FILES["test"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_RECORDS_PER_FILE, _RECORD_BYTES = 10_000, 1 + 3 * 32 * 32


def cifar10(split: str = "train", root: str | os.PathLike[str] | None = None, limit: int | None = None) -> ImageSet:
    """Return CIFAR-10 from a local folder; nothing is downloaded here (`fetch_cifar10` does that).

    Parameters
    ----------
    split : {"train", "test", "val"}
        50000 images for training; 10000 for testing, which is also the validation set.
    root : path, optional
        A folder that holds ``cifar-10-batches-bin/``, its ``*.bin`` files or the official archive, which is then
        unpacked beside itself. Without it ``$MAETHEORY_DATA`` is looked into, then the cache of the operating system.
    limit : int, optional
        Keep at most so many, classes balanced.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 3, 32, 32), ten classes.

    Raises
    ------
    InputError
        If the data are not there, a file is missing, truncated or of another format, or the archive is damaged.

    Notes
    -----
    Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images (University of Toronto).
    """
    check_split(split)
    folder = _locate_folder(root)
    records = [_read_records(folder / name) for name in FILES["train" if split == "train" else "test"]]
    labels = np.concatenate([part[:, 0] for part in records]).astype(np.int64)
    if labels.max() >= len(CLASSES):
        raise InputError(f"{folder} holds label {labels.max()}, but CIFAR-10 has the labels 0 to 9")
    kept = class_balanced_indices(labels, limit)
    images = np.empty((len(kept), 3, 32, 32), np.uint8)
    for i, part in enumerate(records):
        inside = kept // _RECORDS_PER_FILE == i
        images[inside] = part[kept[inside] % _RECORDS_PER_FILE, 1:].reshape(
            -1, 3, 32, 32
        )  # (n, 3072) -> (n, 3, 32, 32)
    return ImageSet(images, labels[kept], "cifar10", split, CLASSES)


def find_cifar10(place: Path) -> Path | None:
    """Return the folder at or below `place` that holds CIFAR-10 binary files, or None."""
    for folder in (place, place / FOLDER):
        if any((folder / name).is_file() for name in ALL_FILES):
            return folder
    return None


def fetch_cifar10(root: str | os.PathLike[str] | None = None, progress: Progress = no_progress) -> Path:
    """Download the official archive (162 MiB), verify it and unpack it; do nothing where it already is.

    The archive goes under its name only when its hash is right, the folder only when all its files are whole, so an
    interrupted download leaves nothing that looks like data.

    Parameters
    ----------
    root : path, optional
        Where to put it: by default ``$MAETHEORY_DATA`` if set, else the cache of the operating system.
    progress : Progress
        Told the bytes downloaded so far.

    Returns
    -------
    Path
        The folder ``cifar-10-batches-bin``.

    Raises
    ------
    InputError
        If the download fails, its hash is wrong, or the place cannot be written.
    """
    place = _search_folders(root)[0]
    found = find_cifar10(place)
    if found is not None:
        for name in ALL_FILES:
            _read_records(found / name)
        return found
    try:
        return unpack_archive(_download(place, progress), place / FOLDER)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"CIFAR-10 could not be fetched into {place}: {_error_reason(error)}; by hand, put {ARCHIVE} from {URL} there"
        ) from error


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpack the binary files of CIFAR-10, and only these, so that `folder` appears whole or not at all.

    Raises
    ------
    InputError
        If the archive is damaged or lacks a file, or `folder` exists already but is not whole.
    OSError
        If `folder` cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        part = Path(scratch) / folder.name
        part.mkdir()
        try:
            with tarfile.open(archive, "r:gz") as members:
                for name in ALL_FILES:
                    _copy_member(archive, members, name, part / name)
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise InputError(f"{archive} is not a whole tar.gz archive ({error})") from error
        try:
            os.rename(part, folder)
        except OSError:
            if find_cifar10(folder) != folder:  # another process was not quicker: a true failure
                raise
    return folder


def _copy_member(archive: Path, members: tarfile.TarFile, name: str, target: Path) -> None:
    try:
        source = members.extractfile(f"{FOLDER}/{name}")
    except KeyError:
        source = None
    if source is None:
        raise InputError(f"{archive} holds no file {FOLDER}/{name}, which CIFAR-10 must have")
    with source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    _read_records(target)


def _read_records(path: Path) -> np.ndarray:
    """Return the file as (10000, 3073) bytes, read only where they are used."""
    if not path.is_file():
        raise InputError(f"CIFAR-10 needs the file {path}, which is missing")
    size, whole = path.stat().st_size, _RECORDS_PER_FILE * _RECORD_BYTES
    if size != whole:
        what = "is truncated" if size < whole else "is not CIFAR-10"
        raise InputError(
            f"{path} {what}: it has {size} bytes where {_RECORDS_PER_FILE} records of {_RECORD_BYTES} make {whole}"
        )
    return np.memmap(path, np.uint8, "r", shape=(_RECORDS_PER_FILE, _RECORD_BYTES))


def _search_folders(root: str | os.PathLike[str] | None) -> list[Path]:
    """Where to look, most wanted first."""
    if root is not None:
        return [Path(root).expanduser()]
    import pooch

    chosen = os.environ.get("MAETHEORY_DATA")
    return [*([Path(chosen).expanduser()] if chosen else []), Path(pooch.os_cache("maetheory"))]


def _locate_folder(root: str | os.PathLike[str] | None) -> Path:
    places = _search_folders(root)
    for place in places:
        folder = find_cifar10(place)
        if folder is not None:
            return folder
        if (place / ARCHIVE).is_file():
            return _unpack_local_archive(place)
    looked = " or ".join(map(str, places))
    if any((place / name).exists() for place in places for name in ("cifar-10-batches-py", "cifar-10-python.tar.gz")):
        raise InputError(f"{looked} holds CIFAR-10 as pickles, but the binary version ({ARCHIVE}) is needed")
    raise InputError(f"CIFAR-10 is not in {looked}; `maetheory data fetch cifar10` downloads it (162 MiB)")


def _unpack_local_archive(place: Path) -> Path:
    import pooch

    found = pooch.file_hash(str(place / ARCHIVE), alg="md5")
    if found != MD5:
        raise InputError(f"{place / ARCHIVE} has the MD5 sum {found}, but the official archive has {MD5}")
    try:
        return unpack_archive(place / ARCHIVE, place / FOLDER)
    except OSError as error:
        raise InputError(f"{place / ARCHIVE} could not be unpacked beside itself: {_error_reason(error)}") from error


class _PoochProgressBar:
    """What pooch asks of a progress bar, passed on as steps of ours."""

    def __init__(self, progress: Progress, message: str) -> None:
        self.total, self._done, self._progress, self._message = 0, 0, progress, message

    def update(self, n: int) -> None:
        self._done = min(self._done + n, self.total) if self.total else self._done + n
        self._progress(self._done, self.total or self._done, self._message)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def _download(place: Path, progress: Progress) -> Path:
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # what it would print is told through `progress`
    try:
        bar = _PoochProgressBar(progress, "downloading CIFAR-10")
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 18)
        return Path(pooch.retrieve(URL, f"md5:{MD5}", fname=ARCHIVE, path=place, downloader=downloader))
    finally:
        logger.setLevel(level)


def _error_reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return "the connection failed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).splitlines()[0]
