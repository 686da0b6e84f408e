"""A sampled mask graph flatters, and its bands close on the exact numbers as images are added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.empirical import IntervalEstimate, Sample, bands, sample_from_codes
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks

PANELS = {"alpha": "$\\alpha$", "phi": "$\\phi$", "lambda": "$\\lambda_{k+1}$", "bound": "bound"}
SIZES = (50, 100, 200, 400, 800, 1600, 3200)
_K = 4


def sampled_graphs(*, sizes: Sequence[int] = SIZES, seed: int = 0) -> pd.DataFrame:
    """Compute what samples of growing size say of the graph of a world of four classes.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of images n, ascending; a smaller sample is the beginning of a larger one.
    seed : int
        Draws the images.

    Returns
    -------
    DataFrame
        n, number (a key of `PANELS`), exact, plug_in, value, low, high, decided. The bound is 4φ/(1 − λ_{k+1}) + 2α
        with k = 4; positions are dropped and three of six patches visible.
    """
    world, law = worlds.mixture(6, _K, _K, 0.1), UniformMasks(6, 3)
    drawn = generator(seed, "sampled graph").choice(len(world.states), max(sizes), p=world.probability)
    exact = _graph_statistics(MaskGraph.enumerate(world, law, "dropped"))
    rows = []
    for n in sizes:
        states = drawn[:n]
        sample = sample_from_codes(world.states[states], world.labels[states], law, positions="dropped")  # type: ignore[index]
        plug_in = _graph_statistics(sample.graph)
        rows += [
            {
                "n": n,
                "number": name,
                "exact": exact[name],
                "plug_in": plug_in[name],
                "value": band.value,
                "low": band.low,
                "high": band.high,
                "decided": band.decided,
            }
            for name, band in _interval_estimates(sample).items()
        ]
    return pd.DataFrame(rows)


def _graph_statistics(graph: MaskGraph) -> dict[str, float]:
    alpha, phi = float(graph.label_error()), float(graph.pair_label_error())
    following = min(float(graph.spectrum(_K + 1).values[_K] ** 2), 1.0)
    bound = 4 * phi / (1 - following) + 2 * alpha if graph.n_components <= _K and following < 1 else np.inf
    return {"alpha": alpha, "phi": phi, "lambda": following, "bound": bound}


def _interval_estimates(sample: Sample) -> dict[str, IntervalEstimate]:
    found = bands(sample, _K)
    return {"alpha": found.alpha, "phi": found.phi, "lambda": found.eigenvalues[_K], "bound": found.sharp_bound}


def draw_sampled_graphs(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw one panel per number: band, value (open where undecided), plug-in, and the exact number as a line."""
    for ax, (name, title), colour in zip(axes, PANELS.items(), COLOUR_CYCLE, strict=False):
        part = frame[frame.number == name]
        reach = 4 * float(part.exact.iloc[0]) if name == "bound" else np.inf
        ax.fill_between(part.n, part.low.clip(upper=reach), part.high.clip(upper=reach), color=colour, alpha=0.2, lw=0)
        ax.axhline(float(part.exact.iloc[0]), color="black", lw=0.9, label="exact")
        ax.plot(part.n, part.plug_in.clip(upper=reach), color=colour, lw=1.0, ls="--", label="plug-in")
        ax.plot(part.n, part.value.clip(upper=reach), color=colour, lw=1.2, label="value and 95 % band")
        for decided, face in ((True, colour), (False, "white")):
            here = part[part.decided == decided]
            ax.scatter(here.n, here.value.clip(upper=reach), s=16, facecolors=face, edgecolors=colour, lw=0.9, zorder=4)
        ax.set(xscale="log", xlabel="images $n$", title=title)
        ax.set_ylim(0, reach if np.isfinite(reach) else None)
        ax.set_xticks([50, 400, 3200], ["50", "400", "3200"])
        ax.minorticks_off()
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, title="open circle: UNDECIDED")
