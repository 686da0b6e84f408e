"""Every measured number is one JSON line with what it is, its value and where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory.core import InputError, atomic_write

KEY_COLUMNS = ("experiment", "cell", "objective", "seed", "readout", "metric")


def append_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Add records to a ledger, atomically; a record replaces the one of the same `KEY_COLUMNS`."""
    kept = {tuple(record.get(name) for name in KEY_COLUMNS): record for record in _read_records(path)}
    for record in records:
        kept[tuple(record.get(name) for name in KEY_COLUMNS)] = dict(record)
    with atomic_write(path) as part:
        part.write_text("".join(json.dumps(record, sort_keys=True) + "\n" for record in kept.values()))


def read_ledger(path: Path) -> pd.DataFrame:
    """Return a ledger as a table; empty when there is none yet."""
    return pd.DataFrame(_read_records(path))


def _read_records(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not a ledger of JSON lines: {error}") from error
