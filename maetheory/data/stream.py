"""A folder too large for memory is read batch by batch, the same batches whoever decodes them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data.decode import UndecodableError, centre_view, planes, random_view, read_rgb
from maetheory.data.folder import DEFAULT_SIZE, Listing, list_folder, warn_of_skipped


@dataclass(frozen=True, eq=False)
class FolderStream:
    """Batches of an image folder, decoded in worker processes.

    What an epoch yields depends on the files, `seed` and the number of the epoch alone, not on `workers`. A training
    stream shuffles and takes random windows (`random_view`); an evaluation stream keeps the order of the listing and
    takes central views (`centre_view`), the same in every epoch.

    Parameters
    ----------
    root : path
        An image folder as in `load_folder`.
    split : {"train", "val", "test"}
    size : int, default 224
        Side of the decoded square in pixels.
    batch : int, default 256
        Images in a batch. The last one of an epoch may be smaller, and so is one with undecodable files in it.
    train : bool, default False
        Whether to shuffle and augment.
    seed : int, default 0
    workers : int, optional
        Decoding processes: by default one for each core, eight at most; 0 decodes in this process. With processes, a
        script must start its work under ``if __name__ == "__main__":``.
    shard : (int, int), default (0, 1)
        This process's part of the epoch and how many parts there are, for training on several devices: part r of w
        takes every w-th image from the r-th on. In training the last few images are left out so that parts are equal.
    limit : int, optional
        Use at most so many files, classes balanced.

    Raises
    ------
    InputError
        If the folder is not laid out as above, a number is out of its range, or no file can be decoded.

    Notes
    -----
    `skipped` fills with the name of each file that could not be decoded and why; each epoch that met some ends with
    one `SkippedFilesWarning`.
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
    listing: Listing = field(init=False, repr=False)
    skipped: MutableMapping[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise InputError(f"size and batch must be positive, but {self.size} and {self.batch} were given")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"workers must not be negative, but {self.workers} was given")
        rank, parts = self.shard
        if not 0 <= rank < parts:
            raise InputError(f"shard must be (r, w) with 0 <= r < w, but {self.shard} was given")
        object.__setattr__(self, "listing", list_folder(self.root, self.split).limit(self.limit))
        if self.n_images < 1:
            raise InputError(f"{len(self.listing.files)} images are too few for {parts} parts")

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

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate an evaluation stream once; a training stream must be told its epoch."""
        if self.train:
            raise InputError("a training stream differs from epoch to epoch: iterate stream.epoch(number)")
        return self.epoch(0)

    def epoch(self, number: int, first: int = 0, end: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (images uint8 (b, 3, size, size), labels int64 (b,)) of one epoch.

        Parameters
        ----------
        number : int
            Of the epoch.
        first, end : int
            Batches from `first` on, before `end`; the others are not decoded. A training stream also yields a batch of
            which no file could be decoded, as an empty one.
        """
        order = self._order(number)
        starts = range(0, len(order), self.batch)
        jobs = [self._job(order[start : start + self.batch], number) for start in starts][first:end]
        workers = min(8, os.cpu_count() or 1) if self.workers is None else self.workers
        skipped: dict[str, str] = {}
        for decoded in _in_processes(jobs, min(workers, len(jobs))) if workers and jobs else map(_decode, jobs):
            skipped |= decoded.skipped
            if len(decoded.labels) or self.train:
                yield decoded.images, decoded.labels
        self.skipped.update(skipped)
        warn_of_skipped(self.listing, skipped)

    def _order(self, epoch: int) -> np.ndarray:
        """Return which files this part reads in `epoch`, in which order, shape (n_images,)."""
        rank, parts = self.shard
        order = np.arange(len(self.listing.files))
        if self.train:
            order = generator(self.seed, "order", epoch).permutation(order)
        return order[rank::parts][: self.n_images]

    def _job(self, chosen: np.ndarray, epoch: int) -> _Job:
        files = tuple(self.listing.files[i] for i in chosen)
        stream = (self.seed, epoch, tuple(chosen.tolist())) if self.train else None
        return _Job(str(self.listing.folder), files, self.listing.labels[chosen], self.size, stream)


@dataclass(frozen=True, eq=False)
class _Job:
    """One batch to decode; `stream` is (seed, epoch, numbers of the files) where windows are random."""

    folder: str
    files: tuple[str, ...]
    labels: np.ndarray
    size: int
    stream: tuple[int, int, tuple[int, ...]] | None


@dataclass(frozen=True, eq=False)
class _Decoded:
    images: np.ndarray
    labels: np.ndarray
    skipped: dict[str, str]


def _decode(job: _Job) -> _Decoded:
    images = np.empty((len(job.files), 3, job.size, job.size), np.uint8)
    skipped: dict[str, str] = {}
    for i, file in enumerate(job.files):
        try:
            image = read_rgb(os.path.join(job.folder, file))
        except UndecodableError as error:
            skipped[file] = str(error)
            continue
        if job.stream is None:
            view = centre_view(image, job.size)
        else:  # each image has its own random stream, so that it does not matter who decodes it after what
            seed, epoch, numbers = job.stream
            view = random_view(image, job.size, generator(seed, "view", epoch, numbers[i]))
        images[i] = planes(view)
    if not skipped:
        return _Decoded(images, job.labels, skipped)
    kept = np.array([file not in skipped for file in job.files])
    return _Decoded(images[kept], job.labels[kept], skipped)


def _in_processes(jobs: list[_Job], workers: int) -> Iterator[_Decoded]:
    """Yield the decoded jobs in order, at most two for each worker ahead of the reader."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _leave_interrupts_to_the_parent)
    ahead: deque = deque()
    try:
        for job in jobs:
            ahead.append(pool.submit(_decode, job))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            "the decoding processes ended early: a script must start its work under "
            'if __name__ == "__main__":, and memory must suffice; workers=0 decodes without them'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
