"""Panels of the mask-ratio figure: distances, their ratio, accuracy, and statistics of mask graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maetheory.figures.axes import curves_by_label, fill_interval, set_mask_ratio_axis
from maetheory.figures.mask_ratio_table import (
    FEATURES,
    KERNEL,
    PAPER,
    PAPER_MINIMUM,
    PIXELS,
    TOKENS,
    TRAINED_READOUTS,
)
from maetheory.figures.style import COLOUR_CYCLE

PANEL_GRID, FIGURE_SIZE = (3, 4), (10.0, 8.6)
_LINE_STYLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        PIXELS[0]: {"color": COLOUR_CYCLE[0], "marker": "o"},
        PIXELS[1]: {"color": COLOUR_CYCLE[5], "marker": "s"},
        FEATURES[0]: {"color": COLOUR_CYCLE[1], "marker": "o"},
        FEATURES[1]: {"color": COLOUR_CYCLE[4], "marker": "s"},
        PAPER: {"color": "black", "marker": "D"},
        TOKENS: {"color": COLOUR_CYCLE[2], "marker": "o"},
        KERNEL: {"color": COLOUR_CYCLE[3], "marker": "^"},
        TRAINED_READOUTS[0]: {"color": "#8c564b", "marker": "v"},
        TRAINED_READOUTS[1]: {"color": "#7f7f7f", "marker": "P"},
    }
)
_BOUND_LIMITS = (0.5, 100.0)  # y range of the bound, whose intervals may be unbounded
_INTER_CLASS: Mapping[str, Any] = MappingProxyType({"ls": "--", "label": ""})


@dataclass(frozen=True)
class Panel:
    """One panel of the figure.

    Attributes
    ----------
    name : str
    title, y_label : str
    number : str
        Number of the table that is drawn; "intra" stands for both distances.
    sources : tuple of str
        Sources whose curves are drawn, of which one at least must be in the table.
    row : int
    """

    name: str
    title: str
    y_label: str
    number: str
    sources: tuple[str, ...]
    row: int


_DISTANCE, _RATIO = "mean distance (L2)", "intra / inter"
PANELS = (
    Panel("pixel distance", "distance of pixels", _DISTANCE, "intra", PIXELS, 0),
    Panel("feature distance", "distance of features", _DISTANCE, "intra", FEATURES, 0),
    Panel("paper distance", "distance in the paper", _DISTANCE, "intra", (PAPER,), 0),
    Panel("ratio", "intra / inter", _RATIO, "relative", (*PIXELS, *FEATURES, PAPER), 1),
    Panel("change", f"change from ρ = {PAPER_MINIMUM}", "change of intra / inter", "change", (PIXELS[0], PAPER), 1),
    Panel("accuracy", "models trained at ρ", "linear probe accuracy, %", "accuracy", TRAINED_READOUTS, 1),
    Panel("alpha", "label error", r"$\alpha$", "alpha", (TOKENS, KERNEL), 2),
    Panel("phi", "label error of pairs", r"$\phi$", "phi", (TOKENS, KERNEL), 2),
    Panel("next", "next eigenvalue", r"$\lambda_{k+1}$", "next", (TOKENS, KERNEL), 2),
    Panel("bound", "bound of the error", r"$4\phi/(1-\lambda_{k+1})+2\alpha$", "bound", (TOKENS, KERNEL), 2),
)
"""Panels in the order of their letters."""


def available_panels(frame: pd.DataFrame) -> list[Panel]:
    """Return the panels for which a table has curves."""
    found = set(zip(frame.number, frame.source, strict=True))
    return [panel for panel in PANELS if any((panel.number, source) in found for source in panel.sources)]


def mask_ratio_axes(figure: Figure, frame: pd.DataFrame) -> dict[str, Axes]:
    """Add the axes of the panels that a table has, in rows that each fill the width of the figure.

    Returns
    -------
    dict
        Name of a panel -> its axes, in the order of the letters.
    """
    shown = available_panels(frame)
    rows = [[panel for panel in shown if panel.row == row] for row in dict.fromkeys(panel.row for panel in shown)]
    grid = figure.add_gridspec(len(rows), 1)
    cells = [grid[place].subgridspec(1, len(row)) for place, row in enumerate(rows)]
    return {
        panel.name: figure.add_subplot(cells[place][0, column])
        for place, row in enumerate(rows)
        for column, panel in enumerate(row)
    }


def draw_image_statistics_by_mask_ratio(axes: Mapping[str, Axes] | np.ndarray, frame: pd.DataFrame) -> None:
    """Draw the table of `image_statistics_by_mask_ratio`, with one legend below all panels.

    Shaded areas are two standard errors, or 95 % intervals for token graphs, where an open marker is UNDECIDED.

    Parameters
    ----------
    axes : mapping or array of Axes
        As `mask_ratio_axes` returns them; or an array of shape `PANEL_GRID`, of which those in excess are hidden.
    frame : DataFrame
    """
    shown = available_panels(frame)
    if not isinstance(axes, Mapping):
        for ax in axes.flat[len(shown) :]:
            ax.set_visible(False)
        axes = dict(zip((panel.name for panel in shown), axes.flat, strict=False))
    for letter, panel in zip(ascii_lowercase, shown):
        ax = axes[panel.name]
        part = frame[frame.number == panel.number]
        _draw_curves(ax, part, panel.sources, _BOUND_LIMITS[1] if panel.name == "bound" else np.inf)
        if panel.number == "intra":
            _draw_curves(ax, frame[frame.number == "inter"], panel.sources, **_INTER_CLASS)
        ax.set(title=f"({letter}) {panel.title}", ylabel=panel.y_label)
        if panel.name in ("pixel distance", "feature distance"):
            ax.set_ylim(bottom=0)
        elif panel.name in ("alpha", "phi", "next"):
            ax.set_ylim(0, 1)
        elif panel.name == "bound":
            ax.set_yscale("log")
            ax.set_ylim(*_BOUND_LIMITS)
            ax.set_yticks([1, 10, 100], ["1", "10", "100"])
            ax.minorticks_off()
            ax.axhline(1.0, color="black", lw=0.8, ls=":")
        set_mask_ratio_axis(ax)
    _draw_legend([axes[panel.name] for panel in shown], frame, {panel.name for panel in shown})


def _draw_curves(ax: Axes, part: pd.DataFrame, sources: Sequence[str], upper: float = np.inf, **style: Any) -> None:
    """Draw a line with its interval for each source, with open markers where it is undecided."""
    for source in sources:
        rows = part[part.source == source].sort_values("rho")
        if rows.empty:
            continue
        line = {**_LINE_STYLES[source], "ms": 3.5, "lw": 1.2, "label": source, **style}
        fill_interval(ax, rows.rho, rows.low, rows.high, color=line["color"], alpha=0.15, upper=upper)
        ax.plot(rows.rho, rows.value.clip(upper=upper), **line)
        undecided = rows[~rows.decided.astype(bool)]
        ax.plot(undecided.rho, undecided.value.clip(upper=upper), **{**line, "ls": "", "mfc": "white", "label": ""})


def _draw_legend(axes: Sequence[Axes], frame: pd.DataFrame, panels: Set[str]) -> None:
    """Draw one legend of all curves and of line styles, below the panels."""
    curves = curves_by_label(axes)
    if "intra" in set(frame.number):
        curves["intra-class"] = Line2D([], [], color="black", lw=1.2)
        curves["inter-class"] = Line2D([], [], color="black", lw=1.2, ls="--")
    if not frame.decided.astype(bool).all():
        curves["open: undecided"] = Line2D([], [], color="black", marker="o", mfc="white", ms=3.5, ls="")
    if "bound" in panels:
        curves["trivial bound 1"] = Line2D([], [], color="black", lw=0.8, ls=":")
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    figure.legend(list(curves.values()), list(curves), loc="outside lower center", ncols=4, fontsize=9)
