"""Table, summary sentences and figures of the mask-ratio study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.evaluation.collapse.formatting import format_interval, format_number
from maetheory.figures.mask_ratio_table import (
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
        "change from ρ = 0.7": (PIXELS[0], CHANGE_FROM_MINIMUM),
        "intra / inter, features": (FEATURES[0], "relative"),
        "intra / inter, paper": (PAPER, "relative"),
        "α, tokens": (TOKENS, "alpha"),
        "φ, tokens": (TOKENS, "phi"),
        "λ_{k+1}, tokens": (TOKENS, "next"),
        "bound, tokens": (TOKENS, "bound"),
        "α, kernel": (KERNEL, "alpha"),
        "φ, kernel": (KERNEL, "phi"),
        "λ_{k+1}, kernel": (KERNEL, "next"),
        "bound, kernel": (KERNEL, "bound"),
        "linear probe, cls, %": (TRAINED_READOUTS[0], "accuracy"),
        "linear probe, mean, %": (TRAINED_READOUTS[1], "accuracy"),
    }
)
"""Column of the table -> source and number of a row of the data."""
UNDECIDED_MARK = "?"


def mask_ratio_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of `maetheory.figures.image_statistics_by_mask_ratio` as text, one row per mask ratio.

    Each cell is "value [low, high]", an interval of two standard errors or of 95 %; a question mark after it means
    UNDECIDED. The paper's numbers have no errors.

    Examples
    --------
    >>> from maetheory.figures.mask_ratio_table import paper_rows
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


def _format_cell(row: Mapping[Any, Any]) -> str:
    if row["low"] == row["value"] == row["high"]:
        return f"{row['value']:.4g}"
    if not np.isfinite(row["high"]):
        return f"{format_number(row['value'])} [{format_number(row['low'])}, ∞]{UNDECIDED_MARK}"
    return format_interval(row) + ("" if row["decided"] else UNDECIDED_MARK)


def trend_phrase(frame: pd.DataFrame, source: str, name: str) -> str:
    """Describe how a number changes with the mask ratio, as a verb phrase: where it is smallest, and how surely.

    Ratios share images and masks, so their errors are positively correlated; the error of a difference is computed as
    if they were independent, which overestimates it.

    Examples
    --------
    >>> from maetheory.figures.mask_ratio_table import paper_rows
    >>> trend_phrase(paper_rows(), "paper", "relative")
    'falls from 0.886 to 0.883 at ρ = 0.7, then rises to 0.892'
    """
    rows = frame[(frame.source == source) & (frame.number == name)].sort_values("rho")
    value = rows.value.to_numpy()
    if len(value) < 2 or not np.isfinite(value).all():
        return f"is {_format_range(value)}"
    error = ((rows.high - rows.low) / 2).to_numpy()
    least = int(value.argmin())

    def above_least(i: int) -> bool:
        return bool(value[i] - value[least] > np.hypot(error[i], error[least]) + 1e-12)

    first, last, lowest = format_number(value[0]), format_number(value[-1]), format_number(value[least])
    rho = f"{rows.asked.iloc[least]:g}"
    if above_least(0) and above_least(-1):
        return f"falls from {first} to {lowest} at ρ = {rho}, then rises to {last}"
    if above_least(-1):
        return f"rises from {first if least == 0 else f'{lowest} at ρ = {rho}'} to {last}"
    if above_least(0):
        return f"falls from {first} to {last if least == len(value) - 1 else f'{lowest} at ρ = {rho}'}"
    return f"is {_format_range(value)} and does not change beyond its errors"


def _format_range(value: np.ndarray) -> str:
    """Return the smallest and the largest value as text, or the value if they are equal."""
    low, high = (format_number(float(end)) if np.isfinite(end) else "∞" for end in (value.min(), value.max()))
    return low if low == high else f"{low} to {high}"


def directions_around_paper_minimum(frame: pd.DataFrame, source: str) -> tuple[str, str]:
    """Return how intra / inter changes from the first ratio to 0.7, and from 0.7 to the last.

    Each is "falls", "rises" or "is level". At 0.7 the ratio of the paper is smallest. The changes have errors of their
    own, which are much smaller than those of the values.

    Examples
    --------
    >>> from maetheory.figures.mask_ratio_table import paper_rows
    >>> directions_around_paper_minimum(paper_rows(), "paper")
    ('falls', 'rises')
    """
    part = frame[(frame.source == source) & (frame.number == CHANGE_FROM_MINIMUM)].sort_values("asked")
    return _direction_word(part.iloc[0], ("falls", "rises")), _direction_word(part.iloc[-1], ("rises", "falls"))


def _has_ratios_on_both_sides(frame: pd.DataFrame, source: str) -> bool:
    """Return whether mask ratios lie both below and above 0.7."""
    asked = frame[(frame.source == source) & (frame.number == CHANGE_FROM_MINIMUM)].asked
    return bool(asked.min() < PAPER_MINIMUM < asked.max())


def _direction_word(row: pd.Series, words: tuple[str, str]) -> str:
    """Return the first word if the end lies significantly above the value at 0.7, the second if below."""
    if row.low > 1e-12:
        return words[0]
    return words[1] if row.high < -1e-12 else "is level"


def mask_ratio_summary(frame: pd.DataFrame) -> str:
    """Say which distances fall and then rise as in the paper, and how the numbers of the mask graphs change."""
    sources = [source for source in (*PIXELS, *FEATURES) if _has_ratios_on_both_sides(frame, source)]
    graphs = [
        f"{name} of {source} {trend_phrase(frame, source, key)}"
        for source in (TOKENS, KERNEL)
        for key, name in (("alpha", "α"), ("bound", "the bound"))
    ]
    return " ".join([*_distance_sentences(frame, sources), f"{'; '.join(graphs)}."])


def _distance_sentences(frame: pd.DataFrame, sources: Sequence[str]) -> list[str]:
    """Return the changes of intra / inter, and the sources that change as in the paper."""
    if not sources:
        return []
    steps = {source: directions_around_paper_minimum(frame, source) for source in sources}
    changes = [f"{one}: {before} up to ρ = {PAPER_MINIMUM}, then {after}" for one, (before, after) in steps.items()]
    as_in_paper = [source for source, step in steps.items() if step == ("falls", "rises")]
    verdict = (
        f"Only these fall and then rise, as in the paper: {', '.join(as_in_paper)}."
        if as_in_paper
        else "None of them falls and then rises as the paper's does."
    )
    return [f"intra / inter, {'; '.join(changes)}.", verdict]


def write_mask_ratio_figures(folder: Path, frame: pd.DataFrame, pair: pd.DataFrame | None) -> list[Path]:
    """Draw the panels, and the pair of masked images if it is given, and return the files written into `folder`."""
    from matplotlib import pyplot as plt

    written = []
    with figures.paper_style():
        figure = plt.figure(figsize=figures.MASK_RATIO_SIZE, layout="constrained")
        figures.draw_image_statistics_by_mask_ratio(figures.mask_ratio_axes(figure, frame), frame)
        written += figures.save_figure(figure, frame, folder, "image_mask_ratio")
        if pair is not None:
            figure, axes = plt.subplots(2, pair.mask_ratio.nunique(), figsize=(6.5, 2.8), layout="constrained")
            figures.draw_masked_images(axes, pair)
            written += figures.save_figure(figure, pair, folder, "masked_pair")
    return written
