"""Accuracy table of a run with the paper's rows, and the format of means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from maetheory.core import Estimate
from maetheory.data.paper import paper_numbers

TASK_METRICS: Mapping[str, str] = MappingProxyType({"linear probing": "linear_probe", "fine-tuning": "fine_tuning"})
"""Task of the paper -> metric of a ledger."""


def mean_and_std(values: Sequence[float]) -> Estimate:
    """Mean over seeds, with their standard deviation (n − 1) as `error`; 0 for one seed.

    The error is a standard deviation, not the two standard errors of other estimates.

    Examples
    --------
    >>> mean_and_std([1.0, 2.0, 3.0]).error
    1.0
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Estimate(float(np.mean(values)), spread, sampled=True)


def format_mean_and_std(values: Sequence[float]) -> str:
    """Mean over seeds to one decimal, with the standard deviation if there are several seeds.

    Examples
    --------
    >>> format_mean_and_std([25.0, 26.0]), format_mean_and_std([25.0])
    ('25.5 ± 0.7', '25.0')
    """
    estimate = mean_and_std(values)
    return f"{estimate.value:.1f}" + (f" ± {estimate.error:.1f}" if len(values) > 1 else "")


def format_percent(values: Sequence[float]) -> str:
    """Mean of fractions in percent, with the standard deviation if there are several seeds.

    Examples
    --------
    >>> format_percent([0.5, 0.52]), format_percent([0.5])
    ('51.0 ± 1.4', '50.0')
    """
    return format_mean_and_std([100 * value for value in values])


def accuracy_table(ledger: pd.DataFrame, *, dataset: str) -> pd.DataFrame:
    """Return the accuracies of a run in percent, followed by the CIFAR-10 rows of Table 1 for the same tasks.

    Parameters
    ----------
    ledger : DataFrame
        Records with objective, seed, readout, metric, value.
    dataset : str
        Name of the run's data set.

    Returns
    -------
    DataFrame
        source, task, readout, dataset, seeds, and one text per objective (mean ± standard deviation over seeds).
    """
    tasks = {metric: task for task, metric in TASK_METRICS.items()} | {"knn_probe": "20-NN"}
    probes = ledger[ledger.metric.isin(tasks)]
    rows: list[dict[Any, Any]] = []
    for (metric, readout), group in probes.groupby(["metric", "readout"]):
        row = {
            "source": "this run",
            "task": tasks[str(metric)],
            "readout": readout,
            "dataset": dataset,
            "seeds": group.seed.nunique(),
        }
        for objective, runs in group.groupby("objective", sort=False):
            row[str(objective)] = format_percent(list(runs.value))
        rows.append(row)
    paper = paper_numbers("table1")
    paper = paper[paper.task.isin({row["task"] for row in rows}) & (paper.dataset == "CIFAR-10")]
    for (task, backbone), group in paper.groupby(["task", "backbone"], sort=False):
        row = {
            "source": "paper",
            "task": task,
            "readout": "not stated",
            "dataset": f"CIFAR-10, {backbone}",
            "seeds": "not stated",
        }
        rows.append(row | {r.method: f"{r.accuracy_percent:.1f}" for r in group.itertuples()})
    return pd.DataFrame(rows).fillna("–")
