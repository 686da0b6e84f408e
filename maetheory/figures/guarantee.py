"""Bounds that the theory certifies on real images, beside the measured error."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.style import COLOUR_CYCLE

_LARGEST_DRAWN = 2.0


def best_guarantees(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the row with the smallest bound on the first half for each data set and statement (and k, if finite).

    Parameters
    ----------
    frame : DataFrame
        Of `maetheory.experiments.guarantee`. The second half has no say in the choice.
    """
    key = frame.k.where(frame.statement != "population", -1)
    chosen = frame.groupby([frame.dataset, frame.statement, key], sort=False).first_half.idxmin()
    return frame.loc[chosen].reset_index(drop=True)


def draw_guarantee(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel for each data set: bounds on residual and error by number of features, and the measured values.

    Parameters
    ----------
    axes : sequence of Axes
        One for each data set.
    frame : DataFrame
        As for `best_guarantees`, whose rows are drawn. Bounds above 2 are drawn at 2.
    """
    frame = best_guarantees(frame)
    for ax, (dataset, part) in zip(axes, frame.groupby("dataset", sort=False), strict=True):
        finite = part[part.statement != "population"].sort_values("k")
        whole = part[part.statement == "population"]
        quantities = (
            ("residual", "residual_bound", "measured_residual"),
            ("error from one view", "one_view_error_bound", "measured_error"),
        )
        for (label, bound, measured), colour in zip(quantities, COLOUR_CYCLE, strict=False):
            top = finite[bound].clip(upper=_LARGEST_DRAWN)
            ax.plot(finite.k, top, color=colour, marker="o", ms=3, label=f"{label}: bound, these images")
            ax.plot(finite.k, finite[measured], color=colour, ls="--", label="measured")
            ax.plot(
                whole.k, whole[bound].clip(upper=_LARGEST_DRAWN), "*", ms=11, color=colour, label="bound, all images"
            )
            ax.plot(whole.k, whole[measured], "x", ms=6, color=colour, label="measured")
        ax.plot(finite.k, finite.trivial_residual, color="black", lw=0.8, ls="-.", label="residual of random features")
        ax.plot(finite.k, finite.trivial_error, color="black", lw=0.8, ls=":", label="error of random features")
        ax.set(title=dataset, xscale="log", ylim=(0, _LARGEST_DRAWN + 0.1), xlabel="features k")
        ticks = [10, 20, 50, 100, 200]
        ax.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        ax.set_xticks([], minor=True)
        ax.set_yticks([0, 0.5, 1, 1.5, 2], ["0", "0.5", "1", "1.5", "≥ 2"])
    axes[0].figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7, columnspacing=1.2
    )
