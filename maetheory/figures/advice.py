"""Scores of mask laws with their intervals: one panel for each score, the candidates in the order of the first one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.score_against_accuracy import score_title
from maetheory.figures.style import COLOUR_CYCLE


def advice_size(frame: pd.DataFrame) -> tuple[int, tuple[float, float]]:
    """Return the number of panels and the size of the figure in inches for a table of `Advice.to_frame`."""
    panels = frame.score.nunique()
    return panels, (2.2 + 2.6 * panels, 1.1 + 0.22 * frame.candidate.nunique())


def draw_advice(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw each candidate's score with its 95 % interval; the colour is its group.

    Parameters
    ----------
    axes : sequence of Axes
        One for each score.
    frame : DataFrame
        As `Advice.to_frame` returns it.
    """
    scores = list(dict.fromkeys(frame.score))
    order = frame[frame.score == scores[0]].candidate.tolist()
    for ax, score in zip(axes, scores, strict=True):
        part = frame[frame.score == score].set_index("candidate").loc[order]
        rows = np.arange(len(part))
        colours = [COLOUR_CYCLE[0] if group == 1 else "gray" for group in part.group]
        ax.hlines(rows, part.low, part.high, color=colours, lw=1.2)
        ax.scatter(part.value, rows, color=colours, s=16, zorder=3)
        ax.set(ylim=(len(rows) - 0.4, -0.6))
        ax.set_yticks(rows, order if ax is axes[0] else [""] * len(rows), fontsize=7)
        ax.tick_params(axis="x", labelsize=7)
        ax.grid(axis="y", visible=False)
        if part.direction.iloc[0] < 0:
            ax.invert_xaxis()
        ax.set_title(score_title(score), fontsize=9)
        ax.set_xlabel("better →; blue: not told apart from the best", fontsize=7)
