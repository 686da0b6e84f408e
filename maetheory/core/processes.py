"""Cores that this process may use, and a bound on the number of processes that it starts."""

from __future__ import annotations

import os

from maetheory.core.errors import InputError
from maetheory.core.memory import check_memory

MAX_PROCESSES_PER_CORE = 4
PROCESS_BYTES = 250e6
"""Memory of its own that a process takes once it has imported torch; shared libraries do not count."""


def available_cores() -> int:
    """Return the number of CPU cores that this process may run on: those of its affinity, not of the machine.

    Examples
    --------
    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # systems without affinities


def check_process_count(number: int, what: str, remedy: str) -> None:
    """Raise InputError if so many processes on the CPU are too many for this machine.

    A few processes on each core only wait for each other; a thousand take all memory, or wait for ever.

    Parameters
    ----------
    number : int
        Processes that would run at once.
    what : str
        Subject of the message with its number, as in "1000 workers".
    remedy : str
        End of the message: what to do instead.

    Raises
    ------
    InputError
        If there are more than `MAX_PROCESSES_PER_CORE` for each core, or their memory is not free.

    Examples
    --------
    >>> check_process_count(1, "1 worker", "use none")
    """
    cores = available_cores()
    if number > MAX_PROCESSES_PER_CORE * cores:
        raise InputError(
            f"{what} are more than the {MAX_PROCESSES_PER_CORE * cores} that this machine can run at once "
            f"({cores} CPU {'core' if cores == 1 else 'cores'}, at most {MAX_PROCESSES_PER_CORE} processes on each); "
            f"{remedy}"
        )
    if number > 1:
        check_memory(number * PROCESS_BYTES, what, remedy)
