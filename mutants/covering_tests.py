"""Which test files execute which line of the rooms, and how long each takes, found by one run without mistakes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mutants.population import Mutant
from mutants.tree import digest_of_file
from mutants.trial import Trial, poll, run_pytest, start, stop

_STARTS_PROCESSES = ("subprocess", "in_two_processes")
_CPU_LIMIT = 900.0


@dataclass(frozen=True)
class CoveringTests:
    """Lines that each test file executes.

    Attributes
    ----------
    lines : dict
        Executed lines of each module, by test file; a room of the package stands for its doctests.
    seconds : dict
        Processor time of each test file.
    elsewhere : tuple of str
        Test files that start processes of their own, whose lines nobody counts.
    """

    lines: dict[str, dict[str, frozenset[int]]]
    seconds: dict[str, float]
    elsewhere: tuple[str, ...]

    def of(self, mutant: Mutant) -> list[str]:
        """Test files of the mutant's room that execute a changed line: its own first, then the quick ones."""
        changed = set(range(mutant.statement[0], mutant.statement[1] + 1))
        found = [
            test
            for test, executed in self.lines.items()
            if _room(test) == mutant.room
            and (changed & executed.get(mutant.path, frozenset()) or test in self.elsewhere)
        ]
        own = Path(mutant.path).stem
        return sorted(found, key=lambda test: (own not in Path(test).stem, test in self.elsewhere, self.seconds[test]))

    def seconds_of(self, tests: Iterable[str]) -> float:
        """Processor time of these test files without a mistake."""
        return sum(self.seconds[test] for test in tests)


def _room(test: str) -> str:
    return Path(test).parts[1]


def test_files(tree: Path, rooms: Iterable[str]) -> list[str]:
    """Test files of the rooms, and each room of the package for its doctests."""
    files = (path for room in rooms for path in sorted((tree / "tests" / room).rglob("test_*.py")))
    return [*(str(path.relative_to(tree)) for path in files), *(f"maetheory/{room}" for room in rooms)]


def measure(copies: Sequence[Path], rooms: Iterable[str], store: Path, say: Callable[[str], None]) -> CoveringTests:
    """Run every test file of the rooms under coverage, each in a process of its own, one in each copy at a time.

    What an earlier run has in `store` is not measured again: it is a folder for one state of the package, and the name
    of a file in it says which contents of a test file it is of.

    Raises
    ------
    RuntimeError
        If a test fails without any mistake.
    """
    store.mkdir(parents=True, exist_ok=True)
    files = test_files(copies[0], rooms)
    kept = {test: store / _name_of_measurement(test, copies[0]) for test in files}
    queue, free, running = [test for test in files if not kept[test].exists()], list(copies), dict[str, _Measured]()
    done, total = 0, len(queue)
    while queue or running:
        while queue and free:
            test, copy = queue.pop(0), free.pop()
            log = store / f"{copy.name}.log"
            running[test] = _Measured(copy, start(copy, [], log, _CPU_LIMIT, partial(_cover, test, kept[test])))
        time.sleep(0.02)
        for test, measured in list(running.items()):
            outcome = poll(measured.trial)
            if outcome is None:
                continue
            if not outcome.passed:
                for other in running.values():
                    stop(other.trial)
                raise RuntimeError(f"{test} fails without any mutation: {outcome.first_failure}")
            free.append(running.pop(test).copy)
            done += 1
            say(f"coverage {done}/{total} of {test}, {outcome.seconds:.1f} s")
    found = {test: json.loads(kept[test].read_text(encoding="utf-8")) for test in files}
    return CoveringTests(
        lines={t: {module: frozenset(at) for module, at in one["lines"].items()} for t, one in found.items()},
        seconds={test: one["seconds"] for test, one in found.items()},
        elsewhere=tuple(test for test in files if _starts_processes(copies[0] / test)),
    )


def _name_of_measurement(test: str, copy: Path) -> str:
    contents = f".{digest_of_file(copy / test)}" if (copy / test).is_file() else ""
    return f"{test.replace('/', '+')}{contents}.json"


def _starts_processes(path: Path) -> bool:
    return path.is_file() and any(word in path.read_text(encoding="utf-8") for word in _STARTS_PROCESSES)


@dataclass(frozen=True)
class _Measured:
    """Test file that runs under coverage in a copy of the tree."""

    copy: Path
    trial: Trial


def _cover(test: str, kept: Path) -> int:
    """Run one test file under coverage in this process and write what it executed."""
    import coverage

    began = time.process_time()
    cover = coverage.Coverage(data_file=None, include=["maetheory/*"], config_file=False)
    cover.start()
    status = run_pytest([test])
    cover.stop()
    data, here = cover.get_data(), os.getcwd()
    lines = {os.path.relpath(name, here): sorted(data.lines(name) or ()) for name in data.measured_files()}
    unfinished = kept.with_suffix(".part")
    unfinished.write_text(json.dumps({"lines": lines, "seconds": time.process_time() - began}), encoding="utf-8")
    unfinished.replace(kept)
    return status
