"""Bounds on the text and the width of a table, checked before it is parsed.

A few megabytes of gzip can unpack to gigabytes, one line can be the whole file, and a footer of Parquet can promise any
number of values. So text is counted before it is parsed, and the values of Parquet by its footer.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, Any

from maetheory.core import InputError
from maetheory.core.memory import check_memory
from maetheory.data.array_files import MAX_ARRAY_BYTES

MAX_COLUMNS = 65_536
MAX_REPEATED_NAMES = 1000
MAX_HEAD_LINES = 100
MAX_HEAD_CHARACTERS = 2**24
MAX_UNPACKED_RATIO = 200  # of text that is nearly all zeros; the most that gzip reaches is 1032
_FREELY_UNPACKED_BYTES = 2**26
_PARSED_BYTES_PER_CHARACTER = 6  # the text itself, numbers of eight bytes for four characters or more, and a copy
_PARSED_BYTES_PER_VALUE = 32  # of Parquet: in Arrow, in pandas, as an array, and a copy
_CHUNK_BYTES = 2**20


def check_text_size(path: Path, *, is_packed: bool) -> None:
    """Raise InputError if the text of a table is larger than is read, or than memory holds when it is parsed.

    Parameters
    ----------
    path : Path
    is_packed : bool
        Whether the file is packed by gzip; it is then unpacked in pieces, to count its text.
    """
    size = path.stat().st_size
    if is_packed:
        largest = _FREELY_UNPACKED_BYTES + MAX_UNPACKED_RATIO * size
        size = _unpacked_size(path, min(largest, MAX_ARRAY_BYTES))
        if size > largest:
            raise InputError(
                f"{path} unpacks to more than {largest >> 20} MiB, {MAX_UNPACKED_RATIO} times its size and 64 MiB: "
                "unpack it first, if it is what you expect"
            )
    if size > MAX_ARRAY_BYTES:
        raise InputError(f"{path} holds more than {MAX_ARRAY_BYTES >> 30} GiB of text: save the features as .npy")
    check_memory(_PARSED_BYTES_PER_CHARACTER * size, f"the table {path}", "save the features as .npy")


def read_head_lines(path: Path, file: IO[str]) -> list[str]:
    """Return the first lines of a table, stripped.

    Raises
    ------
    InputError
        If a line is longer than 16 Mi characters.
    """
    lines: list[str] = []
    left = MAX_HEAD_CHARACTERS
    while len(lines) < MAX_HEAD_LINES and left > 0 and (line := file.readline(left)):
        left -= len(line)
        if left or line.endswith("\n"):
            lines.append(line.strip())
        elif not any(lines):
            raise InputError(
                f"{path} is no table of separated values (its first line is longer than {MAX_HEAD_CHARACTERS} "
                "characters)"
            )
    return lines


def check_column_names(path: Path, names: Any) -> None:
    """Raise InputError if a table has more than 65 536 columns, or two of one name."""
    names = list(map(str, names))
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"{path} has {len(names)} columns, where at most {MAX_COLUMNS} are read: save the features as .npy"
        )
    if len(set(names)) < len(names):
        raise InputError(f"{path} has two columns of one name; give each a name of its own")


def check_parquet_size(path: Path, metadata: Any, columns: frozenset[str]) -> None:
    """Raise InputError if the footer of a file of Parquet promises more values than memory holds.

    Parameters
    ----------
    path : Path
    metadata : pyarrow.parquet.FileMetaData
    columns : set of str
        Names of the columns that will be read; the values of others do not count.
    """
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    chunks = (group.column(j) for group in groups for j in range(group.num_columns))
    values = sum(chunk.num_values for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns)
    if 8 * values > MAX_ARRAY_BYTES:
        raise InputError(f"{path} holds {values} numbers, more than {MAX_ARRAY_BYTES >> 30} GiB")
    check_memory(_PARSED_BYTES_PER_VALUE * values, f"the table {path}", "take fewer rows")


def _unpacked_size(path: Path, largest: int) -> int:
    """Return the number of bytes that a file of gzip unpacks to, counted until it passes `largest`."""
    size = 0
    with gzip.open(path) as file:
        while size <= largest and (piece := file.read(_CHUNK_BYTES)):
            size += len(piece)
    return size
