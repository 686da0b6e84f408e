"""Effective rank during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.style import objective_colours


def training_curves(logs: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]) -> pd.DataFrame:
    """Collect the effective ranks logged during training.

    Parameters
    ----------
    logs : mapping from objective to one list of metrics.jsonl records per seed

    Returns
    -------
    DataFrame
        objective, seed, epoch, effective_rank.
    """
    rows = [
        {"objective": objective, "seed": seed, "epoch": record["epoch"], "effective_rank": record["effective_rank"]}
        for objective, runs in logs.items()
        for seed, records in enumerate(runs)
        for record in records
        if "effective_rank" in record
    ]
    return pd.DataFrame(rows, columns=["objective", "seed", "epoch", "effective_rank"])


def draw_training_curves(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw a thin line per seed and a thick line for the mean over seeds."""
    colours = objective_colours(frame.objective)
    for objective, group in frame.groupby("objective", sort=False):
        colour = colours[str(objective)]
        for _, run in group.groupby("seed"):
            ax.plot(run.epoch, run.effective_rank, color=colour, lw=0.6, alpha=0.6)
        mean = group.groupby("epoch").effective_rank.mean()
        ax.plot(mean.index, mean, color=colour, lw=2, label=str(objective))
    ax.set(xlabel="epoch", ylabel="effective rank of cls features", title="effective rank during training")
    ax.set_ylim(bottom=0)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))  # outside, because the curves fill the axes
