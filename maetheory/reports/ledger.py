"""JSON-lines ledger: one record per measured number, with its provenance."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory.core import InputError, atomic_write, printable_value
from maetheory.core.json_files import LARGEST_INTEGER, read_json_lines, set_torn_line_aside

KEY_COLUMNS = ("experiment", "cell", "objective", "seed", "readout", "metric")
"""Fields that identify a record; a later record with the same values replaces an earlier one."""
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(
        ("experiment", "cell", "objective", "dataset", "readout", "metric", "recipe", "precision", "correct"),
        ((str,), "a text"),
    ),
    **dict.fromkeys(("seed", "epochs", "train_images", "test_images"), ((int,), "an integer")),
    **dict.fromkeys(("value", "error"), ((int, float), "a number")),
    **dict.fromkeys(("training", "provenance"), ((dict,), "an object")),
}


def append_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Add records to a ledger atomically; a record replaces the one with the same `KEY_COLUMNS`.

    A last line that was cut while it was written is set aside in ``NAME.torn``, with a warning.

    Raises
    ------
    InputError
        If another line is damaged; the ledger is then left as it is.
    """
    present, torn = _read_records(path)
    kept = {_record_key(record): record for record in present}
    kept |= {_record_key(record): dict(record) for record in records}
    set_torn_line_aside(path, torn)
    with atomic_write(path) as part:
        part.write_text(
            "".join(json.dumps(record, sort_keys=True) + "\n" for record in kept.values()), encoding="utf-8"
        )


def read_ledger(path: Path, required: Iterable[str] = ()) -> pd.DataFrame:
    """Return a ledger as a table; the table is empty if the file does not exist.

    Of records with the same `KEY_COLUMNS` the last one counts. A last line that was cut while it was written is left
    out, with a warning.

    Parameters
    ----------
    path : Path
    required : iterable of str
        Fields that each record must have.

    Returns
    -------
    DataFrame
        One row for each record; its index counts the lines of the file from 0.

    Raises
    ------
    InputError
        If another line is damaged, or a record lacks a required field.
    """
    records, torn = _read_records(path, tuple(required))
    if torn:
        warnings.warn(f"the last line of {path} was cut while it was written, so it was left out", stacklevel=2)
    last = {_record_key(record): number for number, record in enumerate(records)}
    return pd.DataFrame(records).iloc[sorted(last.values())]


def set_torn_record_aside(path: Path) -> None:
    """Move a last line that was cut while it was written from a ledger to ``NAME.torn``, with a warning.

    Raises
    ------
    InputError
        If another line is damaged; the ledger is then left as it is.
    """
    if _read_records(path)[1]:
        append_records(path, ())


def _record_key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in KEY_COLUMNS)


def _read_records(path: Path, required: tuple[str, ...] = ()) -> tuple[list[dict[str, Any]], bytes]:
    """Return the records of a ledger, and a last line that was cut."""
    try:
        records, torn = read_json_lines(path)
        for number, record in enumerate(records, 1):
            _check_record(record, f"line {number} of {path}", required)
    except InputError as error:
        raise InputError(f"{path} is not a ledger of JSON lines: {error}; correct the line or delete it") from error
    return records, torn


def _check_record(record: Mapping[str, Any], where: str, required: tuple[str, ...]) -> None:
    """Raise InputError if a record lacks its experiment or a required field, or a field has another type."""
    lacking = [name for name in ("experiment", *required) if record.get(name) in (None, "")]
    if lacking:
        raise InputError(f"{where} lacks {', '.join(lacking)}")
    for name, (types, word) in _TYPES.items():
        value = record.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, types)):
            raise InputError(f"{name} in {where} must be {word}, but it is {printable_value(value)}")
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise InputError(f"{name} in {where} is too large a number: {printable_value(value)}")
