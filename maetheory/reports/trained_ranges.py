"""Make the table of metrics in models that were trained here, from the published ledgers.

python -m maetheory.reports.trained_ranges figures maetheory/evaluation/collapse/trained_ranges.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from maetheory.core import atomic_write
from maetheory.metrics import CONVENTIONS
from maetheory.reports.published_ledgers import read_published_ledgers
from maetheory.training import TrainConfig

LEDGERS = ("digits", "digits-20", "cifar10-small", "cifar10-small-10", "tin20", "tin20-10")
"""Experiments that train the objectives at their usual recipe, not sweeps of another setting."""
METRICS = ("effective_rank", "mean_cosine", "stable_rank")
READOUTS = ("cls", "mean")


def trained_ranges_table(folder: str | Path) -> pd.DataFrame:
    """Return the least and the greatest value of each metric over the seeds of each objective and data set.

    A seed that several ledgers hold counts once.

    Parameters
    ----------
    folder : path
        Folder of the published ledgers.

    Returns
    -------
    DataFrame
        The columns of `maetheory.evaluation.collapse.calibration.trained_ranges`.
    """
    ledger = read_published_ledgers(folder)
    ledger = ledger[ledger.experiment.isin(LEDGERS) & ledger.metric.isin(METRICS) & ledger.readout.isin(READOUTS)]
    rows = []
    for (dataset, objective, readout, metric), part in ledger.groupby(
        ["dataset", "objective", "readout", "metric"], sort=False
    ):
        each = part.drop_duplicates("seed", keep="last")
        widths = {TrainConfig.from_dict(recipe).model.encoder.width for recipe in part.training}
        rows.append(
            {
                "dataset": dataset,
                "objective": objective,
                "readout": readout,
                "metric": metric,
                "convention": CONVENTIONS[str(metric)][0].name,
                "low": round(float(each.value.min()), 4),
                "high": round(float(each.value.max()), 4),
                "seeds": len(each),
                "images": int(each.test_images.max()),
                "d": max(widths),
                "ledgers": " ".join(sorted(set(part.experiment))),
            }
        )
    return pd.DataFrame(rows).sort_values(["metric", "readout", "dataset", "objective"]).reset_index(drop=True)


def main(folder: str, output: str) -> None:
    """Write the table."""
    with atomic_write(Path(output)) as part:
        trained_ranges_table(folder).to_csv(part, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
