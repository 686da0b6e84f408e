"""The mask ratio by rows: our distances beside the paper's, the graphs' numbers, and what a curve did, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.evaluation.collapse.formatting import format_interval, number
from maetheory.figures.image_mask_ratio import (
    CHANGE_FROM_MINIMUM,
    FEATURES,
    KERNEL,
    PAPER,
    PAPER_MINIMUM,
    PIXELS,
    TOKENS,
    TRAINED_READOUTS,
)

COLUMNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "intra, pixels": (PIXELS[0], "intra"),
        "inter, pixels": (PIXELS[0], "inter"),
        "intra / inter, pixels": (PIXELS[0], "relative"),
        "less that at 0.7": (PIXELS[0], CHANGE_FROM_MINIMUM),
        "intra / inter, features": (FEATURES[0], "relative"),
        "intra / inter, paper": (PAPER, "relative"),
        "α, tokens": (TOKENS, "alpha"),
        "φ, tokens": (TOKENS, "phi"),
        "λ next, tokens": (TOKENS, "next"),
        "bound, tokens": (TOKENS, "bound"),
        "α, kernel": (KERNEL, "alpha"),
        "φ, kernel": (KERNEL, "phi"),
        "λ next, kernel": (KERNEL, "next"),
        "bound, kernel": (KERNEL, "bound"),
        "linear probe, cls, %": (TRAINED_READOUTS[0], "accuracy"),
        "linear probe, mean, %": (TRAINED_READOUTS[1], "accuracy"),
    }
)
UNDECIDED_MARK = "?"


def mask_ratio_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of `maetheory.figures.image_mask_ratios` as texts, a row for each ratio that was asked for.

    Each is "value [low, high]", two standard errors or a 95 % band; a question mark after it is UNDECIDED, and the
    paper's have no errors.

    Examples
    --------
    >>> from maetheory.figures.image_mask_ratio import paper_rows
    >>> mask_ratio_table(paper_rows()).to_dict("records")[4]
    {'ρ': 0.7, 'intra / inter, paper': '0.883'}
    """
    found = {(row["asked"], row["source"], row["number"]): _format_cell(row) for row in frame.to_dict("records")}
    rows = [
        {"ρ": asked} | {name: found.get((asked, *where), "–") for name, where in COLUMNS.items()}
        for asked in sorted(set(frame.asked))
    ]
    table = pd.DataFrame(rows)
    return table.loc[:, [name for name in table if set(table[name]) != {"–"}]]


def _format_cell(row: Mapping[str, object]) -> str:
    if row["low"] == row["value"] == row["high"]:
        return f"{row['value']:.4g}"
    if not np.isfinite(float(row["high"])):  # type: ignore[arg-type]
        return f"{number(float(row['value']))} [{number(float(row['low']))}, ∞]{UNDECIDED_MARK}"  # type: ignore[arg-type]
    return format_interval(row) + ("" if row["decided"] else UNDECIDED_MARK)


def trend_sentence(frame: pd.DataFrame, source: str, name: str) -> str:
    """Say in words how a number runs as the ratio grows: where its least value is, and whether errors allow another.

    Neighbours share images and masks, so that their errors are not independent; that of a difference is taken as if
    they were, which is more than it is.

    Examples
    --------
    >>> from maetheory.figures.image_mask_ratio import paper_rows
    >>> trend_sentence(paper_rows(), "paper", "relative")
    'falls from 0.886 to 0.883 at ρ = 0.7, then rises to 0.892'
    """
    part = frame[(frame.source == source) & (frame.number == name)].sort_values("rho")
    value = part.value.to_numpy()
    if len(value) < 2 or not np.isfinite(value).all():
        return f"is {_format_range(value)}"
    error = ((part.high - part.low) / 2).to_numpy()
    least = int(value.argmin())

    def above(i: int) -> bool:
        return bool(value[i] - value[least] > np.hypot(error[i], error[least]) + 1e-12)

    first, last, lowest = number(value[0]), number(value[-1]), number(value[least])
    rho = f"{part.asked.iloc[least]:g}"
    if above(0) and above(-1):
        return f"falls from {first} to {lowest} at ρ = {rho}, then rises to {last}"
    if above(-1):
        return f"rises from {first} to {last}"
    if above(0):
        return f"falls from {first} to {last}"
    return f"is {_format_range(value)} and does not change beyond its errors"


def _format_range(value: np.ndarray) -> str:
    """Return the least and the largest value as a text, or the one value there is."""
    low, high = (number(float(end)) if np.isfinite(end) else "∞" for end in (value.min(), value.max()))
    return low if low == high else f"{low} to {high}"


def directions_around_paper_minimum(frame: pd.DataFrame, source: str) -> tuple[str, str]:
    """Say what intra / inter does up to ρ = 0.7, where the paper's is least, and from there: falls, rises or is level.

    From the first ratio to 0.7 and from 0.7 to the last, by changes and their own errors, which are much smaller than
    those of the values.

    Examples
    --------
    >>> from maetheory.figures.image_mask_ratio import paper_rows
    >>> directions_around_paper_minimum(paper_rows(), "paper")
    ('falls', 'rises')
    """
    part = frame[(frame.source == source) & (frame.number == CHANGE_FROM_MINIMUM)].sort_values("asked")
    return _direction(part.iloc[0], ("falls", "rises")), _direction(part.iloc[-1], ("rises", "falls"))


def _has_ratios_on_both_sides(frame: pd.DataFrame, source: str) -> bool:
    """Say whether there are ratios below the paper's least and above it."""
    asked = frame[(frame.source == source) & (frame.number == CHANGE_FROM_MINIMUM)].asked
    return bool(asked.min() < PAPER_MINIMUM < asked.max())


def _direction(row: pd.Series, words: tuple[str, str]) -> str:
    """Name an end that is above the middle, or below it, beyond the error of the change."""
    if row.low > 1e-12:
        return words[0]
    return words[1] if row.high < -1e-12 else "is level"


def mask_ratio_summary(frame: pd.DataFrame) -> str:
    """Say of each reading of "distance" whether intra / inter falls and rises as the paper's, and how graphs' runs."""
    sources = [
        source
        for source in (*PIXELS, *FEATURES)
        if ((frame.source == source) & (frame.number == CHANGE_FROM_MINIMUM)).any()
    ]
    sources = [source for source in sources if _has_ratios_on_both_sides(frame, source)]
    steps = {source: directions_around_paper_minimum(frame, source) for source in sources}
    said = [f"{source}: {before} to ρ = {PAPER_MINIMUM}, then {after}" for source, (before, after) in steps.items()]
    alike = [source for source, step in steps.items() if step == ("falls", "rises")]
    verdict = f"As in the paper only: {', '.join(alike)}." if alike else "The paper's falls, then rises: none of them."
    graphs = [
        f"{name} of {source} {trend_sentence(frame, source, number)}"
        for source in (TOKENS, KERNEL)
        for number, name in (("alpha", "α"), ("bound", "the bound"))
    ]
    distances = f"intra / inter, {'; '.join(said)}. {verdict} " if said else ""
    return f"{distances}{'; '.join(graphs)}."


def write_mask_ratio_figures(folder: Path, frame: pd.DataFrame, pair: pd.DataFrame | None) -> list[Path]:
    """Draw the panels, and the pair of images where it may be shown, into `folder`; return what was written."""
    from matplotlib import pyplot as plt

    written = []
    with figures.paper_style():
        figure, axes = plt.subplots(*figures.MASK_RATIO_SHAPE, figsize=figures.MASK_RATIO_SIZE, layout="constrained")
        figures.draw_image_mask_ratios(axes, frame)
        written += figures.save_figure(figure, frame, folder, "image_mask_ratio")
        if pair is not None:
            figure, axes = plt.subplots(2, pair.mask_ratio.nunique(), figsize=(6.5, 2.8), layout="constrained")
            figures.draw_masked_images(axes, pair)
            written += figures.save_figure(figure, pair, folder, "masked_pair")
    return written
