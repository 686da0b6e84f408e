"""`FolderStream`: an image folder whose files are decoded when they are needed, never all at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from maetheory.core import InputError, generator
from maetheory.core.processes import available_cores, check_process_count
from maetheory.data.decode import (
    UndecodableError,
    random_resized_crop_and_flip,
    read_image,
    resize_and_center_crop,
    to_chw,
)
from maetheory.data.folder import DEFAULT_SIZE, sampled_pixel_ranges
from maetheory.data.image_files import ImageFileList, list_image_files, warn_skipped_files
from maetheory.data.pixel_range import DEFAULT_RANGES, PixelRanges

MAX_SUBSTITUTES = 100  # files tried in place of one undecodable file before giving up
MAX_WORKERS = 8


class DecodedImage(NamedTuple):
    """One image, uint8 (3, size, size), its label, and the undecodable files met before it with their reasons."""

    image: np.ndarray
    label: int
    skipped: dict[str, str]


@dataclass(frozen=True, eq=False)
class FolderStream:
    """An image folder to be read in batches.

    `maetheory.training` decodes it in worker processes, in the order that the training recipe gives. Iterating it here
    yields NumPy batches, decoded in threads. What an epoch yields depends on the files, `seed` and the number of the
    epoch alone, not on `workers`. A training stream shuffles and takes random crops (`random_resized_crop_and_flip`).
    An evaluation stream keeps the order of the listing and takes central crops (`resize_and_center_crop`), the same in
    every epoch.

    Parameters
    ----------
    root : path
        An image folder as in `load_image_folder`.
    split : {"train", "val", "test"}
    size : int, default 224
        Side of the decoded square in pixels.
    batch : int, default 256
        Images in a batch. The last one of an epoch may be smaller, and so is one with undecodable files in it.
    train : bool, default False
        Whether to shuffle and augment.
    seed : int, default 0
    workers : int, optional
        Decoding processes of a training run, or threads of an iteration: by default one for each core, eight at most;
        0 decodes in the calling thread. At most four for each core.
    shard : (int, int), default (0, 1)
        This process's part of the epoch and how many parts there are, for training on several devices: part r of w
        takes every w-th image from the r-th on. In training the last few images are left out so that parts are equal.
    limit : int, optional
        Use at most so many files, classes balanced.
    pixel_ranges : PixelRanges, optional
        What is black and white among pixels of more than eight bits, one rule for the whole stream; by default
        determined from the files (`sampled_pixel_ranges`). Give a test set the ranges of its training set.

    Raises
    ------
    InputError
        If the folder is not laid out as above, a number is out of its range, or no file can be decoded.

    Notes
    -----
    ``notes`` says how pixels of more than eight bits are scaled. `skipped` fills with the name of each file that could
    not be decoded and why; each epoch that met some ends with one `SkippedFilesWarning`.
    """

    root: str | os.PathLike[str]
    split: str = "train"
    size: int = DEFAULT_SIZE
    batch: int = 256
    train: bool = False
    seed: int = 0
    workers: int | None = None
    shard: tuple[int, int] = (0, 1)
    limit: int | None = None
    pixel_ranges: PixelRanges | None = field(repr=False, default=None)
    notes: tuple[str, ...] = field(init=False, repr=False, default=())
    listing: ImageFileList = field(init=False, repr=False)
    skipped: MutableMapping[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise InputError(f"size and batch must be positive, but {self.size} and {self.batch} were given")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"workers must not be negative, but {self.workers} was given")
        if self.workers is not None:
            check_process_count(self.workers, f"{self.workers} workers", "ask for fewer, or leave their number out")
        rank, parts = self.shard
        if not 0 <= rank < parts:
            raise InputError(f"shard must be (r, w) with 0 <= r < w, but {self.shard} was given")
        object.__setattr__(self, "listing", list_image_files(self.root, self.split).limit(self.limit))
        if self.n_images < 1:
            raise InputError(f"{len(self.listing.files)} images are too few for {parts} parts")
        if self.pixel_ranges is None:
            paths = [os.path.join(self.listing.folder, file) for file in self.listing.files]
            pixel_ranges, note = sampled_pixel_ranges(paths)
            object.__setattr__(self, "pixel_ranges", pixel_ranges)
            object.__setattr__(self, "notes", (note,) if note else ())

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class."""
        return self.listing.class_names

    @property
    def n_images(self) -> int:
        """Images of this part in an epoch, undecodable ones included."""
        total, (rank, parts) = len(self.listing.files), self.shard
        return total // parts if self.train else len(range(rank, total, parts))

    @property
    def n_batches(self) -> int:
        """Batches of this part in an epoch."""
        return -(-self.n_images // self.batch)

    @property
    def n_bytes(self) -> int:
        """Memory that all images of the listing take once decoded, in bytes."""
        return 3 * self.size * self.size * len(self.listing.files)

    @property
    def n_workers(self) -> int:
        """Number of decoding workers: `workers`, or by default one for each core, eight at most."""
        if self.workers is not None:
            return self.workers
        return min(MAX_WORKERS, available_cores())

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate an evaluation stream once; for a training stream, call `epoch` with the number of the epoch."""
        if self.train:
            raise InputError("a training stream differs from epoch to epoch: iterate stream.epoch(number)")
        return self.epoch(0)

    def epoch(self, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (images uint8 (b, 3, size, size), labels int64 (b,)) of one epoch."""

        def decode(index: int) -> np.ndarray | str:
            try:
                return self.decode(index, number, self.seed)
            except UndecodableError as error:
                return str(error)

        order, skipped = self._epoch_order(number), dict[str, str]()
        decoded = _map_in_threads_ahead(decode, order.tolist(), self.n_workers, 2 * self.batch)
        for start in range(0, len(order), self.batch):
            images, kept = [], []
            for index, result in zip(order[start : start + self.batch], decoded):
                if isinstance(result, str):
                    skipped[self.listing.files[index]] = result
                else:
                    images.append(result)
                    kept.append(index)
            if images:
                yield np.stack(images), self.listing.labels[kept]
        self.skipped.update(skipped)
        warn_skipped_files(self.listing, skipped)

    def decode(self, index: int, epoch: int, seed: int) -> np.ndarray:
        """Decode and crop one file of the listing.

        Parameters
        ----------
        index : int
            Position in ``listing.files``.
        epoch, seed : int
            A training stream draws its random crop from (seed, epoch, index) alone, so that it does not matter which
            process decodes which image after which.

        Returns
        -------
        ndarray of uint8, shape (3, size, size)

        Raises
        ------
        UndecodableError
            If the file is not a readable image.
        """
        path = os.path.join(self.listing.folder, self.listing.files[index])
        image = read_image(path, pixel_ranges=self.pixel_ranges or DEFAULT_RANGES)
        if self.train:
            return to_chw(random_resized_crop_and_flip(image, self.size, generator(seed, "view", epoch, index)))
        return to_chw(resize_and_center_crop(image, self.size))

    def decode_or_substitute(self, index: int, epoch: int, seed: int) -> DecodedImage:
        """Decode one file or, if it is undecodable, another one drawn from (seed, epoch, index) alone.

        Raises
        ------
        InputError
            If hardly any file can be decoded.
        """
        skipped: dict[str, str] = {}
        for candidate in self._iter_substitutes(index, epoch, seed):
            try:
                image = self.decode(candidate, epoch, seed)
            except UndecodableError as error:
                skipped[self.listing.files[candidate]] = str(error)
            else:
                return DecodedImage(image, int(self.listing.labels[candidate]), skipped)
        reason = skipped[self.listing.files[index]]
        raise InputError(f"hardly any file under {self.listing.folder} is a readable image ({reason})")

    def warn_skipped(self) -> None:
        """Warn once with the number of files in `skipped`."""
        warn_skipped_files(self.listing, self.skipped)

    def _iter_substitutes(self, index: int, epoch: int, seed: int) -> Iterator[int]:
        yield index
        rng = generator(seed, "stand-in", epoch, index)
        yield from rng.integers(len(self.listing.files), size=MAX_SUBSTITUTES).tolist()

    def _epoch_order(self, epoch: int) -> np.ndarray:
        """Return the indices of the files that this part reads in `epoch`, in order, shape (n_images,)."""
        rank, parts = self.shard
        order = np.arange(len(self.listing.files))
        if self.train:
            order = generator(self.seed, "order", epoch).permutation(order)
        return order[rank::parts][: self.n_images]


def _map_in_threads_ahead(
    function: Callable[[int], Any], items: Iterable[int], threads: int, ahead: int
) -> Iterator[Any]:
    """Yield ``function(item)`` of each item in order, computed in threads, at most `ahead` items ahead of the reader.

    Threads suffice, because Pillow releases the interpreter lock while it decodes.
    """
    if not threads:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
