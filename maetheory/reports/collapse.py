"""Collapse report as terminal text, JSON document and flat records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from maetheory.core import printable, provenance
from maetheory.core.json_documents import json_ready
from maetheory.evaluation.collapse.formatting import format_interval, format_number
from maetheory.reports.console import borderless_table, capturing_console
from maetheory.reports.diagnosis import Diagnosis

if TYPE_CHECKING:
    from rich.table import Table

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
"""Metrics of the table in the terminal; the other files hold all."""
BASELINE_HEADINGS = {"random_init": "random init", "shuffled": "shuffled", "noise": "noise"}
"""Column of a collapse table -> heading."""
LEGEND = (
    "Values are those of the n rows measured. Brackets: interval of two standard errors. For a metric of moments it is "
    "extrapolated to n → ∞, so the value at this n can lie outside it; for uniformity, TwoNN, coherence, LiDAR and "
    "mask-pair alignment it lies around the value, for another sample of as many images. "
    "Random init: untrained networks of the same architecture on the same images, drawn by the code base's own "
    "initialisation rule; the mean over several draws. The span of effective rank and mean cosine (random_span_low and "
    "random_span_high in the records) covers the usual rules. "
    "Shuffled: each column of the features permuted independently. Noise: Gaussian rows of the same shape, whose "
    "spectrum is that of Marchenko and Pastur. Ranks grow with the number of images: compare them at equal n."
)
MAX_PATH_LENGTH = 4096
_MIN_WIDTH = 100


def collapse_text(diagnoses: Sequence[Diagnosis], *, colour: bool = False, width: int = 0) -> str:
    """Return the findings and tables of all checkpoints as text.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 100.
    """
    from rich.text import Text

    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    with console.capture() as captured:
        for one in diagnoses:
            console.print(Text(f"{one.name}: {one.report.dialect}, sha256 {one.report.sha256[:12]}…", style="bold"))
            for finding in one.findings:
                console.print(str(finding), markup=False)
            for note in one.notes:
                console.print(f"note: {note}", markup=False)
            table = one.measurements.table
            console.print(_rich_table(last_layer_table(table)))
            if table.layer.nunique() > 1:
                console.print("\neffective rank by layer", markup=False)
                console.print(_rich_table(effective_rank_table_by_layer(table)))
            console.print()
        console.print(LEGEND)
    return captured.get().rstrip()


def last_layer_table(table: pd.DataFrame, metrics: Sequence[str] | None = COMPACT_METRICS) -> pd.DataFrame:
    """Return the last layer's metrics and their baselines as text.

    Parameters
    ----------
    table : DataFrame
        As `maetheory.evaluation.collapse_report` returns it; older tables with columns random_twin are accepted.
    metrics : sequence of str, optional
        Names of the metrics to show; None shows all. Each is shown under the convention of its publication.

    Returns
    -------
    DataFrame
        readout, metric, value ("value [low, high]"), random init, shuffled, noise, n, d.
    """
    table = table.rename(columns={"random_twin": "random_init"})
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    return pd.DataFrame(
        [
            {
                "readout": record["readout"],
                "metric": record["metric"],
                "value": format_interval(record),
                **{heading: format_number(record[name]) for name, heading in BASELINE_HEADINGS.items()},
                "n": str(record["n"]),
                "d": str(record["d"]),
            }
            for record in last.to_dict("records")
            if metrics is None or record["metric"] in metrics
        ]
    )


def effective_rank_table_by_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of each layer as text: one column per readout and one for its random baseline."""
    ranks = table[table.metric == "effective_rank"].drop_duplicates(["readout", "layer"])
    rows = []
    for layer, group in ranks.groupby("layer", sort=False):
        row = {"layer": str(layer)}
        for record in group.to_dict("records"):
            row[record["readout"]] = format_interval(record)
            row[f"{record['readout']}, random init"] = format_number(record["random_init"])
        rows.append(row)
    return pd.DataFrame(rows)


def _rich_table(frame: pd.DataFrame) -> Table:
    from rich.table import Column

    columns = [
        Column(name, justify="left" if name in ("readout", "metric", "layer") else "right", no_wrap=True)
        for name in frame.columns
    ]
    return borderless_table(columns, [tuple(map(str, row)) for row in frame.itertuples(index=False)])


def collapse_records(diagnoses: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """Return one flat record per checkpoint, readout, layer, metric and convention; NaN and infinities are None."""
    origin = provenance(seed=diagnoses[0].seed, device=diagnoses[0].device)
    return [
        {
            "experiment": "collapse",
            "checkpoint": printable(one.report.path, MAX_PATH_LENGTH),
            "name": one.name,
            "sha256": one.report.sha256,
            "dialect": one.report.dialect,
            "dataset": one.dataset,
            "seed": one.seed,
            **json_ready(record),
            "provenance": origin,
        }
        for one in diagnoses
        for record in one.measurements.table.to_dict("records")
    ]


def collapse_document(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """Return findings, notes, load reports and all records as one JSON-ready document."""
    records = [{k: v for k, v in record.items() if k != "provenance"} for record in collapse_records(diagnoses)]
    return {
        "dataset": diagnoses[0].dataset,
        "seed": diagnoses[0].seed,
        "checkpoints": [
            {
                "checkpoint": printable(one.report.path, MAX_PATH_LENGTH),
                "name": one.name,
                "sha256": one.report.sha256,
                "load": json_ready(one.report.to_dict()),
                "reading": json_ready([finding.to_dict() for finding in one.findings]),
                "notes": list(one.notes),
                "skipped": list(one.skipped),
                "growth": json_ready(one.measurements.growth.to_dict("records")),
            }
            for one in diagnoses
        ],
        "records": records,
        "provenance": provenance(seed=diagnoses[0].seed, device=diagnoses[0].device),
    }
