"""Effective rank and probes of untrained networks, MAE and U-MAE under two rules of initialisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.style import COLOUR_CYCLE
from maetheory.training import TrainConfig

MEASURES = (("effective_rank", "cls"), ("linear_probe", "cls"), ("linear_probe", "mean"))
RULES = {"xavier": "Xavier-uniform", "normal": "normal, 0.02"}
_TITLES = ("effective rank, cls", "linear probe, cls (%)", "linear probe, mean (%)")


def initialisation(ledger: pd.DataFrame) -> pd.DataFrame:
    """Collect rank and probe accuracy of each objective, rule of initialisation and seed.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment with objective, seed, training (the recipe), readout, metric, value.

    Returns
    -------
    DataFrame
        objective, initialisation ("xavier" or "normal"), seed, metric, readout, value (percent for probes).
    """
    rules = [TrainConfig.from_dict(training).initialisation for training in ledger.training]
    named = ledger.assign(
        initialisation=rules, value=np.where(ledger.metric == "linear_probe", 100 * ledger.value, ledger.value)
    )
    chosen = named[[pair in MEASURES for pair in zip(named.metric, named.readout, strict=True)]]
    columns = ["objective", "initialisation", "seed", "metric", "readout", "value"]
    return chosen[columns].sort_values(columns[:-1]).reset_index(drop=True)


def draw_initialisation(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel for each measure: a point for each seed, and the mean and standard deviation over seeds."""
    objectives = [name for name in ("random", "MAE", "U-MAE") if name in set(frame.objective)]
    for ax, (metric, readout), title in zip(axes, MEASURES, _TITLES, strict=True):
        part = frame[(frame.metric == metric) & (frame.readout == readout)]
        for offset, (rule, label), colour in zip((-0.14, 0.14), RULES.items(), COLOUR_CYCLE, strict=False):
            for position, objective in enumerate(objectives):
                values = part[(part.initialisation == rule) & (part.objective == objective)].value
                spread = values.std(ddof=1) if len(values) > 1 else 0.0
                x = position + offset
                ax.plot(np.full(len(values), x - 0.07), values, ".", color=colour, ms=3, alpha=0.6)
                ax.errorbar(
                    x,
                    values.mean(),
                    spread,
                    fmt="o",
                    color=colour,
                    ms=5,
                    capsize=3,
                    label=label if not position else None,
                )
        ax.set_xticks(range(len(objectives)), objectives)
        ax.set_xlim(-0.5, len(objectives) - 0.5)
        ax.set_title(title)
    axes[0].set_ylim(bottom=0)
