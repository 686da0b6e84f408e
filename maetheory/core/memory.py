"""Available memory, and a check that a computation fits in it."""

from __future__ import annotations

import os
from pathlib import Path

from maetheory.core.errors import InputError
from maetheory.core.memory_limits import free_memory_in_control_groups, free_memory_under_ulimit


def available_memory() -> int:
    """Return the bytes of memory that this process can still take, reclaimable caches included.

    That is the least of what the machine has free, what the control groups of the process leave (the limit of a
    container), and what its ulimit leaves.
    """
    free = (_free_memory_of_machine(), free_memory_in_control_groups(), free_memory_under_ulimit())
    return min(one for one in free if one is not None)


def _free_memory_of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: assume that half of the memory is available
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


LINEAR_ALGEBRA_BYTES = 2**27
"""Bytes of which OpenBLAS takes a buffer at its first call; without them it tries again for ever."""


def check_memory_for_linear_algebra() -> None:
    """Raise InputError if the ulimit leaves less than `LINEAR_ALGEBRA_BYTES`."""
    left = free_memory_under_ulimit()
    if left is not None and left < LINEAR_ALGEBRA_BYTES:
        raise InputError(
            f"the limit on memory (ulimit) leaves {left >> 20} MiB, less than the {LINEAR_ALGEBRA_BYTES >> 20} MiB "
            "that linear algebra takes at once: raise it"
        )


def check_memory(needed: float, what: str, remedy: str) -> None:
    """Raise InputError if a computation needs more memory than is available.

    Parameters
    ----------
    needed : float
        Bytes.
    what : str
        Subject of the message: what would take the memory.
    remedy : str
        End of the message: what to do instead.

    Examples
    --------
    >>> check_memory(1e3, "a small thing", "take none")
    """
    free = available_memory()
    if needed > free:
        raise InputError(
            f"{what} would take about {needed / 1e9:.2g} GB of memory, but {free / 1e9:.2g} GB are free: {remedy}"
        )
