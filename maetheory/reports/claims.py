"""Decide whether an objective beats its baseline: paired differences over seeds with a 95 % interval.

The rule was fixed before the experiments were run. The difference of two objectives is taken seed by seed, between
models with the same training recipe and the same test images. With at least two seeds it has a 95 % t-interval over
seeds, whose half-width is at least the error over test images: all seeds share the test images, so that error does not
average out. It is two standard errors of each model, added in squares as if the models were tested on different images.
The claim is confirmed if the whole interval lies above 0, refuted if it lies below 0, and undecided otherwise. One seed
is always undecided, because its error covers the test images but not the variation between seeds. Without a pair of
models the claim is "not run".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from maetheory.reports.tables import TASK_METRICS

CONFIRMED, REFUTED, UNDECIDED, NOT_RUN = "confirmed", "refuted", "undecided", "not run"
CONFIDENCE = 0.95
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
    """

    baseline: str
    improved: str
    difference: float
    error: float
    seeds: int

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
            return f"{self.seeds} seeds, paired"
        return "one seed: error over test images only" if self.seeds else ""


def compare_objectives(
    ledger: pd.DataFrame, baseline: str, improved: str, *, metric: str, readout: str
) -> ClaimVerdict:
    """Judge one claim on the records of one experiment.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment: cell, seed, epochs, train_images, test_images, readout, metric, value, error (two
        standard errors over test images). Only cells named after an objective are compared.
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
    gains = (pairs.value_improved - pairs.value_baseline).to_numpy(float)
    n = len(gains)
    if not n:
        return ClaimVerdict(baseline, improved, np.nan, np.nan, 0)
    error = float(np.hypot(pairs.error_baseline, pairs.error_improved).mean())
    if n > 1:
        error = max(error, float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * gains.std(ddof=1) / np.sqrt(n)))
    return ClaimVerdict(baseline, improved, float(gains.mean()), error, n)


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
