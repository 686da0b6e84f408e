"""`ImageSet`: an array of labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import index as as_index

import numpy as np

from maetheory.core import InputError
from maetheory.data.pixel_range import DEFAULT_RANGES, PixelRanges

MAX_CLASSES = 1_000_000
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one data set; every source of images returns one.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        Either uint8 in 0..255 or floating point in [0, 1].
    labels : ndarray of int, shape (N,)
        Classes, counted from 0.
    name : str
        Name of the data set, for tables and reports.
    split : str, default ""
        Part of the data set; empty for all of it.
    class_names : tuple of str, default ()
        Name of each class; if given, it fixes `n_classes`, so that a subset keeps the number of classes.
    skipped : tuple of str, default ()
        Files that could not be decoded and were left out.
    notes : tuple of str, default ()
        What a reader of results should know of how the images were found and scaled.
    pixel_ranges : PixelRanges, default PixelRanges()
        What was black and white among pixels of more than eight bits; another part of the data set needs the same.

    Raises
    ------
    InputError
        If a shape, a data type, the range or the number of labels is wrong, or a pixel is NaN.

    Examples
    --------
    >>> images = ImageSet(np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 0, 0, 1]), "black")
    >>> images
    ImageSet('black', 4 images of 1x2x2 uint8, 2 classes)
    >>> images.limit(2).labels.tolist()
    [0, 1]
    """

    images: np.ndarray
    labels: np.ndarray
    name: str
    split: str = ""
    class_names: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pixel_ranges: PixelRanges = DEFAULT_RANGES

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", np.asarray(self.images))
        object.__setattr__(self, "labels", np.asarray(self.labels))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "skipped", tuple(self.skipped))
        object.__setattr__(self, "notes", tuple(self.notes))
        check_pixels(self.images)
        _check_labels(self.labels, len(self.images), len(self.class_names))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        name = f"{self.name}/{self.split}" if self.split else self.name
        pixels = "x".join(map(str, self.images.shape[1:]))
        return f"ImageSet({name!r}, {len(self)} images of {pixels} {self.images.dtype}, {self.n_classes} classes)"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the image array, (N, C, H, W)."""
        n, channels, height, width = self.images.shape
        return n, channels, height, width

    @property
    def n_classes(self) -> int:
        """Number of classes: the number of class names or, without names, the largest label plus one."""
        return len(self.class_names) or int(self.labels.max()) + 1

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageSet:
        """Return the images at `indices` (integers, or one bool per image), in that order.

        Raises
        ------
        InputError
            If no image is selected or an index is out of range.

        Examples
        --------
        >>> images = ImageSet(np.zeros((3, 1, 2, 2)), np.arange(3), "black")
        >>> images.take([2, 0]).labels.tolist()
        [2, 0]
        """
        chosen = _check_indices(np.asarray(indices), len(self))
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def limit(self, n: int | None) -> ImageSet:
        """Return at most `n` images, the classes as balanced as possible, in their original order.

        The selection is deterministic: of each class the first images are kept, so a smaller limit selects a subset
        of a larger one. ``None`` keeps all.

        Raises
        ------
        InputError
            If `n` is not a positive integer.
        """
        kept = class_balanced_indices(self.labels, n)
        return self if len(kept) == len(self) else self.take(kept)


def class_balanced_indices(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Return the indices, ascending, of at most `limit` labels with the classes as balanced as possible.

    The first label of every class is taken, then the second of every class, and so on until `limit` is reached;
    exhausted classes are skipped.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    limit : int or None
        Number of labels to keep; ``None`` keeps all.

    Raises
    ------
    InputError
        If `limit` is not a positive integer.

    Examples
    --------
    >>> class_balanced_indices(np.array([0, 0, 0, 0, 1]), 3).tolist()
    [0, 1, 4]
    """
    if limit is None:
        return np.arange(len(labels))
    order = np.argsort(labels, kind="stable")
    _, counts = np.unique(labels, return_counts=True)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.concatenate([np.arange(count) for count in counts]) if len(counts) else 0
    return np.sort(np.lexsort((labels, rank))[: _check_limit(limit)])


def check_pixels(images: np.ndarray) -> None:
    """Check that an array holds images as an `ImageSet` does.

    Raises
    ------
    InputError
        If the shape is not (N, C, H, W), the type is neither uint8 nor floating point, a floating-point pixel lies
        outside [0, 1], or a pixel is NaN; the sentence says what images of that range are likely to be.

    Examples
    --------
    >>> check_pixels(np.full((1, 3, 4, 4), 200.0))
    Traceback (most recent call last):
    maetheory.core.errors.InputError: floating-point images must lie in [0, 1], but these reach from 200 to 200; divide
    them by 255
    """
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"images must have shape (N, C, H, W) with no side empty, but theirs is {images.shape}")
    if images.dtype == np.uint8:
        return
    if images.dtype.kind != "f":
        raise InputError(f"images must be uint8 (0..255) or floating point in [0, 1], but they are {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if np.isnan(low) or np.isnan(high):
        raise InputError("images must be numbers, but at least one pixel is NaN")
    if low < 0 or high > 1:
        raise InputError(
            f"floating-point images must lie in [0, 1], but these reach from {low:.6g} to {high:.6g}; "
            + _range_advice(low, high)
        )


def _range_advice(low: float, high: float) -> str:
    if low >= 0 and high <= 255:
        return "divide them by 255"
    if low >= 0:
        return "divide them by their largest possible value"
    return "if mean and std were applied to them, give them as they were before, and let the encoder apply its own"


def check_split(split: str) -> str:
    """Return `split` if it is one of "train", "val" and "test"; else raise `InputError`."""
    if split not in SPLITS:
        raise InputError(f"split must be one of {', '.join(SPLITS)}, but {split!r} was given")
    return split


def _check_limit(limit: int) -> int:
    try:
        number = as_index(limit)
    except TypeError:
        number = 0
    if number < 1 or isinstance(limit, bool):
        raise InputError(f"limit must be a positive integer, but {limit!r} was given")
    return number


def _check_indices(indices: np.ndarray, n: int) -> np.ndarray:
    if indices.dtype == bool:
        if indices.shape != (n,):
            raise InputError(f"a selection by bools needs shape ({n},), one per image, but it has {indices.shape}")
        indices = np.flatnonzero(indices)
    if indices.ndim != 1 or not len(indices):
        raise InputError(f"indices must be a non-empty list of integers, but their shape is {indices.shape}")
    if indices.dtype.kind not in "iu":
        raise InputError(f"indices must be integers, but their type is {indices.dtype}")
    if indices.min() < -n or indices.max() >= n:
        raise InputError(f"indices must lie within the {n} images, but they reach {indices.min()}..{indices.max()}")
    return indices


def _check_labels(labels: np.ndarray, n: int, n_names: int) -> None:
    if labels.shape != (n,):
        raise InputError(f"labels must have shape ({n},), one per image, but theirs is {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels must be integers, but they are {labels.dtype}")
    if labels.min() < 0:
        raise InputError(f"labels are counted from 0, but the smallest is {labels.min()}")
    if labels.max() >= MAX_CLASSES:
        raise InputError(f"labels are classes 0 to at most {MAX_CLASSES - 1:,}, but the largest is {labels.max()}")
    if n_names and labels.max() >= n_names:
        raise InputError(f"{n_names} class names cannot name label {labels.max()}")
