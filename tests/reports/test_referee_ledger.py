"""The committed ledger of theorems: it covers every statement, its violations replay, and the site shows all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from maetheory.reports.referee_ledger import main
from maetheory.theory import THEOREMS, Verdict
from maetheory.theory.referee import load_theorems

REPOSITORY = Path(__file__).parents[2]
FOLLOWUPS = sorted((REPOSITORY / "docs" / "followups").glob("*.py"))
ENTRIES = json.loads((REPOSITORY / "docs" / "theorem_ledger.json").read_text(encoding="utf-8"))


def of_files():
    return [theorem for file in FOLLOWUPS for theorem in load_theorems(file).values()]


def test_every_statement_is_there_with_its_present_words():
    wanted = [*THEOREMS.values(), *of_files()]
    assert [one["slug"] for one in ENTRIES] == [theorem.slug for theorem in wanted]
    for entry, theorem in zip(ENTRIES, wanted):
        assert (entry["statement"], entry["reference"]) == (theorem.statement, theorem.reference)
        assert list(entry["answers"]) == ["violated?", "vacuous?", "assumptions?", "how tight?", "searched"]
        told = " ".join(entry["answers"]["assumptions?"])
        assert all(name in told for name in theorem.assumptions) or entry["verdict"] == "VIOLATED"


def test_no_statement_of_ours_or_of_the_paper_is_violated_and_the_papers_two_bounds_are_vacuous():
    verdicts = {one["slug"]: one["verdict"] for one in ENTRIES}
    assert all(verdicts[slug] != "VIOLATED" for slug in THEOREMS)
    vacuous = {slug for slug, verdict in verdicts.items() if verdict == "VACUOUS"}
    assert vacuous == {
        "umae-bounded-by-graph-tail",
        "umae-bounds-downstream-error",
        "planning-regret-of-steps-below-risk",
    }


def test_violations_replay(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    violated = [one for one in ENTRIES if one["verdict"] == "VIOLATED"]
    assert [one["slug"] for one in violated] == ["planning-regret-below-risk"]
    for one in violated:
        names: dict = {}
        exec(one["violation"]["code"], names)
        assert names["theorem"].check(**names["world"]).verdict is Verdict.VIOLATED
        assert "VIOLATED" in capsys.readouterr().out


def test_the_site_links_every_claim_and_shows_the_answers(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(REPOSITORY / "docs"))
    from generators.theorem_ledger import ledger_page, referee_section

    ledger_page(tmp_path, REPOSITORY)
    text = (tmp_path / "theorem_ledger.md").read_text(encoding="utf-8")
    assert all(f"(statements/{slug}.rst)" in text for slug in THEOREMS)
    for theorem in of_files():
        assert f"(#{theorem.slug})" in text
        assert f"({theorem.slug})=" in text
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(rows) == len(ENTRIES)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)
    section = "\n".join(referee_section("pair-error-lower-bound"))
    assert "NO VIOLATION FOUND" in section
    assert "how tight?" in section


@pytest.mark.slow
def test_the_command_writes_the_ledger_again_with_the_same_verdicts(tmp_path, monkeypatch):
    few = {slug: THEOREMS[slug] for slug in list(THEOREMS)[8:11]}
    monkeypatch.setattr("maetheory.reports.referee_ledger.THEOREMS", few)
    main([str(tmp_path / "ledger.json"), *map(str, FOLLOWUPS)])
    again = json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))
    committed = {one["slug"]: one for one in ENTRIES}
    assert len(again) == len(few) + len(of_files())
    for one in again:
        assert one["verdict"] == committed[one["slug"]]["verdict"]
