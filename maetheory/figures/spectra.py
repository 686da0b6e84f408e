"""Singular values and effective rank of features: Figures 1(b) and 1(c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.data.paper import paper_numbers
from maetheory.figures.axes import curves_by_label
from maetheory.figures.style import FLOAT32_RESOLUTION, objective_colours
from maetheory.metrics import effective_rank

OURS, PAPER = "ours", "paper"
NULL_DIRECTION_FRACTION = 0.1  # of the singular value before, below which the last one is a null direction
RANDOM_NORMAL = "random, normal (0.02)"


def log_spectra(features: Mapping[str, Sequence[np.ndarray]], *, n_values: int = 101) -> pd.DataFrame:
    """Compute Figure 1(b): natural logarithms of the singular values of features, and the paper's curves.

    Parameters
    ----------
    features : mapping from objective ("random", "MAE", "U-MAE") to one (N, d) array per seed
        Uncentred features. Singular values are divided by √N, so that sample sizes are comparable, and omitted below
        1e-6 of the first, the rounding error of float32 features.
    n_values : int
        Number of singular values kept (the paper draws 0..100).

    Returns
    -------
    DataFrame
        source ("ours" or "paper"), objective, seed, index, log_singular_value. The paper's scale is unknown.
    """
    rows = []
    for objective, runs in features.items():
        for seed, z in enumerate(runs):
            values = np.linalg.svd(np.asarray(z, np.float64), compute_uv=False)[:n_values] / np.sqrt(len(z))
            resolved = values[values > FLOAT32_RESOLUTION * values[0]]
            rows += [
                {
                    "source": OURS,
                    "objective": objective,
                    "seed": seed,
                    "index": i,
                    "log_singular_value": float(np.log(v)),
                }
                for i, v in enumerate(resolved)
            ]
    paper = paper_numbers("figure1b")
    for objective, column in zip(("random", "MAE", "U-MAE"), paper.columns[1:], strict=True):
        rows += [
            {"source": PAPER, "objective": objective, "seed": 0, "index": index, "log_singular_value": value}
            for index, value in zip(paper["index"], paper[column], strict=True)
        ]
    return pd.DataFrame(rows)


def without_null_direction(values: pd.Series) -> pd.Series:
    """Return descending singular values without a last one below a tenth of the one before.

    A final LayerNorm makes the features vary in one direction less than they have; its singular value is that of the
    shift alone.

    Examples
    --------
    >>> without_null_direction(pd.Series([3.0, 2.0, 0.1])).tolist()
    [3.0, 2.0]
    """
    falls = len(values) > 1 and values.iloc[-1] < NULL_DIRECTION_FRACTION * values.iloc[-2]
    return values.iloc[:-1] if falls else values


def draw_log_spectra(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw Figure 1(b) on two axes of one scale, ours and the paper's: a line per objective, shaded range over seeds.

    Ours are divided by the square root of the number of images N, so that they do not grow with it; the paper does not
    state its scale. One legend below both panels names every curve.
    The null direction of a final LayerNorm is left out, and the label of the axis says so.
    """
    values = np.exp(frame.log_singular_value).groupby([frame.source, frame.objective, frame.seed])
    kept = frame.loc[[index for _, group in values for index in without_null_direction(group).index]].sort_index()
    colours = objective_colours(frame.objective)
    for ax, source in zip(axes, (OURS, PAPER), strict=True):
        part = kept[kept.source == source]
        left_out = len(part) < (frame.source == source).sum()
        for objective, group in part.groupby("objective", sort=False):
            by_index = group.groupby("index").log_singular_value
            colour = colours[str(objective)]
            ax.fill_between(by_index.mean().index, by_index.min(), by_index.max(), color=colour, alpha=0.2, lw=0)
            ax.plot(by_index.mean(), color=colour, label=str(objective), marker="o" if source == PAPER else "", ms=2.5)
        ax.set(
            xlabel="index of singular value" + ("\n(null direction of the final norm left out)" if left_out else ""),
            title=_panel_title(source, "Fig. 1(b), digitised"),
        )
    margin = 0.05 * (kept.log_singular_value.max() - kept.log_singular_value.min())
    for ax in axes:
        ax.set(
            xlim=(-3, kept["index"].max() + 3),
            ylim=(kept.log_singular_value.min() - margin, kept.log_singular_value.max() + margin),
        )
    axes[0].set_ylabel("ln(singular value / √N)")
    axes[1].set_ylabel("ln(singular value), scale unknown")
    curves = curves_by_label(axes)
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    figure.legend(list(curves.values()), list(curves), loc="outside lower center", ncols=min(len(curves), 5))


def _panel_title(source: str, where: str) -> str:
    return "this run" if source == OURS else f"paper, {where}"


def effective_ranks(features: Mapping[str, Sequence[np.ndarray]]) -> pd.DataFrame:
    """Compute Figure 1(c): effective rank (Roy and Vetterli 2007) per objective and seed, and the paper's values.

    Parameters
    ----------
    features : as for `log_spectra`

    Returns
    -------
    DataFrame
        source ("ours" or "paper"), objective, seed, effective_rank.
    """
    rows = [
        {"source": OURS, "objective": objective, "seed": seed, "effective_rank": float(effective_rank(z))}
        for objective, runs in features.items()
        for seed, z in enumerate(runs)
    ]
    paper = paper_numbers("figure1c")
    rows += [
        {"source": PAPER, "objective": row.objective, "seed": 0, "effective_rank": row.effective_rank}
        for row in paper.itertuples()
    ]
    return pd.DataFrame(rows)


def with_normal_initialisation(frame: pd.DataFrame, ranks: Sequence[float]) -> pd.DataFrame:
    """Return the table of Figure 1(c) with untrained networks of another initialisation beside ours of MAE's.

    Parameters
    ----------
    frame : DataFrame
        As `effective_ranks` returns it; earlier rows of that initialisation are replaced.
    ranks : sequence of float
        Effective rank of each seed of networks whose weights are normal with standard deviation 0.02.
    """
    frame = frame[frame.objective != RANDOM_NORMAL]
    rows = [
        {"source": OURS, "objective": RANDOM_NORMAL, "seed": seed, "effective_rank": rank}
        for seed, rank in enumerate(ranks)
    ]
    place = int(((frame.source == OURS) & (frame.objective == "random")).sum())
    return pd.concat([frame.iloc[:place], pd.DataFrame(rows), frame.iloc[place:]], ignore_index=True)


def draw_effective_ranks(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw Figure 1(c) on two axes of one scale: ours (bars: mean, points: seeds), the paper's as printed."""
    colours = objective_colours(frame.objective)
    for ax, source in zip(axes, (OURS, PAPER), strict=True):
        part = frame[frame.source == source]
        means = part.groupby("objective", sort=False).effective_rank.mean()
        ax.bar(range(len(means)), means, color=[colours[str(name)] for name in means.index], width=0.6)
        if source == OURS:
            for position, name in enumerate(means.index):
                seeds = part[part.objective == name].effective_rank
                ax.scatter(np.full(len(seeds), position), seeds, s=10, color="black", zorder=3)
        tops = part.groupby("objective", sort=False).effective_rank.max()
        for position, (value, top) in enumerate(zip(means, tops, strict=True)):
            ax.annotate(
                f"{value:.1f}" if source == OURS else f"{value:.2f}",
                (position, top),
                ha="center",
                va="bottom",
                xytext=(0, 4),
                textcoords="offset points",
                fontsize=8,
            )
        ax.set_xticks(range(len(means)), [str(name).replace(", ", "\n") for name in means.index])
        ax.set_ylim(0, float(frame.effective_rank.max()) * 1.18)
        ax.grid(axis="x", visible=False)
        ax.set(title=_panel_title(source, "Fig. 1(c)"))
    axes[0].set_ylabel("effective rank")
