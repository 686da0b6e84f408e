"""A folder of class folders is a labelled data set: train/CLASS/*.jpg, val/CLASS/*.jpg, as ImageNet is laid out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.data.decode import UndecodableError, read_rgb, resize_and_center_crop, size_from_header, to_chw
from maetheory.data.images import ImageSet, check_split, class_balanced_indices

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
DEFAULT_SIZE = 224
MAX_ARRAY_BYTES = 8 << 30

_SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}


class SkippedFilesWarning(UserWarning):
    """Some files of a folder are no readable images and were left out."""


@dataclass(frozen=True, eq=False)
class ImageFileList:
    """The files of one split, sorted, with their classes.

    Parameters
    ----------
    folder : Path
        The folder of the split.
    files : tuple of str
        Paths relative to `folder`, class folder first.
    labels : ndarray of int, shape (N,)
        Position of each file's class in `class_names`.
    class_names : tuple of str
        Sorted names of the class folders of ``train/`` (of the split itself where there is no ``train/``).
    """

    folder: Path
    files: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    def limit(self, n: int | None) -> ImageFileList:
        """Return at most `n` files, classes balanced, as `ImageSet.limit` does."""
        kept = class_balanced_indices(self.labels, n)
        return ImageFileList(self.folder, tuple(self.files[i] for i in kept), self.labels[kept], self.class_names)


def load_image_folder(
    root: str | os.PathLike[str],
    split: str = "train",
    size: int | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> ImageSet:
    """Decode an image folder into one array; `FolderStream` is for folders too large for that.

    Every image is seen from its centre (`resize_and_center_crop`). Files that are no readable images are left out, named in
    ``skipped`` and in one `SkippedFilesWarning`.

    Parameters
    ----------
    root : path
        Holds ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg`` or ``test/CLASS/*.jpg``.
    split : {"train", "val", "test"}
        "val" and "test" stand in for each other where only one is there.
    size : int, optional
        Side of the decoded square. By default images that all have one size keep it, others become 224 x 224.
    limit : int, optional
        Decode at most so many files, classes balanced.
    progress : Progress
        Told the files decoded so far.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 3, H, W), sorted by class and file name.

    Raises
    ------
    InputError
        If the layout is not as above, a class is empty, no file can be decoded, or the array would pass 8 GiB.
    """
    listing = list_image_files(root, split).limit(limit)
    paths = [str(listing.folder / file) for file in listing.files]
    height, width = (_check_size(size), _check_size(size)) if size is not None else _common_size(paths)
    if 3 * height * width * len(paths) > MAX_ARRAY_BYTES:
        raise InputError(
            f"{len(paths)} images of {height}x{width} under {listing.folder} pass the {MAX_ARRAY_BYTES >> 30} GiB of one "
            "array; give a limit, or stream them with FolderStream"
        )
    images = np.empty((len(paths), 3, height, width), np.uint8)
    reasons = _decode_into(images, paths, progress)
    skipped = {file: reason for file, reason in zip(listing.files, reasons) if reason}
    warn_skipped_files(listing, skipped)
    kept = np.array([not reason for reason in reasons])
    images = images[kept] if skipped else images
    name = Path(root).expanduser().resolve().name
    return ImageSet(images, listing.labels[kept], name, split, listing.class_names, tuple(skipped))


def is_image_folder(root: Path) -> bool:
    """Return whether `root` holds train/, val/ or test/ with class folders in it."""
    return any(_subfolders(root / split) for split in _SPLIT_FOLDERS)


def list_image_files(root: str | os.PathLike[str], split: str = "train") -> ImageFileList:
    """Return the files and classes of one split without opening any.

    Raises
    ------
    InputError
        If there is no such split with class folders, a class folder holds no image, or a class is not in ``train/``.
    """
    root = Path(root).expanduser()
    places = _SPLIT_FOLDERS[check_split(split)]
    folder = next((root / place for place in places if _subfolders(root / place)), None)
    if folder is None:
        wanted = " or ".join(f"{place}/CLASS/*.jpg" for place in places)
        raise InputError(f"the {split} split of an image folder needs {wanted}, which {root} does not hold")
    present = _subfolders(folder)
    class_names = _subfolders(root / "train") or present
    strangers = [name for name in present if name not in set(class_names)]
    if strangers:
        raise InputError(f"the class folder {folder / strangers[0]} has no counterpart in {root / 'train'}")
    files = {name: _image_files_below(folder, name) for name in present}
    empty = [name for name in present if not files[name]]
    if empty:
        raise InputError(f"the class folder {folder / empty[0]} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    labels = np.repeat([class_names.index(name) for name in present], [len(files[name]) for name in present])
    return ImageFileList(folder, tuple(file for name in present for file in files[name]), labels, class_names)


def warn_skipped_files(listing: ImageFileList, skipped: Mapping[str, str]) -> None:
    """Warn once with the number of files left out and the first names; all of them left out is an error."""
    if not skipped:
        return
    total, names = len(listing.files), list(skipped)
    if len(names) == total:
        raise InputError(f"none of the {total} files under {listing.folder} is a readable image ({skipped[names[0]]})")
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    sentence = f"{len(names)} of {total} files under {listing.folder} cannot be decoded and were left out: {shown}"
    warnings.warn(sentence, SkippedFilesWarning, stacklevel=3)


def _check_size(size: int) -> int:
    if size < 1:
        raise InputError(f"size must be a positive number of pixels, but {size} was given")
    return size


def _subfolders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."))


def _image_files_below(folder: Path, name: str) -> list[str]:
    found = []
    for place, _, files in os.walk(folder / name):
        inside = os.path.relpath(place, folder)
        found += [
            os.path.join(inside, file) for file in files if file[0] != "." and file.lower().endswith(IMAGE_SUFFIXES)
        ]
    return sorted(found)


def _common_size(paths: Sequence[str]) -> tuple[int, int]:
    """Return (H, W) if all readable headers agree, else the default square."""
    common = None
    for path in paths:
        size = size_from_header(path)
        if common and size and size != common:
            return DEFAULT_SIZE, DEFAULT_SIZE
        common = common or size
    return common or (DEFAULT_SIZE, DEFAULT_SIZE)


def _decode_into(images: np.ndarray, paths: Sequence[str], progress: Progress) -> list[str]:
    """Fill `images` and return why each file could not be decoded, or ''.

    Threads suffice, because Pillow lets go of the interpreter while it decodes; unlike processes they need no guarded
    main module, so that `load_images` works anywhere.
    """

    def decode(i: int) -> str:
        try:
            image = read_rgb(paths[i])
        except UndecodableError as error:
            return str(error)
        as_it_is = (image.height, image.width) == images.shape[2:]
        images[i] = to_chw(image if as_it_is else resize_and_center_crop(image, images.shape[2]))
        return ""

    reasons = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for reason in pool.map(decode, range(len(paths))):
            reasons.append(reason)
            progress(len(reasons), len(paths), "decoding images")
    return reasons
