"""Mask-law scores against linear-probe accuracy: all rank correlations, and the scatters of the largest four."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maetheory.figures.style import COLOUR_CYCLE

READOUTS = {"cls": (COLOUR_CYCLE[0], "o"), "mean": (COLOUR_CYCLE[1], "s")}
READOUT_TITLES = {"cls": "cls", "mean": "mean of patches"}
FIGURE_SIZE = (11.0, 6.4)
N_SCATTERS = 4  # of the scores whose correlations are largest

_QUANTITIES = {
    "pair_label_error": "φ",
    "view_label_error": "α",
    "next_eigenvalue": "λ_{k+1}",
    "residual_bound": "φ/(1 − λ_{k+1})",
    "image_bound": "4φ/(1 − λ_{k+1}) + 2α",
}
_TITLES = {"linear_mae_kept_share": "share kept by a linear MAE"}
_GRAPHS = {"tokens": "token graphs", "kernel": "kernel graphs"}
_CAPTION = "mean over seeds ± standard deviation; dotted: untrained networks; u uniform, b Bernoulli, k block, % hidden"


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


def score_axes(figure: Figure) -> list[Axes]:
    """Lay out the axes of `draw_score_against_accuracy`: the correlations at the left, scatters at the right."""
    panels = figure.subplot_mosaic([["rho", "0", "1"], ["rho", "2", "3"]], width_ratios=[1.25, 1, 1])
    return [panels["rho"], *(panels[str(position)] for position in range(N_SCATTERS))]


def score_title(name: str) -> str:
    """Return a score in the words and symbols of the theory.

    Examples
    --------
    >>> [score_title(name) for name in ("tokens pair_label_error", "kernel certificate", "mask_ratio")]
    ['φ, token graphs', 'certificate, kernel graphs', 'mask ratio']
    """
    graph, _, quantity = name.partition(" ")
    if graph not in _GRAPHS:
        return _TITLES.get(name, name.replace("_", " "))
    return f"{_QUANTITIES.get(quantity, quantity.replace('_', ' '))}, {_GRAPHS[graph]}"


def draw_score_against_accuracy(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw every rank correlation with its interval, and the laws of the four scores with the largest.

    Parameters
    ----------
    axes : sequence of Axes
        Those of `score_axes`. Scatters have better scores to the right and labelled laws; unused axes are hidden.
    frame : DataFrame
        As `score_against_accuracy` returns it.
    """
    correlations, *scatters = axes
    patches = sorted(set(map(_patch_name, frame.law)), key=_patch_size)
    _draw_correlations(correlations, frame)
    sizes = frame.assign(size=frame.rho.abs()).groupby("score", sort=False)["size"].min()
    largest = sizes.dropna().nlargest(len(scatters)).index
    for ax, name in zip(scatters, largest, strict=False):
        _draw_scatter(ax, name, frame[frame.score == name], patches[0])
    for ax in scatters[: len(largest) : 2]:
        ax.set_ylabel("linear probe, %")
    for ax in scatters[len(largest) :]:
        ax.set_axis_off()
    handles, labels = correlations.get_legend_handles_labels()
    others = "".join(f"; p{_patch_size(patch)}: {patch}" for patch in patches[1:])
    caption = f"{_CAPTION}{others}, else {patches[0]}" if others else _CAPTION
    correlations.figure.legend(handles, labels, loc="outside lower center", ncols=2, title=caption, title_fontsize=8)


def _draw_correlations(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw a row per score, first at the top, with a dot and an interval for each readout."""
    table = frame.drop_duplicates(["score", "readout"])
    names = list(dict.fromkeys(table.score))
    for shift, (readout, (colour, marker)) in zip((-0.16, 0.16), READOUTS.items(), strict=True):
        here = table[(table.readout == readout) & table.rho.notna()]
        rows = np.array([names.index(name) + shift for name in here.score])
        ax.hlines(rows, here.rho_low, here.rho_high, color=colour, lw=1.0)
        ax.plot(here.rho, rows, color=colour, marker=marker, ms=4, ls="", label=READOUT_TITLES[readout])
    for position, name in enumerate(names):
        if table[table.score == name].rho.isna().all():
            ax.text(0, position, "same score for all laws", ha="center", va="center", fontsize=7, color="gray")
    ax.axvline(0, color="black", lw=0.8)
    ax.set(xlim=(-1, 1), ylim=(len(names) - 0.4, -0.6), xlabel="Spearman's ρ with linear probe, 95 %")
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["-1", "-0.5", "0", "0.5", "1"])
    ax.set_yticks(range(len(names)), [_mathtext(score_title(name)) for name in names], fontsize=8)
    ax.grid(axis="y", visible=False)
    ax.set_title("wrong direction ← 0 → right direction", fontsize=8)


def _mathtext(title: str) -> str:
    return title.replace("λ_{k+1}", r"$\lambda_{k+1}$")


def _draw_scatter(ax: Axes, name: str, part: pd.DataFrame, default_patch: str) -> None:
    part = part[np.isfinite(part.value)]
    for readout, (colour, marker) in READOUTS.items():
        here = part[part.readout == readout]
        ax.errorbar(
            here.value, 100 * here.accuracy, 100 * here.spread, fmt=marker, color=colour, ms=3.5, lw=0.7, alpha=0.8
        )
        for level in here.untrained.dropna().unique():
            ax.axhline(100 * level, color=colour, lw=0.7, ls=":")
    _label_laws(ax, part, default_patch)
    ax.set_title(_mathtext(score_title(name)), fontsize=9)
    ax.margins(x=0.06)
    lower, upper = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if lower <= tick <= min(upper, 100)])
    ax.set_ylim(lower, upper + 0.4 * (upper - lower))  # space for the labels
    ax.tick_params(labelsize=7)
    if len(part) and part.direction.iloc[0] < 0:
        ax.invert_xaxis()
    ax.set_xlabel("better →", fontsize=8)


def _label_laws(ax: Axes, part: pd.DataFrame, default_patch: str) -> None:
    """Write the laws along the top, evenly spaced in the order of their scores, with a line to the better readout."""
    upper = part.loc[part.groupby("law", sort=False).accuracy.idxmax()].sort_values("value")
    if len(upper) and upper.direction.iloc[0] < 0:
        upper = upper.iloc[::-1]
    for position, row in enumerate(upper.itertuples()):
        ax.annotate(
            abbreviate_law(str(row.law), default_patch),
            (row.value, 100 * row.accuracy),
            xytext=((position + 0.5) / len(upper), 0.98),
            textcoords="axes fraction",
            fontsize=6,
            rotation=90,
            ha="center",
            va="top",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "gray", "shrinkA": 1, "shrinkB": 3},
        )


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
