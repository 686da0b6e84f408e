"""The picture of the README: a mask graph, Figure 1(c) beside the paper's, and what `collapse` says of one file.

    maetheory collapse vit.pt --data cifar10 --out OUT
    python -m maetheory.figures.overview --records OUT/records.csv --into figures

Without ``--records`` the picture is drawn again from published numbers: ``cifar10-small/effective_rank.csv``, and the
rows on the file in ``overview.csv``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import InputError
from maetheory.figures.mask_graph import MASK_GRAPH, draw_graph, mask_graph_layout
from maetheory.figures.spectra import OURS, PAPER
from maetheory.figures.style import COLOURS, paper_style, save_figure

PANEL, RANKS, FILE = "panel", "effective rank", "file"
OBJECTIVES = ("random", "MAE", "U-MAE")
THIS_FILE, OWN_RULE, ALL_RULES, SHUFFLED = (
    "this file",
    "untrained,\nown rule",
    "untrained,\nall usual rules",
    "shuffled\ncolumns",
)
_FILE_COLOURS = {THIS_FILE: COLOURS["MAE"], OWN_RULE: "#7f7f7f", ALL_RULES: "#b5b5b5", SHUFFLED: "#0072b2"}
_WIDTH = 0.38  # of a bar


def overview(published: str | Path, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the numbers of the picture.

    Parameters
    ----------
    published : str or Path
        Folder of the published figures.
    records : DataFrame, optional
        ``records.csv`` of `maetheory collapse --out` on one file; by default the rows that are published.

    Returns
    -------
    DataFrame
        panel ("mask graph", "effective rank" or "file"); for the first the columns of `mask_graph_layout`, for the
        others source, name, value, low, high, images and dimension, where they apply.

    Raises
    ------
    InputError
        If a published table is missing.
    """
    folder = Path(published)
    layout = mask_graph_layout()
    parts = [layout[layout.graph == MASK_GRAPH].drop(columns="graph").assign(panel=MASK_GRAPH)]
    ranks = _read_table(folder / "cifar10-small" / "effective_rank.csv")
    ranks = ranks[ranks.objective.isin(OBJECTIVES)].rename(columns={"objective": "name", "effective_rank": "value"})
    parts.append(ranks[["source", "name", "seed", "value"]].assign(panel=RANKS))
    if records is None:
        before = _read_table(folder / "overview.csv")
        parts.append(before[before.panel == FILE].dropna(axis=1, how="all"))
    else:
        parts.append(_file_rows(records).assign(panel=FILE))
    return pd.concat(parts, ignore_index=True)


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} must be a published table, but there is no such file")
    return pd.read_csv(path)


def _file_rows(records: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of cls of one file, and of its baselines on the same images."""
    found = records[
        (records.readout == "cls")
        & (records.metric == "effective_rank")
        & (records.convention == "roy-vetterli-2007")
        & (records.layer.astype(str) == "last")
    ]
    if len(found) != 1:
        raise InputError(f"the records must hold the effective rank of cls of one file, but they hold {len(found)}")
    one = found.iloc[0]
    low, high = one.same_images - one.same_images_error, one.same_images + one.same_images_error
    baselines = int(one.random_images)
    rows = [
        (THIS_FILE, one.same_images, low, high, baselines),
        (OWN_RULE, one.random_init, one.random_init_low, one.random_init_high, baselines),
        (ALL_RULES, float("nan"), one.random_span_low, one.random_span_high, baselines),
        (SHUFFLED, one.shuffled, one.shuffled, one.shuffled, int(one.images)),
    ]
    frame = pd.DataFrame(rows, columns=["name", "value", "low", "high", "images"])
    return frame.assign(source=one["name"], dimension=int(one.d))


def draw_overview(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw the three panels: the mask graph, bars of effective ranks, and the intervals of the file's baselines."""
    graph, ranks, file = axes
    draw_graph(graph, frame[frame.panel == MASK_GRAPH].astype({"label": int}))
    for x, side in ((0, "views $x_1$"), (1, "targets $x_2$")):
        graph.annotate(side, (x, -0.03), ha="center", va="top")
    graph.set(title="a mask graph", xlim=(-0.3, 1.3), ylim=(-0.12, 1.0))
    _draw_ranks(ranks, frame[frame.panel == RANKS])
    _draw_file(file, frame[frame.panel == FILE])


def _draw_ranks(ax: Axes, frame: pd.DataFrame) -> None:
    for shift, source in ((-_WIDTH / 2, OURS), (_WIDTH / 2, PAPER)):
        means = frame[frame.source == source].groupby("name", sort=False).value.mean()[list(OBJECTIVES)]
        places = [x + shift for x in range(len(OBJECTIVES))]
        colours = [COLOURS[name] for name in OBJECTIVES]
        hatched = {"fill": False, "hatch": "////", "edgecolor": colours} if source == PAPER else {"color": colours}
        ax.bar(places, means, width=_WIDTH * 0.94, **hatched)
        for place, value in zip(places, means, strict=True):
            text = f"{value:.1f}" if source == OURS else f"{value:.2f}"
            ax.annotate(
                text, (place, value), ha="center", va="bottom", fontsize=8, textcoords="offset points", xytext=(0, 5)
            )
        if source == OURS:
            seeds = frame[frame.source == OURS]
            ax.scatter(
                [places[OBJECTIVES.index(name)] for name in seeds.name], seeds.value, s=9, color="black", zorder=3
            )
    ax.bar([0], [0], color="#555555", label="ours, small ViT, CIFAR-10 (dots: seeds)")
    ax.bar([0], [0], fill=False, hatch="////", edgecolor="#555555", label="paper, Fig. 1(c)")
    ax.set_xticks(range(len(OBJECTIVES)), ["untrained", *OBJECTIVES[1:]])
    ax.set(title="effective rank of features", ylim=(0, 118))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper left", fontsize=8)


def _draw_file(ax: Axes, frame: pd.DataFrame) -> None:
    for place, row in enumerate(frame[::-1].itertuples()):
        colour = _FILE_COLOURS[row.name]
        ax.plot([row.low, row.high], [place, place], color=colour, lw=3, solid_capstyle="butt")
        ax.plot([row.value], [place], "o", color=colour, ms=6)
        text = f"{row.low:.0f} to {row.high:.0f}" if pd.isna(row.value) else f"{row.value:.1f}"
        ax.annotate(
            text, ((row.low + row.high) / 2, place), ha="center", fontsize=8, textcoords="offset points", xytext=(0, 7)
        )
    ax.set_yticks(range(len(frame)), list(frame.name[::-1]))
    first = frame.iloc[0]
    ax.set(
        title="one public ViT: maetheory collapse",
        xlabel=f"effective rank, of {first.dimension:.0f} dimensions",
        xlim=(0, first.dimension * 1.05),
        ylim=(-0.5, len(frame) - 0.4),
    )
    ax.grid(axis="y", visible=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the picture of the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="records.csv of `maetheory collapse --out`, for the third panel.")
    parser.add_argument("--into", type=Path, default=Path("figures"), help="Folder of the published figures.")
    options = parser.parse_args(arguments)
    frame = overview(options.into, None if options.records is None else pd.read_csv(options.records))
    with paper_style():
        figure, axes = plt.subplots(1, 3, figsize=(10.4, 3.1), layout="constrained", width_ratios=[1, 1.35, 1.35])
        draw_overview(list(axes), frame)
        save_figure(figure, frame, options.into, "overview")


if __name__ == "__main__":
    main()
