"""Level of a tree of latents that the leading singular function follows, against the mask ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.axes import set_mask_ratio_axis
from maetheory.figures.style import COLOUR_CYCLE


def draw_latent_levels(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw the share of the root in the first panel, and the singular value in the second, a curve for each world.

    Parameters
    ----------
    axes : sequence of two Axes
    frame : DataFrame
        Of `maetheory.theory.latent_levels.latent_level_table`; only its function 2 is drawn.
    """
    first = frame[frame.function == 2]
    worlds = first.groupby(["stay", "patch"], sort=False)
    for ((stay, patch), part), colour in zip(worlds, COLOUR_CYCLE, strict=False):
        name = f"stays with {stay:g}, {patch} pixel{'s' if patch > 1 else ''} a patch"
        root = part[part.level == 0]
        for ax, column in zip(axes, ("share", "sigma"), strict=True):
            style: dict[str, Any] = {
                "ls": "-" if patch == 1 else "--",
                "marker": "o",
                "ms": 3,
                "color": colour,
                "label": name,
            }
            ax.plot(root.mask_ratio, root[column], **style)
    axes[0].set(ylabel="share of the root", ylim=(0, None))
    axes[1].set(ylabel="$\\sigma_2$", ylim=(0, 1))
    for ax in axes:
        set_mask_ratio_axis(ax)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
