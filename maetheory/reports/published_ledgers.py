"""Ledgers are published beside the figures: the records of every experiment shown, no longer than they must be."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory.core import InputError, atomic_write
from maetheory.reports.ledger import read_ledger
from maetheory.training import TrainConfig

REQUIRED_COLUMNS = (
    "experiment",
    "cell",
    "objective",
    "seed",
    "dataset",
    "epochs",
    "train_images",
    "test_images",
    "training",
    "readout",
    "metric",
    "value",
    "error",
    "provenance",
)
_PROVENANCE_KEYS = ("git", "utc", "device", "machine", "python")


def publish_ledger(run: str | Path, folder: str | Path) -> list[Path]:
    """Copy what a run measured to ``FOLDER/EXPERIMENT/ledger.jsonl``; what stood there is replaced.

    Parameters
    ----------
    run : path
        The folder of a run, or its ledger.jsonl.
    folder : path
        Where published figures and ledgers lie.

    Returns
    -------
    list of Path
        The files written, one for each experiment in the ledger.

    Raises
    ------
    InputError
        If there is no ledger, or its records are of an older version.
    """
    run = Path(run)
    source = run / "ledger.jsonl" if run.is_dir() else run
    ledger = read_ledger(source)
    if ledger.empty:
        raise InputError(f"{source} holds no record; name the folder of a run that `maetheory reproduce` has measured")
    missing = [name for name in REQUIRED_COLUMNS if name not in ledger]
    if missing:
        raise InputError(
            f"the records of {source} lack {', '.join(missing)}: an older version wrote them; reproduce "
            "again in the same folder, which keeps the trained models"
        )
    written = []
    for name, part in ledger.groupby("experiment", sort=False):
        lines = [json.dumps(_compact_record(record), sort_keys=True) + "\n" for record in part.to_dict("records")]
        path = Path(folder) / str(name) / "ledger.jsonl"
        with atomic_write(path) as file:
            file.write_text("".join(lines))
        written.append(path)
    return written


def read_published_ledgers(folder: str | Path) -> pd.DataFrame:
    """Return every published record as one table, experiments in the order of their names; empty without any."""
    parts = [read_ledger(path) for path in sorted(Path(folder).glob("*/ledger.jsonl"))]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(REQUIRED_COLUMNS))


def _compact_record(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record whose recipe names only what differs from its defaults, and whose provenance fits a line."""
    kept = {name: value for name, value in record.items() if not (isinstance(value, float) and value != value)}
    came = record["provenance"]
    recipe = TrainConfig.from_dict(record["training"])
    return kept | {
        "training": _non_default_fields(recipe)
        | {"model": _non_default_fields(recipe.model) | {"encoder": _non_default_fields(recipe.model.encoder)}},
        "provenance": {name: came[name] for name in _PROVENANCE_KEYS} | {"torch": came["versions"]["torch"]},
    }


def _non_default_fields(value: Any) -> dict[str, Any]:
    """Return the plain fields of a dataclass that are not at their defaults."""
    here = {field.name: getattr(value, field.name) for field in fields(value) if field.default is not MISSING}
    defaults = {field.name: field.default for field in fields(value)}
    return {name: now for name, now in here.items() if not is_dataclass(now) and now != defaults[name]}
