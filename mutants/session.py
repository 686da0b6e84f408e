"""Session: the sampled mutants and their outcomes in one SQLite file, which a killed run loses nothing of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

from mutants.population import Mutant
from mutants.trial import Outcome


class Session:
    """Mutants in the order of their trials, with the outcomes known so far.

    Parameters
    ----------
    path : Path
        File of cosmic-ray's own format: ``cr-report`` and ``cr-html`` read it.
    mutants : sequence of Mutant
        Written if the file has none yet.
    """

    def __init__(self, path: Path, mutants: Sequence[Mutant]) -> None:
        self._database = WorkDB(path, WorkDB.Mode.create)
        self._mutants = {f"{number:05d}": mutant for number, mutant in enumerate(mutants)}
        if self._database.num_work_items == 0:
            self._database.add_work_items(WorkItem.single(job, _spec(mutant)) for job, mutant in self._mutants.items())

    def pending(self) -> list[tuple[str, Mutant]]:
        """Mutants without an outcome, with their keys."""
        done = {job for job, _ in self._database.results}
        return [(job, mutant) for job, mutant in self._mutants.items() if job not in done]

    def results(self) -> list[tuple[Mutant, bool, str]]:
        """Mutants with an outcome: whether a test noticed, and which."""
        found = sorted(self._database.results, key=lambda result: result[0])
        return [(self._mutants[job], bool(result.is_killed), result.output or "") for job, result in found]

    def record(self, job: str, outcome: Outcome, diff: str) -> None:
        """Write one outcome."""
        noticed = TestOutcome.SURVIVED if outcome.passed else TestOutcome.KILLED
        self._database.set_result(job, WorkResult(WorkerOutcome.NORMAL, outcome.first_failure, noticed, diff))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _spec(mutant: Mutant) -> MutationSpec:
    return MutationSpec(
        module_path=Path(mutant.path),
        operator_name=mutant.operator,
        occurrence=mutant.occurrence,
        start_pos=(mutant.line, mutant.column),
        end_pos=(mutant.line, mutant.column + 1),
        definition_name=mutant.definition,
    )
