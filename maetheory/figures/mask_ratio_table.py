"""Table of the mask-ratio figure: its columns, its sources, and the rows that need no computation on images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from maetheory.core import Estimate
from maetheory.data.paper import paper_numbers
from maetheory.empirical import IntervalEstimate
from maetheory.training import TrainConfig

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
COLUMNS = ("source", "number", "asked", "rho", "value", "low", "high", "decided")
PAPER = "paper"
PIXELS, FEATURES = ("pixels, one mask", "pixels, own masks"), ("features, one mask", "features, own masks")
TOKENS, KERNEL = "token graphs", "kernel graphs"
TRAINED_READOUTS = ("trained at ρ, cls", "trained at ρ, mean of patches")
DISTANCES, CHANGE_FROM_MINIMUM = ("intra", "inter", "relative"), "change"
PAPER_MINIMUM = 0.7  # mask ratio at which the paper's intra / inter ratio is smallest


def measurement_row(
    source: str, quantity: str, requested_ratio: float, mask_ratio: float, estimate: IntervalEstimate | Estimate
) -> tuple[Any, ...]:
    """Return one row of the table, in the order of `COLUMNS`."""
    value = float(estimate) if isinstance(estimate, Estimate) else estimate.value
    decided = not isinstance(estimate, IntervalEstimate) or estimate.decided
    return source, quantity, requested_ratio, mask_ratio, value, estimate.low, estimate.high, decided


def rows_to_table(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Return rows as a DataFrame with the columns `COLUMNS`."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def paper_rows() -> pd.DataFrame:
    """Return the distances that the paper plots, with the columns `COLUMNS`; the paper states no errors."""
    numbers = paper_numbers("mask_ratio").rename(columns=lambda name: name.removesuffix("_class_distance"))
    numbers = numbers.rename(columns={"relative_distance": "relative"})
    minimum = float(numbers.relative[numbers.mask_ratio == PAPER_MINIMUM].iloc[0])
    numbers[CHANGE_FROM_MINIMUM] = numbers.relative - minimum
    rows = [
        measurement_row(PAPER, number, record["mask_ratio"], record["mask_ratio"], Estimate(record[number]))
        for record in numbers.to_dict("records")
        for number in (*DISTANCES, CHANGE_FROM_MINIMUM)
    ]
    return rows_to_table(rows)


def accuracy_rows(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the linear-probe accuracy, in percent, of models trained at each mask ratio.

    Parameters
    ----------
    ledger : DataFrame
        As `maetheory.experiments.run` returns it: one model for each ratio and seed.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: mean over seeds, with two standard errors over seeds or, for a single seed, two binomial
        standard errors over test images. `asked` is the ratio of the recipe; `rho` is the share of patches that its
        masks hide, which differs where the ratio gives no whole number of patches.
    """
    probes, rows = ledger[ledger.metric == "linear_probe"], []
    requested = probes.training.map(lambda recipe: float(recipe["mask_ratio"]))
    hidden = probes.training.map(lambda recipe: float(TrainConfig.from_dict(recipe).law().mask_ratio))
    for (readout, ratio, rho), part in probes.groupby(["readout", requested, hidden]):
        source = TRAINED_READOUTS[0] if readout == "cls" else TRAINED_READOUTS[1]
        single = len(part) == 1
        error = float(part.error.iloc[0]) if single else 2 * float(part.value.std(ddof=1)) / math.sqrt(len(part))
        accuracy = Estimate(100 * float(part.value.mean()), 100 * error)
        rows.append(measurement_row(source, "accuracy", ratio, rho, accuracy))
    return rows_to_table(rows)
