"""Verdicts on claims, on ledgers whose verdict is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isnan, sqrt

import pandas as pd
import pytest

from maetheory.reports import ClaimVerdict, claim_verdicts, compare_objectives

T_QUANTILES = {
    2: 12.706204736174707,
    3: 4.302652729749462,
    5: 2.7764451051977934,
}  # 97.5 % of Student's t, n − 1 degrees


def records(cell: str, values: Sequence[float], *, error: float = 0.01, **changes: object) -> list[dict[str, object]]:
    common = {
        "experiment": "planted",
        "dataset": "cifar10",
        "cell": cell,
        "epochs": 6,
        "train_images": 100,
        "test_images": 50,
        "readout": "cls",
        "metric": "linear_probe",
        "error": error,
    }
    return [common | {"seed": seed, "value": value} | changes for seed, value in enumerate(values)]


def judged(plain: Sequence[float], better: Sequence[float], **changes: object) -> ClaimVerdict:
    ledger = pd.DataFrame(records("MAE", plain, **changes) + records("U-MAE", better, **changes))
    return compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls")


@pytest.mark.parametrize(
    ("plain", "better", "label"),
    [
        ((0.50, 0.52, 0.51), (0.60, 0.63, 0.61), "confirmed"),
        ((0.60, 0.63, 0.61), (0.50, 0.52, 0.51), "refuted"),
        ((0.50, 0.52, 0.51), (0.52, 0.50, 0.56), "undecided"),
        ((0.50, 0.60), (0.51, 0.61), "confirmed"),  # pairs agree, though the seeds lie far apart
        ((0.50, 0.60), (0.51, 0.63), "undecided"),  # two seeds need differences that agree to a twelfth
    ],
)
def test_seeds_decide(plain: Sequence[float], better: Sequence[float], label: str) -> None:
    found = judged(plain, better, error=1e-4)
    assert found.label == label
    assert found.rule == f"{len(plain)} seeds, paired"
    assert judged(plain, better, error=0.3).label == "undecided"  # the error over images dominates


def test_seeds_that_agree_by_chance_prove_nothing() -> None:
    """One more of 360 images is correct in both seeds: the spread over seeds is 0, the error over images is not."""
    found = judged([330 / 360, 328 / 360], [331 / 360, 329 / 360], error=0.03)
    assert (found.label, found.error) == ("undecided", pytest.approx(0.03 * sqrt(2)))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_interval_is_students(n: int) -> None:
    """The error equals a quantile of the t table times the spread, computed as a sum over pairs of seeds."""
    gains = [0.01 * (i * i - 2) for i in range(n)]
    found = judged([0.5] * n, [0.5 + gain for gain in gains], error=1e-4)
    variance = sum((a - b) ** 2 for a, b in combinations(gains, 2)) / (n * (n - 1))
    assert found.difference == pytest.approx(sum(gains) / n, rel=1e-12)
    assert found.error == pytest.approx(T_QUANTILES[n] * sqrt(variance / n), rel=1e-9)
    assert found.seeds == n


@pytest.mark.parametrize("gain", [0.3, -0.3, 0.001])
def test_one_seed_decides_nothing(gain: float) -> None:
    """Its error covers test images only; in cifar10-small effective ranks vary ten times as much over seeds."""
    ledger = pd.DataFrame(records("MAE", [0.5], error=0.03) + records("U-MAE", [0.5 + gain], error=0.04))
    found = compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls")
    assert found.error == pytest.approx(0.05)
    assert found.label == "undecided"
    assert found.rule == "one seed: error over test images only"


def test_what_is_missing_was_not_run() -> None:
    ledger = pd.DataFrame(records("MAE", [0.5, 0.5]))
    for part in (ledger, pd.DataFrame()):
        found = compare_objectives(part, "MAE", "U-MAE", metric="linear_probe", readout="cls")
        assert (found.label, found.seeds, found.rule) == ("not run", 0, "")
        assert isnan(found.difference)
    assert compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="mean").label == "not run"
    assert claim_verdicts(ledger).empty
    assert claim_verdicts(pd.DataFrame()).empty


@pytest.mark.parametrize("change", [{"epochs": 3}, {"train_images": 99}, {"test_images": 49}])
def test_only_models_trained_and_tested_alike_are_paired(change: dict[str, object]) -> None:
    other = records("U-MAE", [0.9, 0.9], **change)
    assert (
        compare_objectives(
            pd.DataFrame(records("MAE", [0.5, 0.5]) + other), "MAE", "U-MAE", metric="linear_probe", readout="cls"
        ).label
        == "not run"
    )


def test_seeds_that_only_one_of_them_has_do_not_count() -> None:
    found = judged([0.5, 0.52, 0.1], [0.6, 0.62])
    assert (found.seeds, found.difference) == (2, pytest.approx(0.1))
    assert judged([0.5, float("nan")], [0.6, 0.9]).seeds == 1


def test_every_claim_of_a_comparison_is_judged_and_a_sweep_is_none() -> None:
    both = {"linear_probe": (0.5, 0.6), "effective_rank": (9.0, 7.0)}
    ledger = [
        record
        for plain, better in (("MAE", "U-MAE"), ("SimMIM", "U-SimMIM"))
        for metric, values in both.items()
        for readout in ("cls", "mean")
        for cell, value in zip((plain, better), values)
        for record in records(cell, [value, value + 0.01], metric=metric, readout=readout)
    ]
    ledger += records("MAE", [0.5, 0.5], experiment="sweep") + records("squares 0.1", [0.6, 0.7], experiment="sweep")
    found = claim_verdicts(pd.DataFrame(ledger)).set_index(["claim", "readout"])
    assert len(found) == 8
    assert set(found.experiment) == {"planted"}
    for plain, better in (("MAE", "U-MAE"), ("SimMIM", "U-SimMIM")):
        for readout in ("cls", "mean"):
            accuracy = found.loc[(f"{better} over {plain}, linear probing accuracy", readout)]
            assert (accuracy.verdict, accuracy.difference) == ("confirmed", pytest.approx(10))
            rank = found.loc[(f"{better} over {plain}, effective rank", readout)]
            assert (rank.verdict, rank.difference) == ("refuted", pytest.approx(-2))
