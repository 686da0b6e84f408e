"""Load images from NumPy files (.npy and .npz)."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from maetheory.core import InputError, printable
from maetheory.core.memory import check_memory
from maetheory.data.images import ImageSet, class_balanced_indices
from maetheory.data.npy_headers import NpyHeader, map_npy, read_npy_header
from maetheory.data.pixel_range import PixelRanges

SUFFIXES = (".npy", ".npz")
MAX_ARRAY_BYTES = 8 << 30
MAX_CHANNELS = 4
BANDS = range(5, 33)  # channels of images of several spectral bands
_UNSPLIT_IMAGES = ("images", "imgs", "x", "X", "data", "arr_0")
_UNSPLIT_LABELS = ("labels", "y", "targets", "label")


def is_array_file(path: Path) -> bool:
    """Return whether a path leads to a .npy or .npz file."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def load_array_file(path: Path, splits: Collection[str], limit: int | None = None) -> ImageSet:
    """Return the images of a .npy or .npz file.

    Parameters
    ----------
    path : Path
        A .npy file holds images of shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1, 3 or 4, of which the
        fourth, transparency, is dropped, or C = 5 to 32 spectral bands if the images have twice as many rows and
        columns. A .npz file holds such an array as ``images``, ``x`` or ``data``, or one for each split as ``x_train``
        or ``train_images``; labels as ``labels``, ``y``, ``y_train`` or ``train_labels``.
    splits : collection of str
        Which of "train", "val" and "test" to look for, in this order. Images without a split are taken for "train".
    limit : int, optional
        Keep at most this many images, classes balanced.

    Returns
    -------
    ImageSet
        uint8 as they are; floating point in [0, 1] as float32; other whole numbers by the rule of
        `maetheory.data.pixel_range`. Images without labels have label 0.

    Raises
    ------
    InputError
        If the file is damaged or too large, an array holds pickled objects or no images, floating-point images lie
        outside [0, 1], or there are no images of these splits.
    """
    if path.suffix.lower() == ".npy":
        with damage_as_input_error(f"{path} is no whole {path.suffix} file of plain arrays"):
            images, labels = map_npy(path), None
        split, _, _ = _choose_array_names(path, ["images"], splits)
    else:
        with (
            damage_as_input_error(f"{path} is no whole {path.suffix} file of plain arrays"),
            zipfile.ZipFile(path) as archive,
        ):
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            split, image_name, label_name = _choose_array_names(path, names, splits)
            images = read_npz_member(archive, image_name)
            labels = None if label_name is None else read_npz_member(archive, label_name)
    return _make_image_set(path, split, images, labels, limit)


@contextmanager
def damage_as_input_error(sentence: str) -> Iterator[None]:
    """Turn errors inside a ``with`` block that reads a file into an InputError that begins with a sentence.

    NumPy's reader of headers and `zipfile` raise errors of a dozen types on a damaged file.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{sentence} ({reason})") from error


def _choose_array_names(path: Path, names: list[str], splits: Collection[str]) -> tuple[str, str, str | None]:
    """Return the split, the name of its images and the name of its labels, or None for labels that are not there."""
    for split in splits:
        if image_name := _first_present_name(names, _array_names_of_split(split, ("images", "x", "X", "data"))):
            return split, image_name, _first_present_name(names, _array_names_of_split(split, _UNSPLIT_LABELS))
    unsplit = _first_present_name(names, _UNSPLIT_IMAGES) or (names[0] if len(names) == 1 else None)
    if unsplit is not None and "train" in splits:
        return "", unsplit, _first_present_name(names, _UNSPLIT_LABELS)
    wanted = " or ".join(f"{split}_images, x_{split}" for split in splits) + (
        ", or images without a split" if "train" in splits else ""
    )
    shown = ", ".join(printable(name) for name in names[:8]) or "nothing"
    raise InputError(f"{path} needs an array {wanted}, but it holds {shown}")


def _array_names_of_split(split: str, kinds: Collection[str]) -> list[str]:
    return [name for kind in kinds for name in (f"{split}_{kind}", f"{kind}_{split}")]


def _first_present_name(names: Collection[str], wanted: Collection[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def read_npz_header(archive: zipfile.ZipFile, name: str) -> NpyHeader:
    """Return shape and type of one array of a .npz file, of which no more than the header is unpacked.

    Raises
    ------
    InputError
        If the member is packed in a way that NumPy does not use.
    ValueError
        If it is no array of plain numbers.
    """
    if archive.getinfo(f"{name}.npy").compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"the array {printable(name)} is packed in a way that NumPy does not use")
    with archive.open(f"{name}.npy") as member:
        return read_npy_header(member)


def read_npz_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Return one array of a .npz file, whose size is checked before it is unpacked."""
    shape, n_bytes = (header := read_npz_header(archive, name)).shape, header.nbytes
    if n_bytes > MAX_ARRAY_BYTES:
        raise InputError(f"the array {printable(name)} of shape {shape} passes {MAX_ARRAY_BYTES >> 30} GiB")
    check_memory(n_bytes, f"the array {printable(name)} of shape {shape}", "store it as a .npy file, which is mapped")
    with archive.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _make_image_set(
    path: Path, split: str, found: np.ndarray, labels: np.ndarray | None, limit: int | None
) -> ImageSet:
    images, about_channels = _channels_first(path, found)
    if not len(images):
        raise InputError(f"{path} holds no images")
    notes: tuple[str, ...] = () if split else (f"{path} has no splits; all images in it were read",)
    notes += about_channels
    if labels is None:
        labels = np.zeros(len(images), np.int64)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels  # (N, 1) -> (N,), as in MedMNIST
    if labels.dtype.kind == "f" and np.array_equal(labels, np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise InputError(
            f"{path} needs one whole-number label for each of its {len(images)} images, but its labels have shape "
            f"{labels.shape} and type {labels.dtype}"
        )
    kept = class_balanced_indices(labels, limit)
    n_bytes = images.nbytes // len(images) * len(kept)
    if n_bytes > MAX_ARRAY_BYTES:
        raise InputError(f"{len(kept)} images of {path} pass {MAX_ARRAY_BYTES >> 30} GiB; give a limit")
    pixels, ranges = _scale_to_image_set_pixels(images[kept])
    notes += (f"whole numbers of more than eight bits: {ranges}",) if ranges.integers else ()
    return ImageSet(pixels, labels[kept].astype(np.int64), path.stem, split, notes=notes, pixel_ranges=ranges)


def _channels_first(path: Path, images: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return images as (N, C, H, W), and a note on a channel that was left out."""
    shape = images.shape
    if images.ndim == 3 and shape[-1] > MAX_CHANNELS:
        return images[:, None], ()  # (N, H, W) -> (N, 1, H, W)
    first, last = images.ndim == 4 and shape[1] in (1, 3, 4), images.ndim == 4 and shape[3] in (1, 3, 4)
    if images.ndim == 4 and not first and not last:
        first = shape[1] in BANDS and 2 * shape[1] <= min(shape[2:])
        last = shape[3] in BANDS and 2 * shape[3] <= min(shape[1:3])
    if first == last:
        which = "which of them is C is not clear" if first else "which is none of these"
        raise InputError(
            f"images need shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1, 3 or 4, or 5 to 32 bands and "
            f"twice as many rows and columns, but {path} holds {shape}, {which}"
        )
    ordered = images if first else images.transpose(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
    if ordered.shape[1] != MAX_CHANNELS:
        return ordered, ()
    return ordered[:, :3], ("the fourth channel was taken for transparency and left out",)


def _scale_to_image_set_pixels(images: np.ndarray) -> tuple[np.ndarray, PixelRanges]:
    """Return pixels as an `ImageSet` takes them, and the range that was scaled to 0..255."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images), PixelRanges()
    if images.dtype == bool:
        return images * np.uint8(255), PixelRanges()
    if images.dtype.kind not in "iu":  # `ImageSet` refuses what is neither floating point nor in [0, 1]
        return images.astype(np.float32) if images.dtype.kind == "f" else np.array(images), PixelRanges()
    ranges = PixelRanges.of_extremes([(images.min(), images.max())])
    pixels = np.empty(images.shape, np.uint8)
    for i, image in enumerate(images):  # one by one, because scaling takes eight bytes a pixel
        pixels[i] = ranges.to_bytes(image)
    return pixels, ranges
