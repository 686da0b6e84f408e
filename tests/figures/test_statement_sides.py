"""Both sides of a statement: every world of its survey is a row, and the false side of equality is the shaded one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from maetheory.core import InputError
from maetheory.figures import plot
from maetheory.figures.statement_sides import statement_sides
from maetheory.theory import THEOREMS, Theorem
from maetheory.theory.survey import survey

ABOVE = Theorem(
    slug="square-above-line",
    statement="z² >= 2z - 1",
    reference="a binomial",
    objects=("z",),
    shapes={"z": ("n",)},
    lhs=lambda z: float((z**2).sum()),
    rhs=lambda z: float((2 * z - 1).sum()),
    needs_graph=False,
)


def drawn_points(frame: pd.DataFrame) -> int:
    (axes,) = plot("statement_sides", frame).axes
    return sum(len(one.get_offsets()) for one in axes.collections if isinstance(one, PathCollection))


def test_every_check_of_the_survey_is_a_row_whichever_way_it_is_named() -> None:
    theorem = THEOREMS["full-collapse-costs-variance"]
    (row,) = survey([theorem], worlds=3)
    tables = [statement_sides(one, worlds=3) for one in ("3.6", theorem, row)]
    for table in tables:
        assert list(table.world) == [record.world for record in row.checks]
        np.testing.assert_array_equal(table.left, [record.check.lhs.value for record in row.checks])
        np.testing.assert_array_equal(table.right, [record.check.rhs.value for record in row.checks])
    assert drawn_points(tables[0]) == len(row.checks)


@pytest.mark.parametrize("direction", [">=", "<="])
def test_the_shaded_side_is_the_one_where_the_claim_is_false(direction: str) -> None:
    frame = pd.DataFrame(
        {"slug": "a", "kind": "drawn", "world": "b", "verdict": "HOLDS", "left": [0.5, 0.7], "right": [0.1, 0.9]}
    ).assign(direction=direction, slack=0.0, note="")
    (axes,) = plot("statement_sides", frame).axes
    (shade,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
    region = shade.get_paths()[0]
    assert region.contains_point((0.8, 0.2)) is (direction == ">=")
    assert region.contains_point((0.2, 0.8)) is (direction == "<=")


def test_an_identity_has_no_shaded_side() -> None:
    (axes,) = plot("statement_sides", "alignment-split", worlds=2).axes
    assert not [one for one in axes.collections if isinstance(one, PolyCollection)]


def test_worlds_with_an_infinite_side_are_left_out() -> None:
    frame = statement_sides("3.6", worlds=2)
    frame.loc[0, "right"] = np.inf
    assert drawn_points(frame) == len(frame) - 1


def test_a_statement_of_ones_own_is_drawn_too() -> None:
    assert set(statement_sides(ABOVE, worlds=4).verdict) <= {"HOLDS", "VACUOUS", "TIGHT"}


def test_an_unknown_statement_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"there is no theorem '9\.9'"):
        plot("statement_sides", "9.9")
