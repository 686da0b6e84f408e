"""JSON-lines ledger: one record per measured number, with its provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory.core import InputError, atomic_write

KEY_COLUMNS = ("experiment", "cell", "objective", "seed", "readout", "metric")
"""Fields that identify a record; a later record with the same values replaces an earlier one."""


def append_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Add records to a ledger atomically; a record replaces the one with the same `KEY_COLUMNS`."""
    kept = {_key(record): record for record in _read_records(path)}
    kept |= {_key(record): dict(record) for record in records}
    with atomic_write(path) as part:
        part.write_text("".join(json.dumps(record, sort_keys=True) + "\n" for record in kept.values()))


def read_ledger(path: Path) -> pd.DataFrame:
    """Return a ledger as a table; the table is empty if the file does not exist.

    Raises
    ------
    InputError
        If a line is not JSON.
    """
    return pd.DataFrame(_read_records(path))


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in KEY_COLUMNS)


def _read_records(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not a ledger of JSON lines: {error}") from error
