"""Run several training jobs at once in worker processes, one thread each.

Two runs on two cores finish sooner than one run on two cores after the other. A job saves a checkpoint when it is
stopped, which pools of joblib or concurrent.futures do not offer; so workers are asked to stop through an event.
"""

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
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol

import torch

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.processes import available_cores, check_process_count
from maetheory.data import FolderStream, ImageSet
from maetheory.training import TrainStep
from maetheory.training.batches import batch_source
from maetheory.training.callback import Callback
from maetheory.training.logbook import read_log
from maetheory.training.loop_config import LoopConfig

_POLL_SECONDS = 1.0
_run_lock = threading.Lock()  # in a worker: held while a job runs
_stop_requested: Event | None = None  # in a worker: set by its parent to make all jobs save and stop


class ResumableJob(Protocol):
    """A training run that saves a checkpoint when it is stopped and continues from it.

    Attributes
    ----------
    name : str
        For progress, as in "U-MAE seed 1".
    config : LoopConfig
    images : ImageSet or FolderStream
        Training images.
    out : Path
        Folder of the run; an unfinished run in it continues, a finished one is left as it is.
    """

    @property
    def name(self) -> str:
        """Name for progress, such as "U-MAE seed 1"."""

    @property
    def config(self) -> LoopConfig:
        """Epochs and batch size."""

    @property
    def images(self) -> ImageSet | FolderStream:
        """Training images."""

    @property
    def out(self) -> Path:
        """Folder of the run."""

    def finish(self, callbacks: Sequence[Callback], progress: Progress) -> object:
        """Do the remaining steps."""


def run_jobs_in_parallel(
    jobs: Sequence[ResumableJob], *, workers: int | None = None, device: str = "auto", progress: Progress = no_progress
) -> None:
    """Finish every job.

    Parameters
    ----------
    jobs : sequence of ResumableJob
    workers : int, optional
        Processes; by default one for each core, or a single one where there is a GPU to share. With one, the jobs run
        in this process; with more, a script must start its work under ``if __name__ == "__main__":``.
    device : str
        As in `TrainingOptions`; on "cpu" a GPU is not shared.
    progress : Progress
        Called with the number of steps of all jobs together.

    Raises
    ------
    InputError
        As `train` does, or as `check_workers`; the other runs are stopped and save a checkpoint.
    KeyboardInterrupt
        After Ctrl-C; every run has saved a checkpoint.
    """
    check_workers(workers)
    if workers is None:
        workers = 1 if device != "cpu" and torch.cuda.is_available() else min(len(jobs), available_cores())
    if workers > 1:
        _run_in_processes(jobs, workers, progress)
        return
    total, before = sum(map(_count_total_steps, jobs)), 0
    for job in jobs:
        job.finish([_stop_if_requested], partial(_report_offset_progress, progress, before, total, job.name))
        before += _count_total_steps(job)


def check_workers(workers: int | None) -> None:
    """Raise InputError if a number of worker processes is below 1, or more than this machine can run at once."""
    if workers is None:
        return
    if workers < 1:
        raise InputError(f"workers must be at least 1, but it is {workers}")
    check_process_count(workers, f"{workers} workers", "ask for fewer workers, or leave their number out")


def _report_offset_progress(
    progress: Progress, steps_before: int, total: int, job_name: str, done: int, total_of_job: int, message: str
) -> None:
    progress(steps_before + done, total, f"{job_name}: {message}")


def _stop_if_requested(step: TrainStep) -> None:
    """Stop the run as Ctrl-C does when the parent requests it or was killed.

    A worker that outlives its parent would write into a run that another process resumes.
    """
    if _should_stop():
        signal.raise_signal(signal.SIGINT)


def _should_stop() -> bool:
    parent = multiprocessing.parent_process()
    orphaned = parent is not None and not parent.is_alive()
    return orphaned or (_stop_requested is not None and _stop_requested.is_set())


def _init_worker(stop: Event) -> None:
    """Initialise a worker: one thread, and a watch that ends it with its parent."""
    global _stop_requested
    _stop_requested = stop
    torch.set_num_threads(1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End a worker whose parent has ended, after the current run has saved."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        with _run_lock:
            os._exit(1)


def _run_in_worker(job: ResumableJob) -> None:
    with _run_lock:
        if _should_stop():  # submitted before the other runs were stopped
            raise KeyboardInterrupt
        job.finish([_stop_if_requested], no_progress)


@contextmanager
def _ignore_sigint() -> Iterator[None]:
    """Let processes started in this block ignore Ctrl-C while they start and wait; a running job saves and stops."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_in_processes(jobs: Sequence[ResumableJob], workers: int, progress: Progress) -> None:
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    pool = ProcessPoolExecutor(workers, spawning, _init_worker, (stop,))
    futures: list[Future[None]] = []
    try:
        with _ignore_sigint():
            futures = [pool.submit(_run_in_worker, job) for job in jobs]
        began, first = time.monotonic(), sum(_count_finished_steps(job) for job in jobs)
        while not all(future.done() for future in futures):
            finished, _ = wait(futures, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
            _report_progress(jobs, progress, began, first)
        for future in futures:
            future.result()
    except BrokenProcessPool as error:
        raise InputError(
            'the training processes ended early: a script must start its work under if __name__ == "__main__":, and '
            "memory must suffice; workers=1 trains without them"
        ) from error
    except BaseException as error:
        _stop_jobs(futures, stop)
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("stopped, and every run is saved; go on") from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stop_jobs(futures: Sequence[Future[None]], stop: Event) -> None:
    """Request that running jobs save and stop, and wait for them."""
    stop.set()
    for future in futures:
        future.cancel()
    wait(futures)


def _batch_size(job: ResumableJob) -> int:
    return min(job.config.batch, len(batch_source(job.images)))


def _count_total_steps(job: ResumableJob) -> int:
    return job.config.epochs * (len(batch_source(job.images)) // _batch_size(job))


def _count_finished_steps(job: ResumableJob) -> int:
    log = read_log(job.out / "metrics.jsonl")
    return int(log[-1]["step"]) if log else 0


def _report_progress(jobs: Sequence[ResumableJob], progress: Progress, start_time: float, steps_before: int) -> None:
    done = [_count_finished_steps(job) for job in jobs]
    rate = (sum(done) - steps_before) * _batch_size(jobs[0]) / (time.monotonic() - start_time)
    running = ", ".join(job.name for job, step in zip(jobs, done, strict=True) if 0 < step < _count_total_steps(job))
    message = f"training {running or 'models'}: {rate:,.0f} images/s" if rate > 0 else "training begins"
    progress(sum(done), sum(map(_count_total_steps, jobs)), message)
