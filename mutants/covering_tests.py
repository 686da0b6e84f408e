"""Which test files execute which line of the rooms, and how long each takes, found by one run without mistakes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mutants.population import Mutant
from mutants.trial import Outcome, Trial, poll, run_pytest, start

_STARTS_PROCESSES = ("subprocess", "in_two_processes")
_CPU_LIMIT = 900.0


@dataclass(frozen=True)
class CoveringTests:
    """Lines that each test file executes.

    Attributes
    ----------
    lines : dict
        Executed lines of each module, by test file; a module of the package stands for its doctests.
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
    """Test files of the rooms, and their modules with doctests."""
    found = []
    for room in rooms:
        found += [p for p in sorted((tree / "tests" / room).rglob("test_*.py"))]
        found += [
            p for p in sorted((tree / "maetheory" / room).rglob("*.py")) if ">>>" in p.read_text(encoding="utf-8")
        ]
    return [str(p.relative_to(tree)) for p in found]


def measure(tree: Path, rooms: Iterable[str], store: Path, say: Callable[[str], None]) -> CoveringTests:
    """Run every test file of the rooms under coverage, each in a process of its own; keep the result in a folder.

    What an earlier, interrupted run measured is not measured again.

    Raises
    ------
    RuntimeError
        If a test fails without any mistake.
    """
    store.mkdir(parents=True, exist_ok=True)
    files = test_files(tree, rooms)
    for n, test in enumerate(files):
        kept = store / (test.replace("/", "+") + ".json")
        if not kept.exists():
            outcome = _wait(start(tree, [], store / "log", _CPU_LIMIT, partial(_cover, test, kept)))
            if not outcome.passed:
                raise RuntimeError(f"{test} fails without any mutation: {outcome.first_failure}")
        say(f"coverage of {test} ({n + 1} of {len(files)})")
    found = {test: json.loads((store / (test.replace("/", "+") + ".json")).read_text()) for test in files}
    return CoveringTests(
        lines={t: {module: frozenset(at) for module, at in kept["lines"].items()} for t, kept in found.items()},
        seconds={test: kept["seconds"] for test, kept in found.items()},
        elsewhere=tuple(t for t in files if any(word in (tree / t).read_text() for word in _STARTS_PROCESSES)),
    )


def _wait(trial: Trial) -> Outcome:
    while (outcome := poll(trial)) is None:
        time.sleep(0.05)
    return outcome


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
    unfinished.write_text(json.dumps({"lines": lines, "seconds": time.process_time() - began}))
    unfinished.replace(kept)
    return status
