"""Mask-law scores against linear-probe accuracy, with rank correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.style import COLOUR_CYCLE

SCORE_GRID = (4, 5)
READOUTS = {"cls": (COLOUR_CYCLE[0], "o"), "mean": (COLOUR_CYCLE[1], "s")}

_CAPTION = (
    "better scores to the right; mean over seeds ± standard deviation; dotted: untrained networks\n"
    "u uniform, b Bernoulli, k block, percent hidden"
)


def score_against_accuracy(scores: pd.DataFrame, ledger: pd.DataFrame, correlations: pd.DataFrame) -> pd.DataFrame:
    """Join scores of mask laws with the accuracies of models trained under them and with their rank correlations.

    Parameters
    ----------
    scores : DataFrame
        law, score, value, low, high, direction.
    ledger : DataFrame
        cell (the law), objective, seed, readout, metric, value; linear_probe and reconstruction_loss are read, of
        trained models.
    correlations : DataFrame
        score, readout, rho, low, high.

    Returns
    -------
    DataFrame
        score, law, readout, value, low, high, direction, accuracy (mean over seeds), spread (standard deviation over
        seeds, 0 for one), untrained (accuracy of the untrained network of this patch size), rho, rho_low, rho_high.
    """
    probes = ledger[ledger.metric == "linear_probe"].groupby(["cell", "readout"], sort=False).value
    accuracy = pd.DataFrame({"accuracy": probes.mean(), "spread": probes.std().fillna(0.0)}).reset_index()
    before = accuracy.set_index(["cell", "readout"]).accuracy
    accuracy["untrained"] = [
        before.get((f"untrained {_patch_name(str(row.cell))}", row.readout), np.nan) for row in accuracy.itertuples()
    ]
    ledger = ledger[ledger.objective != "random"]
    columns = ["law", "score", "value", "low", "high", "direction"]
    table = pd.concat([scores[columns], _loss_scores(ledger)], ignore_index=True)
    table = table.merge(accuracy.rename(columns={"cell": "law"}), on="law")
    rho = correlations.rename(columns={"low": "rho_low", "high": "rho_high"})
    table = table.merge(rho[["score", "readout", "rho", "rho_low", "rho_high"]], on=["score", "readout"])
    return table[
        [
            "score",
            "law",
            "readout",
            "value",
            "low",
            "high",
            "direction",
            "accuracy",
            "spread",
            "untrained",
            "rho",
            "rho_low",
            "rho_high",
        ]
    ]


def _patch_name(law: str) -> str:
    return " ".join(law.split()[-2:])


def _patch_size(patch: str) -> int:
    return int(patch.split()[1])


def _loss_scores(ledger: pd.DataFrame) -> pd.DataFrame:
    losses = ledger[ledger.metric == "reconstruction_loss"].groupby("cell", sort=False).value
    mean, spread = losses.mean(), losses.std().fillna(0.0)
    return pd.DataFrame(
        {
            "law": mean.index,
            "score": "reconstruction_loss",
            "value": mean.to_numpy(),
            "low": (mean - spread).to_numpy(),
            "high": (mean + spread).to_numpy(),
            "direction": -1,
        }
    )


def draw_score_against_accuracy(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per score, better scores to the right, with labelled laws; unused axes are hidden."""
    names, patches = list(dict.fromkeys(frame.score)), sorted(set(map(_patch_name, frame.law)), key=_patch_size)
    for ax, name in zip(axes, names, strict=False):
        _draw_score_panel(ax, name, frame[frame.score == name], patches[0])
    for ax in axes[: len(names) : SCORE_GRID[1]]:
        ax.set_ylabel("linear probe, %")
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    others = "".join(f"; p{_patch_size(patch)}: {patch}" for patch in patches[1:])
    caption = f"{_CAPTION}{others}, else {patches[0]}" if others else _CAPTION
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=2, title=caption)


def _draw_score_panel(ax: Axes, name: str, part: pd.DataFrame, default_patch: str) -> None:
    title = [name.replace("_", " ")]
    part = part[np.isfinite(part.value)]
    for readout, (colour, marker) in READOUTS.items():
        here = part[part.readout == readout]
        ax.errorbar(
            here.value,
            100 * here.accuracy,
            100 * here.spread,
            fmt=marker,
            color=colour,
            ms=3.5,
            lw=0.7,
            label=f"{readout} readout",
        )
        for level in here.untrained.dropna().unique():
            ax.axhline(100 * level, color=colour, lw=0.7, ls=":")
        if len(here):
            rho, low, high = here[["rho", "rho_low", "rho_high"]].iloc[0]
            title.append(
                f"{readout}: ρ = {rho:.2f} [{low:.2f}, {high:.2f}]"
                if np.isfinite(rho)
                else f"{readout}: constant score"
            )
    upper = part.loc[part.groupby("law", sort=False).accuracy.idxmax()]
    for row in upper.itertuples():
        ax.annotate(
            abbreviate_law(str(row.law), default_patch),
            (row.value, 100 * row.accuracy),
            xytext=(0, 5),
            textcoords="offset points",
            fontsize=6,
            rotation=65,
        )
    ax.set_title("\n".join(title), fontsize=8)
    ax.margins(y=0.2)  # space for labels below the title
    ax.tick_params(labelsize=7)
    if len(part) and part.direction.iloc[0] < 0:
        ax.invert_xaxis()


def abbreviate_law(law: str, default_patch: str) -> str:
    """Return a short label of a mask law, without the patch size if it is the default.

    Examples
    --------
    >>> [abbreviate_law(law, "patch 2") for law in ("uniform 0.75 patch 2", "block 0.5 patch 4", "other")]
    ['u75', 'k50 p4', 'other']
    """
    words = law.split()
    if len(words) != 4:
        return law
    letter = {"uniform": "u", "bernoulli": "b", "block": "k"}.get(words[0], words[0])
    return f"{letter}{100 * float(words[1]):.3g}" + f" p{words[3]}" * (_patch_name(law) != default_patch)
