"""What a checkpoint's features have lost, as a table for a terminal, a document, and records one can quote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from maetheory.core import provenance
from maetheory.evaluation.collapse.formatting import format_interval, number
from maetheory.reports.console import capturing_console
from maetheory.reports.diagnosis import Diagnosis

COMPACT_METRICS = (
    "effective_rank",
    "rankme",
    "stable_rank",
    "participation_ratio",
    "alpha_req",
    "twonn",
    "mean_cosine",
    "direction_std",
    "umae_uniformity",
    "uniformity",
    "lidar",
    "mask_pair_alignment",
)
LEGEND = (
    "Brackets: two standard errors around what infinitely many images would give, so they need not hold the value of "
    "these; of uniformity, TwoNN, coherence, LiDAR and mask-pair alignment around the value, for other images as many. "
    "Random twin: the same architecture before training, same images, the mean of several initialisations. "
    "Shuffled: each column shuffled by itself. Noise: Gaussian rows of the same shape, whose spectrum is "
    "Marchenko and Pastur's. Values of ranks grow with the number of images: compare them at equal n."
)
_MIN_WIDTH = 100


def collapse_text(found: Sequence[Diagnosis], *, colour: bool = False, width: int = 0) -> str:
    """Return the readings and tables of all checkpoints as text.

    Parameters
    ----------
    found : sequence of Diagnosis
    colour : bool
        Whether to colour the text for a terminal.
    width : int
        Columns of the terminal; at least 100 are used.
    """
    from rich.text import Text

    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    with console.capture() as captured:
        for one in found:
            console.print(Text(f"{one.name}: {one.report.dialect}, sha256 {one.report.sha256[:12]}…", style="bold"))
            for finding in one.reading:
                console.print(str(finding), markup=False)
            for note in one.notes:
                console.print(f"note: {note}", markup=False)
            console.print(_rich_table(compact_table(one.measured.table)))
            if one.measured.table.layer.nunique() > 1:
                console.print("\neffective rank by layer", markup=False)
                console.print(_rich_table(layer_table(one.measured.table)))
            console.print()
        console.print(LEGEND)
    return captured.get().rstrip()


def compact_table(table: pd.DataFrame, metrics: Sequence[str] | None = COMPACT_METRICS) -> pd.DataFrame:
    """Return the last layer's metrics, each under its publication's convention, as texts beside their baselines."""
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    rows = []
    for record in last.to_dict("records"):
        if metrics is not None and record["metric"] not in metrics:
            continue
        beside = {
            title: number(record[name])
            for name, title in (("random_twin", "random twin"), ("shuffled", "shuffled"), ("noise", "noise"))
        }
        rows.append(
            {
                "readout": record["readout"],
                "metric": record["metric"],
                "value": format_interval(record),
                **beside,
                "n": str(record["n"]),
                "d": str(record["d"]),
            }
        )
    return pd.DataFrame(rows)


def layer_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of each layer, a column per readout and one for its random twin."""
    ranks = table[table.metric == "effective_rank"].drop_duplicates(["readout", "layer"])
    rows = []
    for layer, group in ranks.groupby("layer", sort=False):
        row = {"layer": str(layer)}
        for record in group.to_dict("records"):
            row |= {
                record["readout"]: format_interval(record),
                f"{record['readout']}, random twin": number(record["random_twin"]),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _rich_table(frame: pd.DataFrame) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        table.add_column(name, justify="left" if name in ("readout", "metric", "layer") else "right", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    return table


def collapse_records(found: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """Return one flat record per checkpoint, readout, layer, metric and convention; what is not finite is null."""
    origin = provenance(seed=found[0].seed, device=found[0].device)
    return [
        {
            "experiment": "collapse",
            "checkpoint": one.report.path,
            "name": one.name,
            "sha256": one.report.sha256,
            "dialect": one.report.dialect,
            "dataset": one.dataset,
            "seed": one.seed,
            **json_ready(record),
            "provenance": origin,
        }
        for one in found
        for record in one.measured.table.to_dict("records")
    ]


def collapse_document(found: Sequence[Diagnosis]) -> dict[str, Any]:
    """Return everything as one JSON-ready document."""
    records = [{k: v for k, v in record.items() if k != "provenance"} for record in collapse_records(found)]
    return {
        "dataset": found[0].dataset,
        "seed": found[0].seed,
        "checkpoints": [
            {
                "checkpoint": one.report.path,
                "name": one.name,
                "sha256": one.report.sha256,
                "load": json_ready(one.report.to_dict()),
                "reading": json_ready([finding.to_dict() for finding in one.reading]),
                "notes": list(one.notes),
                "growth": json_ready(one.measured.growth.to_dict("records")),
            }
            for one in found
        ],
        "records": records,
        "provenance": provenance(seed=found[0].seed, device=found[0].device),
    }


def json_ready(thing: Any) -> Any:
    """Return nested values as JSON has them: what is not a finite number is null, what JSON does not know a text."""
    if isinstance(thing, Mapping):
        return {str(name): json_ready(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [json_ready(value) for value in thing]
    if hasattr(thing, "item"):
        thing = thing.item()
    if isinstance(thing, float):
        return float(thing) if math.isfinite(thing) else None
    return thing if thing is None or isinstance(thing, str | int | bool) else str(thing)
