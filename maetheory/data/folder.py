"""Load images from a folder into one array."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.files import expand_user
from maetheory.data.decode import (
    ImageHeader,
    UndecodableError,
    read_deep_extremes,
    read_header,
    read_image,
    resize_and_center_crop,
    to_chw,
)
from maetheory.data.folder_layouts import list_unlabelled_image_files, list_unsplit_image_files
from maetheory.data.image_files import ImageFileList, list_image_files, warn_skipped_files
from maetheory.data.images import ImageSet
from maetheory.data.pixel_range import PixelRanges

DEFAULT_SIZE = 224
MAX_ARRAY_BYTES = 8 << 30
MAX_THREADS = 8
DEEP_SUFFIXES = (".png", ".tif", ".tiff", ".ppm", ".pgm")  # of formats that can hold more than eight bits
MAX_SAMPLED_HEADERS = 20_000
MAX_SAMPLED_FILES = 2_000
T = TypeVar("T")


@dataclass(frozen=True)
class DecodeOptions:
    """How image files become an array.

    Attributes
    ----------
    size : int, optional
        Side of the decoded square. By default images that all have one size keep it, others become squares of
        `default_size`.
    default_size : int, optional
        Side of the square where the sizes differ or the array of the common size would pass 8 GiB; 224 if not given,
        and then such an array is an error.
    channels : 1 or 3, default 3
        Gray or RGB.
    pixel_ranges : PixelRanges, optional
        What is black and white among pixels of more than eight bits; by default determined from the files. Give a test
        set the ranges of its training set.
    """

    size: int | None = None
    default_size: int | None = None
    channels: int = 3
    pixel_ranges: PixelRanges | None = None

    def __post_init__(self) -> None:
        for size in (self.size, self.default_size):
            if size is not None and size < 1:
                raise InputError(f"size must be a positive number of pixels, but {size} was given")
        if self.channels not in (1, 3):
            raise InputError(
                f"image files are decoded to 1 channel (gray) or 3 (red, green, blue), but {self.channels} are needed"
            )


def load_image_folder(
    root: str | os.PathLike[str],
    split: str = "train",
    size: int | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
    *,
    options: DecodeOptions | None = None,
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
    options : DecodeOptions, optional
        In place of `size`: also the number of channels and the range of 16-bit and floating-point pixels.

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
    name = expand_user(root).resolve().name
    return decode_files(image_files, name, split, options or DecodeOptions(size), progress)


def load_unlabelled_folder(
    root: Path, limit: int | None, options: DecodeOptions, progress: Progress = no_progress
) -> ImageSet:
    """Decode the images of a folder of any layout; see `list_unlabelled_image_files` for which they are.

    Raises
    ------
    InputError
        If the folder holds no image that can be decoded, or the array would pass 8 GiB.
    """
    image_files, split = list_unlabelled_image_files(root)
    return decode_files(image_files.limit(limit), root.resolve().name, split, options, progress)


def load_unsplit_folder(
    root: Path, limit: int | None, options: DecodeOptions, progress: Progress = no_progress
) -> ImageSet:
    """Decode all images of a folder without splits, whose subfolders are the classes.

    Raises
    ------
    InputError
        As `load_unlabelled_folder`.
    """
    image_files = list_unsplit_image_files(root).limit(limit)
    return decode_files(image_files, root.resolve().name, "", options, progress)


def decode_files(
    image_files: ImageFileList,
    name: str,
    split: str,
    options: DecodeOptions,
    progress: Progress = no_progress,
    *,
    contents: Sequence[bytes] | None = None,
) -> ImageSet:
    """Decode the files, or their `contents` if given, into one array of uint8 images (N, C, H, W).

    Images are resized and cropped to their centre (`resize_and_center_crop`). Files that cannot be decoded are left
    out, and named in ``skipped`` and in one `SkippedFilesWarning`. How sizes, pixels of more than eight bits, and
    colours were changed stands in ``notes``.

    Raises
    ------
    InputError
        If no file can be decoded, or the array would pass 8 GiB.
    """
    paths: Sequence[str | bytes] = contents or [str(image_files.folder / file) for file in image_files.files]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # on damaged or unusually large files, which are dealt with
        headers = _map_in_threads(read_header, paths)
        ranges = options.pixel_ranges
        if ranges is None:
            ranges = _find_pixel_ranges([path for path, header in zip(paths, headers) if _is_deep(header)])
        known = [header for header in headers if isinstance(header, ImageHeader)]
        height, width = _array_size(known, options)
        n_bytes = options.channels * height * width * len(paths)
        if n_bytes > MAX_ARRAY_BYTES:
            raise InputError(
                f"{len(paths)} images of {height}x{width} under {image_files.folder} pass the "
                f"{MAX_ARRAY_BYTES >> 30} GiB of one array; give a limit, or stream them with FolderStream"
            )
        images = np.empty((len(paths), options.channels, height, width), np.uint8)
        reasons = _decode_into(images, paths, headers, ranges, progress)
    skipped = {file: reason for file, reason in zip(image_files.files, reasons) if reason}
    warn_skipped_files(image_files, skipped)
    kept = np.array([not reason for reason in reasons])
    return ImageSet(
        images[kept] if skipped else images,
        image_files.labels[kept],
        name,
        split,
        image_files.class_names,
        tuple(skipped),
        notes=(
            *image_files.notes,
            *_size_notes(known, (height, width)),
            *_pixel_notes(known, ranges, options.channels),
        ),
        pixel_ranges=ranges,
    )


def _map_in_threads(function: Callable[[Any], T], paths: Sequence[str | bytes]) -> list[T | str]:
    """Return the result of the function for each path, or the reason why the file cannot be decoded.

    Threads suffice, because Pillow releases the global interpreter lock while it decodes. Unlike processes they need
    no guarded main module, so `load_images` works in any script.
    """

    def call(path: str | bytes) -> T | str:
        try:
            return function(path)
        except UndecodableError as error:
            return str(error)

    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(call, paths))


def _is_deep(header: ImageHeader | str) -> bool:
    return isinstance(header, ImageHeader) and header.is_deep


def _find_pixel_ranges(paths: Sequence[str | bytes]) -> PixelRanges:
    return PixelRanges.of_extremes(
        pair for pair in _map_in_threads(read_deep_extremes, paths) if not isinstance(pair, str)
    )


def sampled_pixel_ranges(paths: Sequence[str]) -> tuple[PixelRanges, str]:
    """Return the range of pixels of more than eight bits in a large folder, from a sample, and a sentence or "".

    Of the files whose format can hold more than eight bits, the headers of at most 20000 are read, evenly spaced, and
    of those with more than eight bits at most 2000 are decoded. Pixels of other files beyond the range are clipped.

    Parameters
    ----------
    paths : sequence of str
    """
    candidates = evenly_spaced([path for path in paths if path.lower().endswith(DEEP_SUFFIXES)], MAX_SAMPLED_HEADERS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # on damaged or unusually large files, which are dealt with
        headers = _map_in_threads(read_header, candidates) if candidates else []
        deep = [path for path, header in zip(candidates, headers) if _is_deep(header)]
        sample = evenly_spaced(deep, MAX_SAMPLED_FILES)
        ranges = _find_pixel_ranges(sample) if sample else PixelRanges()
    if not deep:
        return ranges, ""
    of_all = "" if len(sample) == len(deep) else f", of which {len(sample)} were decoded to find their range"
    return ranges, f"{len(deep)} of {len(paths)} images have more than eight bits{of_all}: {ranges}"


def evenly_spaced(items: Sequence[T], n: int) -> list[T]:
    """Return at most `n` items, evenly spaced from the first to the last.

    Examples
    --------
    >>> evenly_spaced(range(10), 3), evenly_spaced(range(2), 3)
    ([0, 4, 9], [0, 1])
    """
    if len(items) <= n:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, n).astype(int)]


def _array_size(headers: Sequence[ImageHeader], options: DecodeOptions) -> tuple[int, int]:
    """Return (H, W) of the array: the given size, or the size that all files have, or the default."""
    if options.size is not None:
        return options.size, options.size
    default = options.default_size or DEFAULT_SIZE
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) != 1:
        return default, default
    height, width = sizes.pop()
    too_large = options.channels * height * width * len(headers) > MAX_ARRAY_BYTES
    return (default, default) if too_large and options.default_size else (height, width)


def _decode_into(
    images: np.ndarray,
    paths: Sequence[str | bytes],
    headers: Sequence[ImageHeader | str],
    pixel_ranges: PixelRanges,
    progress: Progress,
) -> list[str]:
    """Decode the files into `images`; return for each the reason why it could not be decoded, or ''."""
    channels, height, width = images.shape[1:]

    def decode(i: int) -> str:
        header = headers[i]
        if isinstance(header, str):
            return header
        try:
            image = read_image(paths[i], channels, pixel_ranges)
        except UndecodableError as error:
            return str(error)
        unchanged = (image.height, image.width) == (height, width)
        images[i] = to_chw(image if unchanged else resize_and_center_crop(image, height))
        return ""

    reasons = []
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        for reason in pool.map(decode, range(len(paths))):
            reasons.append(reason)
            progress(len(reasons), len(paths), "decoding images")
    return reasons


def _size_notes(headers: Sequence[ImageHeader], size: tuple[int, int]) -> tuple[str, ...]:
    changed = sum((header.height, header.width) != size for header in headers)
    if not changed:
        return ()
    return (
        f"{changed} of {len(headers)} images were resized and cropped to their central {size[0]} x {size[1]} pixels",
    )


def _pixel_notes(headers: Sequence[ImageHeader], pixel_ranges: PixelRanges, channels: int) -> tuple[str, ...]:
    notes = []
    if n_more := sum(header.has_more_pages for header in headers):
        notes.append(f"{n_more} of {len(headers)} files hold several pages or frames, of which the first was read")
    if n_deep := sum(header.is_deep for header in headers):
        notes.append(f"{n_deep} of {len(headers)} images have more than eight bits: {pixel_ranges}")
    if n_truncated := sum(header.is_truncated for header in headers):
        notes.append(
            f"{n_truncated} of {len(headers)} images have 16 bits in a format of which the upper eight are read; "
            "values below 256 of 65535 became 0"
        )
    if channels == 1 and (n_colour := sum(not header.is_gray for header in headers)):
        notes.append(
            f"{n_colour} of {len(headers)} images have colours, which became gray by their luminance (ITU-R 601)"
        )
    return tuple(notes)
