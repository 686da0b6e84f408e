"""Load images from a folder in ImageNet layout (train/CLASS/*.jpg)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.data.decode import UndecodableError, read_rgb, resize_and_center_crop, size_from_header, to_chw
from maetheory.data.image_files import list_image_files, warn_skipped_files
from maetheory.data.images import ImageSet

DEFAULT_SIZE = 224
MAX_ARRAY_BYTES = 8 << 30


def load_image_folder(
    root: str | os.PathLike[str],
    split: str = "train",
    size: int | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> ImageSet:
    """Decode an image folder into one array.

    Images are resized and cropped to their centre (`resize_and_center_crop`). Files that cannot be decoded are left
    out, and named in ``skipped`` and in one `SkippedFilesWarning`.

    Parameters
    ----------
    root : path
        Contains ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg`` or ``test/CLASS/*.jpg``.
    split : {"train", "val", "test"}
        "val" and "test" replace each other where only one exists.
    size : int, optional
        Side of the decoded square. By default images that all have one size keep it, others become 224 x 224.
    limit : int, optional
        Decode at most this many files, classes balanced.
    progress : Progress
        Called with the number of files decoded so far.

    Returns
    -------
    ImageSet
        uint8 images of shape (N, 3, H, W), sorted by class and file name.

    Raises
    ------
    InputError
        If the layout is not as above, a class is empty, no file can be decoded, or the array would pass 8 GiB.
    """
    image_files = list_image_files(root, split).limit(limit)
    paths = [str(image_files.folder / file) for file in image_files.files]
    height, width = (_check_size(size), _check_size(size)) if size is not None else _common_size(paths)
    if 3 * height * width * len(paths) > MAX_ARRAY_BYTES:
        raise InputError(
            f"{len(paths)} images of {height}x{width} under {image_files.folder} pass the "
            f"{MAX_ARRAY_BYTES >> 30} GiB of one array; give a limit, or stream them with FolderStream"
        )
    images = np.empty((len(paths), 3, height, width), np.uint8)
    reasons = _decode_into(images, paths, progress)
    skipped = {file: reason for file, reason in zip(image_files.files, reasons) if reason}
    warn_skipped_files(image_files, skipped)
    kept = np.array([not reason for reason in reasons])
    images = images[kept] if skipped else images
    name = Path(root).expanduser().resolve().name
    return ImageSet(images, image_files.labels[kept], name, split, image_files.class_names, tuple(skipped))


def _check_size(size: int) -> int:
    if size < 1:
        raise InputError(f"size must be a positive number of pixels, but {size} was given")
    return size


def _common_size(paths: Sequence[str]) -> tuple[int, int]:
    """Return (H, W) if the readable headers of all files agree, else the default square."""
    common = None
    for path in paths:
        size = size_from_header(path)
        if common and size and size != common:
            return DEFAULT_SIZE, DEFAULT_SIZE
        common = common or size
    return common or (DEFAULT_SIZE, DEFAULT_SIZE)


def _decode_into(images: np.ndarray, paths: Sequence[str], progress: Progress) -> list[str]:
    """Decode the files into `images`; return for each the reason why it could not be decoded, or ''.

    Threads suffice, because Pillow releases the global interpreter lock while it decodes. Unlike processes they need
    no guarded main module, so `load_images` works in any script.
    """

    def decode(i: int) -> str:
        try:
            image = read_rgb(paths[i])
        except UndecodableError as error:
            return str(error)
        unchanged = (image.height, image.width) == images.shape[2:]
        images[i] = to_chw(image if unchanged else resize_and_center_crop(image, images.shape[2]))
        return ""

    reasons = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for reason in pool.map(decode, range(len(paths))):
            reasons.append(reason)
            progress(len(reasons), len(paths), "decoding images")
    return reasons
