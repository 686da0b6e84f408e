"""Effective rank, probe accuracy and reconstruction loss against the uniformity weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.style import COLOUR_CYCLE
from maetheory.training import TrainConfig

MEASURES = (
    ("effective_rank", "cls"),
    ("linear_probe", "cls"),
    ("linear_probe", "mean"),
    ("reconstruction_loss", "hidden pixels"),
)
U_MAE_TERM = "squares"
TERMS_WITH_LINES = (U_MAE_TERM, "squares mean")
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        U_MAE_TERM: "U-MAE, cls token",
        "squares mean": "U-MAE, mean of patches",
        "squares authors": "U-MAE, all pairs",
        "gaussian": "Wang and Isola",
        "coding-rate": "M-MAE, coding rate",
    }
)
_TERM_STYLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    dict(zip(_LABELS, zip(COLOUR_CYCLE, ("o", "s", "x", "^", "D"), strict=False), strict=False))
)
_TITLES = (
    "effective rank, cls",
    "linear probe, cls (%)",
    "linear probe, mean (%)",
    "reconstruction loss, hidden pixels",
)


def uniformity_sweep(ledger: pd.DataFrame) -> pd.DataFrame:
    """Compute the mean and standard deviation over seeds of each measure of a sweep.

    Parameters
    ----------
    ledger : DataFrame
        Records with cell, seed, training (the recipe), readout, metric, value.

    Returns
    -------
    DataFrame
        term (`TrainConfig.uniformity_term`), weight, metric, readout, value (mean over seeds; percent
        for probes), spread (standard deviation over seeds, NaN for one), seeds. Weight 0 belongs to U-MAE's own term.
    """
    recipes = [TrainConfig.from_dict(training) for training in ledger.training]
    named = ledger.assign(
        term=[recipe.uniformity_term for recipe in recipes], weight=[recipe.uniformity_weight for recipe in recipes]
    )
    rows = []
    for metric, readout in MEASURES:
        scale = 100 if metric == "linear_probe" else 1
        part = named[(named.metric == metric) & (named.readout == readout)]
        for (term, weight), seeds in part.groupby(["term", "weight"]):
            rows.append(
                {
                    "term": term,
                    "weight": weight,
                    "metric": metric,
                    "readout": readout,
                    "value": scale * seeds.value.mean(),
                    "spread": scale * seeds.value.std(ddof=1),
                    "seeds": len(seeds),
                }
            )
    return pd.DataFrame(rows)


def draw_uniformity_sweep(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per measure against the weight, with error bars over seeds; the value at weight 0 is dashed."""
    for ax, (metric, readout), title in zip(axes, MEASURES, _TITLES, strict=True):
        part = frame[(frame.metric == metric) & (frame.readout == readout)]
        unweighted = part[part.weight == 0]
        for baseline in unweighted.itertuples():
            ax.axhline(baseline.value, color="black", lw=0.9, ls="--", label="λ = 0, MAE")
            if baseline.seeds > 1:
                ax.axhspan(
                    baseline.value - baseline.spread, baseline.value + baseline.spread, color="black", alpha=0.08, lw=0
                )
        for term, rows in part[part.weight > 0].groupby("term", sort=False):
            colour, marker = _TERM_STYLES[str(term)]
            ax.errorbar(
                rows.weight,
                rows.value,
                rows.spread.fillna(0),
                color=colour,
                marker=marker,
                ms=4,
                capsize=2,
                lw=1.2 if term in TERMS_WITH_LINES else 0,
                elinewidth=0.8,
                label=_LABELS[str(term)],
            )
        ax.set(xscale="log", xlabel="weight λ", title=title)
