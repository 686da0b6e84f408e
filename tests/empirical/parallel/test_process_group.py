"""Collectives of two processes equal their NumPy counterparts, and root-driven products equal those of the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.empirical.parallel import ProcessGroup, run_everywhere

SCRIPT = """
import numpy as np
from maetheory.core import InputError
from maetheory.empirical.parallel import ProcessGroup, solve_on_root

group, rows, offsets = ProcessGroup.from_torch(), task["rows"], task["offsets"]
local = rows[offsets[rank] : offsets[rank + 1]]
lengths = np.diff(offsets).tolist()
answer = {
    "rank": (group.rank, group.world_size, group.local_rank()),
    "sum": group.all_reduce(task["arrays"][rank]),
    "min": group.all_reduce(task["arrays"][rank], "min"),
    "max": group.all_reduce(task["arrays"][rank], "max"),
    "reduce": group.reduce(task["arrays"][rank]),
    "broadcast": group.broadcast(None if rank else task["arrays"][0], (3,)),
    "words": group.broadcast(None if rank else np.array([2**62 + 1]), (1,), np.int64),
    "objects": group.all_gather_object({"rank": rank}),
    "integers": group.all_gather_int(10 + rank),
    "all_to_all": group.all_to_all([np.full((1 + rank, 2), 10.0 * rank), np.full((2, 2), 10.0 * rank + 1)]),
    "gather": group.gather(local.toarray(), lengths),
    "scatter": group.scatter(None if rank else rows.toarray(), lengths, (4,)),
    "run_on_root": group.run_on_root(lambda: "root", lambda: "elsewhere"),
    "products": solve_on_root(group, local, offsets, lambda b: (b @ np.eye(4), b.T @ np.eye(5), b @ np.ones(4))),
}

def fail():
    if rank:
        raise InputError("only rank 1 fails")
    return "done"

try:
    group.run_everywhere(fail)
except InputError as error:
    answer["error"] = str(error)
"""
ARRAYS = [np.array([1.0, -2.0, 0.5]), np.array([0.0, 3.0, 0.25])]
ROWS = sparse.csr_array(np.random.default_rng(0).random((5, 4)).round(2))


@pytest.fixture(scope="module")
def answers(in_two_processes: Callable[[str, dict[str, Any]], list[Any]]) -> list[dict[str, Any]]:
    return in_two_processes(SCRIPT, {"arrays": ARRAYS, "rows": ROWS, "offsets": np.array([0, 2, 5])})


def test_each_process_knows_its_place(answers: list[dict[str, Any]]) -> None:
    assert [answer["rank"] for answer in answers] == [(0, 2, 0), (1, 2, 1)]


def test_reductions_are_those_of_numpy(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        assert answer["sum"].tolist() == np.sum(ARRAYS, axis=0).tolist()
        assert answer["min"].tolist() == np.min(ARRAYS, axis=0).tolist()
        assert answer["max"].tolist() == np.max(ARRAYS, axis=0).tolist()
        assert answer["broadcast"].tolist() == ARRAYS[0].tolist()
        assert answer["words"].tolist() == [2**62 + 1]  # more digits than a float64 has
    assert answers[0]["reduce"].tolist() == np.sum(ARRAYS, axis=0).tolist()


def test_gathered_values_come_in_order_of_rank(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        assert answer["objects"] == [{"rank": 0}, {"rank": 1}]
        assert answer["integers"].tolist() == [10, 11]
        assert answer["run_on_root"] == "root"


def test_all_to_all_transposes_the_parts(answers: list[dict[str, Any]]) -> None:
    root, other = ([part.tolist() for part in answer["all_to_all"]] for answer in answers)
    assert root == [[[0.0, 0.0]], [[10.0, 10.0]] * 2]
    assert other == [[[1.0, 1.0]] * 2, [[11.0, 11.0]] * 2]


def test_rows_are_gathered_on_the_root_and_scattered_from_it(answers: list[dict[str, Any]]) -> None:
    rows = ROWS.toarray()
    assert answers[0]["gather"].tolist() == rows.tolist()
    assert answers[1]["gather"].shape == (0, 4)
    assert answers[0]["scatter"].tolist() == rows[:2].tolist()
    assert answers[1]["scatter"].tolist() == rows[2:].tolist()


def test_products_requested_by_the_root_are_those_of_the_matrix(answers: list[dict[str, Any]]) -> None:
    forward, backward, vector = answers[0]["products"]
    assert forward == pytest.approx(ROWS.toarray(), abs=0)
    assert backward == pytest.approx(ROWS.toarray().T, abs=0)
    assert vector == pytest.approx(ROWS.toarray().sum(1), rel=1e-15)
    assert answers[1]["products"] is None


def test_an_error_of_one_process_is_raised_by_all(answers: list[dict[str, Any]]) -> None:
    assert [answer["error"] for answer in answers] == ["only rank 1 fails"] * 2


def test_without_a_group_a_job_runs_alone() -> None:
    assert run_everywhere(None, lambda: 3) == 3
    with pytest.raises(InputError, match="start the program with torchrun"):
        ProcessGroup.from_torch()
