"""Load CIFAR-10 and CIFAR-100 from their official MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet, class_balanced_indices

_FILES = {
    "cifar10": {"train": tuple(f"data_batch_{i}.mat" for i in range(1, 6)), "test": ("test_batch.mat",)},
    "cifar100": {"train": ("train.mat",), "test": ("test.mat",)},
}
_LABELS = {"cifar10": "labels", "cifar100": "fine_labels"}
_N_CLASSES = {"cifar10": 10, "cifar100": 100}
_FOLDERS = {"cifar10": "cifar-10-batches-mat", "cifar100": "cifar-100-matlab"}


def find_cifar_matlab(folder: Path) -> tuple[str, Path] | None:
    """Return the name of the data set and the folder of its MATLAB files, `folder` itself or one in it, or None."""
    for name, files in _FILES.items():
        for candidate in (folder, folder / _FOLDERS[name]):
            if any((candidate / file).is_file() for file in (files["train"][0], files["test"][0])):
                return name, candidate
    return None


def load_cifar_matlab(name: str, folder: Path, split: str, limit: int | None = None) -> ImageSet:
    """Return CIFAR-10 or CIFAR-100 (with its fine labels) from the folder of its MATLAB files.

    Parameters
    ----------
    name : {"cifar10", "cifar100"}
    folder : Path
        As `find_cifar_matlab` returns it.
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
    parts = [_read(folder / file, _LABELS[name]) for file in _FILES[name]["train" if split == "train" else "test"]]
    images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    if labels.min() < 0 or labels.max() >= _N_CLASSES[name]:
        raise InputError(f"{folder} holds labels {labels.min()}..{labels.max()}, which {name} does not have")
    kept = class_balanced_indices(labels, limit)
    classes = tuple(map(str, range(_N_CLASSES[name])))
    return ImageSet(images[kept].reshape(-1, 3, 32, 32), labels[kept], name, split, classes)  # (n, 3072) -> (n, 3, …)


def _read(path: Path, label_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (n, 3072) and labels (n,) of one file; MATLAB files of this version hold no code."""
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"CIFAR needs the file {path}, which is missing")
    try:
        content: dict[str, Any] = loadmat(path, variable_names=("data", label_name))
        pixels, labels = np.asarray(content["data"]), np.asarray(content[label_name]).ravel()
    except Exception as error:  # SciPy raises errors of many types on a damaged file
        raise InputError(f"{path} is no whole MATLAB file with data and {label_name} ({error})") from error
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3 * 32 * 32) or labels.dtype.kind not in "iu":
        raise InputError(f"{path} needs data of shape (n, 3072) and type uint8 with n labels, but has {pixels.shape}")
    return pixels, labels.astype(np.int64)
