"""Features in tables: files of comma-separated values and of Parquet."""

from __future__ import annotations

import gzip
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from maetheory.core import InputError, first_error_line, printable
from maetheory.core.files import utf8_path
from maetheory.evaluation.features.table_bounds import (
    MAX_COLUMNS,
    MAX_REPEATED_NAMES,
    check_column_names,
    check_parquet_size,
    check_text_size,
    read_head_lines,
)

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
_DELIMITERS = (",", "\t", ";", "|", " ")
_MAX_LISTED = 8
_WRITTEN_LIST = re.compile(r"\s*[\[(][^\[\]()]*[\])]\s*", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"\d,\d")
_LABEL_NAMES = re.compile(r"labels?|targets?|class(es)?|y|ids?|index|idx|split|fold", re.IGNORECASE)


def read_table(path: Path, column: str | None = None) -> tuple[NDArray[np.float64], str, tuple[str, ...]]:
    """Return the numbers of a table (n, d), the name of the column that holds them all or "", and notes.

    Each floating-point column is a dimension. Columns of text, of whole numbers beside floating-point ones (labels,
    numbers of rows), with a name such as "label", and without any value are left out and named in the notes. A column
    may hold one list of numbers a row, in Parquet or written as ``[0.1, 0.2]``, and is then all features.

    Parameters
    ----------
    path : Path
        A file of comma-, semicolon-, tab- or space-separated values, with a line of names or without; or of Parquet.
    column : str, optional
        The column that holds lists of numbers, where there are several.

    Raises
    ------
    InputError
        If the file is damaged, holds no floating-point column, or is of Parquet and pyarrow is not installed.
    """
    is_parquet = path.name.lower().endswith(PARQUET_SUFFIXES)
    frame = read_parquet(path) if is_parquet else _with_written_lists(path, _read_delimited(path))
    check_column_names(path, frame.columns)
    lists = [str(name) for name in frame.columns if _holds_lists(frame[name])]
    if lists or (is_parquet and column is not None):
        return _column_of_lists(path, frame, lists, column)
    if column is not None:
        raise InputError(f"{path} is a table whose columns are the dimensions: no array {column!r} can be chosen in it")
    return _floating_columns(path, frame)


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a file of Parquet as a DataFrame.

    Raises
    ------
    InputError
        If it is damaged, or pyarrow is not installed.
    """
    try:
        from pyarrow import parquet

        with utf8_path(path) as name, parquet.ParquetFile(name) as file:
            fields = list(file.schema_arrow)
            check_column_names(path, (field.name for field in fields))
            numeric = [field.name for field in fields if _is_numeric(field.type)]
            check_parquet_size(path, file.metadata, frozenset(numeric))
            frame: pd.DataFrame = file.read(columns=numeric).to_pandas()
        for field in fields:
            if field.name not in numeric and field.name not in frame.index.names:
                frame[field.name] = ""  # its text, which may be long, is not read
        return frame
    except InputError:
        raise
    except ImportError as error:
        raise InputError(
            f"{path} is a file of Parquet, which needs pyarrow: pip install 'maetheory[parquet]'"
        ) from error
    except Exception as error:  # pyarrow raises errors of many types on a damaged file
        raise InputError(f"{path} is no whole file of Parquet ({first_error_line(error)})") from error


def _is_numeric(kind: Any) -> bool:
    """Return whether a type of Arrow is a number, or a list of numbers or of lists of them."""
    while getattr(kind, "value_type", None) is not None and not str(kind).startswith("dictionary"):
        kind = kind.value_type
    return str(kind).startswith(("float", "double", "halffloat", "int", "uint", "bool", "decimal"))


def _read_delimited(path: Path) -> pd.DataFrame:
    """Return a delimited file; its first line is a line of names unless it holds numbers that do not count columns."""
    compression = "gzip" if path.name.lower().endswith(".gz") else None
    try:
        check_text_size(path, is_packed=compression is not None)
        with gzip.open(path, "rt", encoding="utf-8-sig") if compression else path.open(encoding="utf-8-sig") as file:
            lines = read_head_lines(path, file)
        comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        first = next((line for line in lines[comments:] if line), "")
        delimiter = max(_DELIMITERS, key=first.count)
        decimal = "," if delimiter == ";" and _DECIMAL_COMMA.search("\n".join(lines)) else "."
        if first.count(delimiter) >= MAX_COLUMNS:
            check_column_names(path, range(first.count(delimiter) + 1))
        cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
        has_names = _counts_columns(cells) or not all(_is_number(cell, decimal) for cell in cells)
        if has_names and len(cells) - len(set(cells)) > MAX_REPEATED_NAMES:  # pandas numbers them in quadratic time
            raise InputError(f"{path} has more than {MAX_REPEATED_NAMES} columns with the name of another; rename them")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # columns of mixed types are text, and are left out
            return pd.read_csv(
                path,
                sep=r"\s+" if delimiter == " " else delimiter,
                header=0 if has_names else None,
                skiprows=comments,
                decimal=decimal,
                compression=compression,
                encoding="utf-8-sig",
            )
    except InputError:
        raise
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is no table of separated values ({first_error_line(error)})") from error


def _with_written_lists(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with lists instead of texts such as "[0.1, 0.2]", as Python and NumPy write them."""
    for name in frame.columns:
        values = frame[name]
        if not len(values) or not all(isinstance(one, str) and _WRITTEN_LIST.fullmatch(one) for one in values):
            continue
        if values.str.contains("...", regex=False).any():
            raise InputError(
                f"the lists of column {printable(str(name))} of {path} are abbreviated by '...', as NumPy prints long "
                "arrays: their numbers are lost, save the array itself"
            )
        numbers = values.str.strip("[]() ").str.replace(",", " ").str.split()
        try:
            frame[name] = [np.array(row, np.float64) for row in numbers]
        except ValueError as error:
            raise InputError(
                f"the column {printable(str(name))} of {path} holds lists of what is no number ({error})"
            ) from error
    return frame


def _floating_columns(path: Path, frame: pd.DataFrame) -> tuple[NDArray[np.float64], str, tuple[str, ...]]:
    kinds = {name: getattr(kind, "kind", "O") for name, kind in zip(frame.columns, frame.dtypes, strict=True)}
    constant = {name for name, kind in kinds.items() if kind in "iu" and len(frame) and frame[name].nunique() == 1}
    empty = dict.fromkeys(name for name, kind in kinds.items() if kind in "fO" and frame[name].isna().all())
    labels = dict.fromkeys(name for name, kind in kinds.items() if kind == "f" and _LABEL_NAMES.fullmatch(str(name)))
    floating = {name for name, kind in kinds.items() if kind == "f" and name not in empty and name not in labels}
    if not floating:
        raise InputError(
            f"features are floating-point numbers, but {path} has no column of them: it holds "
            f"{_join_names(list(frame.columns)) or 'nothing'}"
        )
    # A column of whole numbers that never changes is a feature that is always 0.
    chosen = [name for name in frame.columns if name in floating or (name in constant and name not in labels)]
    left_out = {
        "that are no numbers": [name for name in frame.columns if kinds[name] not in "fiu" and name not in empty],
        "of whole numbers, such as labels,": [n for n in frame.columns if kinds[n] in "iu" and n not in constant],
        "with the names of labels": list(labels),
        "without values": list(empty),
    }
    notes = [
        f"{len(names)} columns {what} were left out: {_join_names(names)}" for what, names in left_out.items() if names
    ]
    return frame[chosen].to_numpy(np.float64), "", tuple(notes)


def _column_of_lists(
    path: Path, frame: pd.DataFrame, lists: list[str], column: str | None
) -> tuple[NDArray[np.float64], str, tuple[str, ...]]:
    if column is None and len(lists) > 1:
        raise InputError(
            f"{path} holds several columns of lists, {_join_names(lists)}: choose one by its name, --array NAME"
        )
    chosen = lists[0] if column is None else column
    if chosen not in lists:
        raise InputError(
            f"{path} has no column {chosen!r} of lists of numbers; it holds {_join_names(list(frame.columns))}"
        )
    rows = [np.asarray(row, np.float64) if row is not None else np.empty(0) for row in frame[chosen]]
    lengths = sorted({row.size for row in rows})
    if len(lengths) != 1:
        raise InputError(
            f"the lists of column {chosen} of {path} have from {lengths[0]} to {lengths[-1]} numbers; features all "
            "have as many"
        )
    others = [str(name) for name in frame.columns if name != chosen]
    notes = (f"the column {printable(chosen)} was read; {_join_names(others)} were not",) if others else ()
    return np.stack([row.ravel() for row in rows]), chosen, notes


def _holds_lists(column: pd.Series) -> bool:
    first = next((value for value in column if value is not None), None)
    return isinstance(first, list | tuple | np.ndarray) and np.asarray(first).dtype.kind == "f"


def _counts_columns(cells: list[str]) -> bool:
    """Return whether the cells are 0, 1, 2, …, the names that pandas gives columns, with an empty one of the index."""
    counted = cells[1:] if cells[0] == "" else cells
    return len(counted) > 1 and any(counted == [str(start + i) for i in range(len(counted))] for start in (0, 1))


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, ".") or "nan")
    except ValueError:
        return False
    return True


def _join_names(names: list[Any]) -> str:
    shown = ", ".join(printable(str(name)) for name in names[:_MAX_LISTED])
    return shown + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
