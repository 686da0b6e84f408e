"""Ranges of metrics in models that were trained here, to compare a value with.

`trained_ranges.csv` is made from the published ledgers by ``python -m maetheory.reports.trained_ranges``. The models
are small and were trained briefly; a range says what is usual for its data, dimension and number of images, not what is
good.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import pandas as pd

RANGES_FILE = "trained_ranges.csv"
DATA_NAMES = {"digits": "digits", "cifar10": "CIFAR-10", "tin20": "20 classes of Tiny-ImageNet"}


@lru_cache(maxsize=1)
def _shipped_ranges() -> pd.DataFrame:
    with (files("maetheory.evaluation.collapse") / RANGES_FILE).open(encoding="utf-8") as file:
        return pd.read_csv(file)


def trained_ranges(metric: str, readout: str) -> pd.DataFrame:
    """Return the ranges of a metric in models that were trained here.

    Parameters
    ----------
    metric : str
        Under the convention of its publication: effective_rank, mean_cosine or stable_rank.
    readout : str
        "cls" or "mean"; of any other, those of the mean of patches are returned.

    Returns
    -------
    DataFrame
        dataset, objective ("random": untrained), readout, metric, convention, low, high (least and greatest over
        seeds), seeds, images, d, ledgers.
    """
    table = _shipped_ranges()
    chosen = readout if readout in set(table.readout) else "mean"
    return table[(table.metric == metric) & (table.readout == chosen)].reset_index(drop=True)
