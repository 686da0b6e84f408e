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


def has_direction(part: pd.DataFrame, kind: str) -> bool | None:
    """Whether a kind of images without content has a direction, from the intervals of the table."""
    of_kind = part[part["of"] == kind]
    ends = of_kind[of_kind.quantity.isin(["variance ratio", "explained"])][["low", "high"]].to_numpy()
    if (ends[:, 1] < 0.5).any():
        return False
    return True if (ends[:, 0] >= 0.5).all() else None


def test_how_many_directions_are_content_free_is_what_the_page_says() -> None:
    page = " ".join((ROOT / "docs" / "collapse.md").read_text(encoding="utf-8").split())
    table = published()
    found: dict[str, list[str]] = {}
    for (checkpoint, readout, _), part in table[table.direction > 0].groupby(["checkpoint", "readout", "direction"]):
        constant, shuffled, noise = (has_direction(part, kind) for kind in ("constant", "shuffled", "noise"))
        answer = "by colour" if constant else "by shuffling" if shuffled else None
        if answer is None:
            answer = "content" if (constant, shuffled, noise) == (False, False, False) else "undecided"
        found.setdefault(f"{checkpoint} {readout}", []).append(answer)
    mae = found["mae-seed0 cls"] + found["mae-seed0 mean"]
    by_colour, by_shuffling = mae.count("by colour"), mae.count("by shuffling")
    said = (
        f"Of its ten leading directions {by_colour + by_shuffling} are content-free ({by_colour} by constant colours, "
    )
    assert f"{said}{by_shuffling} by shuffled patches alone), and two of cls are undecided" in page
    assert (mae.count("undecided"), found["mae-seed0 cls"].count("undecided")) == (2, 2)
    of_cls = found["u-mae-seed0 cls"]
    assert (of_cls.count("by shuffling"), of_cls.count("content"), of_cls.count("undecided")) == (2, 1, 2)
    assert {answer.partition(" ")[0] for answer in found["u-mae-seed0 mean"]} == {"by"}
    names = [MODELS["MAE, fine-tuned"], MODELS["supervised"]]
    assert [found[f"{name} cls"] for name in names] == [["content"] * 5] * 2
    assert sum(answer.startswith("by") for name in names for answer in found[f"{name} mean"]) == 1
    origins = table[table.quantity == "layer of origin"].groupby(["checkpoint", "readout"]).value
    for name, words in zip(names, ("layers 6 to 9", "3 to 6 in the network"), strict=True):
        values = origins.get_group((name, "cls"))
        assert f"{values.min():.0f} to {values.max():.0f}" in words
        assert words in page
    assert max(origins.get_group((name, "cls")).max() for name in ("mae-seed0", "u-mae-seed0")) == 1
