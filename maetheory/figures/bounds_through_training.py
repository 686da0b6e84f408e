"""Both sides of each theorem during training, on a finite world where both are exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from maetheory.figures.axes import set_step_axis
from maetheory.figures.style import COLOURS, VERDICT_STYLES
from maetheory.figures.toy_runs import checks_through_training

PANELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "reconstruction-bounds-asymmetric-alignment": (
            "Theorem 3.2, unit norms:\nloss ≥ asymmetric alignment",
            "linear",
        ),
        "asymmetric-alignment-bounds-alignment": (
            "Theorem 3.3, unit norms:\nasymmetric ≥ symmetric alignment",
            "linear",
        ),
        "reconstruction-bounds-alignment": ("Theorem 3.4: reconstruction\n≥ alignment", "symlog"),
        "alignment-split": ("reconstruction =\nalignment + bias", "log"),
        "reconstruction-bounds-encoder-alignment": ("Theorem 3.5: reconstruction\n≥ encoder's alignment", "linear"),
        "reconstruction-bounds-encoder-alignment-sharply": ("reconstruction ≥ encoder's\nalignment, sharper", "log"),
        "irreducible-split": ("reconstruction =\nirreducible + excess loss", "log"),
        "umae-bounds-spectral-contrast": ("Section 4: U-MAE loss\n≥ spectral contrast", "linear"),
        "umae-bounded-by-graph-tail": ("Theorem 4.2: U-MAE loss\n≥ tail of the graph", "linear"),
        "effective-rank-grows-with-uniformity": ("U-MAE loss ≥ closed form,\nwhose rank grows with λ", "log"),
        "excess-factorisation-bounded-by-umae": ("excess contrast\n≤ excess U-MAE loss", "log"),
        "umae-bounds-downstream-error": ("Theorem 4.1: downstream error\n≤ spectrum of the graph", "log"),
    }
)
"""Title and y scale of the panel of each theorem; numbered ones are the paper's, the others of this project."""

LINES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {"MAE": {"width": 2.6, "size": 26, "alpha": 0.55}, "U-MAE": {"width": 1.0, "size": 8, "alpha": 1.0}}
)
"""Width of lines and area of markers; the wide line of MAE shows on both sides of that of U-MAE where they coincide."""


def bounds_through_training(
    *, epochs: int | None = None, n_measurements: int = 14, seed: int = 0, device: str = "auto"
) -> pd.DataFrame:
    """Train an MAE and a U-MAE on a world of 512 images and check theorems on its mask graph during training.

    f is the L2-normalised cls token, on which the uniformity term acts; the decoder reads all tokens, not normalised.
    L is the smallest constant that holds on the positive pairs. The MAE is measured at the weight of the U-MAE.

    Parameters
    ----------
    epochs : int, optional
        Number of epochs; by default that of `maetheory.evaluation.bounds.toy_training.TOY_CONFIG`.
    n_measurements : int
        Number of training steps at which theorems are checked.
    seed : int
        Draws images, weights and batches.
    device : str
        Kind of device of MAE and U-MAE, as for `maetheory.training.make_fabric`.

    Returns
    -------
    DataFrame
        objective, then the columns of `BoundsCallback.records`.
    """
    frames = [
        table[table.slug.isin(PANELS)].assign(objective=name)
        for name, table in checks_through_training(epochs, n_measurements, seed, device).items()
    ]
    table = pd.concat(frames, ignore_index=True)
    return table[["objective", *(column for column in table.columns if column != "objective")]]


def draw_bounds_through_training(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per theorem: left side solid, right side dashed with the verdict as marker."""
    for ax, (slug, (title, scale)) in zip(axes, PANELS.items(), strict=True):
        part = frame[frame.slug == slug]
        for objective, run in part.groupby("objective", sort=False):
            _draw_sides(ax, run, str(objective))
            if slug == "alignment-split":
                ax.plot(run.step, run.alignment, color=COLOURS[str(objective)], lw=0.7, ls="-.")
                ax.plot(run.step, run.bias, color=COLOURS[str(objective)], lw=0.7, ls=":")
        set_step_axis(ax, [0, 1, 10, 100])
        ax.set_yscale(scale, **({"linthresh": 0.1} if scale == "symlog" else {}))
        ax.set_title(title, fontsize=8)
        ax.tick_params(labelsize=7)
    for ax in axes[-4:]:
        ax.set_xlabel("training step", fontsize=8)
    _draw_legend(axes[0], frame)


def _draw_sides(ax: Axes, run: pd.DataFrame, objective: str) -> None:
    line, colour = LINES[objective], COLOURS[objective]
    ax.plot(run.step, run.lhs, color=colour, lw=line["width"], alpha=line["alpha"])
    ax.plot(run.step, run.rhs, color=colour, lw=line["width"], alpha=line["alpha"], ls="--")
    for verdict, points in run.groupby("verdict"):
        marker = VERDICT_STYLES[str(verdict)][1]
        ax.scatter(
            points.step, points.rhs, s=line["size"], color=colour, alpha=line["alpha"], marker=marker, lw=1, zorder=3
        )


def _draw_legend(ax: Axes, frame: pd.DataFrame) -> None:
    lines = [
        Line2D([], [], color=COLOURS[name], lw=LINES[name]["width"], alpha=LINES[name]["alpha"], label=name)
        for name in frame.objective.unique()
    ]
    sides = [
        Line2D([], [], color="black", lw=1.3, label="left-hand side"),
        Line2D([], [], color="black", lw=1.0, ls="--", label="right-hand side"),
    ]
    marks = [
        Line2D([], [], color="black", marker=VERDICT_STYLES[name][1], ls="", ms=4, label=name)
        for name in VERDICT_STYLES
        if name in set(frame.verdict)
    ]
    parts = [
        Line2D([], [], color="black", lw=0.7, ls="-.", label="its alignment"),
        Line2D([], [], color="black", lw=0.7, ls=":", label="its bias"),
    ]
    ax.figure.legend(handles=[*lines, *sides, *parts, *marks], loc="outside lower center", ncols=5, fontsize=8)
