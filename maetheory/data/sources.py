"""Load images by data-set name or path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from maetheory.core import REFERENCES, InputError, Progress, no_progress
from maetheory.core.files import expand_user
from maetheory.core.unknown_names import unknown_name_error
from maetheory.data.cifar10 import load_cifar10
from maetheory.data.cifar10_archive import find_cifar10
from maetheory.data.cifar10_download import URL, fetch_cifar10
from maetheory.data.digits import load_digits
from maetheory.data.folder import DecodeOptions, load_image_folder, load_unlabelled_folder, load_unsplit_folder
from maetheory.data.folder_layouts import has_split_folders, holds_images
from maetheory.data.image_files import is_image_folder
from maetheory.data.images import ImageSet, check_split
from maetheory.data.known_layouts import load_known_layout
from maetheory.data.parquet_images import find_parquet_files, load_parquet_images
from maetheory.data.stream import FolderStream
from maetheory.data.unknown_sources import unknown_source_error

MAX_IN_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class DatasetInfo:
    """Description, source and licence of a named data set."""

    description: str
    source: str
    licence: str


DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {
        "digits": DatasetInfo(
            "1797 handwritten digits of 8x8 gray pixels, 10 classes; comes with scikit-learn, nothing to fetch",
            str(REFERENCES["digits"]),
            "CC BY 4.0",
        ),
        "cifar10": DatasetInfo(
            "60000 colour photographs of 32x32 pixels, 10 classes; 162 MiB to fetch",
            f"{REFERENCES['cifar-10']}, {URL}",
            "none stated by the authors, who ask for citation",
        ),
    }
)


def load_images(
    source: str | os.PathLike[str],
    *,
    split: str = "train",
    root: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
    options: DecodeOptions | None = None,
) -> ImageSet:
    """Return labelled images from a named source or a folder.

    Parameters
    ----------
    source : str or path
        "digits" (comes with scikit-learn), "cifar10", or a path of

        - a folder with the official files of CIFAR-10 or CIFAR-100, binary, MATLAB or Python, which is read without
          `pickle`; or the folder that holds it, such as ``cifar-10-batches-bin/`` or ``cifar-100-python/``;
        - a folder with the IDX files of MNIST, Fashion-MNIST, KMNIST or EMNIST, packed or not, or with ``raw/``;
        - a ``.npy`` or ``.npz`` file of images (see `load_array_file`);
        - a file of Parquet, or a folder of them, in which the Hugging Face hub stores images (see
          `load_parquet_images`; extra ``parquet``);
        - an image folder with ``train/CLASS/*.jpg`` and ``val/`` or ``test/`` (see `load_image_folder`). One without
          these three, with ``CLASS/*.jpg`` or ``*.jpg``, has all its images in the training split.
    split : {"train", "test", "val"}
        Which part; for "digits" and "cifar10" the validation set is the test set.
    root : path, optional
        Where "cifar10" is; by default ``$MAETHEORY_DATA``, then the cache of the operating system.
    limit : int, optional
        Keep at most this many images, the classes as balanced as possible, chosen without randomness.
    progress : Progress
        Called with the number of files decoded so far, where files are decoded.
    options : DecodeOptions, optional
        Side, channels and range of the pixels of image files; see there for the defaults.

    Returns
    -------
    ImageSet
        NumPy arrays: images (N, C, H, W), labels (N,). What was assumed about files stands in its ``notes``.

    Raises
    ------
    InputError
        If the source is unknown, missing or damaged, or `split` or `limit` is not usable.

    Examples
    --------
    >>> load_images("digits", split="test", limit=20)
    ImageSet('digits/test', 20 images of 1x8x8 float32, 10 classes)
    """
    check_split(split)
    if source == "digits":
        return load_digits(split, limit)
    if source == "cifar10":
        return load_cifar10(split, root, limit)
    folder, options = expand_user(source), options or DecodeOptions()
    known = load_known_layout(folder, split, limit)
    if known is not None:
        return known
    if is_image_folder(folder):
        return load_image_folder(folder, split, limit=limit, progress=progress, options=options)
    if not holds_images(folder) and find_parquet_files(folder):
        splits = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}[split]
        return load_parquet_images(folder, splits, limit, options, progress)
    if holds_images(folder) and not has_split_folders(folder):
        if split != "train":
            raise InputError(
                f"{source!s} holds images but no {split} split: a {split} split lies in {split}/CLASS/*.jpg, "
                "beside train/CLASS/*.jpg"
            )
        return load_unsplit_folder(folder, limit, options, progress)
    raise unknown_source_error(source, folder, list(DATASETS))


def load_unlabelled_images(
    source: str | os.PathLike[str],
    *,
    limit: int | None = None,
    progress: Progress = no_progress,
    options: DecodeOptions | None = None,
) -> ImageSet:
    """Return images of any origin for a measurement that needs no labels: test images where a source has them.

    Parameters
    ----------
    source : str or path
        As in `load_images`, or any folder of images: without labels, without splits, or one split itself.
    limit : int, optional
        Keep at most this many images; where the folders name classes, as balanced as possible.
    progress : Progress
        Called with the number of files decoded so far, where files are decoded.
    options : DecodeOptions, optional
        Side, channels and range of the pixels of image files.

    Returns
    -------
    ImageSet
        Its labels are those that the source has, else 0. Which images of a folder were read stands in its ``notes``.

    Raises
    ------
    InputError
        If the source is unknown, missing or damaged, or `limit` is not usable.
    """
    folder = expand_user(source)
    if source not in DATASETS:
        known = load_known_layout(folder, None, limit)
        if known is not None:
            return known
        if holds_images(folder):
            return load_unlabelled_folder(folder, limit, options or DecodeOptions(), progress)
        if find_parquet_files(folder):
            return load_parquet_images(folder, ("test", "val", "train"), limit, options, progress)
    return load_images(source, split="test", limit=limit, progress=progress, options=options)


def load_or_stream(
    source: str | os.PathLike[str],
    size: int,
    *,
    limit: int | None = None,
    stream: bool | None = None,
    progress: Progress = no_progress,
) -> ImageSet | FolderStream:
    """Return the training images of a source: an array or, for a large image folder, a description to stream.

    Parameters
    ----------
    source : str or path
        As in `load_images`.
    size : int
        Side of the square that images of an image folder become; other sources keep their own.
    limit : int, optional
        Use at most so many images, classes balanced.
    stream : bool, optional
        Whether an image folder is streamed; by default it is when its images, decoded at `size`, pass 2 GiB. Streamed
        images are cropped at random and mirrored half of the time; an array holds central crops.
    progress : Progress
        Called with the number of files decoded so far, where files are decoded.

    Raises
    ------
    InputError
        As in `load_images`, or if what is no image folder shall be streamed.
    """
    folder = expand_user(source)
    named = source in DATASETS or bool(find_cifar10(folder))
    if named or not is_image_folder(folder):
        if stream:
            raise InputError(f"only a folder with train/CLASS/*.jpg can be streamed, but {source!s} is none")
        return load_images(source, limit=limit, progress=progress)
    folder_stream = FolderStream(folder, size=size, train=True, limit=limit)
    if stream or (stream is None and folder_stream.n_bytes > MAX_IN_MEMORY_BYTES):
        return folder_stream
    return load_image_folder(folder, size=size, limit=limit, progress=progress)


def fetch(name: str, root: str | os.PathLike[str] | None = None, progress: Progress = no_progress) -> Path:
    """Download a named data set, verified by its hash; do nothing if it exists already.

    Parameters
    ----------
    name : str
        A key of `DATASETS` that needs fetching: "cifar10".
    root : path, optional
        Where to put it: by default ``$MAETHEORY_DATA`` if set, else the cache of the operating system.
    progress : Progress
        Called with the number of bytes downloaded so far.

    Returns
    -------
    Path
        The folder that holds it.

    Raises
    ------
    InputError
        If there is no such data set, it needs no fetching, or the download fails.
    """
    if name == "cifar10":
        return fetch_cifar10(root, progress)
    if name in DATASETS:
        raise InputError(f"there is nothing to fetch: {name} comes with an installed package")
    raise unknown_name_error("data set", name, DATASETS)
