"""The mutation tests plant what they say, sample by the seed alone, select tests by line, and forget no outcome."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code

from mutants import report, tree, trial
from mutants.__main__ import _exit_code, _options
from mutants.covering_tests import CoveringTests, _name_of_measurement
from mutants.operators import KINDS, OPERATORS
from mutants.population import ROOMS, Mutant, find_again, mutants_of, sample
from mutants.session import Session

MODULE = '''"""Module."""
LIMIT = 1e-9
def f(x: int | None, error=0.0):
    if x is None:
        raise ValueError(f"{1 + 1} things")
    return Estimate(
        max(x, 2) + 3 * error,
        error,
    )
def _sample(rng):
    return rng.integers(2, 5) + 1
'''
PATH = "maetheory/graph/made.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder with one module."""
    module = tmp_path / PATH
    module.parent.mkdir(parents=True)
    module.write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_does_what_its_examples_say(name: str):
    operator = OPERATORS[name]
    for example in operator.examples():
        found = mutate_code(example.pre_mutation_code, operator(**example.operator_args), example.occurrence)
        assert found == example.post_mutation_code


def test_loosened_guards_and_errors_are_among_the_mutants():
    changed = {m.changed_lines(MODULE)[1] for m in mutants_of(PATH, MODULE) if m.kind == "loosening"}
    assert {"LIMIT = (10 * 1e-9)", "LIMIT = (1000 * 1e-9)", "if False:", "max(2, 2) + 3 * error,"} <= changed
    assert {"(max(x, 2)),", "max(x, 2) + (error),", "0 * (error),"} <= changed


def test_messages_annotations_and_worlds_are_left_alone():
    touched = {m.line for m in mutants_of(PATH, MODULE)}
    assert touched == {2, 3, 4, 7, 8}


def test_the_star_between_parameters_is_no_product():
    code = "def f(a, *, b):\n    return a * b\n"
    assert {m.line for m in mutants_of(PATH, code) if m.operator == "ReplaceBinaryOperator_Mul_Div"} == {2}


@pytest.mark.parametrize(
    ("name", "world"),
    [
        *((name, True) for name in ("tight", "_tight", "tight_rank", "_broken_bias", "sample", "_sample_at_rank")),
        *((name, True) for name in ("_graph", "_two_component_graph", "_graphs_at_two_ratios", "_example")),
        *((name, False) for name in ("tightness", "_sampled_bias", "sampled", "is_tight", "minimiser", "token_graph")),
        *((name, False) for name in ("_graph_tail_bound", "_world", "mask_graph")),
    ],
)
def test_functions_that_build_worlds_of_any_kind_are_left_alone(name: str, world: bool):
    assert bool(mutants_of(PATH, f"def {name}():\n    return 3 + x\n")) is not world


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("x = 4 * _EPS * n[1]", 0),
        ("x = 4 * rounding + 2 * y", 0),
        ("x = 3 * eigenvalue_error(graph)", 0),
        ("x = 3 * label_error(graph)", 2),
        ("x = f(4 * _EPS, 3)", 2),
    ],
)
def test_a_constant_of_a_rounding_error_is_no_number_to_change(code: str, numbers: int):
    assert sum(m.operator == "NumberReplacer" for m in mutants_of(PATH, code + "\n")) == numbers


@pytest.mark.parametrize(
    ("score", "fail_under", "complete", "code"),
    [
        (0.95, 95, True, 0),
        (0.949, 95, True, 1),
        (0.95, 95, False, 3),
        (0.949, 95, False, 1),
        (0.1, None, True, 0),
        (0.1, None, False, 3),
        (float("nan"), 95, True, 1),  # no mutant that a test can notice
        (1.0, 100, True, 0),
    ],
)
def test_a_score_below_the_least_one_is_1_and_an_unfinished_sample_3(
    score: float, fail_under: float | None, complete: bool, code: int, capsys: pytest.CaptureFixture[str]
):
    assert _exit_code(score, fail_under, complete=complete) == code
    said = capsys.readouterr().err
    assert said == (f"the score, {100 * score:.1f} %, is below 95 %\n" if code == 1 else "")


@pytest.mark.parametrize("percent", ["-1", "101", "nan", "most"])
def test_a_least_score_is_a_percentage(percent: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["mutants", "--fail-under", percent])
    with pytest.raises(SystemExit, match="2"):
        _options()


def test_the_seed_alone_draws_the_sample(root: Path):
    one, again, other = (sample(root, 8, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert [sum(m.kind == kind for m in one) for kind in KINDS] == [4, 4]


def test_survivors_are_found_again_where_their_lines_have_moved(root: Path):
    mutant = sample(root, 2, 1)[0]
    removed, added = mutant.changed_lines(MODULE)
    (root / PATH).write_text(MODULE.replace("LIMIT", "\n\nLIMIT"))
    wanted = {"path": PATH, "definition": mutant.definition, "operator": mutant.operator}
    found = find_again(root, [wanted | {"removed": removed, "added": added}])
    assert [m.line for m in found] == [mutant.line + 2]


def test_tests_are_those_that_execute_the_statement_and_its_own_come_first():
    mutant = next(m for m in mutants_of(PATH, MODULE) if m.operator == "DropExtreme")  # line 7 of the statement from 6
    covering = CoveringTests(
        lines={
            "tests/graph/test_slow.py": {PATH: frozenset({6})},
            "tests/graph/test_quick.py": {PATH: frozenset({7})},
            "tests/graph/test_made.py": {PATH: frozenset({8})},
            "tests/graph/test_other.py": {PATH: frozenset({1, 2, 3, 4, 10})},
            "tests/theory/test_made.py": {PATH: frozenset({7})},
            "tests/graph/test_processes.py": {},
        },
        seconds=dict.fromkeys(("tests/graph/test_quick.py", "tests/graph/test_processes.py"), 1.0)
        | {"tests/graph/test_slow.py": 9.0, "tests/graph/test_made.py": 30.0},
        elsewhere=("tests/graph/test_processes.py",),
    )
    assert covering.of(mutant) == [f"tests/graph/test_{name}.py" for name in ("made", "quick", "slow", "processes")]


def test_an_outcome_that_was_recorded_is_not_tried_again(root: Path, tmp_path: Path):
    mutants = sample(root, 4, 1)
    first = Session(tmp_path / "session.sqlite", mutants)
    first.record(first.pending()[1][0], trial.Outcome(True, 1.0, ""), "diff")  # and the process is killed: no close
    second = Session(tmp_path / "session.sqlite", mutants)
    assert [m for _, m in second.pending()] == [mutants[0], *mutants[2:]]
    assert [(m, killed) for m, killed, _ in second.results()] == [(mutants[1], False)]


def test_a_changed_module_differs_in_time_and_is_restored(root: Path):
    module = root / PATH
    before = module.stat().st_mtime_ns
    restore = tree.plant(module, MODULE.replace("2", "3"))
    assert module.stat().st_mtime_ns != before
    restore()
    assert (module.read_text(), module.stat().st_mtime_ns) == (MODULE, before)


def test_a_changed_test_file_is_measured_again_and_no_other(tmp_path: Path):
    files = ["maetheory/graph/made.py", "tests/graph/test_one.py", "tests/graph/test_two.py", "tests/conftest.py"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def names():
        return tree.digest(tmp_path, test_files=False), *(_name_of_measurement(test, tmp_path) for test in files[1:3])

    before, whole = names(), tree.digest(tmp_path)
    (tmp_path / files[1]).write_text("changed = 1")
    assert [a == b for a, b in zip(before, names())] == [True, False, True]
    assert tree.digest(tmp_path) != whole
    for name in (files[0], files[3]):
        before = names()
        (tmp_path / name).write_text("changed = 2")
        assert [a == b for a, b in zip(before, names())] == [False, True, True]


def test_what_the_tests_of_a_room_read_outside_it_is_copied():
    """Else the session ends before its first mutant: a test fails without any."""
    tests = Path(__file__).parents[1]
    read = {
        name
        for room in ROOMS
        for path in (tests / room).rglob("*.py")
        for parents, name in re.findall(r'parents\[(\d)\] / "([^"]+)"', path.read_text(encoding="utf-8"))
        if path.parents[int(parents)] == tests.parent
    }
    assert "docs" in read
    assert read <= set(tree.COPIED)


def test_copies_are_alike_and_compiled(tmp_path: Path):
    made = tmp_path / "root" / PATH
    made.parent.mkdir(parents=True)
    made.write_text(MODULE)
    subprocess.run(["git", "init", "-q", str(tmp_path / "root")], check=True)
    copies = tree.copy_tree(tmp_path / "root", tmp_path, 2)
    assert [(copy / PATH).read_text() for copy in copies] == [MODULE] * 2
    assert {(copy / PATH).stat().st_mtime_ns for copy in copies} == {made.stat().st_mtime_ns}
    assert all(list((copy / PATH).parent.glob("__pycache__/made.*.pyc")) for copy in copies)


@pytest.mark.parametrize(("status", "passed"), [(0, True), (1, False), (2, False), (5, True)])
def test_the_exit_status_of_pytest_is_the_outcome(tmp_path: Path, status: int, passed: bool):
    outcome = _outcome(trial.start(tmp_path, [], tmp_path / "log", 60.0, lambda: status))
    assert outcome.passed is passed


def test_a_mistake_that_never_ends_counts_as_noticed(tmp_path: Path):
    running = trial.start(tmp_path, [], tmp_path / "log", 60.0, lambda: time.sleep(600) or 0)
    running.deadline = 0.0
    outcome = _outcome(running)
    assert not outcome.passed
    assert outcome.first_failure == "stopped by SIGKILL"


def _outcome(running: trial.Trial) -> trial.Outcome:
    while (outcome := trial.poll(running)) is None:
        time.sleep(0.01)
    return outcome


def test_equivalent_mutants_do_not_count_and_survivors_do(root: Path, tmp_path: Path):
    rules = tmp_path / "equivalent.toml"
    mutants = [m for m in mutants_of(PATH, MODULE) if m.operator == "LoosenTolerance"]
    tried = [(mutants[0], False, ""), (mutants[1], False, ""), (sample(root, 2, 1)[0], True, "")]
    rules.write_text('[[mutant]]\npath = "*/other.py"\nreason = "not here"\n')
    assert report.score(report.read_results(root, tried, rules)) == 1 / 3
    rules.write_text('[[mutant]]\npath = "*/made.py"\nadded = "LIMIT = (10 *"\nreason = "a reason"\n')
    found = report.read_results(root, tried, rules)
    assert report.score(found) == 1 / 2
    assert "| all | both | 3 | 1 | 1 | 1 | 50.0 % |" in report.page(found, "how", "cost")


def test_a_bracket_in_a_rule_stands_for_itself():
    assert report.matches({"added": "x[0]*"}, {"added": "x[0] + 1"})
    assert not report.matches({"added": "x[0]*"}, {"added": "x0 + 1"})


def test_the_room_of_a_mutant_is_its_package():
    assert Mutant(PATH, "DropTerm", 0, 1, 0, "f", (1, 1)).room == "graph"
