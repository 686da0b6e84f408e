"""Several training runs at once, one thread each: two cores do two runs sooner than both do one after the other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol

import torch

from maetheory.core import InputError, Progress, silent
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import encode
from maetheory.metrics import effective_rank
from maetheory.training import TrainConfig, TrainStep, fabric_of, train
from maetheory.training.feed import feed_of
from maetheory.training.logbook import read_log
from maetheory.training.loop import Callback
from maetheory.training.task import Schedule

_LOOK_SECONDS = 1.0
_busy = threading.Lock()  # in a worker: held while a run is under way
_asked_to_stop: Event | None = None  # in a worker: set by its parent when all runs shall save and stop


class Run(Protocol):
    """One of several: it saves where it is when it is stopped, and goes on from there.

    Attributes
    ----------
    name : str
        For progress, as in "U-MAE seed 1".
    config : Schedule
    images : ImageSet or FolderStream
        What is trained on.
    out : Path
        Folder of the run; a run that is there already goes on, or is left alone when it is finished.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def config(self) -> Schedule: ...  # noqa: D102
    @property
    def images(self) -> ImageSet | FolderStream: ...  # noqa: D102
    @property
    def out(self) -> Path: ...  # noqa: D102

    def finish(self, callbacks: Sequence[Callback], progress: Progress) -> object:
        """Do the steps that are left."""


@dataclass(frozen=True, eq=False)
class Job:
    """The training of one model, a `Run`.

    Attributes
    ----------
    name, config, images
        As of every run.
    watched : ImageSet
        Whose effective rank is logged through training.
    out : Path
    watch_epochs : int
        Epochs between two looks at the effective rank.
    compiled : bool
    precision : str
        As `fabric_of` takes it.
    """

    name: str
    config: TrainConfig
    images: ImageSet | FolderStream
    watched: ImageSet
    out: Path
    watch_epochs: int
    compiled: bool = False
    precision: str = "32-true"

    def finish(self, callbacks: Sequence[Callback], progress: Progress) -> None:
        """Train, looking at the effective rank now and then."""
        train(self.config, self.images, out=self.out, resume=True, callbacks=[self._watch, *callbacks],
              progress=progress, compiled=self.compiled, fabric=fabric_of(precision=self.precision))  # fmt: skip

    def _watch(self, seen: TrainStep) -> dict[str, float] | None:
        """Measure one fixed set of whole images, which compares runs; a `CollapseMonitor` sees masked batches."""
        every = self.watch_epochs * (seen.total // self.config.epochs)
        if seen.step % every and seen.step not in (1, seen.total):
            return None
        return {"effective_rank": float(effective_rank(encode(seen.whole(), self.watched).double().numpy()))}


def train_side_by_side(jobs: Sequence[Run], *, workers: int | None = None, progress: Progress = silent) -> None:
    """Finish every job.

    Parameters
    ----------
    jobs : sequence of Run
    workers : int, optional
        Processes; by default one for each core, or a single one where there is a GPU to share. With one, the jobs run
        in this process; with more, a script must start its work under ``if __name__ == "__main__":``.
    progress : Progress
        Told the steps of all jobs together.

    Raises
    ------
    InputError
        As `train` does, or if `workers` is below 1; the other runs are stopped and keep what they have.
    KeyboardInterrupt
        After Ctrl-C; every run has saved where it was.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, but it is {workers}")
    if workers is None:
        workers = 1 if torch.cuda.is_available() else min(len(jobs), os.cpu_count() or 1)
    if workers > 1:
        _in_processes(jobs, workers, progress)
        return
    total, before = sum(map(_steps, jobs)), 0
    for job in jobs:
        job.finish([_stop_with_parent], partial(_shifted, progress, before, total, job.name))
        before += _steps(job)


def _shifted(progress: Progress, before: int, total: int, name: str, done: int, of: int, message: str) -> None:
    progress(before + done, total, f"{name}: {message}")


def _stop_with_parent(seen: TrainStep) -> None:
    """Stop as by Ctrl-C when the parent asks for it, or was killed: nobody may write into a run that is resumed."""
    if _stopping():
        signal.raise_signal(signal.SIGINT)


def _stopping() -> bool:
    parent = multiprocessing.parent_process()
    orphaned = parent is not None and not parent.is_alive()
    return orphaned or (_asked_to_stop is not None and _asked_to_stop.is_set())


def _begin(stop: Event) -> None:
    """Set a worker up: one thread, deaf to Ctrl-C between its runs, and gone with its parent."""
    global _asked_to_stop
    _asked_to_stop = stop
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a worker that nobody will hand a run to any more, but not before the run under way has saved."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        with _busy:
            os._exit(1)


def _run_in_worker(job: Run) -> None:
    with _busy:
        if _stopping():  # it had been handed over before the others were stopped
            raise KeyboardInterrupt
        job.finish([_stop_with_parent], silent)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes begun here ignore Ctrl-C while they start and wait; a run under way saves and stops."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _in_processes(jobs: Sequence[Run], workers: int, progress: Progress) -> None:
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    pool = ProcessPoolExecutor(workers, spawning, _begin, (stop,))
    futures: list[Future[None]] = []
    try:
        with _deaf_children():
            futures = [pool.submit(_run_in_worker, job) for job in jobs]
        began, first = time.monotonic(), sum(_done(job) for job in jobs)
        while not all(future.done() for future in futures):
            finished, _ = wait(futures, timeout=_LOOK_SECONDS, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
            _report(jobs, progress, began, first)
        for future in futures:
            future.result()
    except BrokenProcessPool as error:
        raise InputError(
            'the training processes ended early: a script must start its work under if __name__ == "__main__":, and '
            "memory must suffice; workers=1 trains without them"
        ) from error
    except BaseException as error:
        _stop(futures, stop)
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("stopped, and every run is saved; go on") from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stop(futures: Sequence[Future[None]], stop: Event) -> None:
    """Ask runs under way to save and stop, and wait until they have."""
    stop.set()
    for future in futures:
        future.cancel()
    wait(futures)


def _batch(job: Run) -> int:
    return min(job.config.batch, len(feed_of(job.images)))


def _steps(job: Run) -> int:
    return job.config.epochs * (len(feed_of(job.images)) // _batch(job))


def _done(job: Run) -> int:
    log = read_log(job.out / "metrics.jsonl")
    return int(log[-1]["step"]) if log else 0


def _report(jobs: Sequence[Run], progress: Progress, began: float, first: int) -> None:
    done = [_done(job) for job in jobs]
    rate = (sum(done) - first) * _batch(jobs[0]) / (time.monotonic() - began)
    running = ", ".join(job.name for job, step in zip(jobs, done, strict=True) if 0 < step < _steps(job))
    progress(sum(done), sum(map(_steps, jobs)), f"training {running or 'begins'}: {rate:,.0f} images/s")
