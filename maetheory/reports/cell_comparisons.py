"""Compare every two cells of an experiment, such as models trained at several mask ratios, by one metric.

Seeds and test images are crossed, as in `maetheory.reports.claims`, so the interval of a difference adds two
half-widths in squares. That over seeds is Tukey's, for all pairs together, with one variance for all cells; cells are
taken for independent, which makes it wider, not narrower, where models of equal seeds are alike. That over test images
is normal, at a level divided among the pairs (Bonferroni), and taken from the differences of each image where the
ledger holds the predictions of both models. The level is that of one of the planned interim analyses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from maetheory.core import printable_list
from maetheory.reports.claims import TAIL, UNDECIDED, half_width_over_images
from maetheory.reports.page import Section, Table

COMPARISON_COLUMNS = ("readout", "cell", "other", "difference", "error", "seeds", "verdict")


def compare_cells(ledger: pd.DataFrame, *, metric: str, readout: str) -> pd.DataFrame:
    """Compare every two cells of one experiment; the intervals of all pairs hold together.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment, as `compare_objectives` takes them.
    metric, readout : str

    Returns
    -------
    DataFrame
        readout, cell, other, difference (that of `cell` less that of `other`, mean over seeds), error (half the width
        of the interval; NaN with fewer than two seeds of a cell), seeds (the smaller number of the two), verdict
        ("higher" or "lower" if the interval lies on one side of 0, else "undecided").

    References
    ----------
    Tukey (1949), Comparing individual means in the analysis of variance, and Kramer (1956), Extension of multiple range
    tests to group means with unequal numbers of replications, for the intervals over seeds.

    Examples
    --------
    >>> shared = {"epochs": 6, "train_images": 9, "test_images": 9, "readout": "cls", "metric": "linear_probe"}
    >>> ledger = pd.DataFrame([{**shared, "cell": cell, "seed": seed, "value": value + seed / 100, "error": 0.02}
    ...                        for seed in (0, 1, 2) for cell, value in (("ratio 0.5", 0.5), ("ratio 0.75", 0.6))])
    >>> compare_cells(ledger, metric="linear_probe", readout="cls")[["cell", "other", "verdict"]].values.tolist()
    [['ratio 0.5', 'ratio 0.75', 'lower']]
    """
    chosen = ledger[(ledger.metric == metric) & (ledger.readout == readout)].dropna(subset=["value"])
    cells = {str(name): part.sort_values("seed") for name, part in chosen.groupby("cell", sort=False)}
    pairs = list(combinations(range(len(cells)), 2))
    if not pairs:
        return pd.DataFrame(columns=list(COMPARISON_COLUMNS))
    names, parts = list(cells), list(cells.values())
    over_seeds = half_widths_over_seeds([part.value.to_numpy(float) for part in parts])
    rows = []
    for one, other in pairs:
        difference = float(parts[one].value.mean() - parts[other].value.mean())
        over_images = half_width_over_images(parts[one], parts[other], TAIL / len(pairs))
        error = float(np.hypot(over_seeds[one, other], over_images))
        seeds = min(len(parts[one]), len(parts[other]))
        rows.append((readout, names[one], names[other], difference, error, seeds, _verdict(difference, error)))
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def half_widths_over_seeds(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return half the width of Tukey's interval of every two means, at the level of one look.

    Parameters
    ----------
    values : sequence of (seeds,) arrays
        One for each cell. Cells with other numbers of seeds are compared by the rule of Kramer (1956).

    Returns
    -------
    (cells, cells) array
        All NaN where a cell has fewer than two seeds.
    """
    count, seeds = len(values), np.array(list(map(len, values)))
    if seeds.min() < 2:
        return np.full((count, count), np.nan)
    freedom = int(seeds.sum()) - count
    variance = sum(float(np.square(one - one.mean()).sum()) for one in values) / freedom
    return _studentised_range(count, freedom) * np.sqrt(variance * (1 / seeds[:, None] + 1 / seeds[None]) / 2)


@cache
def _studentised_range(count: int, freedom: int) -> float:
    """Return the quantile of the studentised range of `count` means at the level of one look."""
    return float(stats.studentized_range.ppf(1 - 2 * TAIL, count, freedom))


def _verdict(difference: float, error: float) -> str:
    if difference - error > 0:
        return "higher"
    return "lower" if difference + error < 0 else UNDECIDED


def compare_linear_probes(ledger: pd.DataFrame) -> pd.DataFrame:
    """Compare every two cells of one experiment by linear probing accuracy, on cls and on the mean of patches."""
    found = [compare_cells(ledger, metric="linear_probe", readout=readout) for readout in ("cls", "mean")]
    return pd.concat(found, ignore_index=True)


def comparison_section(found: pd.DataFrame) -> Section:
    """Return the section of a page that shows comparisons of accuracies."""
    level = 100 * (1 - 2 * TAIL)
    return Section(
        "Linear probes told apart",
        f"Every two, with intervals of {level:.1f} % that hold for all pairs of a readout together: Tukey's over seeds "
        "and, added in squares, the normal one over test images, its level divided among the pairs.",
        tables=[Table(comparison_table(found), "Differences of linear probing accuracy, and what is decided.")],
    )


def comparison_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons of accuracies as text: readout, models, difference in points, seeds, verdict."""
    rows = found.to_dict("records")
    return pd.DataFrame(
        {
            "readout": found.readout,
            "models": [f"{row['cell']} less {row['other']}" for row in rows],
            "difference, points": [_points(row["difference"], row["error"], "+") for row in rows],
            "seeds": found.seeds,
            "verdict": found.verdict,
        }
    )


def comparison_sentence(found: pd.DataFrame) -> str:
    """Return, for each readout, which accuracies are told apart, by how many points, and how many pairs are not."""
    if found.empty:
        return "There are no two models to compare."
    return " ".join(_readout_sentence(str(readout), part) for readout, part in found.groupby("readout", sort=False))


def _readout_sentence(readout: str, found: pd.DataFrame) -> str:
    pairs = f"{len(found)} pair{'s' if len(found) > 1 else ''}"
    decided = found[found.verdict != UNDECIDED]
    if decided.empty:
        return f"On {readout}, no two are told apart ({pairs})."
    told = []
    for row in decided.to_dict("records"):
        names = (row["cell"], row["other"]) if row["difference"] > 0 else (row["other"], row["cell"])
        told.append(f"{names[0]} is above {names[1]} by {_points(abs(row['difference']), row['error'])} points")
    left = len(found) - len(decided)
    ending = f"; {left} of {pairs} {'is' if left == 1 else 'are'} undecided" if left else ""
    return f"On {readout}, {printable_list(told, len(told))}{ending}."


def _points(difference: float, error: float, sign: str = "") -> str:
    return f"{100 * difference:{sign}.2g} ± {100 * error:.2g}"
