"""What our mask-law studies found of each score: its rank correlation with linear probes of trained models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

EVIDENCE = Path(__file__).with_name("evidence.csv")
"""Made from the published studies by `maetheory.reports.advice_evidence`."""

MIN_STUDIES = 2


def evidence_table() -> pd.DataFrame:
    """Return a row for each study, score and readout.

    Columns are dataset, score, readout, rho (Spearman's correlation over mask laws, positive where the score is right),
    low, high (its 95 % interval), p_adjusted (corrected for all scores of the study), laws, seeds.
    """
    return pd.read_csv(EVIDENCE)


def predicting_scores(table: pd.DataFrame) -> list[str]:
    """Return the scores that evidence supports, that with the largest mean correlation first.

    A score counts if in at least two studies it predicts probes beyond the correction for all scores, on some readout,
    and in none does it point the wrong way beyond the correction.
    """
    known = table[table.p_adjusted < 0.05]
    right = known[known.rho > 0].groupby("score").dataset.nunique()
    wrong = set(known[known.rho < 0].score)
    chosen = [str(score) for score, studies in right.items() if studies >= MIN_STUDIES and score not in wrong]
    mean = table.groupby("score").rho.mean()
    return sorted(chosen, key=lambda score: -mean[score])


def evidence_sentence(table: pd.DataFrame, score: str) -> str:
    """Return the correlations of one score in words, data set by data set."""
    rows = table[table.score == score]
    parts = []
    for dataset, part in rows.groupby("dataset", sort=False):
        each = ", ".join(f"{row.rho:.2f}{'*' * (row.p_adjusted < 0.05)} ({row.readout})" for row in part.itertuples())
        parts.append(f"{dataset} {each}")
    return "; ".join(parts) or "no study"
