"""The theory figures by name: functions that compute and draw them, and their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.unknown_names import unknown_name_error
from maetheory.figures.bounds_through_training import bounds_through_training, draw_bounds_through_training
from maetheory.figures.downstream_bounds import downstream_bounds, draw_downstream_bounds
from maetheory.figures.downstream_through_training import downstream_through_training, draw_downstream_through_training
from maetheory.figures.latent_levels import draw_latent_levels
from maetheory.figures.mask_graph import draw_mask_graphs, mask_graph_layout
from maetheory.figures.mask_ratio import draw_graph_statistics_by_mask_ratio, graph_statistics_by_mask_ratio
from maetheory.figures.sampled_graph import draw_sampled_graphs, sampled_graph_estimates
from maetheory.figures.slack_and_tightness import draw_theorem_slacks, theorem_slacks
from maetheory.figures.style import paper_style, save_figure
from maetheory.figures.trained_spectrum import draw_trained_spectra, trained_spectra
from maetheory.figures.uniformity_weight import draw_predicted_spectra, predicted_spectra
from maetheory.theory import THEOREMS
from maetheory.theory.latent_levels import latent_level_table


@dataclass(frozen=True)
class FigureSpec:
    """Functions that compute and draw one figure, and its layout.

    Attributes
    ----------
    compute : callable
        Returns the table that is drawn; needs no argument and is deterministic.
    draw : callable
        ``draw(axes, frame)``; `axes` is a list of `n_panels` axes, or the axes of a single panel.
    size : (float, float)
        Width and height in inches.
    n_panels : int
        Number of axes.
    n_rows : int
        Number of rows of axes.
    trains : bool
        Whether `compute` trains small networks and takes the device as an option.
    """

    compute: Callable[..., pd.DataFrame]
    draw: Callable[[Any, pd.DataFrame], None]
    size: tuple[float, float]
    n_panels: int = 1
    n_rows: int = 1
    trains: bool = False


THEORY_FIGURES: Mapping[str, FigureSpec] = MappingProxyType(
    {
        "mask_graph": FigureSpec(mask_graph_layout, draw_mask_graphs, (6.5, 3.2), n_panels=2),
        "slack_and_tightness": FigureSpec(
            theorem_slacks, draw_theorem_slacks, (6.5, 0.9 + 0.21 * len(THEOREMS)), n_panels=2
        ),
        "mask_ratio": FigureSpec(
            graph_statistics_by_mask_ratio, draw_graph_statistics_by_mask_ratio, (6.5, 3.0), n_panels=3
        ),
        "uniformity_weight": FigureSpec(predicted_spectra, draw_predicted_spectra, (6.5, 3.0), n_panels=2),
        "downstream_bounds": FigureSpec(downstream_bounds, draw_downstream_bounds, (6.5, 2.9), n_panels=3),
        "sampled_graph": FigureSpec(sampled_graph_estimates, draw_sampled_graphs, (6.5, 2.7), n_panels=4),
        "latent_levels": FigureSpec(latent_level_table, draw_latent_levels, (6.5, 3.2), n_panels=2),
        "bounds_through_training": FigureSpec(
            bounds_through_training, draw_bounds_through_training, (8.0, 6.8), n_panels=12, n_rows=3, trains=True
        ),
        "trained_spectrum": FigureSpec(
            trained_spectra, draw_trained_spectra, (6.5, 5.4), n_panels=4, n_rows=2, trains=True
        ),
        "downstream_through_training": FigureSpec(
            downstream_through_training, draw_downstream_through_training, (6.5, 3.0), n_panels=3, trains=True
        ),
    }
)
"""Figures by name, in the order in which they are drawn."""


def check_figure_names(names: Iterable[str]) -> None:
    """Raise InputError if one of these names is unknown, or that of a figure of data, whose command is then named."""
    from maetheory.figures.plotting import MADE_BY

    for name in names:
        if name in MADE_BY:
            raise InputError(
                f"the figure {name} needs data; this makes them and draws it: {MADE_BY[name]} (with data of your own, "
                f'in Python: maetheory.figures.plot("{name}", …))'
            )
        if name not in THEORY_FIGURES:
            raise unknown_name_error("figure", name, [*THEORY_FIGURES, *MADE_BY])


def draw_theory_figures(
    names: Iterable[str], folder: Path, *, device: str = "auto", progress: Progress = no_progress
) -> list[Path]:
    """Compute and draw figures by name, by default all; write an SVG, a PNG and a CSV file of each.

    Parameters
    ----------
    names : iterable of str
    folder : Path
    device : str
        Kind of device of the figures that train, as for `maetheory.training.make_fabric`.
    progress : Progress
        Called before the first figure and after each.

    Raises
    ------
    InputError
        If a name is unknown, or that of a figure of data.
    """
    named = tuple(dict.fromkeys(names)) or tuple(THEORY_FIGURES)
    check_figure_names(named)
    written: list[Path] = []
    for done, name in enumerate(named):
        progress(done, len(named), f"draw {name}")
        spec = THEORY_FIGURES[name]
        frame = spec.compute(device=device) if spec.trains else spec.compute()
        written += _draw(name, spec, frame, folder)
    progress(len(named), len(named), "figures")
    return written


def _draw(name: str, spec: FigureSpec, frame: pd.DataFrame, folder: Path) -> list[Path]:
    with paper_style():
        figure, axes = plt.subplots(spec.n_rows, spec.n_panels // spec.n_rows, figsize=spec.size, layout="constrained")
        spec.draw(axes if spec.n_panels == 1 else list(axes.flat), frame)
        return save_figure(figure, frame, folder, name)
