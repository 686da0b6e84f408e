"""Slack and tightness of every theorem on every world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import generator
from maetheory.figures.style import VERDICT_STYLES
from maetheory.theory import THEOREMS, Theorem, Verdict
from maetheory.theory.survey import survey

_MIN_DRAWN = 1e-12


def theorem_slacks(theorems: Iterable[Theorem] | None = None, *, worlds: int = 40, seed: int = 0) -> pd.DataFrame:
    """Compute slack and tightness of each theorem on every surveyed world where its assumptions hold.

    Parameters
    ----------
    theorems : iterable of Theorem, optional
        All theorems by default.
    worlds, seed : int
        As for :func:`maetheory.theory.survey.survey`.

    Returns
    -------
    DataFrame
        slug, world, verdict, slack (over scale; 0 where TIGHT), tightness (1 − |slack| / larger side), jitter (in
        [−1, 1], for drawing).
    """
    rng = generator(seed, "jitter")
    rows = [
        {
            "slug": row.theorem.slug,
            "world": visit.world,
            "verdict": visit.check.verdict.value,
            "slack": 0.0 if visit.check.verdict is Verdict.TIGHT else visit.check.relative_slack,
            "tightness": visit.check.tightness,
            "jitter": rng.uniform(-1, 1),
        }
        for row in survey(THEOREMS.values() if theorems is None else theorems, worlds=worlds, seed=seed)
        for visit in row.applicable
    ]
    return pd.DataFrame(rows)


def draw_theorem_slacks(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a strip per theorem: slack on the first axes, with TIGHT at the left edge; tightness on the second."""
    slugs = list(dict.fromkeys(frame.slug))
    position = frame.slug.map(slugs.index) + 0.28 * frame.jitter
    for verdict, group in frame.groupby("verdict"):
        colour, marker = VERDICT_STYLES[str(verdict)]
        style: dict[str, Any] = {
            "s": 11,
            "color": colour,
            "marker": marker,
            "lw": 0.7,
            "alpha": 0.7,
            "zorder": 3,
            "rasterized": True,
        }
        axes[0].scatter(np.clip(group.slack, _MIN_DRAWN, None), position[group.index], label=str(verdict), **style)
        axes[1].scatter(np.clip(group.tightness, -1, 1), position[group.index], **style)
    axes[0].axvspan(_MIN_DRAWN / 6, _MIN_DRAWN * 6, color="black", alpha=0.07, lw=0)
    axes[0].set(xscale="log", xlim=(_MIN_DRAWN / 6, 4), xlabel="slack / scale")
    axes[0].set_xticks([_MIN_DRAWN, 1e-8, 1e-4, 1], ["TIGHT", "$10^{-8}$", "$10^{-4}$", "1"])
    axes[0].minorticks_off()
    axes[0].set_yticks(range(len(slugs)), slugs, fontsize=7.5)
    axes[1].set(xlim=(-1.08, 1.08), xlabel="tightness (1: equality)")
    axes[1].set_xticks([-1, 0, 1], ["≤ −1", "0", "1"])
    axes[1].set_yticks(range(len(slugs)), [""] * len(slugs))
    for ax in axes:
        ax.set_ylim(len(slugs) - 0.5, -0.5)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=5, handletextpad=0.1)
