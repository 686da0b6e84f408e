"""Decide whether an objective beats its baseline: paired differences over seeds and test images.

The difference of two objectives is taken seed by seed, between models with the same training recipe, and image by
image, since all models are tested on the same images. Seeds and test images are crossed, so the interval of the mean
difference adds two half-widths in squares: that of Student's t over seeds, and the normal one over test images. The
second is taken from the differences of each image, averaged over seeds, where the ledger holds the predictions of both
models; elsewhere from the standard errors of both models, as if each was tested on images of its own, which is wider.

A claim is confirmed if the whole interval lies above 0, refuted if it lies below 0, and undecided otherwise. One seed
is always undecided, because its interval covers the test images but not the variation between seeds. Without a pair of
models the claim is "not run".

Seeds are added to experiments that are undecided, so a claim is looked at more than once. At most three looks are
planned, at 3, 10 and 20 pairs of seeds, and each interval has the level 1 − 0.05 / 3, so that all looks at one claim
together are wrong at most one time in 20 (Bonferroni). The many claims are not corrected for each other. This rule is
stricter than the one that the first experiments, of three seeds, were judged by; it was written when those and the
spreads over 10 and 20 seeds were known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from maetheory.core.packed_bits import unpack_bits
from maetheory.reports.tables import TASK_METRICS

CONFIRMED, REFUTED, UNDECIDED, NOT_RUN = "confirmed", "refuted", "undecided", "not run"
CONFIDENCE = 0.95
"""Probability that no interval of all looks at a claim misses its difference."""
LOOKS = (3, 10, 20)
"""Numbers of pairs of seeds at which a claim is looked at."""
TAIL = (1 - CONFIDENCE) / (2 * len(LOOKS))
"""Probability that an interval lies above its difference, and that it lies below it."""
OBJECTIVE_PAIRS = (("MAE", "U-MAE"), ("SimMIM", "U-SimMIM"))
CLAIM_METRICS: Mapping[str, str] = MappingProxyType(
    {metric: f"{task} accuracy" for task, metric in TASK_METRICS.items()} | {"effective_rank": "effective rank"}
)
"""Metric of a ledger -> its name in a claim."""
VERDICT_COLUMNS = ("experiment", "dataset", "claim", "readout", "difference", "error", "seeds", "rule", "verdict")
_PAIRING_COLUMNS = ["seed", "epochs", "train_images", "test_images"]


@dataclass(frozen=True)
class ClaimVerdict:
    """Evidence for the claim that `improved` has a larger value than `baseline`.

    Attributes
    ----------
    baseline, improved : str
        The two objectives.
    difference, error : float
        Mean of improved − baseline over seeds, and half the width of its interval; NaN if nothing was run.
    seeds : int
        Number of pairs of models.
    seed_spread : float
        Standard deviation of improved − baseline over seeds; NaN with fewer than two.
    image_error : float
        Half the width of the interval over test images.
    paired_images : bool
        Whether `image_error` was taken from the differences of each image.
    """

    baseline: str
    improved: str
    difference: float
    error: float
    seeds: int
    seed_spread: float = np.nan
    image_error: float = np.nan
    paired_images: bool = False

    @property
    def label(self) -> str:
        """Verdict: "confirmed", "refuted", "undecided" or "not run"."""
        if not self.seeds:
            return NOT_RUN
        if self.seeds == 1:
            return UNDECIDED
        if self.difference - self.error > 0:
            return CONFIRMED
        return REFUTED if self.difference + self.error < 0 else UNDECIDED

    @property
    def rule(self) -> str:
        """Source of the interval, as a phrase."""
        if self.seeds > 1:
            return f"{self.seeds} seeds, paired" + (", and paired test images" if self.paired_images else "")
        return "one seed: error over test images only" if self.seeds else ""


def compare_objectives(
    ledger: pd.DataFrame, baseline: str, improved: str, *, metric: str, readout: str
) -> ClaimVerdict:
    """Judge one claim on the records of one experiment.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment: cell, seed, epochs, train_images, test_images, readout, metric, value, error (two
        standard errors over test images), and if known correct (`pack_bits` of whether each test image is classified
        right). Only cells named after an objective are compared.
    baseline, improved : str
        Objectives, for instance "MAE" and "U-MAE".
    metric, readout : str

    Returns
    -------
    ClaimVerdict

    Examples
    --------
    >>> shared = {"epochs": 6, "train_images": 9, "test_images": 9, "readout": "cls", "metric": "linear_probe"}
    >>> ledger = pd.DataFrame([{**shared, "cell": cell, "seed": seed, "value": value, "error": 0.02}
    ...                        for seed in (0, 1) for cell, value in (("MAE", 0.5), ("U-MAE", 0.6))])
    >>> compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls").label
    'confirmed'
    """
    if ledger.empty:
        return ClaimVerdict(baseline, improved, np.nan, np.nan, 0)
    chosen = ledger[(ledger.metric == metric) & (ledger.readout == readout)].dropna(subset=["value"])
    one, two = (chosen[chosen.cell == name] for name in (baseline, improved))
    pairs = one.merge(two, on=_PAIRING_COLUMNS, suffixes=("_baseline", "_improved"))
    n = len(pairs)
    if not n:
        return ClaimVerdict(baseline, improved, np.nan, np.nan, 0)
    gains = (pairs.value_improved - pairs.value_baseline).to_numpy(float)
    image_error, paired_images = _half_width_over_images(pairs, TAIL)
    spread = float(gains.std(ddof=1)) if n > 1 else np.nan
    error = image_error if n == 1 else float(np.hypot(image_error, t_half_width(spread, n)))
    return ClaimVerdict(baseline, improved, float(gains.mean()), error, n, spread, image_error, paired_images)


def looks_sentence() -> str:
    """Return the rule of looks, as a sentence."""
    looks = f"{', '.join(map(str, LOOKS[:-1]))} and {LOOKS[-1]}"
    level = 100 * (1 - 2 * TAIL)
    normal = float(stats.norm.isf(TAIL))
    return (
        f"At most {len(LOOKS)} interim analyses (looks) are planned, at {looks} pairs of seeds; each interval has the "
        f"level {level:.2f} % ({normal:.2f} standard errors over test images), so that all of them together have 95 %."
    )


def t_half_width(spread: float, n: int) -> float:
    """Return half the width of Student's interval of a mean of `n` values with a standard deviation of `spread`."""
    return float(stats.t.isf(TAIL, n - 1) * spread / np.sqrt(n))


def half_width_over_images(baseline: pd.DataFrame, improved: pd.DataFrame, tail: float) -> float:
    """Return half the width of the normal interval over test images of the mean difference of two cells.

    Parameters
    ----------
    baseline, improved : DataFrame
        Records of one metric and readout of each cell; those of equal seeds and test images are paired.
    tail : float
        Probability that the interval lies above the difference, and that it lies below it.

    Returns
    -------
    float
        Where nothing can be paired, as if each cell was tested on images of its own.
    """
    pairs = baseline.merge(improved, on=["seed", "test_images"], suffixes=("_baseline", "_improved"))
    if pairs.empty:
        return float(stats.norm.isf(tail) * np.hypot(baseline.error.mean(), improved.error.mean()) / 2)
    return _half_width_over_images(pairs, tail)[0]


def _half_width_over_images(pairs: pd.DataFrame, tail: float) -> tuple[float, bool]:
    """Return that half-width, and whether it was taken from the differences of each image."""
    deviations = float(stats.norm.isf(tail))
    gains = _mean_gain_of_each_image(pairs)
    if gains is None:
        return deviations * float(np.hypot(pairs.error_baseline, pairs.error_improved).mean()) / 2, False
    return deviations * float(gains.std(ddof=1)) / float(np.sqrt(len(gains))), True


def _mean_gain_of_each_image(pairs: pd.DataFrame) -> np.ndarray | None:
    """Return improved − baseline of each test image, averaged over seeds; None where predictions are not known."""
    texts = pairs.filter(["correct_baseline", "correct_improved"])
    if texts.shape[1] < 2 or texts.isna().any(axis=None):
        return None
    count = int(pairs.test_images.iloc[0])
    if count < 2 or (pairs.test_images != count).any():
        return None
    baseline, improved = (np.mean([unpack_bits(text, count) for text in texts[name]], axis=0) for name in texts.columns)
    return np.asarray(improved - baseline)


def claim_verdicts(ledger: pd.DataFrame) -> pd.DataFrame:
    """Judge every claim on every experiment that measured an objective and its U- form.

    Parameters
    ----------
    ledger : DataFrame
        Records of any number of experiments.

    Returns
    -------
    DataFrame
        experiment, dataset, claim, readout, difference (percentage points for accuracies), error, seeds, rule, verdict.
    """
    rows = [
        row
        for _, records in (ledger.groupby("experiment", sort=False) if len(ledger) else ())
        for baseline, improved in OBJECTIVE_PAIRS
        if {baseline, improved} <= set(records.cell)
        for row in _verdict_rows(records, baseline, improved)
    ]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def _verdict_rows(records: pd.DataFrame, baseline: str, improved: str) -> list[dict[str, Any]]:
    """Return the verdict for each metric and readout of one experiment."""
    rows = []
    for metric, name in CLAIM_METRICS.items():
        scale = 100 if name.endswith("accuracy") else 1
        for readout in sorted(set(records[records.metric == metric].readout) & {"cls", "mean"}):
            found = compare_objectives(records, baseline, improved, metric=metric, readout=readout)
            rows.append(
                {
                    "experiment": records.experiment.iloc[0],
                    "dataset": records.dataset.iloc[0],
                    "claim": f"{improved} over {baseline}, {name}",
                    "readout": readout,
                    "difference": scale * found.difference,
                    "error": scale * found.error,
                    "seeds": found.seeds,
                    "rule": found.rule,
                    "verdict": found.label,
                }
            )
    return rows
