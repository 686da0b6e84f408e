"""A ledger's damaged line is named, a cut last one set aside; names and texts in it lead nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maetheory.core import InputError
from maetheory.core.slugs import check_slug
from maetheory.models import PRESETS
from maetheory.reports import (
    append_records,
    markdown_block,
    publish_ledger,
    read_ledger,
    read_published_ledgers,
    replace_marked_block,
)
from maetheory.reports.ledger import set_torn_record_aside
from maetheory.reports.markdown_block import BEGIN, END, escape_markdown
from maetheory.training import TrainConfig

RECIPE = TrainConfig(PRESETS["digits"], epochs=2).to_dict()
PROVENANCE = {"git": "abc", "utc": "now", "device": "cpu", "machine": "m", "python": "3", "versions": {"torch": "2"}}


def record(**changes: Any) -> dict[str, Any]:
    return {
        "experiment": "digits",
        "cell": "MAE",
        "objective": "MAE",
        "seed": 0,
        "dataset": "digits",
        "epochs": 2,
        "train_images": 10,
        "test_images": 5,
        "training": RECIPE,
        "readout": "cls",
        "metric": "linear_probe",
        "value": 0.5,
        "error": 0.1,
        "recipe": "least squares",
        "provenance": PROVENANCE,
    } | changes


def write(path: Path, *lines: dict[str, Any] | str) -> bytes:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path.read_bytes()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ledger.jsonl"


def test_a_cut_last_record_is_set_aside_and_the_rest_is_kept(ledger: Path) -> None:
    whole = write(ledger, record(seed=0), record(seed=1))
    cut = json.dumps(record(seed=2))[:-20].encode()
    ledger.write_bytes(whole + cut)
    with pytest.warns(UserWarning, match="last line of .*ledger.jsonl was cut .* left out"):
        assert list(read_ledger(ledger).seed) == [0, 1]
    assert ledger.read_bytes() == whole + cut
    with pytest.warns(UserWarning, match="set aside in ledger.jsonl.torn"):
        set_torn_record_aside(ledger)
    assert list(read_ledger(ledger).seed) == [0, 1]
    assert ledger.with_name("ledger.jsonl.torn").read_bytes() == cut + b"\n"
    before = ledger.read_bytes()
    set_torn_record_aside(ledger)
    assert ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("5", "must hold a JSON object, but it holds 5"),
        ("{}", "lacks experiment"),
        ("garbage", "is not JSON"),
        ("", "is not JSON"),
        (json.dumps(record(seed="x")), "seed in .* must be an integer"),
        (json.dumps(record(seed=10**30)), "seed in .* too large"),
        (json.dumps(record(value="x")), "value in .* must be a number"),
        (json.dumps(record(value=True)), "value in .* must be a number"),
        (json.dumps(record(cell=["a"])), "cell in .* must be a text"),
        (json.dumps(record(experiment=7)), "experiment in .* must be a text"),
        (json.dumps(record(training="x")), "training in .* must be an object"),
    ],
)
def test_a_damaged_record_is_named_by_its_line_and_nothing_is_lost(ledger: Path, line: str, word: str) -> None:
    before = write(ledger, record(seed=0), line, record(seed=2))
    for use in (read_ledger, set_torn_record_aside, lambda path: append_records(path, [record(seed=3)])):
        with pytest.raises(InputError, match=word) as error:
            use(ledger)
        assert f"line 2 of {ledger}" in str(error.value)
    assert ledger.read_bytes() == before


def test_a_record_that_stands_twice_counts_once(ledger: Path) -> None:
    """Twice the same seeds would make a difference look twice as certain."""
    write(ledger, record(seed=0, value=0.1), record(seed=1), record(seed=0, value=0.2))
    table = read_ledger(ledger)
    assert table[["seed", "value"]].to_numpy().tolist() == [[1, 0.5], [0, 0.2]]
    assert list(table.index) == [1, 2]
    assert read_ledger(ledger.with_name("none.jsonl")).empty


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_another_encoding_is_named(ledger: Path, encoding: str) -> None:
    ledger.parent.mkdir()
    text = json.dumps(record(dataset="é"), ensure_ascii=False)
    ledger.write_text(f"{text}\n{text}\n", encoding=encoding)
    with pytest.raises(InputError, match=r"line 1 of .*ledger.jsonl"):
        read_ledger(ledger)


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "a/b", "/tmp/x", "a\\b", "a\nb", ".hidden", "é", "a" * 101, "a b", "-x"]
)
def test_an_experiment_never_leads_out_of_the_published_folder(tmp_path: Path, ledger: Path, name: str) -> None:
    write(ledger, record(), record(experiment=name))
    before = {path for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=r"the experiment in .* must be a name"):
        publish_ledger(ledger, tmp_path / "published")
    assert {path for path in tmp_path.rglob("*")} == before
    with pytest.raises(InputError):
        check_slug(7, "it")


@pytest.mark.parametrize(
    "changes",
    [{"training": {}}, {"training": {"model": 5}}, {"provenance": {}}, {"training": RECIPE | {"epochs": "x"}}],
)
def test_a_record_without_recipe_or_provenance_is_not_published(
    tmp_path: Path, ledger: Path, changes: dict[str, Any]
) -> None:
    write(ledger, record(), record(experiment="other", **changes))
    with pytest.raises(InputError, match="the record of MAE, seed 0, linear_probe in"):
        publish_ledger(ledger, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_published_record_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "digits" / "ledger.jsonl", record(), record(dataset=None))
    with pytest.raises(InputError, match=r"line 2 of .* lacks dataset"):
        read_published_ledgers(tmp_path)
    write(tmp_path / "digits" / "ledger.jsonl", record(), record(training={"epochs": 2}))
    with pytest.raises(InputError, match=r"line 2 of .* holds no training recipe"):
        read_published_ledgers(tmp_path)


def test_texts_of_a_ledger_are_shown_as_they_are(tmp_path: Path, ledger: Path) -> None:
    hostile = f"a | b\n{END} {BEGIN} [x](http://y) `c` *d* _e_ <script>"
    texts = {"dataset": hostile, "recipe": hostile}
    write(ledger, record(**texts), record(cell="U-MAE", objective="U-MAE", **texts))
    publish_ledger(ledger, tmp_path / "published")
    document = tmp_path / "README.md"
    document.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    for _ in range(2):
        replace_marked_block(document, markdown_block(read_published_ledgers(tmp_path / "published")))
    text = document.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "<script>" not in text
    [row] = [line for line in text.splitlines() if "script" in line and line.startswith("|")]
    header = next(line for line in text.splitlines() if line.startswith("| task | preset"))
    assert len(row.replace("\\|", "").split("|")) == len(header.split("|"))


def test_ordinary_texts_stay_as_they_are() -> None:
    ordinary = "linear_probe, λ = 0.1; 50.5 ± 0.7 (3 seeds) U-MAE > MAE, 95 %"
    assert escape_markdown(ordinary) == ordinary


def test_a_document_that_is_no_text_is_one_sentence_and_stays(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    marks = f"é\n{BEGIN}\n{END}\n"
    for content, word in (
        (marks.encode("latin-1"), "must be a text in UTF-8, but its byte 0 is none"),
        (marks.encode("utf-16"), "must be a text in UTF-8"),
        (marks.encode() * 2, "each once"),
        (b"\0" * (2**24 + 1), "more than the 16777216 that are read at most"),
    ):
        document.write_bytes(content)
        with pytest.raises(InputError, match=word):
            replace_marked_block(document, "new")
        assert document.read_bytes() == content
    with pytest.raises(InputError, match="is not an ordinary file"):
        replace_marked_block("/dev/zero", "new")
    with pytest.raises(OSError, match="No such file"):
        replace_marked_block(tmp_path / "none.md", "new")
