"""Too many processes for the cores or the memory of this machine are refused before one starts."""

from __future__ import annotations

import os

import pytest

from maetheory.core import InputError, memory, processes
from maetheory.core.processes import MAX_PROCESSES_PER_CORE, PROCESS_BYTES, available_cores, check_process_count


@pytest.mark.parametrize(("cores", "shown"), [(1, "1 CPU core,"), (3, "3 CPU cores,")])
def test_a_few_processes_on_each_core_are_allowed_and_no_more(
    monkeypatch: pytest.MonkeyPatch, cores: int, shown: str
) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: cores)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**15)
    most = MAX_PROCESSES_PER_CORE * cores
    check_process_count(most, f"{most} workers", "use fewer")
    for number in (most + 1, 100_000):
        with pytest.raises(InputError, match=f"{number} workers are more than the {most} .*{shown} .*use fewer$"):
            check_process_count(number, f"{number} workers", "use fewer")


def test_the_memory_of_all_processes_must_be_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: 8)
    monkeypatch.setattr(memory, "available_memory", lambda: int(3 * PROCESS_BYTES))
    check_process_count(3, "3 workers", "use fewer")
    with pytest.raises(InputError, match=r"4 workers would take about 1 GB of memory, but .* are free: use fewer"):
        check_process_count(4, "4 workers", "use fewer")
    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    check_process_count(1, "1 worker", "use none")  # that is this process or one like it


def test_the_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert available_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cores() == 64
