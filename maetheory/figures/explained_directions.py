"""Leading directions of a model's features: images at their extremes, images without content, and layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from maetheory.evaluation.explanation import ReadoutExplanation
from maetheory.evaluation.explanation.content_free_images import CONTENT_FREE_KINDS
from maetheory.evaluation.explanation.explanation import EXPLANATION_COLUMNS, explanation_rows
from maetheory.evaluation.explanation.reading import KIND_NAMES
from maetheory.figures.style import COLOUR_CYCLE

DRAWN = (
    "share of the variance",
    "variance ratio",
    "variance ratio, untrained",
    "rank correlation",
    "readable",
    "share of the layer",
    "layer of origin",
    "lowest image",
    "highest image",
)
COLUMNS, WIDTHS = 4, (1.7, 1.7, 1.1, 1.0)
FIGURE_WIDTH, ROW_HEIGHT = 10.5, 1.3
MAX_RATIO = 3.0  # of variances, beyond which a marker of an untrained network is drawn at the edge
_MONTAGE_ROWS = 2
_UNTRAINED = "#7f7f7f"
Pixels = NDArray[np.uint8]


def explained_directions(one: ReadoutExplanation) -> pd.DataFrame:
    """Collect the numbers of the figure.

    Returns
    -------
    DataFrame
        direction, quantity, of, value, low, high, as `CollapseExplanation.to_frame` has them; of statistics of images
        only the most closely followed one.
    """
    frame = pd.DataFrame(explanation_rows(one), columns=list(EXPLANATION_COLUMNS))
    frame = frame[(frame.direction > 0) & frame.quantity.isin(DRAWN)]
    best = {k.number: k.best_statistic[0] for k in one.directions if k.best_statistic}
    other = (frame.quantity == "rank correlation") & (frame["of"] != frame.direction.map(best))
    return frame[~other].reset_index(drop=True)


def extreme_images(one: ReadoutExplanation) -> list[tuple[Pixels, Pixels]]:
    """Return the pixels of the images with the lowest and with the highest scores of each direction."""
    return [(k.lowest_pixels, k.highest_pixels) for k in one.directions]


def draw_explained_directions(figure: Figure, frame: pd.DataFrame, images: Sequence[tuple[Pixels, Pixels]]) -> None:
    """Draw one row for each direction: lowest images, highest images, variance ratios, and layers.

    Parameters
    ----------
    figure : Figure
        An empty figure of `explained_directions_size`.
    frame : DataFrame
        As `explained_directions` returns it.
    images : sequence of pairs of ndarray of uint8 (r, C, h, w)
    """
    numbers = sorted(frame.direction.unique())
    grid = figure.add_gridspec(len(numbers), COLUMNS, width_ratios=WIDTHS)
    ratios, layers = _rows(frame, "variance ratio"), _rows(frame, "readable")
    untrained = _values(frame, "variance ratio, untrained").clip(upper=MAX_RATIO)
    reach = 1.05 * float(np.nanmax([1.1, ratios.high.max(), untrained.max()]))
    for row, (number, ends) in enumerate(zip(numbers, images, strict=True)):
        part = frame[frame.direction == number]
        first, last = row == 0, row == len(numbers) - 1
        titles = ("images with the lowest scores", "with the highest scores") if first else ("", "")
        left, right = (figure.add_subplot(grid[row, column]) for column in range(2))
        for ax, pixels, title in zip((left, right), ends, titles, strict=True):
            _draw_montage(ax, pixels)
            ax.set_title(title, fontsize=9)
        left.set_ylabel(_row_label(number, part), fontsize=8, rotation=0, ha="right", va="center")
        bars = figure.add_subplot(grid[row, 2])
        _draw_ratios(bars, part, reach)
        bars.set(title="variance without content / real" if first else "")
        bars.title.set_fontsize(9)
        bars.tick_params(labelbottom=last)
        curves = figure.add_subplot(grid[row, 3])
        if len(layers):
            _draw_layers(curves, part)
            curves.set(xlabel="layer (0: embedding)" if last else "", title="by layer" if first else "")
            curves.title.set_fontsize(9)
            curves.tick_params(labelbottom=last)
        else:
            curves.set_axis_off()
        if first:
            for ax in (bars, curves):
                if ax.get_legend_handles_labels()[0]:
                    ax.legend(fontsize=7, loc="best")


def explained_directions_size(frame: pd.DataFrame) -> tuple[float, float]:
    """Return width and height of the figure in inches."""
    return FIGURE_WIDTH, ROW_HEIGHT * frame.direction.nunique() + 0.5


def describe_explained_directions(frame: pd.DataFrame) -> str:
    """Return each direction's share of the variance, variance ratios, statistic and layer in words."""
    sentences = []
    for number, part in frame.groupby("direction", sort=True):
        share = _values(part, "share of the variance").iloc[0]
        ratios = ", ".join(
            f"{KIND_NAMES[str(row['of'])]} {row['value']:.2g}" for _, row in _rows(part, "variance ratio").iterrows()
        )
        text = f"Direction {number}: {100 * share:.3g} % of the variance; ratio of variances of {ratios}"
        for _, row in _rows(part, "rank correlation").iterrows():
            text += f"; Spearman's ρ with {row['of']} {row['value']:.2f}"
        for value in _values(part, "layer of origin"):
            text += f"; can be read from layer {value:.0f} on"
        sentences.append(f"{text}.")
    return "Images with the lowest and the highest scores along each direction, and numbers. " + " ".join(sentences)


def _draw_montage(ax: Axes, pixels: Pixels) -> None:
    """Draw images (r, C, h, w) in two rows, as one picture with gaps between."""
    ax.set(xticks=[], yticks=[], frame_on=False)
    if not len(pixels):
        return
    columns = -(-len(pixels) // _MONTAGE_ROWS)
    coloured = np.moveaxis(pixels if pixels.shape[1] == 3 else np.repeat(pixels[:, :1], 3, axis=1), 1, 3)
    height, width = coloured.shape[1:3]
    line = max(1, height // 16)
    canvas = np.full((_MONTAGE_ROWS * (height + line) - line, columns * (width + line) - line, 4), 0, dtype=np.uint8)
    for place_of, image in enumerate(coloured):
        top, left = (height + line) * (place_of // columns), (width + line) * (place_of % columns)
        canvas[top : top + height, left : left + width, :3] = image
        canvas[top : top + height, left : left + width, 3] = 255
    ax.imshow(canvas, interpolation="none")


def _draw_ratios(ax: Axes, part: pd.DataFrame, reach: float) -> None:
    """Draw the variance ratio of each kind with its error, and those of untrained networks."""
    for place, kind in enumerate(reversed(CONTENT_FREE_KINDS)):
        (row,) = _rows(part, "variance ratio", kind).to_dict("records")
        error = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
        ax.barh(place, row["value"], color=COLOUR_CYCLE[0], alpha=0.75, height=0.6)
        ax.errorbar(row["value"], place, xerr=error, color="#000000", lw=1, capsize=2)
        untrained = _values(part, "variance ratio, untrained", kind)
        label = "untrained" if place == 0 and len(untrained) else None
        style: dict[str, Any] = {"ls": "", "marker": "D", "ms": 4, "mfc": "none", "color": _UNTRAINED, "label": label}
        ax.plot(untrained.clip(upper=reach), [place] * len(untrained), **style)
    ax.axvline(0.5, color="#000000", lw=0.8, ls=":")
    ax.set(yticks=range(len(CONTENT_FREE_KINDS)), xlim=(0, reach))
    ax.set_yticklabels(list(reversed(CONTENT_FREE_KINDS)), fontsize=8)


def _draw_layers(ax: Axes, part: pd.DataFrame) -> None:
    """Draw R² of the score on each layer's features, and the share of their variance that the score explains."""
    for quantity, colour, style, label in (
        ("readable", COLOUR_CYCLE[0], "-", "R² of the score"),
        ("share of the layer", COLOUR_CYCLE[1], "--", "share of variance"),
    ):
        rows = _rows(part, quantity)
        layer = rows["of"].astype(int)
        ax.fill_between(layer, rows.low, rows.high, color=colour, alpha=0.25, lw=0)
        ax.plot(layer, rows.value, color=colour, ls=style, marker="o", ms=2.5, lw=1.3, label=label)
    for value in _values(part, "layer of origin"):
        ax.axvline(value, color="#000000", lw=0.8, ls=":")
    ax.set(ylim=(-0.05, 1.05))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _row_label(number: int, part: pd.DataFrame) -> str:
    """Return the label of a row: the direction, its share of the variance, and the statistic that it follows."""
    (share,) = _values(part, "share of the variance")
    lines = [f"direction {number}", f"{100 * share:.1f} % of variance"]
    lines += [
        f"{row['of']} {row['value']:+.2f}".replace("-", "−") for _, row in _rows(part, "rank correlation").iterrows()
    ]
    return "\n".join(lines)


def _rows(part: pd.DataFrame, quantity: str, of: str | None = None) -> pd.DataFrame:
    chosen = part[part.quantity == quantity]
    return chosen if of is None else chosen[chosen["of"] == of]


def _values(part: pd.DataFrame, quantity: str, of: str | None = None) -> pd.Series:
    return _rows(part, quantity, of).value
