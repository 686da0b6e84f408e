"""Axis scales, ticks and intervals shared by several figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes


def set_mask_ratio_axis(ax: Axes) -> None:
    """Give the x axis the range and ticks of a mask ratio."""
    ax.set(xlim=(0, 1), xlabel="mask ratio $\\rho$")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def set_step_axis(ax: Axes, ticks: Sequence[int]) -> None:
    """Give the x axis a logarithmic scale of training steps that includes step 0."""
    ax.set_xscale("symlog", linthresh=1, linscale=0.5)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()


def fill_interval(
    ax: Axes, x: pd.Series, low: pd.Series, high: pd.Series, *, color: str, alpha: float = 0.2, upper: float = np.inf
) -> None:
    """Shade the interval between `low` and `high`, both clipped at `upper`."""
    ax.fill_between(x, low.clip(upper=upper), high.clip(upper=upper), color=color, alpha=alpha, lw=0)


def curves_by_label(axes: Sequence[Axes]) -> dict[str, Artist]:
    """Return one curve for each label that occurs in any of the axes, for a legend of all of them."""
    return {
        label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True) if label
    }
