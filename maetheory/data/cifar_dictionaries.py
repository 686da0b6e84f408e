"""Load CIFAR-10 and CIFAR-100 from their official MATLAB and Python files; the latter are read without `pickle`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.data.cifar10 import CLASSES
from maetheory.data.images import ImageSet, class_balanced_indices
from maetheory.data.matlab_files import read_matlab
from maetheory.data.plain_pickles import read_plain_pickle


@dataclass(frozen=True)
class DictionaryLayout:
    """Files that hold a dictionary with ``data`` (n, 3072) and n labels each.

    Attributes
    ----------
    name, folder : str
        Name of the data set, and of the folder in its archive.
    train, test : tuple of str
        Names of the files.
    labels : str
        Key of the labels.
    class_names : tuple of str
    read : callable
        From the path of a file to its dictionary.
    """

    name: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: str
    class_names: tuple[str, ...]
    read: Callable[[Path], dict[str, Any]]


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_HUNDRED = tuple(map(str, range(100)))
LAYOUTS = (
    DictionaryLayout("cifar10", "cifar-10-batches-py", _BATCHES, ("test_batch",), "labels", CLASSES, read_plain_pickle),
    DictionaryLayout(
        "cifar10",
        "cifar-10-batches-mat",
        tuple(f"{name}.mat" for name in _BATCHES),
        ("test_batch.mat",),
        "labels",
        CLASSES,
        read_matlab,
    ),
    DictionaryLayout("cifar100", "cifar-100-python", ("train",), ("test",), "fine_labels", _HUNDRED, read_plain_pickle),
    DictionaryLayout(
        "cifar100", "cifar-100-matlab", ("train.mat",), ("test.mat",), "fine_labels", _HUNDRED, read_matlab
    ),
)


def find_cifar_dictionaries(folder: Path) -> tuple[DictionaryLayout, Path] | None:
    """Return the layout and the folder of its files, `folder` itself or one in it, or None."""
    for layout in LAYOUTS:
        for candidate in (folder, folder / layout.folder):
            if any((candidate / file).is_file() for file in (*layout.train, *layout.test)):
                return layout, candidate
    return None


def load_cifar_dictionaries(layout: DictionaryLayout, folder: Path, split: str, limit: int | None = None) -> ImageSet:
    """Return CIFAR-10 or CIFAR-100 (with its fine labels) from a folder of MATLAB or Python files.

    Parameters
    ----------
    layout, folder
        As `find_cifar_dictionaries` returns them.
    split : {"train", "test", "val"}
        The validation set is the test set.
    limit : int, optional
        Keep at most this many images, classes balanced.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 3, 32, 32).

    Raises
    ------
    InputError
        If a file is missing, damaged or of another format.
    """
    parts = [_read_part(layout, folder / file) for file in (layout.train if split == "train" else layout.test)]
    images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    n_classes = len(layout.class_names)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise InputError(
            f"{folder} holds the labels {labels.min()} to {labels.max()}, but {layout.name} has 0 to {n_classes - 1}"
        )
    kept = class_balanced_indices(labels, limit)
    pixels = images[kept].reshape(-1, 3, 32, 32)  # (n, 3072) -> (n, 3, 32, 32)
    return ImageSet(pixels, labels[kept], layout.name, split, layout.class_names)


def _read_part(layout: DictionaryLayout, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (n, 3072) and labels (n,) of one file."""
    if not path.is_file():
        raise InputError(f"{layout.name} needs the file {path}, which is missing")
    content = layout.read(path)
    pixels, labels = content.get("data"), content.get(layout.labels)
    if isinstance(labels, list) and all(type(label) is int for label in labels):
        labels = np.array(labels, np.int64)
    if (
        not isinstance(pixels, np.ndarray)
        or not isinstance(labels, np.ndarray)
        or pixels.dtype != np.uint8
        or labels.dtype.kind not in "iu"
        or not labels.size
        or pixels.shape != (labels.size, 3 * 32 * 32)
    ):
        raise InputError(f"{path} needs data of shape (n, 3072) and type uint8, and n whole numbers as {layout.labels}")
    return pixels, labels.ravel().astype(np.int64)
