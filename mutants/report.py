"""Score and survivors of a session, as a Markdown page."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mutants.operators import KINDS
from mutants.population import ROOMS, Mutant

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
_INTRODUCTION = """\
`make mutants` plants one mistake at a time in a copy of the tree and runs the fast tests and doctests of the room that
execute the changed line. *Loosening* mistakes multiply a tolerance by 10 or 1000, drop a term, a factor, an error or an
argument of a maximum, skip a guard or a clause, or move a boundary; *formula* mistakes change a sign, a number, a
comparison or a truth value. Modules and functions that only draw worlds, messages, and the constants of rounding errors
are left out. The score is killed / (tried − equivalent); the reasons for equivalence stand in
`mutants/equivalent.toml`."""
_KEYS = ("path", "definition", "operator", "removed", "added")


@dataclass(frozen=True)
class Result:
    """Mutant with its outcome.

    Attributes
    ----------
    mutant : Mutant
    killed : bool
        Whether a test noticed.
    removed, added : str
        Lines before and after.
    reason : str
        Why no test can notice, if that is known.
    """

    mutant: Mutant
    killed: bool
    removed: str
    added: str
    reason: str = ""


def read_results(root: Path, results: Sequence[tuple[Mutant, bool, str]], rules: Path = EQUIVALENT) -> list[Result]:
    """Results with their changed lines, and the reasons of equivalent mutants.

    Parameters
    ----------
    root : Path
        The tree that the mutants were planted in.
    results : sequence of (Mutant, bool, str)
    rules : Path
        TOML file of ``[[mutant]]`` tables: any of path, definition, operator, removed and added, each a pattern of
        :mod:`fnmatch` without brackets, and a reason.
    """
    known = tomllib.loads(rules.read_text(encoding="utf-8")).get("mutant", [])
    found = []
    for mutant, killed, _ in results:
        removed, added = mutant.changed_lines((root / mutant.path).read_text(encoding="utf-8"))
        here = {
            "path": mutant.path,
            "definition": mutant.definition,
            "operator": mutant.operator,
            "removed": removed,
            "added": added,
        }
        reason = next((rule["reason"] for rule in known if matches(rule, here)), "")
        found.append(Result(mutant, killed, removed, added, "" if killed else reason))
    return found


def matches(rule: Mapping[str, str], here: Mapping[str, str]) -> bool:
    """Whether each pattern of a rule fits; ``*`` stands for anything, and a bracket for itself."""
    return all(fnmatchcase(here[key], rule[key].replace("[", "[[]")) for key in _KEYS if key in rule)


def score(results: Sequence[Result]) -> float:
    """Share of the mutants that a test noticed, among those that a test can notice; NaN for none."""
    count = Counter((result.killed, bool(result.reason)) for result in results)
    can = count[True, False] + count[False, False]
    return count[True, False] / can if can else float("nan")


def page(results: Sequence[Result], how: str, cost: str) -> str:
    """Markdown page: how it was made, a table by room and kind, survivors with and without a reason."""
    rows = [
        _row(room, kind, [r for r in results if r.mutant.room == room and r.mutant.kind == kind])
        for room in ROOMS
        for kind in KINDS
    ]
    survivors = [r for r in results if not r.killed]
    return "\n".join(
        [
            "# Mutation tests",
            "",
            _INTRODUCTION,
            "",
            how,
            "",
            "| room | mistakes | tried | killed | equivalent | survive | score |",
            "|---|---|---|---|---|---|---|",
            *[row for row in rows if row],
            _row("all", "both", results),
            "",
            cost,
            "",
            "## Survivors that a test should see",
            "",
            *(_line(r) for r in survivors if not r.reason),
            "",
            "## Equivalent mutants",
            "",
            *(f"{_line(r)} {r.reason}" for r in survivors if r.reason),
            "",
        ]
    )


def _row(room: str, kind: str, results: Sequence[Result]) -> str:
    if not results:
        return ""
    killed, known = sum(r.killed for r in results), sum(bool(r.reason) for r in results)
    left = len(results) - killed - known
    return f"| {room} | {kind} | {len(results)} | {killed} | {known} | {left} | {100 * score(results):.1f} % |"


def _line(result: Result) -> str:
    at = f"`{result.mutant.path}:{result.mutant.line}` in `{result.mutant.definition or 'module'}`"
    return f"- {at}, {result.mutant.operator}: `{result.removed}` becomes `{result.added}`."
