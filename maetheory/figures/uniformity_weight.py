"""Predicted spectrum of the optimal features against the uniformity weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from maetheory.data import worlds
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory.statements.effective_rank_grows_with_uniformity import predicted_spectrum, rank_measures
from maetheory.theory.theorem_quantities import eigenvalues

SHOWN_WEIGHTS = (0.1, 0.5, 1.0, 3.0, 30.0)
_MEASURES = ("effective rank", "participation ratio", "stable rank")


def markov_chain_graph() -> MaskGraph:
    """Return the mask graph of Markov chains of six three-valued patches, half of them visible, positions dropped."""
    return MaskGraph.enumerate(worlds.markov(6, 3, 0.7), UniformMasks(6, 3), "dropped")


def predicted_spectra(graph: MaskGraph | None = None, *, k: int = 16) -> pd.DataFrame:
    """Compute the spectrum that minimises the bound, and its ranks, at many weights (L = 1, E‖f‖² = 1).

    Parameters
    ----------
    graph : MaskGraph, optional
        :func:`markov_chain_graph` by default.
    k : int
        Number of features.

    Returns
    -------
    DataFrame
        weight, index (1 to k), share (s_i / Σ s), and, constant over the rows of a weight, effective rank,
        participation ratio and stable rank.
    """
    lam = np.minimum(eigenvalues(markov_chain_graph() if graph is None else graph, k), 1.0)
    parts = []
    for weight in np.geomspace(1e-3, 1e2, 61):
        size = predicted_spectrum(lam, weight=float(weight), lipschitz=1.0, energy=1.0)
        parts.append(
            pd.DataFrame({"weight": weight, "index": np.arange(1, k + 1), "share": size}).assign(**rank_measures(size))
        )
    return pd.concat(parts, ignore_index=True)


def draw_predicted_spectra(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw spectra at five weights on the first axes, three ranks against the weight on the second."""
    weights = frame.weight.unique()
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(SHOWN_WEIGHTS)))
    for shade, wanted in zip(shades, SHOWN_WEIGHTS, strict=True):
        part = frame[frame.weight == weights[np.argmin(np.abs(np.log(weights / wanted)))]]
        axes[0].plot(part["index"], part.share, color=shade, marker="o", ms=3, label=f"{wanted:g}")
    axes[0].set(xlabel="index $i$", ylabel="$s_i / \\sum s$", title="predicted optimal spectrum")
    axes[0].set_xticks([tick for tick in (1, 4, 8, 12, 16) if tick <= frame["index"].max()])
    axes[0].legend(title="weight λ")
    by_weight = frame.drop_duplicates("weight")
    for measure, colour in zip(_MEASURES, COLOUR_CYCLE, strict=False):
        axes[1].plot(by_weight.weight, by_weight[measure], color=colour, label=measure)
    axes[1].axhline(frame["index"].max(), color="black", lw=0.6, ls=":")
    axes[1].set(xscale="log", xlabel="uniformity weight λ", title="predicted rank", ylim=(0, None))
    axes[1].legend()
