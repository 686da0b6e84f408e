"""Files and archive of binary CIFAR-10: find, check and unpack them."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

import numpy as np

from maetheory.core import InputError

MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
ALL_FILES = FILES["train"] + FILES["test"]

RECORDS_PER_FILE = 10_000
RECORD_BYTES = 1 + 3 * 32 * 32  # a label, then the red, green and blue planes


def find_cifar10(folder: Path) -> Path | None:
    """Return the folder that holds CIFAR-10 binary files, `folder` itself or one in it, or None."""
    for candidate in (folder, folder / FOLDER):
        if any((candidate / name).is_file() for name in ALL_FILES):
            return candidate
    return None


def read_records(path: Path) -> np.ndarray:
    """Return a binary file as a memory map of its records, shape (10000, 3073), uint8.

    Raises
    ------
    InputError
        If the file is missing or its size is wrong.
    """
    if not path.is_file():
        raise InputError(f"CIFAR-10 needs the file {path}, which is missing")
    size, expected = path.stat().st_size, RECORDS_PER_FILE * RECORD_BYTES
    if size != expected:
        what = "is truncated" if size < expected else "is not CIFAR-10"
        raise InputError(
            f"{path} {what}: it has {size} bytes where {RECORDS_PER_FILE} records of {RECORD_BYTES} make {expected}"
        )
    return np.memmap(path, np.uint8, "r", shape=(RECORDS_PER_FILE, RECORD_BYTES))


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpack the binary files of CIFAR-10, and no others, into `folder`, which appears complete or not at all.

    Raises
    ------
    InputError
        If the archive is damaged or lacks a file, or `folder` exists already but is not complete.
    OSError
        If `folder` cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        temporary = Path(scratch) / folder.name
        temporary.mkdir()
        try:
            with tarfile.open(archive, "r:gz") as members:
                for name in ALL_FILES:
                    _copy_member(archive, members, name, temporary / name)
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise InputError(f"{archive} is not a whole tar.gz archive ({error})") from error
        try:
            os.rename(temporary, folder)
        except OSError:
            if find_cifar10(folder) != folder:  # fine if another process has just unpacked the same files
                raise
    return folder


def unpack_local_archive(folder: Path) -> Path:
    """Verify the hash of the archive in `folder` and unpack it beside itself; return the folder of the files.

    Raises
    ------
    InputError
        If the archive is not the official one or cannot be unpacked.
    """
    import pooch

    found = pooch.file_hash(str(folder / ARCHIVE), alg="md5")
    if found != MD5:
        raise InputError(f"{folder / ARCHIVE} has the MD5 sum {found}, but the official archive has {MD5}")
    try:
        return unpack_archive(folder / ARCHIVE, folder / FOLDER)
    except OSError as error:
        raise InputError(f"{folder / ARCHIVE} could not be unpacked beside itself: {error_reason(error)}") from error


def error_reason(error: Exception) -> str:
    """Return in a few words why a download or an unpacking failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return "the connection failed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).splitlines()[0]


def _copy_member(archive: Path, members: tarfile.TarFile, name: str, target: Path) -> None:
    """Copy one file of the archive to `target` and check its size."""
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
    read_records(target)
