"""Run torch so that the same command gives the same bytes, on any number of CPU threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic


@contextmanager
def reproducible(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Make torch's CPU arithmetic deterministic inside a ``with`` block.

    With two threads or more, the backward pass of an indexed table (a learned position table) adds its rows in any
    order unless torch is told to be deterministic. Sums are also split among threads, so their last bits depend on the
    number of threads; a resumed run therefore takes the number of threads that it began with.

    Parameters
    ----------
    device : torch.device
        Where the model is trained. Only ``cpu`` is made deterministic: some CUDA kernels have no deterministic form.
    threads : int, optional
        Number of CPU threads inside the block; by default the present number.
    """
    if device.type != "cpu":
        yield
        return
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]  # torch hides it
    )
    if threads is not None and threads != before[0]:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Filling memory costs time, and no operation here reads memory that it did not write.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch hides it
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = before[3]  # type: ignore[attr-defined]  # torch hides it
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        if threads is not None and threads != before[0]:
            torch.set_num_threads(before[0])
