"""Collapse reports: unique names, null for numbers that are not finite, escaped LaTeX and valid JSON."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from html_pages import check_page

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.core import InputError
from maetheory.core.json_documents import json_ready
from maetheory.data import ImageSet
from maetheory.evaluation.collapse.answer import Answer
from maetheory.evaluation.collapse.verdict import Finding
from maetheory.reports.collapse import (
    collapse_document,
    collapse_text,
    effective_rank_table_by_layer,
    last_layer_table,
    overall_answer,
)
from maetheory.reports.collapse_files import escape_latex, latex_table, write_collapse_report
from maetheory.reports.collapse_page import collapse_statements
from maetheory.reports.collapse_tables import yardstick_table
from maetheory.reports.diagnosis import Diagnosis, diagnose, parse_layer, unique_names


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Diagnosis]:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "a_b & [bold]c.pth"
    torch.save({"model": Encoder(EncoderConfig(8, 2, 3, 24, 1, 3, 24, 48)).state_dict()}, path)
    images = ImageSet(np.random.default_rng(0).random((24, 3, 12, 10)).astype(np.float32), np.zeros(24, int), "noise")
    return diagnose([path], images, heads=3, layers="all")


def test_names_are_short_and_unique() -> None:
    assert unique_names([Path("runs/a"), Path("b/last.pt")]) == ["a", "last"]
    assert unique_names([Path("x/a/m.pt"), Path("y/a/m.pt")]) == ["a/m (1)", "a/m (2)"]


def test_resized_images_are_reported(found: list[Diagnosis]) -> None:
    assert "images of 12 x 10 were resized to 8 x 8" in found[0].notes
    assert "note: images of 12 x 10" in collapse_text(found)


@pytest.mark.parametrize("width", [80, 120])
def test_the_text_fits_the_terminal(found: list[Diagnosis], width: int) -> None:
    lines = collapse_text(found, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines[1:])  # nothing is cut off
    assert lines[1] == overall_answer(found[0].yardsticks)
    assert {"convention", "random", "participation_ratio"} <= set(collapse_text(found, width=width).split())
    assert not [line for line in lines if line.strip() in (",", "]")]  # words are whole
    wide = " ".join(collapse_text(found, width=300).split())
    assert "only rows of about the file's n and d are comparable" in wide
    assert " d n seeds " in wide  # each range of a trained model stands beside its d and n
    for question in ("complete collapse", "dimensional collapse", "few directions", "one vector dominates"):
        assert question in wide


def test_the_brief_text_fits_a_screen_and_keeps_every_note_and_every_answer_that_is_not_no(
    found: list[Diagnosis],
) -> None:
    measured = found[0].measurements
    last = replace(found[0], measurements=replace(measured, table=measured.table[measured.table.layer == 1]))
    lines = collapse_text([last], width=80, brief=True).splitlines()
    text = " ".join(" ".join(lines).split())
    tables = next(place for place, line in enumerate(lines) if line.startswith("readout"))
    assert len(lines) - tables <= 26  # so that 14 of 40 lines are left for sentences and notes, which are never cut
    assert max(map(len, lines)) <= 80
    assert last.notes
    assert all(f"note: {note}" in text for note in last.notes)
    told = [one for one in last.yardsticks if one.answer is not Answer.NO or one.question == "dimensional collapse"]
    hidden = [one for one in last.yardsticks if one not in told]
    assert {one.answer for one in hidden} == {Answer.NO}
    assert all(str(one) in text for one in told)
    assert not any(str(one) in text for one in hidden)
    for one in last.yardsticks:  # each is one line of its table
        assert [line for line in lines if line.split()[:1] == [one.readout] and line.split()[-1] == one.answer.value]
        assert len([line for line in lines if f" {one.question} " in line and line.startswith(one.readout)]) == 1
    assert "--verbose" in text
    assert "participation_ratio" not in text
    assert "effective rank by layer" in collapse_text(found, width=80, brief=True)  # it was asked for


def test_cells_of_the_four_questions_are_short_and_name_what_is_compared() -> None:
    def cells(question: str, number: str) -> list[str]:
        table = yardstick_table([Finding("cls", "last", question, Answer.NO, "", number)])
        return list(table.loc[0, ["number", "compared with"]])

    assert cells("dimensional collapse", "38.6 ± 0.9 (n = 400)") == ["38.6 ± 0.9", "untrained, n = 400"]
    assert cells("dimensional collapse", "38.6 ± 0.9") == ["38.6 ± 0.9", "untrained networks"]
    assert cells("few directions", "39.1 ± 0.7 of 72") == ["39.1 ± 0.7 of 72", "a tenth of 72"]
    assert cells("one vector dominates", "12.2 %") == ["12.2 %", "one half"]


def test_numbers_that_are_not_finite_are_null(found: list[Diagnosis]) -> None:
    assert json_ready({"a": np.float64("nan"), "b": [np.int64(3), float("inf")], "c": (Path("x"), None, True)}) == {
        "a": None,
        "b": [3, None],
        "c": ["x", None, True],
    }
    document = json.loads(json.dumps(collapse_document(found), allow_nan=False))
    infinite = [row for row in document["records"] if row["note"] == "a direction is missing"]
    assert all(row["value"] is None for row in infinite)
    assert {row["layer"] for row in document["records"]} == {0, 1}


def test_last_layer_table_holds_the_last_layer_and_the_table_by_layer_every_layer(found: list[Diagnosis]) -> None:
    table = found[0].measurements.table
    compact = last_layer_table(table)
    assert len(compact) in (2 * 12, 2 * 11)
    whole = table[(table.layer == 1) & (table.metric == "rankme") & (table.convention == "garrido-2023")]
    shown = compact[compact.metric.str.contains("rankme")].value
    for value, text in zip(whole.value, shown, strict=True):
        assert float(text.split(" ")[0]) == pytest.approx(value, rel=0.05)
    assert list(effective_rank_table_by_layer(table).layer) == ["0", "1"]


def test_latex_escapes_special_characters(found: list[Diagnosis]) -> None:
    assert escape_latex(r"a\b_c{}%") == r"a\textbackslash{}b\_c\{\}\%"
    assert r"a\_b \& [bold]c & cls" in latex_table(found)
    assert "a_b & [bold]c: Vision Transformer, timm names" in collapse_text(found)


def test_layers_are_words_or_numbers() -> None:
    assert [parse_layer(text) for text in ("last", "all", "-1", 2)] == ["last", "all", -1, 2]
    with pytest.raises(InputError, match="but it is 'x'"):
        parse_layer("x")


def test_an_error_names_its_file_once(tmp_path: Path) -> None:
    path = tmp_path / "no.pth"
    torch.save({"a": torch.ones(2)}, path)
    images = ImageSet(np.zeros((4, 1, 8, 8)), np.zeros(4, int), "black")
    with pytest.raises(InputError) as caught:
        diagnose([path], images)
    assert str(caught.value).count(str(path)) == 1


def test_a_table_without_the_shown_metrics_is_empty() -> None:
    assert last_layer_table(pd.DataFrame({"layer": [0], "readout": ["cls"], "metric": ["none"]})).empty


def test_a_path_that_is_no_text_is_escaped_in_every_file(found: list[Diagnosis], tmp_path: Path) -> None:
    """A file name on Linux is any bytes; Python gives those that are no UTF-8 as lone surrogates."""
    path = "odd-" + os.fsdecode(b"\xff\xfe") + ".pth"
    odd = [replace(one, name=path, report=replace(one.report, path=path)) for one in found]
    for written in write_collapse_report(tmp_path / "out", odd):
        if written.suffix != ".png":
            written.read_text(encoding="utf-8")
    for name in ("records.csv", "report.html"):
        assert r"odd-\udcff\udcfe.pth" in (tmp_path / "out" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answers", "overall"),
    [
        ({"complete collapse": "no", "dimensional collapse": "no", "few directions": "yes"}, "not collapsed"),
        ({"complete collapse": "no", "dimensional collapse": "yes"}, "collapsed (cls, dimensional collapse)"),
        ({"complete collapse": "yes", "dimensional collapse": "undecided"}, "collapsed (cls, complete collapse)"),
        ({"complete collapse": "no", "dimensional collapse": "undecided"}, "undecided"),
        (
            {"complete collapse": "no", "dimensional collapse": "undecided", "few directions": "yes"},
            "undecided; few directions: yes (cls)",
        ),
        ({"few directions": "no"}, "undecided"),
        ({}, "undecided"),
    ],
)
def test_the_result_of_a_file_follows_from_its_answers_on_collapse(answers: dict[str, str], overall: str) -> None:
    """Few directions and a dominant vector are common in untrained networks, and are not called collapsed."""
    findings = [Finding("cls", "last", question, Answer(answer), "why") for question, answer in answers.items()]
    assert overall_answer(findings) == overall


def test_the_page_begins_with_the_answers_and_holds_every_number(found: list[Diagnosis], tmp_path: Path) -> None:
    write_collapse_report(tmp_path, found)
    page = check_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    [statement] = collapse_statements(found)
    assert statement.headline.startswith(f"{found[0].name}: ")
    place = page.text.index(statement.headline)
    for finding in found[0].yardsticks:
        assert place < page.text.index(str(finding))
        assert str(finding.answer) in " ".join(statement.points)
    for texts in last_layer_table(found[0].measurements.table, None).itertuples(index=False):
        assert all(text in page.text for text in texts)
    assert all(note in page.text for note in found[0].notes)
    assert len(page.pictures) == 3
    layers = found[0].measurements.table.query("metric == 'effective_rank' and convention == 'roy-vetterli-2007'")
    assert all(f"{value:.3g} at layer" in page.pictures[2] for value in layers.value)  # of two layers: both ends
