"""Find the images of a folder of any layout: with or without splits, with or without classes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from maetheory.core import InputError
from maetheory.data.image_files import IMAGE_SUFFIXES, ImageFileList, abbreviate_names, image_files_below, subfolders

SPLIT_FOLDERS = ("test", "val", "train")
"""Names of split folders, in the order in which a measurement without labels prefers them."""


def holds_images(root: Path) -> bool:
    """Return whether images lie directly in a folder, in its class folders, or in its split folders."""
    return root.is_dir() and (_has_images(root) or any(_has_images(root / name) for name in SPLIT_FOLDERS))


def has_split_folders(root: Path) -> bool:
    """Return whether a folder holds train/, val/ or test/ with images in it."""
    return any(_has_images(root / name) for name in SPLIT_FOLDERS)


def list_unlabelled_image_files(root: Path) -> tuple[ImageFileList, str]:
    """Return the images to measure where labels do not matter, and the name of their split.

    The split is that of the test images where there is one: test/ or val/, with class folders rather than without.
    Otherwise it is train/. A folder without splits is listed whole; its split is ''.

    Raises
    ------
    InputError
        If the folder holds no images.
    """
    for names, needs_classes in ((("test", "val"), True), (("test", "val"), False), (("train",), False)):
        for name in names:
            folder = root / name
            if _has_classes(folder) if needs_classes else _has_images(folder):
                notes = () if name != "train" else (f"{root} has no test/ or val/ images; those of train/ were read",)
                return _list_below(folder, notes, with_direct=False), "train" if name == "train" else "test"
    return list_unsplit_image_files(root), ""


def list_unsplit_image_files(root: Path) -> ImageFileList:
    """Return all images of a folder without splits; its subfolders are the classes.

    Raises
    ------
    InputError
        If the folder holds no images.
    """
    if not _has_images(root):
        raise InputError(f"{root} holds no image ({', '.join(IMAGE_SUFFIXES)}), neither directly nor in class folders")
    listed = _list_below(root, (), with_direct=True)
    note = f"{root} has no train/, val/ or test/; all images in it were read"
    if len(listed.class_names) > 1:
        note += f", from {len(listed.class_names)} folders: {abbreviate_names(listed.class_names, 5)}"
    return replace(listed, notes=(note,))


def _list_below(folder: Path, notes: tuple[str, ...], *, with_direct: bool) -> ImageFileList:
    """Return the images in class folders, and those beside them if `with_direct` or if there are no class folders."""
    classes = {name: files for name in subfolders(folder) if (files := image_files_below(folder, name))}
    direct = sorted(_direct_images(folder))
    if direct and (with_direct or not classes):
        classes = {".": direct, **classes}
    elif direct:
        notes = (*notes, f"{len(direct)} images beside the class folders of {folder} were not read")
    labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()])
    names = () if set(classes) == {"."} else tuple(classes)
    return ImageFileList(folder, tuple(file for files in classes.values() for file in files), labels, names, notes)


def _has_images(folder: Path) -> bool:
    """Return whether images lie directly in a folder or in its class folders."""
    return folder.is_dir() and (any(_direct_images(folder)) or _has_classes(folder))


def _has_classes(folder: Path) -> bool:
    return any(any(_direct_images(folder / name)) for name in subfolders(folder))


def _direct_images(folder: Path) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.name[0] != "." and entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.is_dir():
            yield entry.name
