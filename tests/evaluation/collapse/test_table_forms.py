"""The compact and the long form of a collapse table hold its numbers, and read those that the command line wrote."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_networks import trained

from maetheory.cli import run_command
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import collapse_report, compact_table, long_table, measure_collapse
from maetheory.evaluation.collapse.table_forms import QUANTITIES

KEYS = ["readout", "layer", "metric", "convention"]


@pytest.fixture(scope="module")
def table(images: ImageSet) -> pd.DataFrame:
    return collapse_report(trained(), images, full=True, untrained_images=40, n_initialisations=2)


def test_the_long_form_is_the_table_number_by_number(table: pd.DataFrame) -> None:
    long = long_table(table)
    assert set(long.quantity) == set(QUANTITIES)
    assert not long[[*KEYS, "quantity"]].duplicated().any()
    for quantity, (value, low, high) in QUANTITIES.items():
        part = long[long.quantity == quantity].set_index(KEYS)
        wide = table.set_index(KEYS).loc[part.index]
        if value:
            np.testing.assert_array_equal(part.value, wide[value])
        if quantity == "same_images":
            np.testing.assert_array_equal(
                part.high - part.value, (wide.same_images + wide.same_images_error) - wide.same_images
            )
        elif low:
            np.testing.assert_array_equal(part[["low", "high"]], wide[[low, high]])
        compared = quantity in ("random_init", "random_span", "same_images")
        assert set(part.images) == ({40} if compared else {int(table.images.max())} | set(wide.images))
    measured = sum(table[value or low].notna().sum() for value, low, _ in QUANTITIES.values())
    assert len(long) == measured


def test_the_compact_form_leaves_out_what_says_nothing(table: pd.DataFrame) -> None:
    compact = compact_table(table)
    assert len(compact) == len(table)
    assert list(compact)[:2] == ["readout", "metric"]  # one layer, but several conventions
    assert compact.shape[1] <= 11
    np.testing.assert_array_equal(compact.random_init, table.random_init)
    plain = measure_collapse(np.random.default_rng(0).normal(size=(60, 4)), metrics=["mean_cosine"])
    assert list(plain.to_frame()) == ["metric", "value", "error", "limit", "images"]
    pd.testing.assert_frame_equal(plain.to_frame(compact=False), long_table(plain.table))


def test_records_of_the_command_line_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for seed in (0, 1):
        np.save(tmp_path / f"{seed}.npy", np.random.default_rng(seed).normal(size=(60, 4)))
        files.append(str(tmp_path / f"{seed}.npy"))
    assert run_command(["collapse", *files, "--json"]) == 0
    records = pd.DataFrame(json.loads(capsys.readouterr().out)["records"])
    assert compact_table(records).checkpoint.nunique() == 2
    assert long_table(records).checkpoint.nunique() == 2
    assert len(compact_table(records)) == len(records)


def test_another_table_is_one_sentence() -> None:
    for form in (compact_table, long_table):
        with pytest.raises(InputError, match=r"must be one of collapse_report, but it has no column readout, layer"):
            form(pd.DataFrame({"metric": ["a"], "value": [1.0]}))


def test_collapse_report_names_its_options() -> None:
    report, measure = (inspect.signature(one).parameters for one in (collapse_report, measure_collapse))
    assert {name: one.default for name, one in report.items()} == {name: one.default for name, one in measure.items()}
    assert not [one for one in report.values() if one.kind is one.VAR_KEYWORD]
