"""Label errors, spectrum and downstream bound against the mask ratio; the spectrum is the same at ρ and 1 − ρ."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from maetheory.data import worlds
from maetheory.figures.axes import set_mask_ratio_axis
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.theory.mask_ratio_sweep import mask_ratio_sweep

LABELS = {"alpha": "$\\alpha$", "alpha2": "$\\alpha_2$", "phi": "$\\phi$"}
SPECTRUM = {"lambda_k": "$\\lambda_k$", "lambda_next": "$\\lambda_{k+1}$", "tail": "tail energy"}
BOUNDS = {"bound": "bound"}

_MARKERS = (("o", 3.5), ("s", 5.0), ("^", 3.5))
_COLOUR = {name: COLOUR_CYCLE[i] for names in (LABELS, SPECTRUM, BOUNDS) for i, name in enumerate(names)}


def graph_statistics_by_mask_ratio(
    world: worlds.FiniteWorld | None = None, *, k: int = 2, positions: str = "dropped"
) -> pd.DataFrame:
    """Compute label errors, eigenvalues, tail energy and downstream bound at every number of visible patches.

    Parameters
    ----------
    world : FiniteWorld, optional
        ``mixture(8, 2, 2, 0.1)`` by default.
    k : int
        Number of features.
    positions : {"dropped", "kept"}
        Whether a view contains the positions of its patches.

    Returns
    -------
    DataFrame
        rho, then alpha, alpha2, phi (label errors of views, of targets, of positive pairs), lambda_k, lambda_next
        (λ_{k+1}), tail (Σ_{i>k} λ_i²) and bound, 4φ/(1 − λ_{k+1}) + 2α.
    """
    world = worlds.mixture(8, 2, 2, 0.1) if world is None else world
    rows = [
        {
            "rho": row.mask_ratio,
            "alpha": row.alpha,
            "alpha2": row.alpha2,
            "phi": row.phi,
            "lambda_k": row.last_eigenvalue,
            "lambda_next": row.next_eigenvalue,
            "tail": row.tail,
            "bound": row.sharp_bound,
        }
        for row in mask_ratio_sweep(world, k, positions)
    ]
    return pd.DataFrame(rows).sort_values("rho", ignore_index=True)


def draw_graph_statistics_by_mask_ratio(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw label errors, spectrum and bound on three axes; open circles are one curve of each at 1 − ρ."""
    panels = ((LABELS, "alpha2"), (SPECTRUM, "lambda_k"), (BOUNDS, "bound"))
    for ax, (names, mirrored) in zip(axes, panels, strict=True):
        for (name, label), (marker, size) in zip(names.items(), _MARKERS, strict=False):
            ax.plot(frame.rho, frame[name], color=_COLOUR[name], marker=marker, ms=size, lw=1.2, label=label)
        ax.scatter(
            1 - frame.rho,
            frame[mirrored],
            s=48,
            facecolors="none",
            edgecolors=_COLOUR[mirrored],
            lw=0.9,
            zorder=4,
            label=f"{names[mirrored]} at $1-\\rho$",
        )
        ax.axvline(0.5, color="black", lw=0.6, alpha=0.4)
        set_mask_ratio_axis(ax)
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.45, -0.27), ncols=2, fontsize=8, handlelength=1.3, columnspacing=0.9
        )
    for ax, title in zip(axes, ("label errors", "spectrum", "$4\\phi/(1-\\lambda_{k+1}) + 2\\alpha$"), strict=True):
        ax.set_title(title)
    axes[2].set_ylim(bottom=0)
