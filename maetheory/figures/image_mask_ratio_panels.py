"""Panels against the mask ratio: distances, what they say of classes, accuracy, and the numbers of mask graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.image_mask_ratio import (
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
        TRAINED_READOUTS[0]: {"color": COLOUR_CYCLE[2], "marker": "v"},
        TRAINED_READOUTS[1]: {"color": COLOUR_CYCLE[3], "marker": "P"},
    }
)
_GRAPH_PANELS = {
    "alpha": "$\\alpha$",
    "phi": "$\\phi$",
    "next": "$\\lambda_{k+1}$",
    "bound": "$4\\phi/(1-\\lambda_{k+1})+2\\alpha$",
}
_BOUND_LIMITS = (0.5, 100.0)  # drawn of the bound, whose bands may reach infinity


def draw_image_mask_ratios(axes: np.ndarray, frame: pd.DataFrame) -> None:
    """Draw the table of `image_mask_ratios` on axes of shape `PANEL_GRID`; a panel of which nothing is known is left out.

    Bands are two standard errors, or 95 % bands of token graphs, where an open mark is UNDECIDED.
    """
    known = {source for source, number in zip(frame.source, frame.number) if number == "intra"}
    groups = {"pixels": PIXELS, "features": FEATURES, "paper": (PAPER,)}
    distances = [(title, sources) for title, sources in groups.items() if known.intersection(sources)]
    for ax, (title, sources) in zip(axes[0], distances):
        _draw_distances(ax, frame, sources, f"(b) distance, {title}")
    quotients = {
        "relative": ("(c) intra / inter", (*PIXELS, *FEATURES, PAPER)),
        CHANGE_FROM_MINIMUM: (f"(c) less that at ρ = {PAPER_MINIMUM}", (PIXELS[0], PAPER)),
        "accuracy": ("(e) linear probe, %", TRAINED_READOUTS),
    }
    shown = [number for number in quotients if (frame.number == number).any()]
    for ax, number in zip(axes[1], shown):
        title, sources = quotients[number]
        _draw_curves(ax, frame[frame.number == number], sources)
        ax.set_title(title)
    for ax, (number, title) in zip(axes[2], _GRAPH_PANELS.items(), strict=True):
        lowest, reach = _BOUND_LIMITS if number == "bound" else (0.0, 1.0)
        _draw_curves(ax, frame[frame.number == number], (TOKENS, KERNEL), reach)
        ax.set(title=f"(d) {title}", ylim=(lowest, reach))
    axes[2, 3].set_yscale("log")
    axes[2, 3].set_yticks([1, 10, 100], ["1", "10", "100"])
    axes[2, 3].axhline(1.0, color="black", lw=0.8, ls=":")
    trained = [axes[1, shown.index("accuracy")]] if "accuracy" in shown else []
    _legend(axes[0, len(distances)], list(axes[0, : len(distances)]), {"intra-class": "-", "inter-class": "--"})
    _legend(axes[1, len(shown)], [*trained, axes[2, 0]], {"trivial bound 1": ":"})
    for ax in (*axes[0, len(distances) + 1 :], *axes[1, len(shown) + 1 :]):
        ax.set_visible(False)
    for ax in (*axes[0, : len(distances)], *axes[1, : len(shown)], *axes[2]):
        ax.set(xlim=(0, 1), xlabel="mask ratio $\\rho$")
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])


def _draw_distances(ax: Axes, frame: pd.DataFrame, sources: Sequence[str], title: str) -> None:
    _draw_curves(ax, frame[frame.number == "intra"], sources)
    _draw_curves(ax, frame[frame.number == "inter"], sources, ls="--", mfc="white", label="")
    ax.set_title(title)
    if sources != (PAPER,):
        ax.set_ylim(bottom=0)


def _draw_curves(ax: Axes, part: pd.DataFrame, sources: Sequence[str], reach: float = np.inf, **look: Any) -> None:
    """Draw a line with its band for each source, open marks where it is undecided."""
    for source in sources:
        rows = part[part.source == source].sort_values("rho")
        if rows.empty:
            continue
        own = {**_LINE_STYLES[source], "ms": 3.5, "lw": 1.2, "label": source, **look}
        ax.fill_between(
            rows.rho, rows.low.clip(upper=reach), rows.high.clip(upper=reach), color=own["color"], alpha=0.15, lw=0
        )
        ax.plot(rows.rho, rows.value.clip(upper=reach), **own)
        undecided = rows[~rows.decided.astype(bool)]
        ax.plot(undecided.rho, undecided.value.clip(upper=reach), **{**own, "ls": "", "mfc": "white", "label": ""})


def _legend(ax: Axes, of: Sequence[Axes], lines: Mapping[str, str]) -> None:
    """Name what other axes show, and what kinds of line mean, on axes of their own."""
    ax.axis("off")
    for name, style in lines.items():
        ax.plot([], [], color="black", lw=1.2, ls=style, label=name)
    shown = [pair for one in (*of, ax) for pair in zip(*one.get_legend_handles_labels(), strict=True)]
    ax.legend(*zip(*shown, strict=True), loc="center left", bbox_to_anchor=(-0.1, 0.5), fontsize=8.5)
