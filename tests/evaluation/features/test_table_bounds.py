"""Tables that unpack to gigabytes, or are one endless line, are refused before they are parsed."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from maetheory.core import InputError
from maetheory.evaluation.features import feature_tables, table_bounds
from maetheory.evaluation.features.feature_files import read_feature_file

Z = np.random.default_rng(0).standard_normal((12, 5))
ROWS = "".join(",".join(map(str, row)) + "\n" for row in Z)


def test_a_packed_table_is_counted_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "z.csv.gz"
    text = b"0.5,0.25\n" * 50_000 + ROWS[: ROWS.index(",", 30)].encode() + b"\n0.1,0.2\n"
    path.write_bytes(gzip.compress(text, 9))
    largest = table_bounds.MAX_UNPACKED_RATIO * path.stat().st_size
    assert len(text) > largest
    monkeypatch.setattr(table_bounds, "_FREELY_UNPACKED_BYTES", len(text) - largest)
    assert len(read_feature_file(path).features.rows) == 50_002  # exactly as much as is unpacked
    monkeypatch.setattr(table_bounds, "_FREELY_UNPACKED_BYTES", len(text) - largest - 1)
    monkeypatch.setattr(pd, "read_csv", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(InputError, match="200 times its size and 64 MiB: unpack it first"):
        read_feature_file(path)


@pytest.mark.parametrize("name", ["z.csv", "z.csv.gz"])
def test_text_that_memory_does_not_hold_is_not_parsed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(gzip.compress(ROWS.encode()) if name.endswith("gz") else ROWS.encode())
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 6 * len(ROWS))
    assert read_feature_file(tmp_path / name).features.rows.shape == (12, 5)
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 6 * len(ROWS) - 1)
    with pytest.raises(InputError, match="would take about"):
        read_feature_file(tmp_path / name)


def test_a_line_is_no_longer_than_is_read_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "z.csv"
    path.write_text(ROWS)
    first = ROWS.index("\n") + 1
    monkeypatch.setattr(table_bounds, "MAX_HEAD_CHARACTERS", first)
    assert read_feature_file(path).features.rows.shape == (12, 5)
    monkeypatch.setattr(table_bounds, "MAX_HEAD_CHARACTERS", first - 1)
    with pytest.raises(InputError, match=f"its first line is longer than {first - 1} characters"):
        read_feature_file(path)


@pytest.mark.parametrize("n", [5, 4])
def test_wide_tables_are_refused_by_the_number_of_their_columns(
    n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "z.csv").write_text(ROWS)
    for module in (table_bounds, feature_tables):
        monkeypatch.setattr(module, "MAX_COLUMNS", n)
    if n == 5:
        assert read_feature_file(tmp_path / "z.csv").features.rows.shape == (12, 5)
        return
    monkeypatch.setattr(pd, "read_csv", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(InputError, match="has 5 columns, where at most 4 are read"):
        read_feature_file(tmp_path / "z.csv")


def test_the_time_grows_with_the_number_of_columns_and_not_with_its_square(tmp_path: Path) -> None:
    """A thousand columns and eight thousand, half of which are left out."""
    seconds = []
    for n in (1000, 8000):
        frame = pd.DataFrame(np.full((3, n), 0.5), columns=[f"c{i}" for i in range(n // 2)] + ["label"] * (n // 2))
        frame.columns = pd.Index([*frame.columns[: n // 2], *(f"t{i}" for i in range(n // 2))])
        frame.iloc[:, n // 2 :] = np.nan
        begin = time.process_time()
        rows, _, notes = feature_tables._floating_columns(tmp_path, frame)
        seconds.append(time.process_time() - begin)
        assert rows.shape == (3, n // 2)
        assert notes == (
            f"{n // 2} columns without values were left out: t0, t1, t2, t3, t4, t5, t6, t7 and {n // 2 - 8} more",
        )
    assert seconds[1] < 30 * seconds[0]


def test_parquet_reads_numbers_alone_and_as_many_as_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install maetheory[parquet]")
    from pyarrow import parquet

    columns = {f"f{i}": Z[:, i] for i in range(5)}
    parquet.write_table(pa.table({**columns, "text": ["x" * 1000] * 12}), tmp_path / "z.parquet")
    read = parquet.ParquetFile.read
    asked: list[list[str]] = []

    def noted(file: Any, columns: list[str]) -> Any:
        asked.append(columns)
        return read(file, columns=columns)

    monkeypatch.setattr(parquet.ParquetFile, "read", noted)
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 32 * 60)
    found = read_feature_file(tmp_path / "z.parquet")
    np.testing.assert_array_equal(found.features.rows, Z)
    assert asked == [list(columns)]
    assert found.notes[0] == "1 columns that are no numbers were left out: text"
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 32 * 60 - 1)
    with pytest.raises(InputError, match="would take about"):
        read_feature_file(tmp_path / "z.parquet")


def test_lists_of_parquet_that_are_no_rows_are_one_sentence(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install maetheory[parquet]")
    from pyarrow import parquet

    def write(**columns: object) -> Path:
        parquet.write_table(pa.table(columns), tmp_path / "z.parquet")
        return tmp_path / "z.parquet"

    nested = [[[1.0], [1.0, 2.0]], [[3.0]], [[2.0]]]
    for lists in (nested, [["a"], ["b"], ["c"]], [[{"a": 1.0}], [{"a": 2.0}], [{"a": 2.0}]]):
        with pytest.raises(InputError, match="no column"):
            read_feature_file(write(z=lists))
    twice = pa.Table.from_arrays([pa.array(Z[:, 0])] * 2, ["a", "a"])
    parquet.write_table(twice, tmp_path / "z.parquet")
    with pytest.raises(InputError, match="two columns of one name"):
        read_feature_file(tmp_path / "z.parquet")


@pytest.mark.parametrize("n_most", [3, 4])
def test_columns_of_one_name_are_few(n_most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "z.csv").write_text("f,f,f,f,f\n" + ROWS)
    monkeypatch.setattr(feature_tables, "MAX_REPEATED_NAMES", n_most)
    if n_most == 4:
        assert read_feature_file(tmp_path / "z.csv").features.rows.shape == (12, 5)
        return
    with pytest.raises(InputError, match="more than 3 columns with the name of another"):
        read_feature_file(tmp_path / "z.csv")
