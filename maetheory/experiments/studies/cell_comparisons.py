"""Compare every two cells of an experiment, such as models trained at several mask ratios, by one metric.

Seeds and test images are crossed, as in `maetheory.reports.claims`, so the interval of a difference adds two
half-widths in squares. The half-width over seeds is the larger of two: that of Tukey's interval, which holds for all
pairs together and takes cells for independent and of one variance, and that of Student's interval of the pair's own
differences, seed by seed, which is wider for a pair that varies more than the average. (Of four cells that do not
differ, with three seeds spread by 0.4, 1.0, 0.3 and 0.6, Tukey's alone finds a difference in 4 % of simulated draws,
the larger of the two in 1.3 %; if all spread alike, in 0.5 %. Allowed are 1.67 %.) The half-width over test images is
normal, at a level divided among the pairs (Bonferroni); it is taken from the differences of each image where the
ledger holds the predictions of both models. The level is that of one of the planned interim analyses, 98.33 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from maetheory.core import InputError
from maetheory.core.enumeration import enumerated
from maetheory.reports.claims import TAIL, UNDECIDED, half_width_over_images, t_half_width
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
        readout, cell, other, difference (mean over seeds of `cell` less that of `other`), error (half the width of the
        interval; NaN where one of the two has fewer than two seeds), seeds (the smaller number of the two), verdict
        ("higher" or "lower" if the interval lies on one side of 0, else "undecided").

    Raises
    ------
    InputError
        If a cell has two records of one seed.

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
    if chosen.duplicated(["cell", "seed"]).any():
        raise InputError(f"the ledger has several records of {metric} of {readout} for one cell and seed; keep one")
    cells = {str(name): part.set_index("seed", drop=False) for name, part in chosen.groupby("cell", sort=False)}
    names, parts = list(cells), list(cells.values())
    pairs = list(combinations(range(len(cells)), 2))
    tukey = tukey_half_widths([part.value.to_numpy(float) for part in parts])
    rows = []
    for one, other in pairs:
        a, b = parts[one], parts[other]
        difference, seeds = float(a.value.mean() - b.value.mean()), min(len(a), len(b))
        over_seeds = float(np.fmax(tukey[one, other], _paired_half_width(a.value, b.value)))
        over_images = half_width_over_images(a.reset_index(drop=True), b.reset_index(drop=True), TAIL / len(pairs))
        error = float(np.hypot(over_seeds, over_images)) if seeds > 1 else np.nan
        rows.append((readout, names[one], names[other], difference, error, seeds, _verdict(difference, error)))
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def tukey_half_widths(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return half the width of Tukey's interval of every two means, at the level of one interim analysis.

    Parameters
    ----------
    values : sequence of (seeds,) arrays
        One for each cell. Cells with unequal numbers of seeds are compared by the rule of Kramer (1956).

    Returns
    -------
    (cells, cells) array
        NaN where no cell has two seeds.
    """
    count, seeds = len(values), np.array([len(one) for one in values])
    freedom = int(seeds.sum()) - count
    if count < 2 or freedom < 1:
        return np.full((count, count), np.nan)
    variance = sum(float(np.square(one - one.mean()).sum()) for one in values) / freedom
    return _studentised_range(count, freedom) * np.sqrt(variance * (1 / seeds[:, None] + 1 / seeds[None]) / 2)


@cache
def _studentised_range(count: int, freedom: int) -> float:
    """Return the quantile of the studentised range of `count` means at the level of one interim analysis."""
    return float(stats.studentized_range.ppf(1 - 2 * TAIL, count, freedom))


def _paired_half_width(one: pd.Series, other: pd.Series) -> float:
    """Return half the width of Student's interval of the differences of equal seeds, NaN with fewer than two."""
    gains = (one - other).dropna()
    return t_half_width(float(gains.std(ddof=1)), len(gains)) if len(gains) > 1 else np.nan


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
        "Pairwise differences of linear probing accuracy",
        f"The intervals of {level:.2f} % hold for all pairs of one readout together. Each adds two half-widths in "
        "squares: that over test images, and that over seeds, which is the larger of Tukey's for all pairs and "
        "Student's for the pair alone, seed by seed.",
        tables=[Table(comparison_table(found), "Differences of linear probing accuracy, and verdicts.")],
    )


def comparison_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons of accuracies as text: readout, models, difference in points, seeds, verdict."""
    rows = found.to_dict("records")
    return pd.DataFrame(
        {
            "readout": found.readout,
            "models": [f"{row['cell']} − {row['other']}" for row in rows],
            "difference, points": [_points(row["difference"], row["error"], "+") for row in rows],
            "seeds": found.seeds,
            "verdict": found.verdict,
        }
    )


def comparison_sentence(found: pd.DataFrame) -> str:
    """Return, for each readout, which accuracies differ, by how many points, and how many pairs are undecided."""
    if found.empty:
        return "There are no two models to compare."
    return " ".join(_readout_sentence(str(readout), part) for readout, part in found.groupby("readout", sort=False))


def _readout_sentence(readout: str, found: pd.DataFrame) -> str:
    if found.error.isna().all():
        return f"On {readout}, one seed compares no models."
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
    return f"On {readout}, {enumerated(told, 'and')}{ending}."


def _points(difference: float, error: float, sign: str = "") -> str:
    shown = f"{100 * difference:{sign}.1f}"
    return f"{shown} ± {100 * error:.1f}" if np.isfinite(error) else f"{shown}, one seed"
