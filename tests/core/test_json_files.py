"""Damaged JSON files are refused by file and line; a cut last line is returned apart."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from maetheory.core import InputError, json_files
from maetheory.core.json_files import integer_field, read_json_lines, read_json_object, set_torn_line_aside

RECORD = {"step": 1, "name": 'a "quoted" {brace}', "inner": {"b": [1, 2.5, True]}, "last": None}
LINE = json.dumps(RECORD).encode()


@pytest.mark.parametrize("length", range(1, len(LINE)))
@pytest.mark.parametrize("end", [b"", b"\n", b"\0\0\0"])
def test_a_last_line_cut_anywhere_is_returned_apart(tmp_path: Path, length: int, end: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE + b"\n" + LINE[:length] + end)
    records, torn = read_json_lines(path)
    assert records == [RECORD]
    assert torn.startswith(LINE[:length])


def test_a_whole_last_line_needs_no_line_break(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE + b"\n" + LINE)
    assert read_json_lines(path) == ([RECORD, RECORD], b"")
    assert read_json_lines(tmp_path / "none.jsonl") == ([], b"")


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (b"5", "must hold a JSON object, but it holds 5"),
        (b"[1]", "must hold a JSON object"),
        (b"", "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
        (b'{"a": "\xe9"}', "is not text in UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "is not text in UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"step": 1, "step": 2}', "is not JSON: it names the field step twice"),
        (b'{"a": {"x\\n": 1, "b": 2, "x\\n": 1}}', r"is not JSON: it names the field x\\n twice"),
    ],
)
def test_another_damaged_line_is_named(tmp_path: Path, damage: bytes, word: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE + b"\n" + damage + b"\n" + LINE + b"\n")
    with pytest.raises(InputError, match=f"line 2 of .*log.jsonl {word}"):
        read_json_lines(path)
    assert path.read_bytes() == LINE + b"\n" + damage + b"\n" + LINE + b"\n"


def test_the_estimate_of_parsed_json_covers_what_it_takes() -> None:
    record = {"step": 123_456, "epoch": 1.234567, "loss": 0.1234567, "reconstruction": 0.1234567, "uniformity": 1e-9}
    for line in (json.dumps(record), "{}", '{"":1}', '{"a":[[],[1],[{}]]}', '{"a":{"b":{"c":1.5}}}'):
        lines = [line.encode()] * 1000
        tracemalloc.start()
        kept = [json.loads(one) for one in lines]
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert 0.2 < taken / json_files._parsed_bytes(b"\n".join(lines)) < 1, line
        assert len(kept) == 1000


def test_lines_that_do_not_fit_into_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"{}\n" * 1000)
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 253_000)
    assert len(read_json_lines(path).records) == 1000
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 252_999)
    with pytest.raises(InputError, match=r"reading .*log.jsonl would take about .* GB of memory.*: move the file away"):
        read_json_lines(path)


def test_a_whole_last_line_of_something_else_is_not_a_cut_one(tmp_path: Path) -> None:
    for damage in (b"5", b"{'a': 1}", b"garbage"):
        (tmp_path / "log.jsonl").write_bytes(LINE + b"\n" + damage)
        with pytest.raises(InputError, match="line 2 of"):
            read_json_lines(tmp_path / "log.jsonl")


def test_only_ordinary_files_of_bounded_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        for read in (read_json_object, read_json_lines):
            with pytest.raises(InputError, match="is not an ordinary file"):
                read(path)
    (tmp_path / "a.json").write_bytes(LINE)
    monkeypatch.setattr("maetheory.core.json_files.MAX_OBJECT_BYTES", len(LINE) - 1)
    with pytest.raises(InputError, match=f"has {len(LINE)} bytes, more than the"):
        read_json_object(tmp_path / "a.json")
    monkeypatch.setattr("maetheory.core.json_files.MAX_OBJECT_BYTES", len(LINE))
    assert read_json_object(tmp_path / "a.json") == RECORD


def test_a_cut_line_is_set_aside_and_said(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.warns(UserWarning, match=r"last line of .*log.jsonl was cut .* set aside in log.jsonl.torn"):
        set_torn_line_aside(path, b'{"a')
    assert (tmp_path / "log.jsonl.torn").read_bytes() == b'{"a\n'
    set_torn_line_aside(path, b"")


@pytest.mark.parametrize("value", ["x", True, 1.0, 1e30, -5, 0, 2**53 + 1, None, [1], float("nan")])
def test_integers_are_integers_in_their_range(value: object) -> None:
    with pytest.raises(InputError, match="step in state file must be an integer of at least 1 and"):
        integer_field({"step": value}, "step", "state file", 1)
    assert integer_field({"step": 1}, "step", "state file", 1) == 1
    with pytest.raises(InputError, match="it is missing"):
        integer_field({}, "step", "state file", 1)
