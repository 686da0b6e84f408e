"""Load CIFAR-10 from its official binary files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from maetheory.core import InputError
from maetheory.core.files import expand_user
from maetheory.data.cifar10_archive import (
    ARCHIVE,
    FILES,
    RECORDS_PER_FILE,
    find_cifar10,
    read_records,
    unpack_local_archive,
)
from maetheory.data.images import ImageSet, check_split, class_balanced_indices

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_cifar10(
    split: str = "train", root: str | os.PathLike[str] | None = None, limit: int | None = None
) -> ImageSet:
    """Return CIFAR-10 from a local folder; this function downloads nothing (`fetch_cifar10` does).

    Parameters
    ----------
    split : {"train", "test", "val"}
        50000 images for training; 10000 for testing, which is also the validation set.
    root : path, optional
        A folder that holds ``cifar-10-batches-bin/``, its ``*.bin`` files or the official archive, which is then
        unpacked beside itself. By default ``$MAETHEORY_DATA``, then the cache of the operating system.
    limit : int, optional
        Keep at most this many images, classes balanced.

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
    records = [read_records(folder / name) for name in FILES["train" if split == "train" else "test"]]
    labels = np.concatenate([file[:, 0] for file in records]).astype(np.int64)
    if labels.max() >= len(CLASSES):
        raise InputError(f"{folder} holds label {labels.max()}, but CIFAR-10 has the labels 0 to 9")
    kept = class_balanced_indices(labels, limit)
    images = np.empty((len(kept), 3, 32, 32), np.uint8)
    for i, file in enumerate(records):
        in_file = kept // RECORDS_PER_FILE == i
        pixels = file[kept[in_file] % RECORDS_PER_FILE, 1:]  # (n, 3072)
        images[in_file] = pixels.reshape(-1, 3, 32, 32)  # (n, 3072) -> (n, 3, 32, 32)
    return ImageSet(images, labels[kept], "cifar10", split, CLASSES)


def folders_to_search(root: str | os.PathLike[str] | None) -> list[Path]:
    """Return the folders that may hold CIFAR-10, in the order of preference."""
    if root is not None:
        return [expand_user(root)]
    import pooch

    chosen = os.environ.get("MAETHEORY_DATA")
    return [*([expand_user(chosen)] if chosen else []), Path(pooch.os_cache("maetheory"))]


def _locate_folder(root: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the binary files, unpacking a local archive if needed."""
    folders = folders_to_search(root)
    for folder in folders:
        found = find_cifar10(folder)
        if found is not None:
            return found
        if (folder / ARCHIVE).is_file():
            return unpack_local_archive(folder)
    searched = " or ".join(map(str, folders))
    pickles = ("cifar-10-batches-py", "cifar-10-python.tar.gz")
    if any((folder / name).exists() for folder in folders for name in pickles):
        raise InputError(f"{searched} holds CIFAR-10 as pickles, but the binary version ({ARCHIVE}) is needed")
    raise InputError(f"CIFAR-10 is not in {searched}; `maetheory data fetch cifar10` downloads it (162 MiB)")
