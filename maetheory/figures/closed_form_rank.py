"""Effective rank of a trained U-MAE on a finite world when one thing of its training is changed."""

from __future__ import annotations

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes


def draw_closed_form_rank(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw a row for each change: a point for each seed and weight, and a dash for the closed form.

    Parameters
    ----------
    ax : Axes
    frame : DataFrame
        Of `maetheory.experiments.closed_form_rank`: change, weight, seed, rank, predicted_rank.
    """
    changes = list(dict.fromkeys(frame.change))
    weights = sorted(set(frame.weight))
    for place, weight in enumerate(weights):
        colour = colormaps["viridis"](0.85 * place / max(len(weights) - 1, 1))
        shift = 0.22 * (place - (len(weights) - 1) / 2)
        here = frame[frame.weight == weight]
        rows = [changes.index(change) + shift for change in here.change]
        ax.plot(here.predicted_rank, rows, ls="", marker="|", ms=7, mew=1.5, color=colour)
        ax.plot(here["rank"], rows, ls="", marker="o", ms=4, color=colour, label=f"λ = {weight:g}")
    ax.plot([], [], ls="", marker="|", ms=7, mew=1.5, color="black", label="closed form")
    ax.set_yticks(range(len(changes)), changes)
    ax.set_ylim(len(changes) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("effective rank of cls features")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
