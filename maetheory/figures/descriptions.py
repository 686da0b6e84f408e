"""What figures show, in words with their numbers, for those who do not see the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from maetheory.figures.spectra import OURS
from maetheory.figures.tsne import class_separation
from maetheory.figures.uniformity_sweep import MEASURES, U_MAE_TERM

MAX_CURVES = 12
"""Curves that are described one by one; the table beside the figure holds all."""


def describe_curve(x: pd.Series, y: pd.Series, unit: str = "") -> str:
    """Return where a curve begins and ends, and its extremes between.

    Examples
    --------
    >>> describe_curve(pd.Series([0, 1, 2]), pd.Series([3.0, 1.0, 2.0]), "epoch")
    'from 3 at epoch 0 to 2 at epoch 2, lowest 1 at epoch 1'
    """
    known = pd.Series(y.to_numpy(float), index=x.to_numpy()).dropna().sort_index()
    if known.empty:
        return "no values"
    unit = f"{unit} " if unit else ""
    first, last = known.index[0], known.index[-1]
    if len(known) == 1:
        return f"{known.iloc[0]:.3g} at {unit}{first:.3g}"
    extremes = [
        f", {word} {known[place]:.3g} at {unit}{place:.3g}"
        for word, place in (("lowest", known.idxmin()), ("highest", known.idxmax()))
        if place not in (first, last)
    ]
    return f"from {known.iloc[0]:.3g} at {unit}{first:.3g} to {known.iloc[-1]:.3g} at {unit}{last:.3g}" + "".join(
        extremes
    )


def describe_log_spectra(frame: pd.DataFrame) -> str:
    """Return the ends of each curve of `log_spectra`, averaged over seeds."""
    return "Natural logarithm of singular values, by index. " + _sentences(
        f"{_origin(source, where='Figure 1(b)')}: "
        + "; ".join(_mean_curves(part, "index", "log_singular_value", "index"))
        for source, part in frame.groupby("source", sort=False)
    )


def describe_effective_ranks(frame: pd.DataFrame) -> str:
    """Return the bars of `effective_ranks`: means over seeds, and the paper's numbers."""
    means = frame.groupby(["source", "objective"], sort=False).effective_rank.mean()
    return "Bars of the effective rank. " + _sentences(
        f"{_origin(source, where='Figure 1(c)')}: "
        + ", ".join(f"{name} {value:.2f}" for (_, name), value in part.items())
        for source, part in means.groupby(level=0, sort=False)
    )


def describe_training_curves(frame: pd.DataFrame) -> str:
    """Return the course of the effective rank through training, averaged over seeds."""
    return "Effective rank during training, mean over seeds. " + _sentences(
        _mean_curves(frame, "epoch", "effective_rank", "epoch")
    )


def describe_tsne(frame: pd.DataFrame) -> str:
    """Return the number of points and classes, and how far the classes of each objective lie apart."""
    apart = ", ".join(f"{name} {value:.2f}" for name, value in class_separation(frame).items())
    panels = frame.objective.nunique()
    return (
        f"{len(frame) // panels} test images as points in a plane, coloured by {frame.label.nunique()} classes; one "
        f"panel for each of {', '.join(map(str, frame.objective.unique()))}. Silhouette of the classes: {apart}."
    )


def describe_masked_images(frame: pd.DataFrame) -> str:
    """Return which images are shown, and the shares of hidden patches."""
    classes = frame.drop_duplicates("image").label.astype(int).tolist()
    ratios = ", ".join(f"{100 * ratio:g} %" for ratio in frame.mask_ratio.unique())
    return (
        f"{len(classes)} images in rows, of classes {', '.join(map(str, classes))}; in columns, {ratios} of their "
        "patches are hidden."
    )


def describe_image_statistics(frame: pd.DataFrame) -> str:
    """Return the course of each statistic against the mask ratio, first those that compare classes."""
    names = {"relative": "intra / inter", "accuracy": "linear probe, %", "alpha": "α", "phi": "φ", "next": "λₖ₊₁"}
    chosen = frame[frame.number.isin(names)]
    curves = [
        f"{names[str(number)]}, {source}: {describe_curve(part.rho, part.value, 'ρ =')}"
        for (number, source), part in chosen.groupby(["number", "source"], sort=False)
    ]
    return "Against the mask ratio ρ. " + _sentences(curves)


def describe_score_against_accuracy(frame: pd.DataFrame) -> str:
    """Return the largest and the smallest rank correlation of a score of mask laws with accuracy."""
    rho = frame.drop_duplicates(["score", "readout"]).dropna(subset=["rho"])
    if rho.empty:
        return f"Scores of {frame.law.nunique()} mask laws against accuracy; no correlation is known."
    ends = [("largest", rho.loc[rho.rho.idxmax()]), ("smallest", rho.loc[rho.rho.idxmin()])]
    return (
        f"Rank correlations of {rho.score.nunique()} scores of {frame.law.nunique()} mask laws with linear-probe "
        "accuracy. "
        + _sentences(
            f"The {word}: {row.score} ({row.readout}) {row.rho:.2f} [{row.rho_low:.2f}, {row.rho_high:.2f}]"
            for word, row in ends
        )
    )


def describe_uniformity_sweep(frame: pd.DataFrame) -> str:
    """Return the course of each measure against the weight of U-MAE's term."""
    own = frame[frame.term == U_MAE_TERM]
    return "Against the weight λ of U-MAE's term. " + _sentences(
        f"{metric.replace('_', ' ')}, {readout}: {describe_curve(part.weight, part.value, 'λ =')}"
        for metric, readout in MEASURES
        if len(part := own[(own.metric == metric) & (own.readout == readout)])
    )


def describe_training_length(frame: pd.DataFrame) -> str:
    """Return the course of each measure of both objectives, and of their difference, against the number of epochs."""
    return "Against the number of epochs. " + _sentences(
        f"{str(metric).replace('_', ' ')}, {readout}: " + "; ".join(_curves(part, "curve", "epochs", "value", "epoch"))
        for (metric, readout), part in frame.groupby(["metric", "readout"], sort=False)
    )


def describe_initialisation(frame: pd.DataFrame) -> str:
    """Return the means over seeds of each measure, objective and rule of initialisation."""
    means = frame.groupby(["metric", "readout", "initialisation", "objective"], sort=False).value.mean()
    return "Means over seeds under two rules of initialisation. " + _sentences(
        f"{metric.replace('_', ' ')}, {readout}, {rule}: "
        + ", ".join(f"{name} {value:.3g}" for (*_, name), value in part.items())
        for (metric, readout, rule), part in means.groupby(level=[0, 1, 2], sort=False)
    )


def describe_feature_spectra(frame: pd.DataFrame) -> str:
    """Return the ends of the spectrum of each checkpoint and baseline."""
    return "Singular values of the features over √n, by index, on a logarithmic scale. " + _sentences(
        f"{name}, {readout}: " + "; ".join(_curves(part, "who", "index", "singular_value", "index"))
        for (name, readout), part in frame.groupby(["checkpoint", "readout"], sort=False)
    )


def describe_effective_rank_by_layer(frame: pd.DataFrame) -> str:
    """Return the course of the effective rank over the layers of each checkpoint."""
    return "Effective rank by layer. " + _sentences(
        f"{name}: "
        + "; ".join(_curves(part.assign(layer=part.layer.astype(int)), "readout", "layer", "value", "layer"))
        for name, part in frame.groupby("checkpoint", sort=False)
    )


def describe_effective_rank_by_sample_size(frame: pd.DataFrame) -> str:
    """Return the course of the effective rank over the number of images, of each checkpoint and its baseline."""
    named = frame.assign(curve=[f"{row.readout}, {row.who}" for row in frame.itertuples()])
    return "Effective rank by number of images. " + _sentences(
        f"{name}: " + "; ".join(_curves(part, "curve", "images", "value", "n ="))
        for name, part in named.groupby("checkpoint", sort=False)
    )


def _curves(frame: pd.DataFrame, name: str, x: str, y: str, unit: str) -> list[str]:
    return [f"{label} {describe_curve(part[x], part[y], unit)}" for label, part in frame.groupby(name, sort=False)]


def _mean_curves(frame: pd.DataFrame, x: str, y: str, unit: str) -> list[str]:
    means = frame.groupby(["objective", x], sort=False)[y].mean().reset_index()
    return _curves(means, "objective", x, y, unit)


def _origin(source: Any, where: str) -> str:
    return "This run" if source == OURS else f"The paper's {where}"


def _sentences(parts: Iterator[str] | list[str]) -> str:
    """Return sentences, of which a figure of many curves has the first ones only."""
    listed = list(parts)
    left_out = len(listed) - MAX_CURVES
    shown = [f"{part}." for part in listed[:MAX_CURVES]]
    return " ".join([*shown, f"And {left_out} more."] if left_out > 0 else shown)
