"""Read JSON files and JSON Lines that a killed process, another program or a user may have damaged.

A file is read only if it is an ordinary file of bounded size. What is wrong becomes one sentence that names the file
and the line. A last line that was cut while it was written (a killed process, a power failure) is no damage of the
other lines: it is returned apart, so that the caller can set it aside and say so.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from maetheory.core.errors import InputError
from maetheory.core.files import read_regular_file
from maetheory.core.memory import check_memory
from maetheory.core.printable import printable, printable_value

MAX_OBJECT_BYTES = 2**24
MAX_LINES_BYTES = 2**30
_PARSED_BYTES = {b"{": 250, b"[": 64, b":": 100, b",": 32}  # of an object, a list, a field, and a value
LARGEST_INTEGER = 2**53
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?$)')


class JsonLines(NamedTuple):
    """Records of a JSON Lines file, and the bytes of a last line that was cut; empty if none was."""

    records: list[dict[str, Any]]
    torn: bytes


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, is no ordinary file, is larger than 16 MiB or holds anything but
        one JSON object.
    """
    try:
        return _parse_object(read_regular_file(path, MAX_OBJECT_BYTES), str(path))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing") from error


def read_json_lines(path: Path) -> JsonLines:
    """Return the objects of a JSON Lines file in order; no records if the file does not exist.

    Raises
    ------
    InputError
        If the file cannot be read, is no ordinary file or is larger than 1 GiB, or if a line other than a cut last one
        is not a JSON object.
    """
    try:
        content = read_regular_file(path, MAX_LINES_BYTES)
    except FileNotFoundError:
        return JsonLines([], b"")
    check_memory(_parsed_bytes(content), f"reading {path}", "move the file away")
    lines = content.split(b"\n")
    while lines and not lines[-1].strip(b" \t\r"):
        lines.pop()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(_parse_object(line, f"line {number} of {path}"))
        except InputError:
            if number == len(lines) and _is_truncated_object(line):
                return JsonLines(records, line)
            raise
    return JsonLines(records, b"")


def set_torn_line_aside(path: Path, torn: bytes) -> None:
    """Append a cut last line to ``NAME.torn`` beside its file, and warn; without a cut line do nothing."""
    if not torn:
        return
    kept = path.with_name(path.name + ".torn")
    with kept.open("ab") as file:
        file.write(torn + b"\n")
    warnings.warn(
        f"the last line of {path} was cut while it was written, so it was set aside in {kept.name}", stacklevel=2
    )


def integer_field(record: dict[str, Any], name: str, where: str, low: int, high: int = LARGEST_INTEGER) -> int:
    """Return a field that must be an integer between `low` and `high`; `where` names file and line in the error.

    Raises
    ------
    InputError
        If the field is missing, no integer, or outside that range.
    """
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        found = f"it is {printable_value(value)}" if name in record else "it is missing"
        raise InputError(f"{name} in {where} must be an integer of at least {low} and at most {high}, but {found}")
    return value


def _parsed_bytes(content: bytes) -> int:
    """Return an upper estimate of the memory that JSON takes once it is parsed, by its marks."""
    return len(content) + sum(size * content.count(mark) for mark, size in _PARSED_BYTES.items())


def _parse_object(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique_names)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not text in UTF-8 (byte {error.start}), so it is damaged or converted") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{where} must hold a JSON object, but it holds {printable_value(value)}")
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs; one that names a field twice is no record, because either may be meant."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"it names the field {printable(name)} twice")
        fields[name] = value
    return fields


def _is_truncated_object(line: bytes) -> bool:
    """Return whether a line is the beginning of a JSON object; a file system may fill the lost rest with zeros."""
    begun = line.strip(b"\0\r\n\t ")
    if not begun:
        return True
    outside_strings = _STRING.sub(b"", begun)
    opened = outside_strings.count(b"{") > outside_strings.count(b"}")
    return begun.startswith(b"{") and opened and b"\0" not in begun
