"""What docs/collapse.md says of explained checkpoints is in the published table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from maetheory.evaluation.collapse.formatting import format_interval, format_value_with_error

ROOT = Path(__file__).parents[3]
MODELS = {
    "MAE": "mae-seed0",
    "U-MAE": "u-mae-seed0",
    "MAE, fine-tuned": "vit-t-classifier-mae_284_epochs",
    "supervised": "vit-t-classifier-from_scratch",
}


def published() -> pd.DataFrame:
    return pd.read_csv(ROOT / "figures" / "collapse-explained" / "explanation.csv")


def test_rows_of_the_page_are_those_of_the_table() -> None:
    table, page = published(), (ROOT / "docs" / "collapse.md").read_text(encoding="utf-8")
    seen = 0
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[0] in MODELS:
            chosen = table[
                (table.checkpoint == MODELS[cells[0]]) & (table.readout == cells[1]) & (table.direction == 1)
            ]
            (share,) = chosen[chosen.quantity == "share of the variance"].to_dict("records")
            assert cells[2] == format_value_with_error(100 * share["value"], 50 * (share["high"] - share["low"]))
            for cell, kind in zip(cells[3:6], ("constant", "shuffled", "noise"), strict=True):
                of_kind = chosen[chosen["of"] == kind]
                (ratio,) = of_kind[of_kind.quantity == "variance ratio"].to_dict("records")
                assert cell.startswith(format_value_with_error(ratio["value"], (ratio["high"] - ratio["low"]) / 2))
                untrained = of_kind[of_kind.quantity == "variance ratio, untrained"].value
                assert len(untrained) == 2
                assert cell.endswith(f"; {untrained.mean():.2g}")
            correlations = chosen[chosen.quantity == "rank correlation"]
            best = correlations.loc[correlations.value.abs().idxmax()]
            assert cells[6] == f"{best['of']} {format_interval(dict(best))}"
            assert float(cells[7]) == chosen[chosen.quantity == "layer of origin"].value.item()
            seen += 1
    assert seen == 8


def test_what_removals_do_is_what_the_page_says() -> None:
    table, page = published(), (ROOT / "docs" / "collapse.md").read_text(encoding="utf-8")
    changes = table[table.quantity == "change of accuracy"]
    (said,) = re.findall(r"of (\d+) removals none raised a probe beyond its interval and (\d+) lowered it", page)
    assert (int(said[0]), int(said[1])) == (len(changes), int((changes.high < 0).sum()))
    assert not (changes.low > 0).any()
    accuracies = table[(table.quantity == "accuracy") & table["of"].str.endswith("without nothing")]
    assert len(accuracies) == 2 * 8
    assert np.isfinite(accuracies.value).all()
