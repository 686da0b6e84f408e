"""List the image files of a folder in ImageNet layout (train/CLASS/*.jpg) without opening them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maetheory.core import InputError, printable
from maetheory.core.files import expand_user
from maetheory.data.images import check_split, class_balanced_indices

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".jp2"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)

_SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}


class SkippedFilesWarning(UserWarning):
    """Warning that some files of a folder cannot be decoded and were left out."""


@dataclass(frozen=True, eq=False)
class ImageFileList:
    """Sorted image files of one split, with their labels and class names.

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
    notes : tuple of str, default ()
        What was assumed about the layout.
    """

    folder: Path
    files: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def limit(self, n: int | None) -> ImageFileList:
        """Return at most `n` files, classes balanced, as `ImageSet.limit` does."""
        kept = class_balanced_indices(self.labels, n)
        return replace(self, files=tuple(self.files[i] for i in kept), labels=self.labels[kept])


def is_image_folder(root: Path) -> bool:
    """Return whether `root` contains train/, val/ or test/ with class folders."""
    return any(subfolders(root / split) for split in _SPLIT_FOLDERS)


def list_image_files(root: str | os.PathLike[str], split: str = "train") -> ImageFileList:
    """Return the image files and classes of one split; no file is opened.

    Raises
    ------
    InputError
        If there is no such split with class folders, a class folder holds no image, or a class is not in ``train/``.
    """
    root = expand_user(root)
    candidates = _SPLIT_FOLDERS[check_split(split)]
    folder = next((root / name for name in candidates if subfolders(root / name)), None)
    if folder is None:
        wanted = " or ".join(f"{name}/CLASS/*.jpg" for name in candidates)
        raise InputError(f"the {split} split of an image folder needs {wanted}, which {root} does not hold")
    present = subfolders(folder)
    class_names = subfolders(root / "train") or present
    label_of = {name: label for label, name in enumerate(class_names)}
    unknown = [name for name in present if name not in label_of]
    if unknown:
        raise InputError(f"the class folder {folder / unknown[0]} has no counterpart in {root / 'train'}")
    files = {name: image_files_below(folder, name) for name in present}
    empty = [name for name in present if not files[name]]
    if empty:
        raise InputError(f"the class folder {folder / empty[0]} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    labels = np.repeat([label_of[name] for name in present], [len(files[name]) for name in present])
    return ImageFileList(folder, tuple(file for name in present for file in files[name]), labels, class_names)


def warn_skipped_files(image_files: ImageFileList, skipped: Mapping[str, str]) -> None:
    """Warn once with the number and the first names of the skipped files; raise InputError if none is readable."""
    if not skipped:
        return
    total, names = len(image_files.files), list(skipped)
    if len(names) == total:
        raise InputError(
            f"none of the {total} files under {image_files.folder} is a readable image ({skipped[names[0]]})"
        )
    warnings.warn(
        f"{len(names)} of {total} files under {image_files.folder} cannot be decoded and were left out: "
        + abbreviate_names(names, 5),
        SkippedFilesWarning,
        stacklevel=3,
    )


def abbreviate_names(names: Sequence[str], n: int) -> str:
    """Return the first `n` names as printable text, separated by commas, and how many more there are."""
    return ", ".join(map(printable, names[:n])) + (f" and {len(names) - n} more" if len(names) > n else "")


def subfolders(folder: Path) -> tuple[str, ...]:
    """Return the sorted names of the folders in a folder that are not hidden; none if it is no folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."))


def image_files_below(folder: Path, name: str) -> list[str]:
    """Return the sorted image files of a class folder and the folders in it, relative to `folder`."""
    found = []
    for parent, _, files in os.walk(folder / name):
        relative = os.path.relpath(parent, folder)
        found += [
            os.path.join(relative, file) for file in files if file[0] != "." and file.lower().endswith(IMAGE_SUFFIXES)
        ]
    return sorted(found)
