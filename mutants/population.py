"""All mutants of the rooms, and a seeded sample of them."""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code

from mutants.operators import KINDS, OPERATORS

ROOMS = ("theory", "graph", "spectra", "metrics", "empirical")
"""Packages whose numbers are claims."""

_WORLDS = {"small_worlds.py", "hard_worlds.py", "standard_worlds.py", "example_graphs.py"}
_DRAWS_WORLDS = re.compile(r"_?(tight|broken|sample)(_|$)|_([a-z_]+_)?(graphs?|example)$|_(world|graphs)_")
_NEVER_DECIDES = {"raise_stmt", "assert_stmt", "fstring", "decorator", "import_from", "import_name", "tfpdef"}


_HOLDS_STATEMENTS = {
    *("file_input", "suite", "funcdef", "classdef", "async_stmt"),
    *("if_stmt", "while_stmt", "for_stmt", "with_stmt", "try_stmt"),
}


@dataclass(frozen=True, order=True)
class Mutant:
    """One mistake in one place.

    Attributes
    ----------
    path : str
        Module, relative to the root of the repository.
    operator : str
        Name in :data:`~mutants.operators.OPERATORS`.
    occurrence : int
        Index among all places of the module where the operator applies.
    line, column : int
        Where the mistake begins.
    definition : str
        Enclosing function or class.
    statement : tuple of int
        First and last line of the statement or condition around it.
    """

    path: str
    operator: str
    occurrence: int
    line: int
    column: int
    definition: str
    statement: tuple[int, int]

    @property
    def room(self) -> str:
        """Room of the package."""
        return Path(self.path).parts[1]

    @property
    def kind(self) -> str:
        """Either of :data:`~mutants.operators.KINDS`."""
        return next(name for name, operators in KINDS.items() if OPERATORS[self.operator] in operators)

    def mutated(self, source: str) -> str:
        """Source of the module with the mistake."""
        found = mutate_code(source, OPERATORS[self.operator](), self.occurrence)
        if found is None:
            raise ValueError(f"{self.path} has no place number {self.occurrence} for {self.operator}")
        return str(found)

    def changed_lines(self, source: str) -> tuple[str, str]:
        """Lines that the mistake removes and adds, each joined and without indentation."""
        removed, added = [], []
        for line in difflib.unified_diff(source.splitlines(), self.mutated(source).splitlines(), lineterm="", n=0):
            if line[:3] not in ("---", "+++", "@@ "):
                (removed if line[0] == "-" else added).append(line[1:].strip())
        return " ".join(removed), " ".join(added)


def modules(root: Path, rooms: tuple[str, ...] = ROOMS) -> list[str]:
    """Modules of the rooms, without those that only draw worlds for the search."""
    found = (p for room in rooms for p in sorted((root / "maetheory" / room).rglob("*.py")))
    return [str(p.relative_to(root)) for p in found if p.name not in _WORLDS]


def mutants_of(path: str, source: str) -> list[Mutant]:
    """All mutants of a module that compile; places that cannot decide a number are left out.

    Left out are messages, assertions, decorators, imports, annotations and the star between parameters, and the
    functions of a statement that draw or build worlds: with a mistake there, the world is another one, no less right.
    """
    tree = parso.parse(source)
    found = []
    for name, operator_class in OPERATORS.items():
        operator = operator_class()
        positions = ((node, position) for node in ast_nodes(tree) for position in operator.mutation_positions(node))
        for occurrence, (node, ((line, column), _)) in enumerate(positions):
            definition = ASTQuery(node).get_definition_name() or ""
            separates = (
                node.type == "operator" and node.parent.type == "parameters"
            )  # the star before keyword-only ones
            if not _DRAWS_WORLDS.match(definition) and not separates and not _never_decides(node):
                found.append(Mutant(path, name, occurrence, line, column, definition, _statement(node)))
    return found


def _statement(node: Any) -> tuple[int, int]:
    """First and last line of the statement, condition or list of arguments that holds a node."""
    while node.parent.type not in _HOLDS_STATEMENTS:
        node = node.parent
    last, column = node.end_pos
    return node.start_pos[0], last if column else last - 1


def _never_decides(node: Any) -> bool:
    while node is not None:
        if node.type in _NEVER_DECIDES or (node.type == "annassign" and len(node.children) == 2):
            return True
        node = node.parent
    return False


def sample(
    root: Path, size: int, seed: int, rooms: tuple[str, ...] = ROOMS, paths: tuple[str, ...] = ()
) -> list[Mutant]:
    """Draw mutants: as many of each room and kind, in an order that only the seed and the mutant decide.

    Parameters
    ----------
    root : Path
        Root of the repository.
    size : int
        Number of mutants; where a room and kind has fewer than its share, the others do not make up for it.
    seed : int
    rooms : tuple of str
    paths : tuple of str
        Only modules whose path starts with one of these; all if empty.
    """
    strata: dict[tuple[str, str], list[tuple[bytes, Mutant]]] = {}
    for path in modules(root, rooms):
        if paths and not path.startswith(paths):
            continue
        source = (root / path).read_text(encoding="utf-8")
        for mutant in mutants_of(path, source):
            strata.setdefault((mutant.room, mutant.kind), []).append((_rank(seed, mutant), mutant))
    share = -(-size // max(len(strata), 1))
    drawn = (list(_distinct(root, sorted(stratum), share)) for _, stratum in sorted(strata.items()))
    return sorted((m for stratum in drawn for m in stratum), key=lambda m: _rank(seed, m))


def _rank(seed: int, mutant: Mutant) -> bytes:
    return hashlib.sha256(f"{seed} {mutant.path} {mutant.operator} {mutant.occurrence}".encode()).digest()


def _distinct(root: Path, ranked: list[tuple[bytes, Mutant]], share: int) -> Iterator[Mutant]:
    """Yield the first mutants that compile and differ from one another and from the source."""
    seen: set[tuple[str, str]] = set()
    for _, mutant in ranked:
        if len(seen) == share:
            return
        source = (root / mutant.path).read_text(encoding="utf-8")
        code = mutant.mutated(source)
        if (mutant.path, code) not in seen and _is_another_program(code, source):
            seen.add((mutant.path, code))
            yield mutant


def _is_another_program(code: str, source: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return ast.dump(ast.parse(code)) != ast.dump(ast.parse(source))


def find_again(root: Path, wanted: list[dict[str, str]]) -> list[Mutant]:
    """Mutants of the tree as it is now that change the same lines in the same way.

    Parameters
    ----------
    root : Path
    wanted : list of dict
        Each with path, definition, operator, removed and added.
    """
    found = []
    for path in sorted({one["path"] for one in wanted}):
        if not (root / path).exists():
            continue
        source = (root / path).read_text(encoding="utf-8")
        here = [one for one in wanted if one["path"] == path]
        for mutant in mutants_of(path, source):
            same = [one for one in here if (one["definition"], one["operator"]) == (mutant.definition, mutant.operator)]
            if same and mutant.changed_lines(source) in [(one["removed"], one["added"]) for one in same]:
                found.append(mutant)
    return found
