"""The maps of the tree: CONTRIBUTING and the essays of the rooms name what exists, and the whole of it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import maetheory

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(maetheory.__file__).parent
ROOMS = sorted(path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def map_rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the Markdown table under a heading row, without the rule below it."""
    lines = (ROOT / document).read_text().splitlines()
    start = lines.index(heading) + 2
    rows: list[list[str]] = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def packages_of(cell: str) -> list[str]:
    return [name.strip("/") for name in re.findall(r"`([\w/]+)`", cell)]


def test_the_map_of_contributing_has_the_floors_of_the_import_contract() -> None:
    layers = CONTRACTS[0]["layers"]
    floors = [sorted(re.findall(r"\w+", layer)) for layer in reversed(layers)]
    drawn: dict[int, list[str]] = {}
    for floor, package, _ in map_rows("CONTRIBUTING.md", "| floor | package | what lives there |"):
        drawn.setdefault(int(floor), []).extend(packages_of(package))
    assert [sorted(drawn[number]) for number in sorted(drawn)] == floors
    assert sorted(name for floor in floors for name in floor) == top_level_names()


def top_level_names() -> list[str]:
    """Return the packages and modules directly in maetheory."""
    files = [path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("__")]
    return sorted(files + [path.name for path in ROOMS if path.parent == SOURCE])


def test_paths_in_the_map_exist() -> None:
    for *_, package, description in map_rows("CONTRIBUTING.md", "| floor | package | what lives there |"):
        for name in re.findall(r"`([\w/]+(?:/|\.py))`", description):
            assert any((SOURCE / room / name).exists() for room in packages_of(package)), (package, name)


def names_of(room: Path) -> set[str]:
    """Return the names that the essay of a room may quote: its modules, what they define or import, and arguments."""
    found = {path.stem for path in room.rglob("*")} | {path.name for path in ROOMS}
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).split(".")[-1])
            elif isinstance(node, ast.Name) and node.id.isupper():
                found.add(node.id)
    return found


def quoted_names(essay: str) -> Iterator[str]:
    """Yield the last parts of the names that an essay quotes, except letters of formulas and ``literal text``."""
    prose = re.sub(r"``.*?``|^>>>.*", "", essay, flags=re.M)
    for name in re.findall(r"`~?([\w.]+)`", prose):
        if len(name) > 1:
            yield name.split(".")[-1]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(SOURCE)))
def test_an_essay_quotes_only_what_exists(room: Path) -> None:
    essay = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert essay
    known = names_of(room) | (names_of(room.parent) if room.parent != SOURCE else set())
    assert [name for name in quoted_names(essay) if name not in known] == []
