"""The seeds a plan asks for are the fewest whose interval is narrow enough."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from maetheory.cli import run_command
from maetheory.core.packed_bits import pack_bits
from maetheory.reports import seed_plan, seed_plan_text, seeds_needed
from maetheory.reports.claims import t_half_width

SPREADS = (0.003, 0.01, 0.03, 0.2)


def ledger(seeds: int, *, spread: float, images: int = 400, paired: bool = True) -> pd.DataFrame:
    """Return records of MAE and U-MAE whose gains are `spread` above and below two points in turn."""
    rows = []
    for seed in range(seeds):
        plain = np.arange(images) < images // 2
        better = np.arange(images) < images // 2 + round(images * (0.02 + spread * (-1) ** seed))
        for cell, correct in (("MAE", plain), ("U-MAE", better)):
            row = {"experiment": "planted", "dataset": "x", "cell": cell, "seed": seed, "epochs": 6}
            row |= {"train_images": 100, "test_images": images, "readout": "cls", "metric": "linear_probe"}
            row |= {"value": correct.mean(), "error": 0.05}
            rows.append(row | {"correct": pack_bits(correct)} if paired else row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("image_error", [0.0, 0.006])
def test_one_seed_fewer_is_too_wide(spread: float, image_error: float) -> None:
    needed = int(seeds_needed(spread, image_error, 0.01))
    assert np.hypot(image_error, t_half_width(spread, needed)) <= 0.01
    if needed > 3:
        assert np.hypot(image_error, t_half_width(spread, needed - 1)) > 0.01


def test_the_first_look_is_the_fewest() -> None:
    assert seeds_needed(0.0, 0.0, 0.01) == 3


def test_no_number_of_seeds_makes_up_for_images() -> None:
    assert seeds_needed(0.001, 0.0101, 0.01) == np.inf
    assert seeds_needed(0.001, 0.0099, 0.01) < np.inf
    assert seeds_needed(1.0, 0.0, 0.01) == np.inf  # more than the most that is planned


def test_the_plan_counts_what_is_to_be_trained() -> None:
    plan = seed_plan(ledger(4, spread=0.01, images=40_000)).iloc[0]
    spread = np.std([0.01, -0.01, 0.01, -0.01], ddof=1)
    assert plan.seeds_needed == seeds_needed(spread, plan.image_error / 100, 0.01)
    assert plan.seeds_to_add == plan.seeds_needed - 4 > 0
    assert plan.images_to_train == 2 * plan.seeds_to_add * 100 * 6
    assert plan.what_limits == "seeds"
    text = seed_plan_text(seed_plan(ledger(4, spread=0.01, images=40_000)))
    assert f"needs  {plan.seeds_needed:.0f} pairs of seeds: {plan.seeds_to_add:.0f} more" in text


@pytest.mark.parametrize(
    ("records", "limit"),
    [
        (ledger(1, spread=0.01), "one seed shows no spread: run a second"),
        (ledger(3, spread=0.0, images=40_000), "narrow enough"),
        (ledger(3, spread=0.01, paired=False), "or predictions of each image in the ledger, which pair them"),
        (ledger(3, spread=0.01), "test images: more than 1054 instead of 400"),
        (ledger(3, spread=0.5, images=100_000), "seeds: more than 10000"),
    ],
)
def test_the_plan_says_what_limits(records: pd.DataFrame, limit: str) -> None:
    plan = seed_plan(records).iloc[0]
    assert plan.what_limits.endswith(limit)
    if limit != "narrow enough":
        assert np.isnan(plan.seeds_to_add)
    assert limit in seed_plan_text(seed_plan(records))


def test_the_command_prints_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["table", "--plan"]) == 0
    assert "digits-20: U-MAE over MAE, linear probing accuracy, cls" in capsys.readouterr().out
    assert run_command(["table", "--plan", "--points", "50", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["half_width"] == 50
    assert {one["what_limits"] for one in document["plan"]} == {"narrow enough"}
    for points in ("0", "100", "-1", "1e-320", "1e-100", "0.00009"):
        assert run_command(["table", "--plan", "--points", points]) == 2
        assert "must lie between 0 and 100 points" in capsys.readouterr().err
    assert run_command(["table", "--plan", "--points", "0.0001", "--json"]) == 0
    assert all(one["what_limits"] for one in json.loads(capsys.readouterr().out)["plan"])


def test_options_that_a_plan_or_a_table_has_not_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    for words, sentence in (
        (["--points", "2"], "--points is of the plan"),
        (["--plan", "--into", str(page)], "--plan prints a plan"),
        (["--plan", "--markdown"], "--plan prints a plan"),
    ):
        assert run_command(["table", *words]) == 2
        assert sentence in capsys.readouterr().err
    assert not page.exists()
