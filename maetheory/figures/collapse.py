"""Spectra, layer-wise ranks and sample-size curves of checkpoints, with baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.spectra import without_null_direction
from maetheory.figures.style import COLOUR_CYCLE, FLOAT32_RESOLUTION, plain_label

LINE_STYLES: Mapping[str, dict[str, Any]] = {
    "checkpoint": {"color": "#0072b2", "lw": 1.8},
    "random init": {"color": "#7f7f7f", "lw": 1.2},
    "shuffled": {"color": "#009e73", "lw": 1.2, "ls": "--"},
    "noise": {"color": "#e69f00", "lw": 1.2, "ls": ":"},
}


def feature_spectra(spectra: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Collect the singular values to draw: those above 1e-6 of the first, the rounding error of float32 features.

    Parameters
    ----------
    spectra : mapping from checkpoint to `CollapseMeasurements.spectra`

    Returns
    -------
    DataFrame
        checkpoint, readout, layer, who, index, singular_value (uncentred, over √n).
    """
    whole = pd.concat([frame.assign(checkpoint=name) for name, frame in spectra.items()], ignore_index=True)
    whole = whole.replace({"who": {"random twin": "random init"}})  # the name in older tables
    first = whole.groupby(["checkpoint", "readout", "who"]).singular_value.transform("max")
    kept = whole[whole.singular_value > FLOAT32_RESOLUTION * first].reset_index(drop=True)
    return kept[["checkpoint", "readout", "layer", "who", "index", "singular_value"]]


def draw_feature_spectra(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per readout (rows) and checkpoint (columns), all with the same scales."""
    panels = [(readout, name) for readout in frame.readout.unique() for name in frame.checkpoint.unique()]
    bottom, top = frame.singular_value.min() / 1.5, frame.singular_value.max() * 1.5
    for position, (ax, (readout, name)) in enumerate(zip(axes, panels, strict=True)):
        left_out = False
        part = frame[(frame.readout == readout) & (frame.checkpoint == name)]
        for who, group in part.groupby("who", sort=False):
            shown = group.loc[without_null_direction(group.singular_value).index]
            left_out |= len(shown) < len(group)
            ax.plot(shown["index"], shown.singular_value, label=_legend_label(str(who)), **LINE_STYLES[str(who)])
        ax.set(
            yscale="log",
            ylim=(bottom, top),
            xlim=(0, frame["index"].max() + 1),
            xlabel="index of singular value" + ("\n(null direction of the final norm left out)" if left_out else ""),
            title=f"{plain_label(str(name))}\n{readout}",
        )
        if position % frame.checkpoint.nunique() == 0:
            ax.set_ylabel("singular value / √n")
    axes[0].legend(fontsize=8)


def effective_rank_by_layer(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Compute the effective rank (Roy and Vetterli 2007) in each layer, its interval, and that of untrained networks.

    The interval is for infinitely many images, whose value is above that of a finite number.

    Parameters
    ----------
    tables : mapping from checkpoint to `CollapseMeasurements.table`

    Returns
    -------
    DataFrame
        checkpoint, readout, layer, value, low, high, random_init.
    """
    whole = pd.concat([frame.assign(checkpoint=name) for name, frame in tables.items()], ignore_index=True)
    whole = whole.rename(columns={"random_twin": "random_init"})  # the name in older tables
    chosen = whole[(whole.metric == "effective_rank") & (whole.convention == "roy-vetterli-2007")]
    return chosen[["checkpoint", "readout", "layer", "value", "low", "high", "random_init"]].reset_index(drop=True)


def draw_effective_rank_by_layer(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per checkpoint: value, interval of the limit, and random initialisation (dashed) of each readout."""
    top = np.nanmax([frame.high.max(), frame.value.max(), frame.random_init.max()]) * 1.05
    for ax, (name, part) in zip(axes, frame.groupby("checkpoint", sort=False), strict=True):
        for colour, (readout, group) in zip(COLOUR_CYCLE, part.groupby("readout", sort=False), strict=False):
            layer = group.layer.astype(int)
            ax.fill_between(layer, group.low, group.high, color=colour, alpha=0.2, lw=0, label=f"{readout}, n → ∞")
            ax.plot(layer, group.value, color=colour, marker="o", ms=2.5, label=str(readout))
            if group.random_init.notna().any():
                ax.plot(layer, group.random_init, color=colour, ls="--", lw=1, label=f"{readout}, random init")
        ax.set(title=plain_label(str(name)), xlabel="layer (0: embedding)", ylim=(0, top))
    axes[0].set_ylabel("effective rank")
    handles, labels = axes[0].get_legend_handles_labels()  # below the axes, which the curves fill
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), fontsize=8)


def effective_rank_by_sample_size(growths: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Collect the effective rank of random subsets of the images, of checkpoints and random initialisations.

    Parameters
    ----------
    growths : mapping from checkpoint to `CollapseMeasurements.growth`

    Returns
    -------
    DataFrame
        checkpoint, readout, who, images, value.
    """
    whole = pd.concat([frame.assign(checkpoint=name) for name, frame in growths.items()], ignore_index=True)
    chosen = whole[whole.metric == "effective_rank"]
    return chosen[["checkpoint", "readout", "who", "images", "value"]].reset_index(drop=True)


def draw_effective_rank_by_sample_size(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per checkpoint: effective rank against the number of images, random initialisation dashed."""
    for ax, (name, part) in zip(axes, frame.groupby("checkpoint", sort=False), strict=True):
        for colour, (readout, both) in zip(COLOUR_CYCLE, part.groupby("readout", sort=False), strict=False):
            for who, group in both.groupby("who", sort=False):
                is_checkpoint = who == "checkpoint"
                ax.plot(
                    group.images,
                    group.value,
                    color=colour,
                    marker="o",
                    ms=2.5,
                    ls="-" if is_checkpoint else "--",
                    lw=1.5 if is_checkpoint else 1,
                    label=str(readout) if is_checkpoint else f"{readout}, {who}",
                )
        ax.set(
            title=plain_label(str(name)), xlabel="number of images", xscale="log", ylim=(0, frame.value.max() * 1.05)
        )
        sizes = part.images.unique()
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.minorticks_off()  # minor tick labels overlap within one decade
    axes[0].set_ylabel("effective rank")
    axes[0].legend(fontsize=8)


def _legend_label(model: str) -> str:
    return {"shuffled": "shuffled columns", "noise": "noise (Marchenko–Pastur)"}.get(model, model)
