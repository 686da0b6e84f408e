"""Load CIFAR-100 from its official binary files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet, class_balanced_indices

FOLDER = "cifar-100-binary"
RECORDS = {"train": 50_000, "test": 10_000}
RECORD_BYTES = 2 + 3 * 32 * 32  # the coarse and the fine label, then the red, green and blue planes
N_CLASSES = 100


def find_cifar100(folder: Path) -> Path | None:
    """Return the folder that holds CIFAR-100 binary files, `folder` itself or one in it, or None."""
    for candidate in (folder, folder / FOLDER):
        if any((candidate / f"{split}.bin").is_file() for split in RECORDS):
            return candidate
    return None


def load_cifar100(folder: Path, split: str, limit: int | None = None) -> ImageSet:
    """Return CIFAR-100, with its hundred fine labels, from the folder of its binary files.

    Parameters
    ----------
    folder : Path
        Holds ``train.bin``, ``test.bin`` and, where the classes shall have names, ``fine_label_names.txt``.
    split : {"train", "test", "val"}
        50000 images for training; 10000 for testing, which is also the validation set.
    limit : int, optional
        Keep at most this many images, classes balanced.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 3, 32, 32), a hundred classes.

    Raises
    ------
    InputError
        If a file is missing, truncated or of another format.

    Notes
    -----
    Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images (University of Toronto).
    """
    part = "train" if split == "train" else "test"
    path, n = folder / f"{part}.bin", RECORDS[part]
    if not path.is_file():
        raise InputError(f"the {split} split of CIFAR-100 needs the file {path}, which is missing")
    if path.stat().st_size != n * RECORD_BYTES:
        raise InputError(
            f"{path} is truncated or not CIFAR-100: it has {path.stat().st_size} bytes where {n} records of "
            f"{RECORD_BYTES} make {n * RECORD_BYTES}"
        )
    records = np.memmap(path, np.uint8, "r", shape=(n, RECORD_BYTES))
    labels = records[:, 1].astype(np.int64)
    if labels.max() >= N_CLASSES:
        raise InputError(f"{path} holds label {labels.max()}, but CIFAR-100 has the labels 0 to 99")
    kept = class_balanced_indices(labels, limit)
    images = records[kept, 2:].reshape(-1, 3, 32, 32)  # (n, 3072) -> (n, 3, 32, 32)
    return ImageSet(images, labels[kept], "cifar100", split, _class_names(folder))


def _class_names(folder: Path) -> tuple[str, ...]:
    path = folder / "fine_label_names.txt"
    names = path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else []
    return tuple(names) if len(names) == N_CLASSES else tuple(map(str, range(N_CLASSES)))
