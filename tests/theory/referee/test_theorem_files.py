"""A user's file is executed once, and what it imports is not what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from maetheory.core import InputError
from maetheory.theory.referee import load_theorems, select_theorem
from maetheory.theory.referee.theorem_files import TEMPLATE

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


@pytest.mark.parametrize(
    ("wrong", "name"), [("lhs=lambda graph, hh,", "lhs"), ('two views or more": lambda grahp', "two views or more")]
)
def test_a_mistyped_parameter_is_answered_by_those_that_there_are(wrong: str, name: str, tmp_path: Path) -> None:
    right = {"lhs": "lhs=lambda graph, h,", "two views or more": 'two views or more": lambda graph'}[name]
    assert right in TEMPLATE
    (tmp_path / "claim.py").write_text(TEMPLATE.replace(right, wrong))
    with pytest.raises(InputError, match=f"{name} of loss-exceeds-the-distance takes .*may take graph, h, targets"):
        load_theorems(tmp_path / "claim.py")
    (tmp_path / "claim.py").write_text(TEMPLATE)
    assert list(load_theorems(tmp_path / "claim.py")) == ["loss-exceeds-the-distance"]
