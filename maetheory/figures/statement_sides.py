"""Both sides of one statement on every world where it is checked, the worlds of its own set apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import SymmetricalLogLocator

from maetheory.figures.style import VERDICT_STYLES
from maetheory.theory import THEOREMS, Theorem
from maetheory.theory.survey import BROKEN, TIGHT, TheoremSurvey, survey
from maetheory.theory.theorem_names import find_theorem

_OWN_MARKERS = {TIGHT: ("tight example", "*", "#000000"), BROKEN: ("an assumption fails", "X", "#cc79a7")}
_LINEAR_BELOW = 1.0
_MAX_TICKS = 5


def statement_sides(statement: str | Theorem | TheoremSurvey, *, worlds: int = 40, seed: int = 0) -> pd.DataFrame:
    """Compute both sides of a statement on its tight and broken examples, the standard worlds and random ones.

    Parameters
    ----------
    statement : str, Theorem or TheoremSurvey
        Name or number of the paper ("3.4"), the statement itself, or a survey of it, which is not repeated.
    worlds, seed : int
        As for :func:`maetheory.theory.survey.survey`.

    Returns
    -------
    DataFrame
        slug, kind ("tight", "broken", "standard" or "drawn"), world, verdict, direction, left, right, slack, note.

    Raises
    ------
    InputError
        If there is no statement of this name.

    Examples
    --------
    >>> frame = statement_sides("3.4", worlds=5)
    >>> sorted(set(frame.kind)), bool((frame.slack >= 0).all())
    (['drawn', 'standard', 'tight'], True)
    """
    if isinstance(statement, TheoremSurvey):
        row = statement
    else:
        theorem = find_theorem(THEOREMS, statement) if isinstance(statement, str) else statement
        (row,) = survey([theorem], worlds=worlds, seed=seed)
    return pd.DataFrame(
        [
            {
                "slug": row.theorem.slug,
                "kind": record.kind,
                "world": record.world,
                "verdict": record.check.verdict.value,
                "direction": row.theorem.direction,
                "left": record.check.lhs.value,
                "right": record.check.rhs.value,
                "slack": record.check.slack,
                "note": record.check.note,
            }
            for record in row.checks
        ]
    )


def draw_statement_sides(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the left side against the right one; the claim is false on the shaded side of the line of equality.

    Axes that reach beyond ±10 are linear within ±1 and logarithmic beyond. Worlds with an infinite side are left out.
    """
    drawn = frame[np.isfinite(frame.left) & np.isfinite(frame.right)]
    own = drawn.kind.isin([TIGHT, BROKEN]) & ((drawn.kind == TIGHT) | (drawn.verdict == "INAPPLICABLE"))
    for verdict, (colour, marker) in VERDICT_STYLES.items():
        part = drawn[(drawn.verdict == verdict) & ~own]
        if len(part):
            ax.scatter(part.right, part.left, s=16, lw=0.8, alpha=0.7, color=colour, marker=marker, label=verdict)
    for kind, (label, marker, colour) in _OWN_MARKERS.items():
        part = drawn[(drawn.kind == kind) & own]
        if len(part):
            ax.scatter(
                part.right, part.left, s=60, lw=0.5, ec="white", color=colour, marker=marker, label=label, zorder=4
            )
    _draw_equality(ax, drawn, str(frame.direction.iloc[0]))
    ax.set(xlabel="right side", ylabel="left side")
    ax.legend(fontsize=8, handletextpad=0.2)


def _draw_equality(ax: Axes, drawn: pd.DataFrame, direction: str) -> None:
    values = drawn[["left", "right"]].to_numpy()
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if max(-low, high) > 10 * _LINEAR_BELOW:
        ax.set_xscale("symlog", linthresh=_LINEAR_BELOW)
        ax.set_yscale("symlog", linthresh=_LINEAR_BELOW)
        for axis in (ax.xaxis, ax.yaxis):
            locator = SymmetricalLogLocator(base=10, linthresh=_LINEAR_BELOW)
            locator.set_params(numticks=_MAX_TICKS)
            axis.set_major_locator(locator)
        low, high = low * 1.5 if low < 0 else low - 0.15, high * 1.5
    else:
        margin = 0.06 * max(high - low, 1e-3)
        low, high = low - margin, high + margin
    ends = np.array([low, high])
    ax.plot(ends, ends, color="black", lw=0.8, zorder=1)
    if direction != "==":
        ax.fill_between(ends, ends, low if direction == ">=" else high, color="black", alpha=0.06, lw=0, zorder=0)
    ax.set(xlim=(low, high), ylim=(low, high))
