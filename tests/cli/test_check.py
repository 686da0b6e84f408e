"""`maetheory check`: table, JSON document, exit code 1 on a violation, and replay of searched worlds."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from maetheory.cli import run_command
from maetheory.graph.functionals import mean_square, reconstruction_loss
from maetheory.reports.theorem_checks import checks_text, overall_verdict
from maetheory.theory import THEOREMS, Theorem, Verdict, replay
from maetheory.theory.survey import BROKEN, survey
from maetheory.theory.theorem_names import paper_number

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


def test_certificates_are_written_beside_the_checker_that_accepts_them(tmp_path: Path, capsys):
    pytest.importorskip("flint")
    words = (ALIGNMENT, "mask-ratio-duality", "--certify", "--worlds", "1", "--out", str(tmp_path))
    document = parse_json(answer(capsys, *words, "--json"))
    found = document["certificate_files"]
    assert [one["slug"] for one in found["not_portable"]] == ["mask-ratio-duality"]
    written = sorted(path.name for path in (tmp_path / "certificates").glob("*.json"))
    (counterexample,) = [name for name in found["written"] if "/" in name]
    assert written == sorted({*found["written"]} - {counterexample})
    assert len(written) == len([one for one in document["certificates"] if one["slug"] == ALIGNMENT])
    command = [sys.executable, "-I", "-S", "check_certificate.py", *written]
    assert subprocess.run(command, cwd=tmp_path / "certificates", capture_output=True, check=False).returncode == 0
    refuted = [sys.executable, "-I", "-S", "check_counterexample.py", Path(counterexample).name]
    inside = tmp_path / "certificates" / "counterexamples"
    assert subprocess.run(refuted, cwd=inside, capture_output=True, check=False).returncode == 0
    text = " ".join(answer(capsys, *words, "pair-error-lower-bound").split())
    assert "of which 1 in counterexamples/" in text
    assert "1 statement (no formulas in the checker); 1 statement (counterexamples alone)" in text


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
        (["nope"], "there is no theorem 'nope'; maetheory check --list lists all"),
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


@pytest.mark.parametrize(
    "name",
    ["theorem 3.4", "Theorem 3.4", "thm. 3.4", "T3.4", "3.4", "equation 7", "eq. (7)", ALIGNMENT.replace("-", "_")],
)
def test_a_theorem_is_found_by_its_number_in_the_paper(name, capsys):
    document = parse_json(answer(capsys, name, ALIGNMENT, "--worlds", "0", "--json"))
    assert [row["slug"] for row in document["theorems"]] == [ALIGNMENT]  # once, though it is named twice


def test_every_theorem_of_the_paper_has_its_own_number():
    numbers = [number for number in map(paper_number, THEOREMS.values()) if number[0].isdigit() and "," not in number]
    assert numbers == ["3.2", "3.3", "3.4", "3.5", "3.6", "4.2", "4.1"]
    assert paper_number(THEOREMS["alignment-split"]) == "3.4, ours"
    assert paper_number(THEOREMS["probe-residual-bounds-view-error"]) == "4.1, step"
    assert paper_number(THEOREMS["umae-bounds-spectral-contrast"]) == "§ 4"
    assert paper_number(THEOREMS["sampled-spectrum-concentrates"]) == "cited"


@pytest.mark.parametrize(
    ("name", "hint"), [("3.9", "did you mean theorem 3."), ("alignment-splits", "did you mean alignment-split")]
)
def test_a_name_that_is_nearly_right_is_refused_with_what_is_near(name, hint, capsys):
    assert run_command(["check", name]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("width", [80, pytest.param(120, marks=pytest.mark.slow)])
def test_the_table_fits_the_terminal(width):
    surveys = survey(tuple(THEOREMS.values()), worlds=0)
    lines = checks_text(surveys, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < len(THEOREMS) + 10  # a line each, none folded
    for number, row in zip(map(paper_number, THEOREMS.values()), lines[1:], strict=False):
        assert row.startswith(number)
    (few,) = survey([THEOREMS[ALIGNMENT]], worlds=0)
    text = checks_text([few], width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "".join(THEOREMS[ALIGNMENT].statement.split()) in "".join(text.split())


def test_one_violation_among_many_worlds_is_the_verdict():
    assert overall_verdict({"HOLDS": 99, "VIOLATED": 1}) is Verdict.VIOLATED
    assert overall_verdict({"HOLDS": 1, "VACUOUS": 99}) is Verdict.HOLDS
    assert overall_verdict({"TIGHT": 1, "VACUOUS": 9, "INAPPLICABLE": 20}) is Verdict.VACUOUS
    assert overall_verdict({"TIGHT": 9, "VACUOUS": 1}) is Verdict.TIGHT
    assert overall_verdict({"INAPPLICABLE": 3}) is Verdict.INAPPLICABLE


def test_help_and_check_import_no_torch():
    code = (
        "import sys; from maetheory.cli import run_command\n"
        "for words in (['--help'], ['check', '--list'], ['check', '3.4', '--worlds', '1']):\n"
        "    assert run_command(words) == 0\n"
        "    print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line in ("True", "False")] == ["False"] * 3
