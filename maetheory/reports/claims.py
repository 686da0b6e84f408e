"""A claim about two objectives is confirmed, refuted or undecided by what was measured, by one rule said in advance.

The difference of two objectives is taken seed by seed, between models trained alike and tested on the same images. With
two seeds or more it has a 95 % t-interval over seeds, but none narrower than the error over test images, which all
seeds share: two standard errors of each model, added in squares as if they were tested on different images. If the
whole interval lies above 0 the claim is confirmed, if below, refuted, else undecided. With one seed that error is all
there is, and it decides nothing, because how far other seeds would have moved the difference is unknown. Without a pair
of models the claim was not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy import stats

CONFIRMED, REFUTED, UNDECIDED, NOT_RUN = "confirmed", "refuted", "undecided", "not run"
CONFIDENCE = 0.95
OBJECTIVE_PAIRS = (("MAE", "U-MAE"), ("SimMIM", "U-SimMIM"))
CLAIM_METRICS: Mapping[str, str] = MappingProxyType(
    {
        "linear_probe": "linear probing accuracy",
        "fine_tuning": "fine-tuning accuracy",
        "effective_rank": "effective rank",
    }
)
_PAIRING_COLUMNS = ["seed", "epochs", "train_images", "test_images"]


@dataclass(frozen=True)
class ClaimVerdict:
    """What the evidence says of "`better` is larger than `plain`".

    Attributes
    ----------
    plain, better : str
        The two objectives.
    difference, error : float
        Mean of better − plain over seeds, and half the width of its interval; NaN where nothing was run.
    seeds : int
        Pairs of models it rests on.
    """

    plain: str
    better: str
    difference: float
    error: float
    seeds: int

    @property
    def label(self) -> str:
        """One of "confirmed", "refuted", "undecided" and "not run"."""
        if not self.seeds:
            return NOT_RUN
        if self.seeds == 1:
            return UNDECIDED
        if self.difference - self.error > 0:
            return CONFIRMED
        return REFUTED if self.difference + self.error < 0 else UNDECIDED

    @property
    def rule(self) -> str:
        """What the interval is."""
        if self.seeds > 1:
            return f"{self.seeds} seeds, paired"
        return "one seed: test images alone" if self.seeds else ""


def compare_objectives(ledger: pd.DataFrame, plain: str, better: str, *, metric: str, readout: str) -> ClaimVerdict:
    """Judge one claim on the records of one experiment.

    Parameters
    ----------
    ledger : DataFrame
        Records of one experiment: cell, seed, epochs, train_images, test_images, readout, metric, value, error (two
        standard errors over test images). Only cells named as their objective count.
    plain, better : str
        As in "MAE", "U-MAE".
    metric, readout : str

    Returns
    -------
    Verdict

    Examples
    --------
    >>> alike = {"epochs": 6, "train_images": 9, "test_images": 9, "readout": "cls", "metric": "linear_probe"}
    >>> ledger = pd.DataFrame([{**alike, "cell": cell, "seed": seed, "value": value, "error": 0.02}
    ...                        for seed in (0, 1) for cell, value in (("MAE", 0.5), ("U-MAE", 0.6))])
    >>> compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls").label
    'confirmed'
    """
    if ledger.empty:
        return ClaimVerdict(plain, better, np.nan, np.nan, 0)
    part = ledger[(ledger.metric == metric) & (ledger.readout == readout)].dropna(subset=["value"])
    one, two = (part[part.cell == name] for name in (plain, better))
    pairs = one.merge(two, on=_PAIRING_COLUMNS, suffixes=("_plain", "_better"))
    gains = (pairs.value_better - pairs.value_plain).to_numpy(float)
    n = len(gains)
    if not n:
        return ClaimVerdict(plain, better, np.nan, np.nan, 0)
    error = float(np.hypot(pairs.error_plain, pairs.error_better).mean())
    if n > 1:
        error = max(error, float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * gains.std(ddof=1) / np.sqrt(n)))
    return ClaimVerdict(plain, better, float(gains.mean()), error, n)


def claim_verdicts(ledger: pd.DataFrame) -> pd.DataFrame:
    """Judge every claim on every experiment that measured an objective beside its U- form.

    Parameters
    ----------
    ledger : DataFrame
        Records of any number of experiments.

    Returns
    -------
    DataFrame
        experiment, dataset, claim, readout, difference (percentage points for accuracies), error, seeds, rule, verdict.
    """
    rows = []
    for name, part in ledger.groupby("experiment", sort=False) if len(ledger) else ():
        for plain, better in OBJECTIVE_PAIRS:
            if not {plain, better} <= set(part.cell):
                continue
            for metric, words in CLAIM_METRICS.items():
                scale = 100 if words.endswith("accuracy") else 1
                for readout in sorted(set(part[part.metric == metric].readout) & {"cls", "mean"}):
                    found = compare_objectives(part, plain, better, metric=metric, readout=readout)
                    rows.append(
                        {
                            "experiment": name,
                            "dataset": part.dataset.iloc[0],
                            "claim": f"{better} over {plain}, {words}",
                            "readout": readout,
                            "difference": scale * found.difference,
                            "error": scale * found.error,
                            "seeds": found.seeds,
                            "rule": found.rule,
                            "verdict": found.label,
                        }
                    )
    columns = ["experiment", "dataset", "claim", "readout", "difference", "error", "seeds", "rule", "verdict"]
    return pd.DataFrame(rows, columns=columns)
