"""Shared style of the figures: colours, rc parameters, saving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from maetheory.core import atomic_write, printable

COLOURS = {
    "random": "#7f7f7f",
    "random, normal (0.02)": "#b5b5b5",
    "MAE": "#d55e00",
    "U-MAE": "#0072b2",
    "SimMIM": "#e69f00",
    "U-SimMIM": "#56b4e9",
}
COLOUR_CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_OTHER_COLOURS = ("#009e73", "#cc79a7", "#8c564b", "#17becf", "#bcbd22")  # of objectives that COLOURS does not name
CLASS_COLOURS = COLOUR_CYCLE[:4]
FLOAT32_RESOLUTION = 1e-6  # singular values below this, relative to the first, are rounding error of float32 features
VERDICT_STYLES = {
    "HOLDS": ("#0072b2", "o"),
    "TIGHT": ("#000000", "D"),
    "VACUOUS": ("#e69f00", "x"),
    "UNDECIDED": ("#7f7f7f", "s"),
    "VIOLATED": ("#d55e00", "X"),
    "INAPPLICABLE": ("#bbbbbb", "."),
}

_RC_PARAMS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 150,
    "savefig.bbox": "tight",
    "svg.hashsalt": "maetheory",
    "svg.fonttype": "path",
}


def objective_colours(names: Iterable[str]) -> dict[str, str]:
    """Return the colour of each objective: that of `COLOURS`, and others in turn for names of your own.

    Examples
    --------
    >>> objective_colours(["MAE", "my model"])
    {'MAE': '#d55e00', 'my model': '#009e73'}
    """
    distinct = [str(name) for name in dict.fromkeys(names)]
    others = [name for name in distinct if name not in COLOURS]
    return {name: COLOURS.get(name) or _OTHER_COLOURS[others.index(name) % len(_OTHER_COLOURS)] for name in distinct}


@contextmanager
def paper_style() -> Iterator[None]:
    """Apply the style of the figures inside a with block, and close the figures opened there."""
    before = set(plt.get_fignums())
    with mpl.rc_context(_RC_PARAMS):
        try:
            yield
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)


def plain_label(text: str) -> str:
    r"""Return a name from outside (a file, a data set, a class) as a label that is drawn as it is.

    Matplotlib reads what stands between two dollar signs as mathematics and raises an error if it is none.

    Examples
    --------
    >>> print(plain_label(r"$\frac$"))
    \$\frac\$
    """
    return printable(text).replace("$", r"\$")


def save_figure(figure: Figure, frame: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write ``name.svg``, ``name.png`` and the plotted numbers as ``name.csv``, each atomically."""
    written = []
    for suffix in ("svg", "png"):
        with atomic_write(folder / f"{name}.{suffix}") as part:
            figure.savefig(part, metadata={"Date": None} if suffix == "svg" else {"Software": None})
        written.append(folder / f"{name}.{suffix}")
    with atomic_write(folder / f"{name}.csv") as part:
        frame.to_csv(part, index=False, float_format="%.8g", errors="backslashreplace")
    return [*written, folder / f"{name}.csv"]
