"""`maetheory referee`: template, text, JSON, page, files, exit codes, and errors of the user's file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maetheory.cli import run_command
from maetheory.theory import Verdict
from maetheory.theory.referee import TEMPLATE

TRUE_CLAIM = """
from maetheory.theory import Theorem
holds = Theorem(
    slug="squares-are-positive", statement="E z >= 0", reference="", objects=("z",), shapes={"z": ("n",)},
    lhs=lambda z: float((z ** 2).mean()), rhs=lambda: 0.0, needs_graph=False,
)
print("printed by the file")
"""


@pytest.fixture
def claim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="claim.py"):
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def parse_json(text):
    def refuse(word):
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def test_the_template_works_as_it_is_and_is_about_twenty_lines(claim, capsys):
    assert run_command(["referee", "--template"]) == 0
    text = capsys.readouterr().out
    assert text.rstrip() == TEMPLATE.rstrip()
    assert len(text.splitlines()) <= 25
    assert "FALSE on purpose" in text.splitlines()[0]
    assert run_command(["referee", claim(text), "--worlds", "20"]) == 1
    text = capsys.readouterr().out
    assert "false on purpose" in text.splitlines()[1]
    for word in ("VIOLATED", "violated?", "vacuous?", "assumptions?", "how tight?", "searched", "replay:"):
        assert word in text
    assert max(map(len, text.split("replay:")[0].splitlines())) <= 100


def test_a_claim_that_holds_exits_with_0_and_what_its_file_prints_is_not_in_the_json(claim, capsys):
    assert run_command(["referee", claim(TRUE_CLAIM), "--worlds", "10", "--json"]) == 0
    printed = capsys.readouterr()
    document = parse_json(printed.out)
    assert not document["violated"]
    (one,) = document["claims"]
    assert one["verdict"] == "NO VIOLATION FOUND"
    assert one["coverage"]["tried"]["random"] > 0
    assert "printed by the file" in printed.err


def test_the_code_of_the_report_replays_the_world_and_its_test_fails_because_of_it(claim, capsys):
    file = claim(TEMPLATE)
    assert run_command(["referee", file, "--worlds", "20", "--json", "--out", "found"]) == 1
    (one,) = parse_json(capsys.readouterr().out)["claims"]
    world = one["violation"]["world"]
    names: dict = {}
    exec(one["violation"]["code"], names)
    check = names["theorem"].check(**names["world"])
    assert check.verdict is Verdict.VIOLATED
    assert (check.lhs, check.rhs) == (world["lhs"], world["rhs"])
    assert Path("found/referee.json").exists()
    (test,) = Path("found").glob("test_*.py")
    function = next(value for name, value in run_test(test).items() if name.startswith("test_"))
    with pytest.raises(AssertionError, match="VIOLATED"):
        function()
    claim(TEMPLATE.replace("positive_pair_distance(graph, h),", "0.5 * positive_pair_distance(graph, h),"))
    function = next(value for name, value in run_test(test).items() if name.startswith("test_"))
    function()  # passes once the claim is mended


def run_test(file):
    """The names that a test file defines."""
    names: dict = {}
    exec(file.read_text(encoding="utf-8"), names)
    return names


def test_one_of_several_claims_is_named_by_slug_or_variable(claim, capsys):
    file = claim(TRUE_CLAIM + "other = Theorem(**{**vars(holds), 'slug': 'other-slug'})\n")
    for name, slugs in (
        ("", ["squares-are-positive", "other-slug"]),
        (":other", ["other-slug"]),
        (":squares-are-positive", ["squares-are-positive"]),
    ):
        assert run_command(["referee", file + name, "--worlds", "4", "--json"]) == 0
        assert [one["slug"] for one in parse_json(capsys.readouterr().out)["claims"]] == slugs


def test_a_theorem_of_the_package_is_refereed_by_its_number(capsys):
    assert run_command(["referee", "3.4", "--worlds", "4", "--json"]) == 0
    (one,) = parse_json(capsys.readouterr().out)["claims"]
    assert one["slug"] == "reconstruction-bounds-alignment"


def test_the_page_holds_answers_and_world(claim, capsys):
    assert run_command(["referee", claim(TEMPLATE), "--worlds", "12", "--page", "report.html"]) == 1
    page = Path("report.html").read_text(encoding="utf-8")
    for word in ("loss-exceeds-the-distance", "VIOLATED", "how tight?", "from_joint"):
        assert word in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = (\n", "claim.py, line 2"),
        ("x = 1\n\nundefined_name\n", "claim.py, line 3: NameError"),
        ("x = 1\n", "defines no Theorem; maetheory referee --template prints"),
        ("raise SystemExit(3)\n", "claim.py, line 1: SystemExit"),
        (
            "from maetheory.theory import Theorem\nt = Theorem('a', 'b', 'c', (), 1, 2, direction='>')\n",
            "claim.py, line 2",
        ),
        (TRUE_CLAIM.replace("(z ** 2).mean()", "z.no_such_name"), "line 5: AttributeError"),
        (TRUE_CLAIM.replace('("n",)', '("n", "m", "l", "o", "p")'), None),
        (TRUE_CLAIM.replace('shapes={"z": ("n",)},', ""), "needs sample="),
        (TRUE_CLAIM + "again = Theorem(**{**vars(holds), 'statement': 'x'})\n", "two theorems of the slug"),
    ],
)
def test_errors_of_the_file_are_one_sentence_with_its_line(claim, capsys, text, words):
    code = run_command(["referee", claim(text), "--worlds", "6"])
    printed = capsys.readouterr()
    if words is None:
        assert code == 0
        return
    assert code == 2
    lines = [line for line in printed.err.splitlines() if line.startswith("maetheory: ")]
    assert len(lines) == 1
    assert words in lines[0]
    assert "Traceback" not in printed.err
    assert not printed.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say which claim"),
        (["missing.py"], "missing.py cannot be read: No such file"),
        (["."], "is a folder"),
        (["no-such-theorem"], "there is no theorem 'no-such-theorem'"),
        (["claim.py:nothing"], "defines no theorem 'nothing'; it defines: holds, squares-are-positive"),
        (["claim.py", "--seconds", "0"], "the seconds positive"),
        (["claim.py", "--worlds", "0"], "--worlds"),
        (["binary.py"], "is not UTF-8 text"),
    ],
)
def test_bad_arguments_are_one_sentence(claim, capsys, arguments, words):
    claim(TRUE_CLAIM)
    Path("binary.py").write_bytes(b"\xff\xfe\x00")
    assert run_command(["referee", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_ctrl_c_prints_the_report_so_far_and_exits_with_130(claim, capsys):
    text = TRUE_CLAIM.replace("lambda z: float((z ** 2).mean())", "side") + "\ncalls = []\n"
    side = (
        "def side(z):\n    calls.append(1)\n    if len(calls) == 8:\n        raise KeyboardInterrupt\n"
        "    return float((z ** 2).mean())\n"
    )
    assert run_command(["referee", claim(side + text), "--json"]) == 130
    (one,) = parse_json(capsys.readouterr().out)["claims"]
    assert one["stopped"] == "interrupted"
    assert 0 < sum(one["coverage"]["tried"].values()) <= 8


def test_violations_of_one_slug_in_two_files_have_a_test_each(claim):
    first, second = claim(TEMPLATE), claim(TEMPLATE.replace("loss-exceeds", "loss_exceeds"), "other.py")
    assert run_command(["referee", first, second, "--worlds", "20", "--out", "found"]) == 1
    names = {path.name for path in Path("found").glob("test_*.py")}
    assert names == {"test_loss_exceeds_the_distance.py", "test_loss_exceeds_the_distance_2.py"}
    assert len({(Path("found") / name).read_text() for name in names}) == 2
