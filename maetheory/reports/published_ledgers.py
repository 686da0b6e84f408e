"""Publish compact ledgers in the folder of the figures and read them back."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory.core import InputError, atomic_write
from maetheory.core.slugs import check_slug
from maetheory.reports.ledger import read_ledger

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
    """Copy the ledger of a run to ``FOLDER/EXPERIMENT/ledger.jsonl``, replacing an earlier copy.

    Parameters
    ----------
    run : path
        The folder of a run, or its ledger.jsonl.
    folder : path
        Folder of the published figures and ledgers.

    Returns
    -------
    list of Path
        The files written, one for each experiment in the ledger.

    Raises
    ------
    InputError
        If there is no ledger, its records are of an older version or damaged, an experiment has a name that is none of
        a folder, or more seeds of it are published than the run has; nothing is written then.
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
    texts = {}
    for name, part in ledger.groupby("experiment", sort=False):
        path = Path(folder) / check_slug(name, f"the experiment in {source}") / "ledger.jsonl"
        _refuse_fewer_seeds(path, name, part.seed.nunique())
        records = [_compact_known_record(record, source) for record in part.to_dict("records")]
        texts[path] = "".join(json.dumps(record, sort_keys=True) + "\n" for record in records)
    for path, text in texts.items():
        with atomic_write(path) as file:
            file.write_text(text, encoding="utf-8")
    return list(texts)


def _refuse_fewer_seeds(path: Path, experiment: str, seeds: int) -> None:
    """Raise InputError if a published ledger holds more seeds of an experiment than would replace them."""
    if not path.exists():
        return
    published = read_ledger(path)
    before = published.seed.nunique() if "seed" in published else 0
    if before > seeds:
        raise InputError(
            f"{path} holds {before} seeds of {experiment}, more than the {seeds} of this run; run the other seeds in "
            "the same folder too, or delete that file first"
        )


def read_published_ledgers(folder: str | Path) -> pd.DataFrame:
    """Return all published records as one table, ordered by experiment; the table is empty if there are none.

    Raises
    ------
    InputError
        If a record is damaged or lacks one of `REQUIRED_COLUMNS`.
    """
    parts = [_read_published_ledger(path) for path in sorted(Path(folder).glob("*/ledger.jsonl"))]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(REQUIRED_COLUMNS))


def _read_published_ledger(path: Path) -> pd.DataFrame:
    from maetheory.training import TrainConfig  # torch and Lightning take seconds to import

    ledger = read_ledger(path, REQUIRED_COLUMNS)
    for number, recipe in zip(ledger.index + 1, ledger.get("training", ()), strict=True):
        try:
            TrainConfig.from_dict(recipe)
        except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise InputError(
                f"line {number} of {path} holds no training recipe: {type(error).__name__}: {error}; "
                "publish the run again"
            ) from error
    return ledger


def _compact_known_record(record: dict[Any, Any], source: Path) -> dict[Any, Any]:
    try:
        return _compact_record(record)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(
            f"the record of {record['cell']}, seed {record['seed']}, {record['metric']} in {source} has a recipe or "
            f"provenance that is damaged: {type(error).__name__}: {error}; delete the line and reproduce again"
        ) from error


def _compact_record(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record with the non-default fields of its recipe and the main fields of its provenance."""
    from maetheory.training import TrainConfig  # torch and Lightning take seconds to import

    kept = {name: value for name, value in record.items() if not (isinstance(value, float) and value != value)}
    recipe, provenance = TrainConfig.from_dict(record["training"]), record["provenance"]
    encoder, changed = _non_default_fields(recipe.model.encoder), _non_default_fields(recipe)
    training = {name: changed[name] for name in recipe.field_names() if name in changed}
    return kept | {
        "training": training | {"model": _non_default_fields(recipe.model) | {"encoder": encoder}},
        "provenance": {name: provenance[name] for name in _PROVENANCE_KEYS}
        | {"torch": provenance["versions"]["torch"]},
    }


def _non_default_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that have a default and differ from it, without nested dataclasses."""
    defaults = {field.name: field.default for field in fields(value) if field.default is not MISSING}
    current = {name: getattr(value, name) for name in defaults}
    return {name: one for name, one in current.items() if not is_dataclass(one) and one != defaults[name]}
