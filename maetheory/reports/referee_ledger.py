"""The public ledger of theorems: what the referee found about every statement of the package and of files beside it.

``python -m maetheory.reports.referee_ledger docs/theorem_ledger.json docs/followups/*.py`` writes it, in about three
minutes on an idle core; the documentation reads it. The statements of the package come first, then those of the files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maetheory.core import Progress, atomic_write, no_progress
from maetheory.core.json_documents import strict_json
from maetheory.reports.referee_text import answers_by_question
from maetheory.theory import THEOREMS
from maetheory.theory.referee import RefereeReport, load_theorems, referee_theorem

WORLDS = 60


def ledger_entry(report: RefereeReport, file: str | None) -> dict[str, Any]:
    """Return the entry of one claim: its verdict, the answers as sentences, and the world that violates it.

    Parameters
    ----------
    report : RefereeReport
    file : str or None
        The file that defines the claim; None for a statement of the package.
    """
    theorem, violation = report.theorem, report.violation
    return {
        "slug": theorem.slug,
        "statement": theorem.statement,
        "reference": theorem.reference,
        "file": file,
        "verdict": report.verdict,
        "worlds": report.worlds,
        "seed": report.seed,
        "answers": answers_by_question(report),
        "violation": None
        if violation is None
        else {"world": str(violation.found.world), "proof": violation.proof, "code": violation.code},
    }


def referee_all(
    files: Sequence[str] = (), *, worlds: int = WORLDS, seed: int = 0, progress: Progress = no_progress
) -> list[dict[str, Any]]:
    """Referee every statement of the package and of these files, and return their entries.

    Parameters
    ----------
    files : sequence of str
        Python files that define theorems; they are executed.
    worlds, seed
        As for :func:`maetheory.theory.referee.referee_theorem`.
    progress : Progress
        Called after each claim.
    """
    claims: list[tuple[Any, str | None]] = [(theorem, None) for theorem in THEOREMS.values()]
    claims += [(theorem, file) for file in files for theorem in load_theorems(file).values()]
    entries = []
    for done, (theorem, file) in enumerate(claims, 1):
        entries.append(ledger_entry(referee_theorem(theorem, worlds=worlds, seed=seed, file=file), file))
        progress(done, len(claims), theorem.slug)
    return entries


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the ledger to the file that the first argument names."""
    parser = argparse.ArgumentParser(description="Write the ledger of theorems.")
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("files", nargs="*", help="Python files that define theorems; they are executed")
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    entries = referee_all(given.files, worlds=given.worlds, seed=given.seed)
    with atomic_write(given.out) as part:
        part.write_text(strict_json(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
