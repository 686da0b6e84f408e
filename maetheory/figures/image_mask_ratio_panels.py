"""Panels of the mask-ratio figure: distances, their ratio, accuracy, and statistics of mask graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.axes import fill_interval, set_mask_ratio_axis
from maetheory.figures.mask_ratio_table import (
    CHANGE_FROM_MINIMUM,
    FEATURES,
    KERNEL,
    PAPER,
    PAPER_MINIMUM,
    PIXELS,
    TOKENS,
    TRAINED_READOUTS,
)
from maetheory.figures.style import COLOUR_CYCLE

PANEL_GRID, FIGURE_SIZE = (3, 4), (10.0, 7.6)
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
_GRAPH_PANELS = {
    "alpha": "$\\alpha$",
    "phi": "$\\phi$",
    "next": "$\\lambda_{k+1}$",
    "bound": "$4\\phi/(1-\\lambda_{k+1})+2\\alpha$",
}
_DISTANCE_TITLES = {"pixels": "distance of pixels", "features": "distance of features", "paper": "distance, paper"}
_Y_LABELS = {"relative": "intra / inter", CHANGE_FROM_MINIMUM: "change of intra / inter", "accuracy": "linear probe, %"}
_BOUND_LIMITS = (0.5, 100.0)  # y range of the bound, whose intervals may be unbounded


def draw_image_statistics_by_mask_ratio(axes: np.ndarray, frame: pd.DataFrame) -> None:
    """Draw the table of `image_statistics_by_mask_ratio` on axes of shape `PANEL_GRID`; panels without data are hidden.

    Shaded areas are two standard errors, or 95 % intervals for token graphs, where an open marker is UNDECIDED.
    """
    available = {source for source, number in zip(frame.source, frame.number) if number == "intra"}
    groups = {"pixels": PIXELS, "features": FEATURES, "paper": (PAPER,)}
    distances = [(title, sources) for title, sources in groups.items() if available.intersection(sources)]
    for ax, (title, sources) in zip(axes[0], distances):
        _draw_distances(ax, frame, sources, f"(b) {_DISTANCE_TITLES[title]}")
    axes[0, 0].set_ylabel("mean distance of two images")
    ratios = {
        "relative": ("(c) intra / inter", (*PIXELS, *FEATURES, PAPER)),
        CHANGE_FROM_MINIMUM: (f"(c) change from ρ = {PAPER_MINIMUM}", (PIXELS[0], PAPER)),
        "accuracy": ("(d) models trained at ρ", TRAINED_READOUTS),
    }
    shown = [number for number in ratios if (frame.number == number).any()]
    for ax, number in zip(axes[1], shown):
        title, sources = ratios[number]
        _draw_curves(ax, frame[frame.number == number], sources)
        ax.set(title=title, ylabel=_Y_LABELS[number])
        if number == "accuracy":
            ax.legend(fontsize=8)
    for ax, (number, title) in zip(axes[2], _GRAPH_PANELS.items(), strict=True):
        lower, upper = _BOUND_LIMITS if number == "bound" else (0.0, 1.0)
        _draw_curves(ax, frame[frame.number == number], (TOKENS, KERNEL), upper)
        ax.set(title=f"(e) {title}", ylim=(lower, upper))
    axes[2, 0].set_ylabel("mask graph")
    if not frame.decided.astype(bool).all():
        axes[2, 0].plot([], [], color="black", marker="o", mfc="white", ms=3.5, ls="", label="open: undecided")
    axes[2, 0].legend(fontsize=8, loc="lower right")
    axes[2, 3].set_yscale("log")
    axes[2, 3].set_yticks([1, 10, 100], ["1", "10", "100"])
    axes[2, 3].axhline(1.0, color="black", lw=0.8, ls=":", label="trivial bound 1")
    axes[2, 3].legend(handles=axes[2, 3].lines[-1:], fontsize=8, loc="lower left", borderpad=0)
    _draw_legend(axes[0, len(distances)], list(axes[0, : len(distances)]), {"intra-class": "-", "inter-class": "--"})
    for ax in (*axes[0, len(distances) + 1 :], *axes[1, len(shown) :]):
        ax.set_visible(False)
    for ax in (*axes[0, : len(distances)], *axes[1, : len(shown)], *axes[2]):
        set_mask_ratio_axis(ax)


def _draw_distances(ax: Axes, frame: pd.DataFrame, sources: Sequence[str], title: str) -> None:
    _draw_curves(ax, frame[frame.number == "intra"], sources)
    _draw_curves(ax, frame[frame.number == "inter"], sources, ls="--", mfc="white", label="")
    ax.set_title(title)
    if sources != (PAPER,):
        ax.set_ylim(bottom=0)


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


def _draw_legend(ax: Axes, axes_with_curves: Sequence[Axes], lines: Mapping[str, str]) -> None:
    """Draw a legend of the curves of other axes and of line styles on axes of its own."""
    ax.axis("off")
    for name, style in lines.items():
        ax.plot([], [], color="black", lw=1.2, ls=style, label=name)
    shown = [pair for one in (*axes_with_curves, ax) for pair in zip(*one.get_legend_handles_labels(), strict=True)]
    ax.legend(*zip(*shown, strict=True), loc="center left", bbox_to_anchor=(-0.1, 0.5), fontsize=8.5)
