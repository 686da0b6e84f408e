"""Every figure of the theory by name: how it is computed, how it is drawn, how large it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.figures.bounds_through_training import bounds_through_training, draw_bounds_through_training
from maetheory.figures.downstream_bounds import downstream_bounds, draw_downstream_bounds
from maetheory.figures.downstream_through_training import downstream_through_training, draw_downstream_through_training
from maetheory.figures.mask_graph import draw_mask_graphs, mask_graphs
from maetheory.figures.mask_ratio import draw_mask_ratios, mask_ratios
from maetheory.figures.sampled_graph import draw_sampled_graphs, sampled_graphs
from maetheory.figures.slack_and_tightness import draw_slacks, slacks
from maetheory.figures.style import paper_style, save_figure
from maetheory.figures.trained_spectrum import draw_trained_spectra, trained_spectra
from maetheory.figures.uniformity_weight import draw_predicted_spectra, predicted_spectra
from maetheory.theory import THEOREMS


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the theory.

    Attributes
    ----------
    compute : callable
        Returns the table that is drawn; takes no argument, so the same every time.
    draw : callable
        ``draw(axes, frame)``; `axes` is a list of as many as there are panels, or the one.
    size : (float, float)
        Width and height in inches.
    panels : int
        Axes in all.
    rows : int
        Rows they stand in, filled from the left.
    """

    compute: Callable[[], pd.DataFrame]
    draw: Callable[[Any, pd.DataFrame], None]
    size: tuple[float, float]
    panels: int = 1
    rows: int = 1


THEORY_FIGURES: Mapping[str, FigureSpec] = MappingProxyType(
    {
        "mask_graph": FigureSpec(mask_graphs, draw_mask_graphs, (6.5, 3.2), panels=2),
        "slack_and_tightness": FigureSpec(slacks, draw_slacks, (6.5, 0.9 + 0.21 * len(THEOREMS)), panels=2),
        "mask_ratio": FigureSpec(mask_ratios, draw_mask_ratios, (6.5, 3.0), panels=3),
        "uniformity_weight": FigureSpec(predicted_spectra, draw_predicted_spectra, (6.5, 3.0), panels=2),
        "downstream_bounds": FigureSpec(downstream_bounds, draw_downstream_bounds, (6.5, 2.9), panels=3),
        "sampled_graph": FigureSpec(sampled_graphs, draw_sampled_graphs, (6.5, 2.7), panels=4),
        "bounds_through_training": FigureSpec(
            bounds_through_training, draw_bounds_through_training, (6.5, 6.0), panels=12, rows=3
        ),
        "trained_spectrum": FigureSpec(trained_spectra, draw_trained_spectra, (6.5, 5.4), panels=4, rows=2),
        "downstream_through_training": FigureSpec(
            downstream_through_training, draw_downstream_through_training, (6.5, 3.0), panels=3
        ),
    }
)
"""Figures by name, in the order they are drawn."""


def draw_theory_figures(names: Iterable[str], folder: Path, *, progress: Progress = no_progress) -> list[Path]:
    """Compute and draw figures by name, all when none is named; each leaves an SVG, a PNG and a CSV.

    Raises
    ------
    InputError
        If a name is unknown; the message lists those that are known.
    """
    named = tuple(dict.fromkeys(names)) or tuple(THEORY_FIGURES)
    for name in named:
        if name not in THEORY_FIGURES:
            raise InputError(f"there is no figure {name!r}; the figures are: {', '.join(THEORY_FIGURES)}")
    written: list[Path] = []
    for done, name in enumerate(named, 1):
        written += _compute_and_draw(name, THEORY_FIGURES[name], folder)
        progress(done, len(named), name)
    return written


def _compute_and_draw(name: str, plate: FigureSpec, folder: Path) -> list[Path]:
    frame = plate.compute()
    with paper_style():
        figure, axes = plt.subplots(plate.rows, plate.panels // plate.rows, figsize=plate.size, layout="constrained")
        plate.draw(axes if plate.panels == 1 else list(axes.flat), frame)
        return save_figure(figure, frame, folder, name)
