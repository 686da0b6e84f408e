"""Both sides of each theorem, from random weights to trained ones, on a world where both are exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from maetheory.figures.style import COLOURS, VERDICT_STYLES

UNIFORMITY_WEIGHT = 0.1
PANELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "reconstruction-bounds-asymmetric-alignment": ("theorem 3.2, norms 1", "linear"),
        "asymmetric-alignment-bounds-alignment": ("theorem 3.3, norms 1", "linear"),
        "reconstruction-bounds-alignment": ("theorem 3.4", "symlog"),
        "alignment-split": ("S1, exact", "log"),
        "reconstruction-bounds-encoder-alignment": ("theorem 3.5", "linear"),
        "reconstruction-bounds-encoder-alignment-sharply": ("S1 through f", "log"),
        "irreducible-split": ("irreducible + excess", "log"),
        "umae-bounds-spectral-contrast": ("section 4, contrast", "linear"),
        "umae-bounded-by-graph-tail": ("theorem 4.2", "linear"),
        "effective-rank-grows-with-uniformity": ("S2", "log"),
        "excess-factorisation-bounded-by-umae": ("excess of contrast", "log"),
        "umae-bounds-downstream-error": ("theorem 4.1", "log"),
    }
)
"""Theorems drawn, each with the title and the scale of its panel; the numbers are the paper's, S1 and S2 are ours."""


def bounds_through_training(*, epochs: int | None = None, looks: int = 14, seed: int = 0) -> pd.DataFrame:
    """Train an MAE and a U-MAE on a world of 512 images and check theorems on its mask graph all the way.

    f is the L2-normalised cls token, which is what the uniformity term sees; the decoder reads all tokens, not
    normalised. L is the least that serves on the positive pairs. The MAE is measured at the weight of the U-MAE.

    Parameters
    ----------
    epochs : int, optional
        Of `maetheory.evaluation.bounds.toy_training.TOY_CONFIG` by default.
    looks : int
    seed : int
        Of images, weights and batches.

    Returns
    -------
    DataFrame
        objective, then as `BoundsCallback.records`.
    """
    frames = [
        table[table.slug.isin(PANELS)].assign(objective=name)
        for name, table in train_and_check(epochs, looks, seed).items()
    ]
    table = pd.concat(frames, ignore_index=True)
    return table[["objective", *(column for column in table.columns if column != "objective")]]


def train_and_check(epochs: int | None, looks: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return what was measured while an MAE and a U-MAE were trained, arguments as `bounds_through_training`."""
    from maetheory.evaluation.bounds import toy_training  # torch and Lightning take seconds to import

    length = toy_training.TOY_CONFIG.epochs if epochs is None else epochs
    return {
        name: toy_training.train_toy_mae(
            weight, measured_weight=UNIFORMITY_WEIGHT, epochs=length, looks=looks, seed=seed
        ).table
        for name, weight in (("MAE", 0.0), ("U-MAE", UNIFORMITY_WEIGHT))
    }


def draw_bounds_through_training(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per theorem: left side solid, right side dashed marked by the verdict of each look."""
    for ax, (slug, (title, scale)) in zip(axes, PANELS.items(), strict=True):
        part = frame[frame.slug == slug]
        for objective, run in part.groupby("objective", sort=False):
            _draw_sides(ax, run, COLOURS[str(objective)])
            if slug == "alignment-split":
                ax.plot(run.step, run.alignment, color=COLOURS[str(objective)], lw=0.7)
                ax.plot(run.step, run.bias, color=COLOURS[str(objective)], lw=0.7, ls=":")
        ax.set_xscale("symlog", linthresh=1, linscale=0.5)
        ax.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        ax.minorticks_off()
        ax.set_yscale(scale, **({"linthresh": 0.1} if scale == "symlog" else {}))
        ax.set_title(title, fontsize=8)
        ax.tick_params(labelsize=7)
    for ax in axes[-4:]:
        ax.set_xlabel("step", fontsize=8)
    _legend(axes[0], frame)


def _draw_sides(ax: Axes, run: pd.DataFrame, colour: str) -> None:
    ax.plot(run.step, run.lhs, color=colour, lw=1.3)
    ax.plot(run.step, run.rhs, color=colour, lw=1.0, ls="--")
    for verdict, looks in run.groupby("verdict"):
        ax.scatter(looks.step, looks.rhs, s=9, color=colour, marker=VERDICT_STYLES[str(verdict)][1], lw=0.7, zorder=3)


def _legend(ax: Axes, frame: pd.DataFrame) -> None:
    lines = [Line2D([], [], color=COLOURS[name], lw=1.3, label=name) for name in frame.objective.unique()]
    sides = [
        Line2D([], [], color="black", lw=1.3, label="left side"),
        Line2D([], [], color="black", lw=1.0, ls="--", label="right side"),
    ]
    marks = [
        Line2D([], [], color="black", marker=VERDICT_STYLES[name][1], ls="", ms=4, label=name)
        for name in VERDICT_STYLES
        if name in set(frame.verdict)
    ]
    parts = [
        Line2D([], [], color="black", lw=0.7, label="S1: alignment"),
        Line2D([], [], color="black", lw=0.7, ls=":", label="S1: bias"),
    ]
    ax.figure.legend(handles=[*lines, *sides, *parts, *marks], loc="outside lower center", ncols=5, fontsize=8)
