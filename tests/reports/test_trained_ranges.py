"""The shipped ranges of trained models are what the published ledgers hold."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from maetheory.evaluation.collapse.calibration import trained_ranges
from maetheory.reports import read_published_ledgers
from maetheory.reports.collapse_tables import ranges_caption
from maetheory.reports.trained_ranges import METRICS, trained_ranges_table

FIGURES = Path(__file__).parents[2] / "figures"


def test_the_shipped_table_is_made_from_the_ledgers() -> None:
    made = trained_ranges_table(FIGURES)
    shipped = pd.concat([trained_ranges(metric, readout) for metric in METRICS for readout in ("cls", "mean")])
    keys = ["metric", "readout", "dataset", "objective"]
    pd.testing.assert_frame_equal(
        made.sort_values(keys).reset_index(drop=True), shipped.sort_values(keys).reset_index(drop=True)
    )
    assert set(made.dataset) == {"digits", "cifar10", "tin20"}


def test_a_range_is_that_of_its_seeds() -> None:
    ledger = read_published_ledgers(FIGURES)
    here = ledger[(ledger.experiment == "cifar10-small-10") & (ledger.cell == "MAE") & (ledger.readout == "cls")]
    values = here[here.metric == "effective_rank"].value
    ranges = trained_ranges("effective_rank", "cls").set_index(["dataset", "objective"])
    row = ranges.loc[("cifar10", "MAE")]
    assert (row.low, row.high, row.seeds) == (round(values.min(), 4), round(values.max(), 4), len(values))
    assert (row.d, row.images, row.ledgers) == (96, 10000, "cifar10-small cifar10-small-10")


def test_the_caption_names_the_readout_that_each_column_is_compared_with() -> None:
    caption = ranges_caption(pd.DataFrame({"readout": ["cls", "mean", "features", "cls"]}))
    assert caption.endswith(
        "trained here: for cls, of their cls token; for mean, of their mean of patches; "
        "for features, of their mean of patches"
    )
