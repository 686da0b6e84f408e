"""A user's file is executed once, and what it imports is not what it claims."""

from __future__ import annotations

from pathlib import Path

from maetheory.theory.referee import load_theorems, select_theorem

FILE = """
from dataclasses import replace
from pathlib import Path

from maetheory.theory import THEOREMS

with (Path(__file__).parent / "runs").open("a") as runs:
    runs.write("x")
changed = replace(THEOREMS["alignment-split"], direction=">=")
"""


def test_a_changed_statement_of_the_package_is_the_only_claim(tmp_path: Path) -> None:
    path = tmp_path / "claim.py"
    path.write_text(FILE)
    (claim,) = load_theorems(path).values()
    assert (claim.slug, claim.direction) == ("alignment-split", ">=")
    (tmp_path / "runs").unlink()
    assert list(select_theorem(path, "changed")) == ["alignment-split"]
    assert (tmp_path / "runs").read_text() == "x"
