"""`maetheory check`: table, JSON document, exit code 1 on a violation, and replay of searched worlds."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from maetheory.cli import run_command
from maetheory.graph.functionals import mean_square, reconstruction_loss
from maetheory.theory import THEOREMS, Theorem, Verdict, replay
from maetheory.theory.survey import BROKEN, survey

ALIGNMENT, PAIRS = "reconstruction-bounds-alignment", "pair-error-bounded-by-label-errors"

FALSE = Theorem(
    slug="reconstruction-costs-energy",
    statement="L_MAE(h) >= E‖h‖²",
    reference="nobody",
    objects=("h", "targets"),
    lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    rhs=lambda graph, h: mean_square(graph.degrees[0], h),
)


def parse_json(text: str) -> dict:
    """Parse standard JSON, in which NaN and infinities are errors."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run_command(["check", *words]) == code
    return capsys.readouterr().out


def plant(monkeypatch: pytest.MonkeyPatch, *theorems: Theorem) -> None:
    monkeypatch.setattr("maetheory.theory.THEOREMS", {theorem.slug: theorem for theorem in theorems})


def test_every_theorem_is_counted_and_none_is_violated(capsys):
    document = parse_json(answer(capsys, "--worlds", "4", "--json"))
    assert [row["slug"] for row in document["theorems"]] == list(THEOREMS)
    assert not document["violated"]
    for row in document["theorems"]:
        assert sum(row["verdicts"].values()) == row["worlds"] > 4
        assert {a["name"] for a in row["assumptions"]} == set(THEOREMS[row["slug"]].assumptions)
        assert row["tightness"] <= 1
        assert not row["violations"]


def test_the_table_names_theorems_verdicts_and_failing_assumptions(capsys):
    text = answer(capsys, "full-collapse-costs-variance", "--worlds", "2")
    assert "full-collapse-costs-variance" in text
    assert "VIOLATED" in text
    assert "position-blind decoder" in text
    assert "\x1b" not in text


def test_counts_are_those_of_the_survey(capsys):
    (row,) = survey([THEOREMS[ALIGNMENT]], worlds=6, seed=3)
    (found,) = parse_json(answer(capsys, ALIGNMENT, "--worlds", "6", "--seed", "3", "--json"))["theorems"]
    assert found["verdicts"] == row.counts
    assert found["smallest"]["slack"] == row.smallest.check.slack
    loose = [v.check.relative_slack for v in row.applicable if v.check.verdict is not Verdict.TIGHT]
    assert found["smallest"]["relative_slack"] == min(loose)


@pytest.mark.parametrize("extra", [(), ("--search",)])
def test_a_false_theorem_exits_with_1(extra, monkeypatch, capsys):
    plant(monkeypatch, FALSE)
    document = parse_json(answer(capsys, "--worlds", "10", "--json", *extra, code=1))
    assert document["violated"]
    assert document["theorems"][0]["verdicts"]["VIOLATED"] > 0
    assert document["theorems"][0]["violations"][0]["slack"] < 0
    assert FALSE.slug in answer(capsys, "--worlds", "10", *extra, code=1)
    if extra:
        assert document["searches"][0]["smallest"]["law"] == [[[1.0]]]


def test_a_side_that_is_not_a_number_is_a_violation_and_null(monkeypatch, capsys):
    nowhere = Theorem("nowhere", "NaN >= 0", "nobody", ("h",), lambda h: np.nan, lambda h: 0.0)
    plant(monkeypatch, nowhere)
    (row,) = parse_json(answer(capsys, "--worlds", "1", "--json", code=1))["theorems"]
    assert row["verdicts"]["VIOLATED"] == row["worlds"]
    assert row["smallest"]["slack"] is None


def test_a_search_is_found_again_from_seed_and_number(capsys, monkeypatch):
    monkeypatch.setattr(import_module("maetheory.theory.falsify"), "_STEP_BUDGET", 12)
    words = (PAIRS, "--search", "--worlds", "5", "--seed", "2")
    (found,) = parse_json(answer(capsys, *words, "--json"))["searches"]
    least = found["smallest"]
    again = replay(THEOREMS[PAIRS], seed=2, number=least["number"], descend=least["descended"])
    assert again.check.slack == least["slack"]
    assert np.array_equal(again.world.law, least["law"])
    assert least["replay"] in answer(capsys, *words)


def test_a_drawn_world_is_replayed_under_its_name():
    (row,) = survey([THEOREMS[ALIGNMENT]], worlds=3, seed=5)
    by_name = {visit.world: visit.check.slack for visit in row.checks}
    assert by_name["world 2 of seed 5"] == replay(THEOREMS[ALIGNMENT], seed=5, number=2).check.slack


def test_broken_worlds_are_the_only_ones_where_a_theorem_with_a_way_in_is_inapplicable():
    (row,) = survey([THEOREMS["full-collapse-costs-variance"]], worlds=5)
    assert {v.kind for v in row.checks if v.check.verdict is Verdict.INAPPLICABLE} == {BROKEN}


def test_certificates_prove_what_the_check_says(capsys):
    pytest.importorskip("flint")
    words = (PAIRS, ALIGNMENT, "--certify", "--worlds", "2")
    document = parse_json(answer(capsys, *words, "--json"))
    proved = document["certificates"]
    assert {one["slug"] for one in proved} == {PAIRS, ALIGNMENT}
    assert {one["verdict"] for one in proved} <= {"HOLDS", "TIGHT", "VACUOUS"}
    assert all(one["slack"][0] > 0 for one in proved if one["verdict"] == "HOLDS")
    assert "Proved in ball arithmetic" in answer(capsys, *words)


def test_checks_are_kept_with_their_provenance_once(tmp_path: Path, capsys):
    for _ in range(2):
        answer(capsys, ALIGNMENT, "--worlds", "2", "--out", str(tmp_path))
    records = [parse_json(line) for line in (tmp_path / "checks.jsonl").read_text().splitlines()]
    (row,) = survey([THEOREMS[ALIGNMENT]], worlds=2)
    assert [record["value"] for record in records] == [visit.check.slack for visit in row.checks]
    assert {record["objective"] for record in records} == {ALIGNMENT}
    assert all(record["provenance"]["seed"] == 0 for record in records)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope"], "there is no theorem 'nope'; the theorems are: reconstruction-bounds"),
        ([ALIGNMENT, "--worlds", "-1"], "must not be negative"),
        ([ALIGNMENT, "--seed", "-1"], "greater than or equal to 0"),
        ([ALIGNMENT, "--search", "--worlds", "0"], "worlds must be at least 1"),
        ([ALIGNMENT, "--worlds", "0", "--out", "/dev/null/below"], "/dev/null/below"),
    ],
)
def test_bad_input_is_one_sentence_and_2(words, sentence, capsys):
    assert run_command(["check", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
