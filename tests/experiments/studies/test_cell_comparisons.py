"""Pairwise comparisons of the cells of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from maetheory.core import InputError
from maetheory.core.packed_bits import pack_bits
from maetheory.experiments.studies.cell_comparisons import (
    COMPARISON_COLUMNS,
    compare_cells,
    comparison_sentence,
    comparison_table,
    tukey_half_widths,
)
from maetheory.reports.claims import TAIL


def ledger_of(accuracies: Mapping[str, Sequence[float]], error: float = 0.0, images: int = 10_000) -> pd.DataFrame:
    shared = {"epochs": 6, "train_images": 9, "test_images": images, "readout": "cls", "metric": "linear_probe"}
    return pd.DataFrame(
        [
            {**shared, "cell": cell, "seed": seed, "value": value, "error": error}
            for cell, values in accuracies.items()
            for seed, value in enumerate(values)
        ]
    )


def compare(ledger: pd.DataFrame) -> pd.DataFrame:
    return compare_cells(ledger, metric="linear_probe", readout="cls").set_index(["cell", "other"])


def test_the_intervals_of_all_pairs_are_those_of_scipy() -> None:
    values = {"a": (0.50, 0.52, 0.51), "b": (0.55, 0.54, 0.59), "c": (0.40, 0.42), "d": (0.5, 0.5, 0.53, 0.5)}
    half = tukey_half_widths([np.array(one) for one in values.values()])
    interval = stats.tukey_hsd(*values.values()).confidence_interval(1 - 2 * TAIL)
    np.testing.assert_allclose(2 * half, interval.high - interval.low, atol=1e-7)
    assert list(compare(ledger_of(values)).index) == list(combinations("abcd", 2))


def test_a_pair_that_varies_more_than_the_average_has_its_own_interval() -> None:
    alike, spread = np.array([-0.001, 0.0, 0.001]), np.array([-0.01, 0.0, 0.01])
    found = compare(ledger_of({"a": alike, "b": alike, "c": spread, "d": -spread}))
    tukey = tukey_half_widths([alike, alike, spread, -spread])
    own = stats.ttest_1samp(2 * spread, 0).confidence_interval(1 - 2 * TAIL)
    assert found.error["a", "b"] == pytest.approx(tukey[0, 1])
    assert found.error["c", "d"] == pytest.approx((own.high - own.low) / 2)
    assert found.error["c", "d"] > tukey[2, 3]


def test_a_difference_beyond_the_interval_is_decided_and_one_within_is_not() -> None:
    noise = np.array([-0.01, 0.0, 0.01])
    half = compare(ledger_of({"a": noise, "b": noise, "c": noise})).error.iloc[0]
    for factor, verdicts in ((0.99, {"undecided"}), (1.01, {"lower", "undecided"})):
        found = compare(ledger_of({"a": noise, "b": noise, "c": noise + factor * half}))
        assert set(found.verdict) == verdicts
        assert found.loc[("a", "b")].verdict == "undecided"
    for factor, verdict in ((0.99, "undecided"), (1.01, "higher")):
        turned = compare(ledger_of({"c": noise + factor * half, "a": noise, "b": noise}))
        assert turned.loc[("c", "a")].verdict == verdict


def test_all_intervals_hold_together_as_often_as_is_said() -> None:
    draws = 4000
    values = np.random.default_rng(0).normal(size=(draws, 4, 3))
    spans = np.ptp(values.mean(-1), axis=-1)
    missed = sum(span > tukey_half_widths(list(one))[0, 1] for one, span in zip(values, spans, strict=True))
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], draws, 2 * TAIL)
    assert low <= missed <= high


@pytest.mark.slow
def test_cells_of_unequal_spread_are_told_apart_no_more_often_than_is_said() -> None:
    spreads = np.array([0.4, 1.0, 0.3, 0.6])[:, None]
    values = np.random.default_rng(1).normal(size=(8000, 4, 3)) * spreads
    spans = np.ptp(values.mean(-1), axis=-1)
    alone = sum(span > tukey_half_widths(list(one))[0, 1] for one, span in zip(values, spans, strict=True))
    assert alone > stats.binom.ppf(0.9999, 8000, 2 * TAIL)
    missed = sum(
        (compare(ledger_of(dict(zip("abcd", one, strict=True)))).verdict != "undecided").any() for one in values[:1000]
    )
    assert missed <= stats.binom.ppf(0.999, 1000, 2 * TAIL)


def test_test_images_widen_the_interval_and_pairing_them_narrows_it() -> None:
    values = {"a": (0.50, 0.52), "b": (0.55, 0.54)}
    alone = compare(ledger_of(values)).error.iloc[0]
    unpaired = compare(ledger_of(values, error=0.01)).error.iloc[0]
    assert unpaired == pytest.approx(np.hypot(alone, stats.norm.isf(TAIL) * np.hypot(0.01, 0.01) / 2))
    ledger = ledger_of(values, error=0.01, images=1000)
    right = np.arange(1000) < 500
    ledger["correct"] = [pack_bits(right)] * 4
    ledger.loc[ledger.cell == "a", "epochs"] = 0  # an untrained network
    assert compare(ledger).error.iloc[0] == pytest.approx(alone)
    ledger["correct"] = [pack_bits(right), pack_bits(right), pack_bits(~right), pack_bits(~right)]
    assert compare(ledger).error.iloc[0] == pytest.approx(np.hypot(alone, stats.norm.isf(TAIL) / 1000**0.5), rel=1e-3)


def test_pairs_share_the_tail_over_test_images() -> None:
    same = (0.5, 0.5, 0.5)
    found = compare(ledger_of({"a": same, "b": same, "c": same}, error=0.01))
    np.testing.assert_allclose(found.error, stats.norm.isf(TAIL / 3) * np.hypot(0.01, 0.01) / 2)


def test_what_cannot_be_compared_is_undecided_or_missing() -> None:
    alone = compare_cells(ledger_of({"a": (0.5,)}), metric="linear_probe", readout="cls")
    assert list(alone) == list(COMPARISON_COLUMNS)
    assert alone.empty
    assert comparison_sentence(alone) == "There are no two models to compare."
    one_seed = ledger_of({"a": (0.5, 0.51), "b": (0.9,), "c": (0.9, 0.91)})
    found = compare(one_seed)
    assert found.verdict.to_dict() == {("a", "b"): "undecided", ("a", "c"): "lower", ("b", "c"): "undecided"}
    assert found.error.isna().to_dict() == {("a", "b"): True, ("a", "c"): False, ("b", "c"): True}
    assert found.seeds["a", "b"] == 1
    single = compare_cells(one_seed[one_seed.seed == 0], metric="linear_probe", readout="cls")
    assert comparison_sentence(single) == "On cls, one seed compares no models."
    assert comparison_table(single)["difference, points"].iloc[0] == "-40.0, one seed"


def test_seeds_that_only_one_cell_has_are_not_paired() -> None:
    ledger = ledger_of({"a": (0.5, 0.51), "b": (0.9, 0.91)}, error=0.01)
    alike = compare(ledger).error.iloc[0]
    ledger["correct"] = pack_bits(np.ones(10_000, bool))
    assert compare(ledger).error.iloc[0] < alike
    ledger.loc[ledger.cell == "b", "seed"] += 5
    assert compare(ledger).error.iloc[0] == pytest.approx(alike)


def test_two_records_of_one_model_are_refused() -> None:
    ledger = ledger_of({"a": (0.5, 0.51), "b": (0.9, 0.91)})
    twice = pd.concat([ledger, ledger.iloc[:1].assign(test_images=5)])
    with pytest.raises(InputError, match="several records of linear_probe of cls for one cell and seed"):
        compare(twice)


def test_the_sentence_names_what_is_told_apart() -> None:
    noise = np.array([-0.001, 0.0, 0.001])
    found = compare_cells(
        ledger_of({"a": 0.5 + noise, "b": 0.501 + noise, "c": 0.6 + noise}), metric="linear_probe", readout="cls"
    )
    error = 100 * found.error.iloc[0]
    assert comparison_sentence(found) == (
        f"On cls, c is above a by 10.0 ± {error:.1f} points and c is above b by 9.9 ± {error:.1f} points; "
        "1 of 3 pairs is undecided."
    )
    same = compare_cells(ledger_of({"a": noise, "b": noise}), metric="linear_probe", readout="cls")
    assert comparison_sentence(same) == "On cls, no two are told apart (1 pair)."
    table = comparison_table(found)
    assert list(table) == ["readout", "models", "difference, points", "seeds", "verdict"]
    assert table["difference, points"].iloc[1] == f"-10.0 ± {error:.1f}"
