"""Estimates from sampled mask graphs against the exact values, by number of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.empirical import IntervalEstimate, TokenSample, graph_intervals, sample_from_codes
from maetheory.figures.axes import fill_interval
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks

PANELS = {"alpha": "$\\alpha$", "phi": "$\\phi$", "lambda": "$\\lambda_{k+1}$", "bound": "bound"}
SIZES = (50, 100, 200, 400, 800, 1600, 3200)
_K = 4


def sampled_graph_estimates(*, sizes: Sequence[int] = SIZES, seed: int = 0) -> pd.DataFrame:
    """Compute estimates and intervals from samples of growing size of a world of four classes.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of images n, ascending; a smaller sample is the start of a larger one.
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
        sample = sample_from_codes(world.states[states], world.labels[states], law, positions="dropped")  # type: ignore[index]  # a mixture has labels
        plug_in = _graph_statistics(sample.graph)
        rows += [
            {
                "n": n,
                "number": name,
                "exact": exact[name],
                "plug_in": plug_in[name],
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "decided": found.decided,
            }
            for name, found in _interval_estimates(sample).items()
        ]
    return pd.DataFrame(rows)


def _graph_statistics(graph: MaskGraph) -> dict[str, float]:
    alpha, phi = float(graph.label_error()), float(graph.pair_label_error())
    next_eigenvalue = min(float(graph.spectrum(_K + 1).values[_K] ** 2), 1.0)
    bound = 4 * phi / (1 - next_eigenvalue) + 2 * alpha if graph.n_components <= _K and next_eigenvalue < 1 else np.inf
    return {"alpha": alpha, "phi": phi, "lambda": next_eigenvalue, "bound": bound}


def _interval_estimates(sample: TokenSample) -> dict[str, IntervalEstimate]:
    found = graph_intervals(sample, _K)
    return {"alpha": found.alpha, "phi": found.phi, "lambda": found.eigenvalues[_K], "bound": found.sharp_bound}


def draw_sampled_graphs(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw one panel per statistic: interval, estimate (open where undecided), plug-in estimate, and exact value."""
    for ax, (name, title), colour in zip(axes, PANELS.items(), COLOUR_CYCLE, strict=False):
        part = frame[frame.number == name]
        upper = 4 * float(part.exact.iloc[0]) if name == "bound" else np.inf
        fill_interval(ax, part.n, part.low, part.high, color=colour, upper=upper)
        ax.axhline(float(part.exact.iloc[0]), color="black", lw=0.9, label="exact value")
        ax.plot(part.n, part.plug_in.clip(upper=upper), color=colour, lw=1.0, ls="--", label="plug-in estimate")
        ax.plot(part.n, part.value.clip(upper=upper), color=colour, lw=1.2, label="estimate and 95 % interval")
        for decided, face in ((True, colour), (False, "white")):
            here = part[part.decided == decided]
            ax.scatter(here.n, here.value.clip(upper=upper), s=16, facecolors=face, edgecolors=colour, lw=0.9, zorder=4)
        ax.set(xscale="log", xlabel="number of images $n$", title=title)
        ax.set_ylim(0, upper if np.isfinite(upper) else None)
        ax.set_xticks([50, 400, 3200], ["50", "400", "3200"])
        ax.minorticks_off()
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, title="open circles: undecided")
