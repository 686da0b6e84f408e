"""Load images in the IDX format of MNIST, Fashion-MNIST, KMNIST and EMNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet, class_balanced_indices

_SPLIT_WORDS = {"train": ("train",), "test": ("t10k", "test"), "val": ("t10k", "test")}
_TORCHVISION_FOLDERS = ("MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST")
_UNSIGNED_BYTE = 0x08
MAX_BYTES = 8 << 30
MAX_AXES = 4


def find_idx_file(folder: Path, split: str, kind: str = "images") -> Path | None:
    """Return the IDX file of a split, such as ``t10k-images-idx3-ubyte.gz``, in a folder or its ``raw/``, or None.

    The folder may also be torchvision's ``root``, if it holds one such data set.

    Raises
    ------
    InputError
        If files of several data sets lie there, as of EMNIST.
    """
    dimensions = 3 if kind == "images" else 1
    below = [folder / name / "raw" for name in _TORCHVISION_FOLDERS if (folder / name / "raw").is_dir()]
    for candidate in (folder, folder / "raw", *(below if len(below) == 1 else ())):
        if not candidate.is_dir():
            continue
        names = sorted(path.name for path in candidate.iterdir() if path.is_file())
        for word in _SPLIT_WORDS[split]:
            for dot in "-.":  # as published, and as some tools unpack it
                ending = f"{word}-{kind}{dot}idx{dimensions}-ubyte"
                found = [name for name in names if name.removesuffix(".gz").endswith(ending)]
                if len({name.removesuffix(".gz") for name in found}) > 1:
                    raise InputError(
                        f"{candidate} holds several data sets, such as {found[0]} and {found[-1]}: put the files of "
                        "one into a folder of their own"
                    )
                if found:
                    return candidate / found[0]
    return None


def is_idx_folder(folder: Path) -> bool:
    """Return whether a folder holds IDX files of images."""
    return any(find_idx_file(folder, split) for split in ("train", "test"))


def load_idx_folder(folder: Path, split: str, limit: int | None = None) -> ImageSet:
    """Return the images of one split of a folder with IDX files, packed with gzip or not.

    Parameters
    ----------
    folder : Path
        Holds ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, and the same with ``t10k``.
    split : {"train", "test", "val"}
        The validation set is the test set.
    limit : int, optional
        Keep at most this many images, classes balanced.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 1, H, W).

    Raises
    ------
    InputError
        If a file is missing or damaged, or there are not as many labels as images.

    Notes
    -----
    LeCun, Cortes and Burges 1998, The MNIST Database of Handwritten Digits, describes the format.
    """
    arrays, resolved = [], folder.resolve()
    for kind in ("images", "labels"):
        path = find_idx_file(folder, split, kind)
        if path is None:
            name = f"{_SPLIT_WORDS[split][0]}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
            raise InputError(f"the {split} split needs the file {name} or {name}.gz, which {folder} does not hold")
        arrays.append(read_idx(path))
        resolved = path.parent.resolve()
    images, labels = arrays
    if images.ndim != 3 or labels.shape != (len(images),):
        raise InputError(
            f"{folder} must hold images (N, H, W) and as many labels (N,), but it holds {images.shape} and "
            f"{labels.shape}"
        )
    kept = class_balanced_indices(labels, limit)
    name = resolved.parent.name if resolved.name == "raw" else resolved.name
    return ImageSet(images[kept, None], labels[kept].astype(np.int64), name, split)  # (N, H, W) -> (N, 1, H, W)


def read_idx(path: Path) -> np.ndarray:
    """Return the array of unsigned bytes in an IDX file, which may be packed with gzip.

    Raises
    ------
    InputError
        If the file is damaged, of another type of number, or larger than 8 GiB.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
                raise InputError(f"{path} is no IDX file of unsigned bytes: it begins with {magic.hex() or 'nothing'}")
            n_axes = magic[3]
            if n_axes > MAX_AXES:
                raise InputError(f"{path} announces an array of {n_axes} axes, more than images have")
            shape = tuple(np.frombuffer(file.read(4 * n_axes), ">u4").tolist())
            expected = math.prod(shape)
            if len(shape) != n_axes or expected > MAX_BYTES:
                raise InputError(f"{path} announces an array of shape {shape}, which is damaged or passes 8 GiB")
            content = _read_at_most(file, expected + 1)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read to its end ({error})") from error
    if len(content) != expected:
        what = "is truncated" if len(content) < expected else "is longer than it says"
        raise InputError(f"{path} {what}: its header announces {expected} bytes of shape {shape}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_at_most(file: IO[bytes] | gzip.GzipFile, n_bytes: int) -> bytes:
    """Return the next bytes of a file, in pieces, so that an announced size takes no memory before it is there."""
    content = bytearray()
    while piece := file.read(min(1 << 20, n_bytes - len(content))):
        content += piece
    return bytes(content)
