"""The pages of the documentation: their code runs, their claims cover every statement, their commands exist."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import maetheory
from maetheory.cli import app
from maetheory.theory import THEOREMS

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
CODE = [
    (page.name, number, code)
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M))
    if "vit.pth" not in code  # a file of the reader's
]


RUN_HERE = [one for one in CODE if one[0] != "collapse.md"]  # which has a test of its own


@pytest.mark.parametrize(("page", "number", "code"), RUN_HERE, ids=[f"{page}-{number}" for page, number, _ in RUN_HERE])
def test_the_code_runs(
    page: str,
    number: int,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a comment after print says is what it prints; what it writes lies in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    output = capsys.readouterr().out
    shown = output.splitlines()
    below = re.search(re.escape(code) + r"```\n\n```text\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)
    assert below is None or output == below[1]
    said = [line.partition("  # ")[2] for line in code.splitlines() if line.startswith("print(") and "  # " in line]
    assert all(any(line.startswith(one.partition(":")[0]) for line in shown) for one in said), (page, number, shown)


def test_theory_needs_no_torch() -> None:
    """As the page on installing says: the code of both pages on theory runs where torch cannot be imported."""
    blocked = """
import importlib.abc, sys
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "lightning_fabric", "safetensors"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
"""
    pages = {"quickstart.md", "bring_your_own.md"}
    code = [f"exec({code!r}, {{}})" for page, _, code in CODE if page in pages]
    assert code
    done = subprocess.run(
        [sys.executable, "-c", blocked + "\n".join(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_statement_has_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "generators"))
    monkeypatch.delitem(sys.modules, "claims", raising=False)
    from claims import LATEX  # type: ignore[import-not-found]  # a module of the site, not of the package

    assert set(LATEX) == set(THEOREMS)


def test_the_formulas_of_other_tools_give_our_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "generators"))
    monkeypatch.delitem(sys.modules, "comparison", raising=False)
    from comparison import (  # type: ignore[import-not-found]  # a module of the site, not of the package
        compare,
        comparison_features,
        shared_digits,
    )

    rows = compare(comparison_features())
    assert [
        one.tool for one, theirs, ours in rows if ours is not None and shared_digits(theirs, ours) < one.digits
    ] == []
    numbers = {one.call: theirs for one, theirs, _ in rows}
    ranks = [numbers[call] for call in numbers if call.startswith(("effective_rank", "rankme"))]
    assert all(shared_digits(a, b) < 5 for i, a in enumerate(ranks) for b in ranks[:i])  # a swap would be seen
    theirs = numbers[""]
    assert abs(theirs - 2) < 0.1  # the density of eigenvalues of a spectrum 1/i


def test_a_block_of_output_follows_the_code_that_prints_it() -> None:
    quickstart = (DOCS / "quickstart.md").read_text(encoding="utf-8")
    assert re.search(r"print\(check\(.*\n```\n\n```text\n1 \[1\.", quickstart)


def test_the_bold_bound_of_the_quickstart_falls(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [code for page, _, code in CODE if page == "quickstart.md" and "bold = Theorem" in code]
    exec(code, {})
    assert "VIOLATED: L_MAE(h) >= E‖h‖²: 0 against 1" in capsys.readouterr().out


def test_the_untrained_network_of_the_collapse_page_is_measured_beside_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [code for page, _, code in CODE if page == "collapse.md"]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    table = names["table"]
    assert list(table.readout) == ["cls", "mean"]
    assert (table.value < table.high).all()
    assert (table.value < table.shuffled).all()
    assert "random_init" in capsys.readouterr().out


def test_every_command_named_is_there() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # it is a group
    named = {found for page in PAGES for found in re.findall(r"^(?:.*-m )?maetheory ([a-z-]+)", page.read_text(), re.M)}
    assert named
    assert named <= commands


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {line.strip() for block in re.findall(r"```{toctree}(.*?)```", index, re.S) for line in block.splitlines()}
    for page in PAGES:
        assert page.stem in {"index", "mutants"} or page.stem in listed, page.name


def test_every_package_and_whatever_a_page_imports_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page tells users to import a name; the API reference says what it is."""
    monkeypatch.syspath_prepend(str(DOCS))
    from generators.api import PACKAGES, exported_names

    packages = {one.name for one in pkgutil.iter_modules(maetheory.__path__) if one.ispkg} - {"cli"}
    assert {f"maetheory.{name}" for name in packages} | {"maetheory.theory.referee"} <= set(PACKAGES)
    documented = [
        getattr(importlib.import_module(page), name)
        for page in PACKAGES
        for name in exported_names(importlib.import_module(page))
    ]
    known = set(map(id, documented))
    for path in (DOCS.parent / "README.md", *DOCS.glob("*.md")):
        for module, names in re.findall(r"^from (maetheory[\w.]*) import (\([^)]*\)|.*)$", path.read_text(), re.M):
            for name in re.findall(r"\w+", names.partition("#")[0]):
                value = getattr(importlib.import_module(module), name)
                assert inspect.ismodule(value) or id(value) in known, f"{path.name}: {module}.{name} has no entry"
