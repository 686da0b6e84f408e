"""Command line: ``python -m mutants --help``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutants import covering_tests, report, tree, trial
from mutants.population import ROOMS, Mutant, find_again, sample
from mutants.session import Session

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / ".mutants"
LAST_SURVIVORS = STORE / "survivors.json"
SAMPLE = 600
MINUTES = 60.0


@dataclass
class _Planted:
    """Mutant whose tests are running."""

    job: str
    mutant: Mutant
    copy: Path
    diff: str
    restore: Callable[[], None]
    trial: trial.Trial


def main() -> int:
    """Run or continue a session, print the page, and write it where `--publish` says.

    Returns
    -------
    int
        0 if every mutant of the sample has an outcome, 1 if the score is below `--fail-under`, 3 if the time was over
        before every mutant had an outcome, 2 for an empty sample.
    """
    options = _options()
    os.nice(options.nice)
    mutants = _mutants(options)
    if not mutants:
        _say("no mutant was found: --paths takes the beginning of module paths, such as maetheory/spectra/")
        return 2
    rooms = [room for room in ROOMS if any(mutant.room == room for mutant in mutants)]
    digest = tree.digest(ROOT)
    folder = STORE / digest / tree.digest_of_text(repr(mutants))
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    trial.preload()
    copies = tree.copy_tree(ROOT, folder, options.jobs)
    began = time.monotonic()
    store = STORE / "coverage" / tree.digest(ROOT, test_files=False)
    covering = covering_tests.measure(copies, rooms, store, _say)
    session = Session(folder / "session.sqlite", mutants)
    seconds, tried = _run(session, covering, copies, began + 60 * options.minutes)
    results = report.read_results(copies[0], session.results())
    session.close()
    _keep_survivors(results)
    how = (
        f"Seed {options.seed}, {len(results)} of {len(mutants)} sampled mutants tried; Python "
        f"{platform.python_version()}, digest of sources and tests {digest}."
    )
    each = seconds / max(tried, 1)
    cost = f"The last call took {seconds:.0f} s of processor time for {tried} mutants, {each:.1f} s each."
    text = report.page(results, how, cost)
    print(text)
    if options.publish:
        options.publish.parent.mkdir(parents=True, exist_ok=True)
        options.publish.write_text(text, encoding="utf-8")
    return _exit_code(report.score(results), options.fail_under, complete=len(results) == len(mutants))


def _exit_code(score: float, fail_under: float | None, *, complete: bool) -> int:
    """Return 1 for a score below `fail_under` percent, or without one, 3 for an unfinished sample, and 0 otherwise."""
    if fail_under is not None and not 100 * score >= fail_under:
        _say(f"the score, {100 * score:.1f} %, is below {fail_under:g} %")
        return 1
    return 0 if complete else 3


def _percentage(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError(text)
    return value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mutants",
        description="Mutation tests of a seeded sample. The same command continues a run that was stopped or killed.",
        epilog="Exit 0: every mutant was tried; 1: the score is below --fail-under; 2: no mutant; 3: time was over.",
    )
    parser.add_argument("--sample", type=int, default=SAMPLE, help="number of mutants (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--paths", nargs="+", default=[], help="only modules whose path begins like one of these")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="start no mutant later (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (default %(default)s)")
    parser.add_argument("--nice", type=int, default=5, help="added to the niceness (default %(default)s)")
    parser.add_argument(
        "--survivors", action="store_true", help="try the last survivors again, in the tree as it is now"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run of the same sample found")
    parser.add_argument(
        "--fail-under", type=_percentage, metavar="PERCENT", help="exit with 1 if the score is lower (0 to 100)"
    )
    parser.add_argument("--publish", type=Path, help="also write the page to this file")
    return parser.parse_args()


def _mutants(options: argparse.Namespace) -> list[Mutant]:
    if options.survivors:
        wanted = json.loads(LAST_SURVIVORS.read_text(encoding="utf-8")) if LAST_SURVIVORS.exists() else []
        return [mutant for mutant in find_again(ROOT, wanted) if mutant.path.startswith(tuple(options.paths) or "")]
    return sample(ROOT, options.sample, options.seed, tuple(options.rooms), tuple(options.paths))


def _run(session: Session, covering: covering_tests.CoveringTests, copies: list[Path], end: float) -> tuple[float, int]:
    """Try the pending mutants, one in each copy at a time; processor time used and number of outcomes."""
    queue, free, running = session.pending(), list(copies), list[_Planted]()
    total, done, used = len(queue), 0, 0.0
    while running or (queue and time.monotonic() < end):
        while free and queue and time.monotonic() < end:
            running.append(_start(*queue.pop(0), free.pop(), covering))
        time.sleep(0.02)
        for planted in list(running):
            outcome = trial.poll(planted.trial)
            if outcome is None:
                continue
            running.remove(planted)
            planted.restore()
            free.append(planted.copy)
            session.record(planted.job, outcome, planted.diff)
            used, done = used + outcome.seconds, done + 1
            word = "SURVIVED" if outcome.passed else "killed"
            where = f"{planted.mutant.path}:{planted.mutant.line} {planted.mutant.operator}"
            _say(f"{done}/{total} {word} {where} {outcome.seconds:.1f} s | {planted.diff}")
    return used, done


def _start(job: str, mutant: Mutant, copy: Path, covering: covering_tests.CoveringTests) -> _Planted:
    module = copy / mutant.path
    source = module.read_text(encoding="utf-8")
    diff = " -> ".join(mutant.changed_lines(source))
    tests = covering.of(mutant)
    restore = tree.plant(module, mutant.mutated(source))
    limit = 60 + 5 * covering.seconds_of(tests)
    return _Planted(job, mutant, copy, diff, restore, trial.start(copy, tests, copy.with_suffix(".log"), limit))


def _keep_survivors(results: list[report.Result]) -> None:
    kept = [
        {
            "path": result.mutant.path,
            "definition": result.mutant.definition,
            "operator": result.mutant.operator,
            "removed": result.removed,
            "added": result.added,
        }
        for result in results
        if not result.killed and not result.reason
    ]
    LAST_SURVIVORS.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
