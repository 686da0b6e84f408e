"""Probes, rank and reconstruction of MAE and U-MAE against the length of training, and the gain of U-MAE."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.ticker import NullLocator

from maetheory.figures.style import COLOURS

GAIN = "gain"
_TITLES = {
    ("linear_probe", "cls"): "linear probe, cls (%)",
    ("linear_probe", "mean"): "linear probe, mean (%)",
    ("knn_probe", "cls"): "k-NN, cls (%)",
    ("effective_rank", "cls"): "effective rank, cls",
    ("reconstruction_loss", "hidden pixels"): "squared error, hidden pixels",
}


def draw_training_length(axes: Any, frame: pd.DataFrame) -> None:
    """Draw a row of two panels for each measure: both objectives, and their difference with its interval.

    Parameters
    ----------
    axes : array of Axes (M, 2)
    frame : DataFrame
        Of `maetheory.reports.training_length_table`, with M measures.
    """
    measures = list(dict.fromkeys(zip(frame.metric, frame.readout, strict=True)))
    for (left, right), (metric, readout) in zip(axes, measures, strict=True):
        part = frame[(frame.metric == metric) & (frame.readout == readout)]
        for curve, rows in part.groupby("curve", sort=False):
            ax, colour = (right, "black") if curve == GAIN else (left, COLOURS[str(curve)])
            label = None if curve == GAIN else str(curve)
            ax.errorbar(
                rows.epochs, rows.value, rows.error.fillna(0), color=colour, marker="o", ms=4, capsize=2, label=label
            )
        right.axhline(0, color="black", lw=0.8, ls="--")
        left.set_title(_TITLES[metric, readout])
        right.set_title("change by the uniformity term")
        for ax in (left, right):
            ax.set_xscale("log", base=2)
            ax.set_xticks(sorted(set(part.epochs)), [f"{epochs:g}" for epochs in sorted(set(part.epochs))])
            ax.xaxis.set_minor_locator(NullLocator())
    for ax in axes[-1]:
        ax.set_xlabel("epochs, each with a schedule of its own")
    axes[0][0].legend()
