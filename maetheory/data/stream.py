"""A folder too large for memory is read batch by batch, the same batches whoever decodes them."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import chain, tee
from multiprocessing.heap import Arena

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data.decode import (
    UndecodableError,
    random_resized_crop_and_flip,
    read_rgb,
    resize_and_center_crop,
    to_chw,
)
from maetheory.data.folder import DEFAULT_SIZE
from maetheory.data.image_files import ImageFileList, list_image_files, warn_skipped_files

TRIES = 100  # stand-ins drawn for one undecodable file before giving up
_NO_IMAGES = np.empty(0, np.uint8)
_slots = _NO_IMAGES  # in a worker: room for batches, shared with the process that reads them


@dataclass(frozen=True, eq=False)
class FolderStream:
    """Batches of an image folder, decoded in worker processes.

    What an epoch yields depends on the files, `seed` and the number of the epoch alone, not on `workers`. A training
    stream shuffles and takes random windows (`random_resized_crop_and_flip`); an evaluation stream keeps the order of
    the listing and takes central views (`resize_and_center_crop`), the same in every epoch.

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
    listing: ImageFileList = field(init=False, repr=False)
    skipped: MutableMapping[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise InputError(f"size and batch must be positive, but {self.size} and {self.batch} were given")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"workers must not be negative, but {self.workers} was given")
        rank, parts = self.shard
        if not 0 <= rank < parts:
            raise InputError(f"shard must be (r, w) with 0 <= r < w, but {self.shard} was given")
        object.__setattr__(self, "listing", list_image_files(self.root, self.split).limit(self.limit))
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

    def epoch(self, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (images uint8 (b, 3, size, size), labels int64 (b,)) of one epoch."""
        order = self._order(number)
        starts = range(0, len(order), self.batch)
        jobs = [self._job(order[start : start + self.batch], number, self.seed) for start in starts]
        skipped: dict[str, str] = {}
        for decoded in self._decoded(jobs, len(jobs)):
            skipped |= decoded.skipped
            if len(decoded.labels):
                yield decoded.images, decoded.labels
        self.skipped.update(skipped)
        warn_skipped_files(self.listing, skipped)

    def picked(self, picks: Iterable[tuple[int, np.ndarray]], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield images and labels of chosen files, batch after batch, each as many as were chosen.

        Parameters
        ----------
        picks : iterable of (int, ndarray of int)
            The epoch, and positions in ``listing.files``; read a few batches ahead.
        seed : int
            Of the random windows of a training stream, and of the stand-ins: in place of a file that cannot be
            decoded another one is drawn, the same whatever else is picked with it.

        Yields
        ------
        images : ndarray of uint8, shape (b, 3, size, size)
        labels : ndarray of int64, shape (b,)

        Raises
        ------
        InputError
            If hardly any file can be decoded.
        """
        ours, theirs = tee(picks)
        jobs = (self._job(chosen, epoch, seed) for epoch, chosen in theirs)
        for decoded, (epoch, chosen) in zip(self._decoded(jobs), ours):
            self.skipped.update(decoded.skipped)
            whole = self._filled(decoded, chosen, epoch, seed) if decoded.skipped else decoded
            yield whole.images, whole.labels

    def warn_skipped(self) -> None:
        """Warn once with the number of files in `skipped`."""
        warn_skipped_files(self.listing, self.skipped)

    def _filled(self, decoded: _Decoded, chosen: np.ndarray, epoch: int, seed: int) -> _Decoded:
        """Return the batch with stand-ins where files could not be decoded."""
        lost = np.array([self.listing.files[i] in decoded.skipped for i in chosen])
        images = np.empty((len(chosen), 3, self.size, self.size), np.uint8)
        labels = np.empty(len(chosen), np.int64)
        images[~lost], labels[~lost] = decoded.images, decoded.labels
        for place in np.flatnonzero(lost):
            other = self._stand_in(int(chosen[place]), epoch, seed)
            images[place], labels[place] = other.images[0], other.labels[0]
        return _Decoded(images, labels, decoded.skipped)

    def _stand_in(self, number: int, epoch: int, seed: int) -> _Decoded:
        draws = generator(seed, "stand-in", epoch, number)
        for other in draws.integers(len(self.listing.files), size=TRIES):
            decoded = _decode(self._job(np.array([other]), epoch, seed))
            if not decoded.skipped:
                return decoded
            self.skipped.update(decoded.skipped)
        reason = self.skipped[self.listing.files[number]]
        raise InputError(f"hardly any file under {self.listing.folder} is a readable image ({reason})")

    def _decoded(self, jobs: Iterable[_Job], most: int = 8) -> Iterator[_Decoded]:
        workers = min(8, os.cpu_count() or 1) if self.workers is None else self.workers
        return _in_processes(jobs, min(workers, most)) if workers else map(_decode, jobs)

    def _order(self, epoch: int) -> np.ndarray:
        """Return which files this part reads in `epoch`, in which order, shape (n_images,)."""
        rank, parts = self.shard
        order = np.arange(len(self.listing.files))
        if self.train:
            order = generator(self.seed, "order", epoch).permutation(order)
        return order[rank::parts][: self.n_images]

    def _job(self, chosen: np.ndarray, epoch: int, seed: int) -> _Job:
        files = tuple(self.listing.files[i] for i in chosen)
        stream = (seed, epoch, tuple(chosen.tolist())) if self.train else None
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


def _decode(job: _Job, room: np.ndarray | None = None) -> _Decoded:
    """Decode a batch, into the first rows of `room` if it is given."""
    images = np.empty((len(job.files), 3, job.size, job.size), np.uint8) if room is None else room[: len(job.files)]
    skipped: dict[str, str] = {}
    for i, file in enumerate(job.files):
        try:
            image = read_rgb(os.path.join(job.folder, file))
        except UndecodableError as error:
            skipped[file] = str(error)
            continue
        if job.stream is None:
            view = resize_and_center_crop(image, job.size)
        else:  # each image has its own random stream, so that it does not matter who decodes it after what
            seed, epoch, numbers = job.stream
            view = random_resized_crop_and_flip(image, job.size, generator(seed, "view", epoch, numbers[i]))
        images[i] = to_chw(view)
    if not skipped:
        return _Decoded(images, job.labels, skipped)
    kept = np.array([file not in skipped for file in job.files])
    images[: kept.sum()] = images[kept]
    return _Decoded(images[: kept.sum()], job.labels[kept], skipped)


def _decode_into_slot(job: _Job, slot: int) -> _Decoded:
    """Decode a batch in a worker, leaving its images in shared memory."""
    return replace(_decode(job, _slots[slot]), images=_NO_IMAGES)


def _in_processes(jobs: Iterable[_Job], workers: int) -> Iterator[_Decoded]:
    """Yield the decoded jobs in order, at most two for each worker ahead of the reader."""
    jobs = iter(jobs)
    first = next(jobs, None)
    if first is None:
        return
    spawning = multiprocessing.get_context("spawn")
    shape = (2 * workers + 1, len(first.files), 3, first.size, first.size)  # a slot for each job that can be ahead
    room = _shared_room(math.prod(shape))
    slots = None if room is None else np.frombuffer(room.buffer, np.uint8).reshape(shape)
    pool = ProcessPoolExecutor(workers, spawning, _serve_the_parent, (room, shape))
    ahead: deque = deque()

    def oldest() -> _Decoded:
        done, slot = ahead.popleft()
        decoded = done.result()
        if slot is None or slots is None:
            return decoded
        return replace(decoded, images=slots[slot, : len(decoded.labels)].copy())

    try:
        for number, job in enumerate(chain([first], jobs)):
            slot = number % shape[0] if slots is not None and len(job.files) <= shape[1] else None
            ahead.append(
                (pool.submit(_decode, job) if slot is None else pool.submit(_decode_into_slot, job, slot), slot)
            )
            if len(ahead) > 2 * workers:
                yield oldest()
        while ahead:
            yield oldest()
    except BrokenProcessPool as error:
        raise InputError(
            "the decoding processes ended early: a script must start its work under "
            'if __name__ == "__main__":, and memory must suffice; workers=0 decodes without them'
        ) from error
    finally:
        ahead.clear()  # a failed batch remembers this frame, and with it the shared memory
        pool.shutdown(cancel_futures=True)


def _shared_room(size: int) -> Arena | None:
    """Return so many bytes of memory that processes started from here can share; None where there are none to be had.

    Without it batches come through a pipe, which copies them thrice. The bytes are asked for at once, because one that
    is missing later is a signal that ends the process.
    """
    try:
        room = Arena(size)
        if os.fstat(room.fd).st_dev != os.stat("/dev/shm").st_dev:  # else it is a file on a disk
            return None
        os.posix_fallocate(room.fd, 0, size)
    except (OSError, AttributeError):  # full, or not Linux
        return None
    return room


def _serve_the_parent(room: Arena | None, shape: tuple[int, ...]) -> None:
    """Share memory with the parent, leave interrupts to it, and end with it even when it is killed."""
    global _slots
    if room is not None:
        _slots = np.frombuffer(room.buffer, np.uint8).reshape(shape)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
