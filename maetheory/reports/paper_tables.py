"""Tables 1 and 2 of the paper with our accuracy beside every cell, and the table of our other experiments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from maetheory.data.paper import paper_numbers
from maetheory.data.paper.experiment_names import TABLES, experiment_name, experiment_names
from maetheory.reports.claims import NOT_RUN
from maetheory.reports.tables import TASK_METRICS, format_percent

EMPTY_CELL = "–"
OBJECTIVES = ("random", "MAE", "U-MAE", "SimMIM", "U-SimMIM")
_DETAIL_COLUMNS = ("seeds", "epochs", "images", "recipe")
_NO_RUN_DETAILS = dict.fromkeys(("readout", *_DETAIL_COLUMNS), EMPTY_CELL)


def paper_table(ledger: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return a table of the paper with our accuracy beside each of its cells.

    Parameters
    ----------
    ledger : DataFrame
        Published records. Only the experiments named by `experiment_name` are used.
    table : "table1" or "table2"

    Returns
    -------
    DataFrame
        task, dataset, backbone, method, paper (percent, as printed), ours (percent: mean ± standard deviation over
        seeds, or ± two standard errors over test images for one seed; "not run" if there is none), readout, seeds,
        epochs, images (training + test), recipe of the probe. A cell of the paper has one row per readout.
    """
    rows: list[dict[str, Any]] = []
    for cell in paper_numbers(table).itertuples():
        start = {
            "task": cell.task,
            "dataset": cell.dataset,
            "backbone": cell.backbone,
            "method": cell.method,
            "paper": f"{cell.accuracy_percent:.1f}",
        }
        name = experiment_name(table, cell.dataset, cell.backbone)
        found = ledger[
            (ledger.experiment == name) & (ledger.cell == cell.method) & (ledger.metric == TASK_METRICS[cell.task])
        ]
        rows += [start | ours for ours in _own_accuracies_by_readout(found)] or [
            start | {"ours": NOT_RUN} | _NO_RUN_DETAILS
        ]
    return pd.DataFrame(rows)


def own_results_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies of published experiments that are not cells of the paper.

    Returns
    -------
    DataFrame
        task, experiment, dataset, backbone, readout, one column per objective with texts as in `paper_table`, seeds,
        epochs, images, recipe.
    """
    paper_experiments = {name for table in TABLES for name in experiment_names(table)}
    rows = []
    tasks = {metric: task for task, metric in TASK_METRICS.items()}
    found = ledger[
        ledger.metric.isin(tasks) & ledger.cell.isin(OBJECTIVES) & ~ledger.experiment.isin(paper_experiments)
    ]
    for (metric, experiment, readout), part in found.groupby(["metric", "experiment", "readout"], sort=False):
        cells = dict(iter(part.groupby("cell", sort=False)))
        if not {"MAE", "U-MAE"} <= set(cells):
            continue
        trained = part[part.cell != "random"]
        texts = {name: format_accuracy(cells[name]) if name in cells else EMPTY_CELL for name in OBJECTIVES}
        rows.append(
            {
                "task": tasks[metric],
                "experiment": experiment,
                "dataset": part.dataset.iloc[0],
                "backbone": _backbone_name(trained.training.iloc[0]),
                "readout": readout,
                **texts,
                **_run_details(trained),
            }
        )
    columns = ["task", "experiment", "dataset", "backbone", "readout", *OBJECTIVES, *_DETAIL_COLUMNS]
    return pd.DataFrame(rows, columns=columns)


def format_accuracy(records: pd.DataFrame) -> str:
    """Format accuracies in percent.

    Several seeds: mean ± standard deviation over seeds. One seed: value ± two standard errors over test images.
    """
    if len(records) > 1:
        return format_percent(list(records.value))
    return f"{100 * records.value.iloc[0]:.1f} ± {100 * records.error.iloc[0]:.1f}"


def _own_accuracies_by_readout(found: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"ours": format_accuracy(part), "readout": readout, **_run_details(part)}
        for readout, part in found.groupby("readout", sort=False)
    ]


def _run_details(records: pd.DataFrame) -> dict[str, str]:
    pairs = sorted({f"{row.train_images} + {row.test_images}" for row in records.itertuples()})
    return {
        "seeds": str(records.seed.nunique()),
        "epochs": _join_texts(sorted(set(records.epochs))),
        "images": _join_texts(pairs),
        "recipe": "; or ".join(sorted(set(records.recipe))),
    }


def _join_texts(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values))


def _backbone_name(training: dict[str, Any]) -> str:
    from maetheory.training import TrainConfig  # torch and Lightning take seconds to import

    vit = TrainConfig.from_dict(training).model.encoder
    return f"ViT {vit.width} wide, {vit.depth} deep, patch {vit.patch} of {vit.image_size}"
