"""Recognise data sets by their official files: CIFAR-10 and CIFAR-100, MNIST and its kin, and NumPy files."""

from __future__ import annotations

from pathlib import Path

from maetheory.data.array_files import is_array_file, load_array_file
from maetheory.data.cifar10 import load_cifar10
from maetheory.data.cifar10_archive import find_cifar10
from maetheory.data.cifar100 import find_cifar100, load_cifar100
from maetheory.data.cifar_dictionaries import find_cifar_dictionaries, load_cifar_dictionaries
from maetheory.data.idx_files import find_idx_file, is_idx_folder, load_idx_folder
from maetheory.data.images import ImageSet


def load_known_layout(path: Path, split: str | None, limit: int | None) -> ImageSet | None:
    """Return the images of a file or folder in one of the layouts of this module, or None for any other.

    Parameters
    ----------
    path : Path
    split : {"train", "test", "val"} or None
        None stands for the test images, or where there are none, for those that there are.
    limit : int or None
        Keep at most this many images, classes balanced.

    Raises
    ------
    InputError
        If a file is missing or damaged, or lacks the split.
    """
    labelled = split or "test"
    if find_cifar10(path):
        return load_cifar10(labelled, path, limit)
    if cifar100 := find_cifar100(path):
        return load_cifar100(cifar100, labelled, limit)
    if dictionaries := find_cifar_dictionaries(path):
        return load_cifar_dictionaries(*dictionaries, labelled, limit)
    if is_idx_folder(path):
        has_test = split is not None or find_idx_file(path, "test") is not None
        return load_idx_folder(path, labelled if has_test else "train", limit)
    if is_array_file(path):
        return load_array_file(path, _array_splits(split), limit)
    return None


def _array_splits(split: str | None) -> tuple[str, ...]:
    """Return the splits to look for in this order; as in image folders, "val" and "test" replace each other."""
    return {"train": ("train",), "val": ("val", "test"), "test": ("test", "val"), None: ("test", "val", "train")}[split]
