"""Make the table of evidence that `maetheory advise` quotes, from the published studies of mask laws.

python -m maetheory.reports.advice_evidence figures maetheory/empirical/advice/evidence.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from maetheory.core import atomic_write
from maetheory.reports.published_ledgers import read_published_ledgers

STUDIES = {
    "mask-laws-digits": ("digits", "digits"),
    "mask-laws-cifar10": ("CIFAR-10", "cifar10-small"),
    "mask-laws-tin20": ("tin20", "mask-laws-tin20"),
}
"""Name of the study: name of its data set, and the folder of its figures; one whose ledger is absent is left out."""

COLUMNS = ("dataset", "score", "readout", "rho", "low", "high", "p_adjusted", "laws", "seeds")


def advice_evidence(folder: str | Path) -> pd.DataFrame:
    """Return the table of `maetheory.empirical.advice.evidence_table`.

    Parameters
    ----------
    folder : path
        Folder of the published figures and ledgers.
    """
    ledger, parts = read_published_ledgers(folder), []
    for study, (dataset, figures) in STUDIES.items():
        trained = ledger[(ledger.experiment == study) & (ledger.objective != "random")]
        if trained.empty:
            continue
        found = pd.read_csv(Path(folder) / figures / "score_correlations.csv").dropna(subset="rho")
        counted = {"dataset": dataset, "laws": trained.cell.nunique(), "seeds": trained.seed.nunique()}
        parts.append(found.assign(**counted)[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True)


def main(folder: str, output: str) -> None:
    """Write the table."""
    with atomic_write(Path(output)) as part:
        advice_evidence(folder).to_csv(part, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
