"""Gain of U-MAE over MAE against the length of training, and whether it grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from maetheory.core.packed_bits import unpack_bits
from maetheory.reports.claims import CONFIRMED, REFUTED, TAIL, UNDECIDED, compare_objectives, t_half_width

MEASURES = (
    ("linear_probe", "cls"),
    ("linear_probe", "mean"),
    ("knn_probe", "cls"),
    ("effective_rank", "cls"),
    ("reconstruction_loss", "hidden pixels"),
)
LENGTH_COLUMNS = ("metric", "readout", "curve", "epochs", "value", "error", "seeds")
PERCENT_METRICS = ("linear_probe", "knn_probe")
"""Metrics that are shares of test images, told in percent."""


@dataclass(frozen=True)
class GainSlope:
    """How much the gain of U-MAE over MAE grows when training is twice as long.

    Attributes
    ----------
    metric, readout : str
    slope, error : float
        Mean over seeds of the least-squares slope of the gain against log₂ of the number of epochs, and half the width
        of its interval; percentage points for accuracies.
    seeds : int
        Number of seeds that ran at every length.
    """

    metric: str
    readout: str
    slope: float
    error: float
    seeds: int

    @property
    def label(self) -> str:
        """Verdict on "the gain grows with training": "confirmed", "refuted" (it shrinks) or "undecided"."""
        if self.seeds < 2 or not abs(self.slope) > self.error:
            return UNDECIDED
        return CONFIRMED if self.slope > 0 else REFUTED


def training_length_table(ledger: pd.DataFrame, baseline: str = "MAE", improved: str = "U-MAE") -> pd.DataFrame:
    """Return the mean of both objectives at each length of training, and the gain of one over the other.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment, with `objective`, `epochs` and the columns that `compare_objectives` takes.
    baseline, improved : str
        Objectives.

    Returns
    -------
    DataFrame
        metric, readout, curve ("MAE", "U-MAE", or "gain", which is U-MAE − MAE), epochs, value (mean over seeds;
        percent for accuracies), error (of an objective the standard deviation over seeds; of the gain half the width of
        its interval, from `compare_objectives`), seeds.
    """
    rows: list[dict[str, Any]] = []
    for metric, readout in MEASURES:
        scale = 100 if metric in PERCENT_METRICS else 1
        part = ledger[(ledger.metric == metric) & (ledger.readout == readout)]
        part = part[part.objective.isin([baseline, improved])]
        for epochs, records in part.assign(cell=part.objective).groupby("epochs"):
            about = {"metric": metric, "readout": readout, "epochs": epochs}
            for name, values in records.groupby("objective").value:
                rows.append(about | _curve(str(name), scale * values.mean(), scale * values.std(ddof=1), len(values)))
            found = compare_objectives(records, baseline, improved, metric=metric, readout=readout)
            rows.append(about | _curve("gain", scale * found.difference, scale * found.error, found.seeds))
    return pd.DataFrame(rows, columns=list(LENGTH_COLUMNS))


def _curve(name: str, value: float, error: float, seeds: int) -> dict[str, Any]:
    return {"curve": name, "value": value, "error": error, "seeds": seeds}


def gain_slopes(ledger: pd.DataFrame, baseline: str = "MAE", improved: str = "U-MAE") -> list[GainSlope]:
    """Return for each measure how the gain changes when training is twice as long.

    The slope is taken seed by seed over the seeds that ran at every length. Its interval adds that of Student's t over
    seeds and that over test images in squares, as `maetheory.reports.claims` does for the gain itself; the second comes
    from the slope of each image where the ledger holds the predictions, else from the errors of all models.

    Parameters
    ----------
    ledger : DataFrame
        As `training_length_table` takes it.
    baseline, improved : str
        Objectives.

    Returns
    -------
    list of GainSlope
        Empty where fewer than two lengths ran.
    """
    found = []
    for metric, readout in MEASURES:
        if metric == "reconstruction_loss":  # of which more is no gain
            continue
        part = ledger[(ledger.metric == metric) & (ledger.readout == readout)]
        sides = [
            part[part.objective == name].set_index(["epochs", "seed"]).sort_index() for name in (baseline, improved)
        ]
        lengths = sorted(set(sides[0].reset_index().epochs) & set(sides[1].reset_index().epochs))
        seeds = sorted(
            set.intersection(*({seed for e, seed in side.index if e == n} for side in sides for n in lengths))
            if lengths
            else ()
        )
        if len(lengths) < 2 or not seeds:
            continue
        chosen = [side.loc[pd.MultiIndex.from_product([lengths, seeds])] for side in sides]
        found.append(_gain_slope(metric, readout, chosen, np.array(lengths, float), len(seeds)))
    return found


def _gain_slope(metric: str, readout: str, sides: list[pd.DataFrame], lengths: np.ndarray, seeds: int) -> GainSlope:
    """Return the slope from records in the order (length, seed) of baseline and improved objective."""
    doublings = np.log2(lengths) - np.log2(lengths).mean()
    weights = doublings / (doublings @ doublings)  # (L,), whose product with the gains is their least-squares slope
    gains = (sides[1].value.to_numpy(float) - sides[0].value.to_numpy(float)).reshape(len(lengths), seeds)
    slopes = weights @ gains  # (seeds,)
    images = _slope_of_each_image(sides, weights, seeds)
    normal = float(stats.norm.isf(TAIL))
    if images is not None:
        over_images = normal * float(images.std(ddof=1)) / np.sqrt(len(images))
    else:  # as if each length was tested on images of its own; the same images serve every seed
        errors = [side.error.to_numpy(float).reshape(len(lengths), seeds).mean(axis=1) for side in sides]
        over_images = normal / 2 * float(np.sqrt(weights**2 @ (errors[0] ** 2 + errors[1] ** 2)))
    over_seeds = t_half_width(float(slopes.std(ddof=1)), seeds) if seeds > 1 else 0.0
    scale = 100 if metric in PERCENT_METRICS else 1
    return GainSlope(
        metric, readout, scale * float(slopes.mean()), scale * float(np.hypot(over_images, over_seeds)), seeds
    )


def _slope_of_each_image(sides: list[pd.DataFrame], weights: np.ndarray, seeds: int) -> np.ndarray | None:
    """Return the slope of the gain on each test image, averaged over seeds; None where predictions are not known."""
    if any("correct" not in side or side.correct.isna().any() for side in sides):
        return None
    count = int(sides[0].test_images.iloc[0])
    if count < 2 or any((side.test_images != count).any() for side in sides):
        return None
    right = [
        np.array([unpack_bits(text, count) for text in side.correct], float).reshape(len(weights), seeds, count)
        for side in sides
    ]
    return np.asarray(weights @ (right[1] - right[0]).mean(axis=1))
