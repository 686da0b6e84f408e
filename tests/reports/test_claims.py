"""Verdicts on claims, on ledgers whose verdict is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from maetheory.core.packed_bits import pack_bits
from maetheory.reports import ClaimVerdict, claim_verdicts, compare_objectives
from maetheory.reports.claims import t_half_width

# Quantiles at 1 − 0.05 / 6: of Student's t with n − 1 degrees of freedom, and of the normal law.
T_QUANTILES = {2: 38.188459297025609, 3: 7.6488039379155398, 5: 3.9607864827701790}
NORMAL_QUANTILE = 2.3939797998185095


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
        ((0.50, 0.60), (0.51, 0.612), "undecided"),  # two seeds need differences that agree to a thirty-eighth
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
    assert (found.label, found.error) == ("undecided", pytest.approx(NORMAL_QUANTILE / 2 * 0.03 * sqrt(2)))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_interval_is_students(n: int) -> None:
    """The error equals a quantile of the t table times the spread, computed as a sum over pairs of seeds."""
    gains = [0.01 * (i * i - 2) for i in range(n)]
    found = judged([0.5] * n, [0.5 + gain for gain in gains], error=0.0)
    variance = sum((a - b) ** 2 for a, b in combinations(gains, 2)) / (n * (n - 1))
    assert found.difference == pytest.approx(sum(gains) / n, rel=1e-12)
    assert found.error == pytest.approx(T_QUANTILES[n] * sqrt(variance / n), rel=1e-9)
    assert found.seeds == n


@pytest.mark.parametrize("gain", [0.3, -0.3, 0.001])
def test_one_seed_decides_nothing(gain: float) -> None:
    """Its error covers test images only; in cifar10-small effective ranks vary ten times as much over seeds."""
    ledger = pd.DataFrame(records("MAE", [0.5], error=0.03) + records("U-MAE", [0.5 + gain], error=0.04))
    found = compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls")
    assert found.error == pytest.approx(NORMAL_QUANTILE / 2 * 0.05)
    assert found.label == "undecided"
    assert found.rule == "one seed: error over test images only"


def with_predictions(plain: np.ndarray, better: np.ndarray) -> pd.DataFrame:
    """Return records of two objectives whose predictions, (seeds, images) of booleans, are known."""
    rows = []
    for cell, correct in (("MAE", plain), ("U-MAE", better)):
        shares = correct.mean(1)
        errors = 2 * np.sqrt(shares * (1 - shares) / correct.shape[1])
        rows += [
            one | {"error": error, "correct": pack_bits(hits), "test_images": correct.shape[1]}
            for one, error, hits in zip(records(cell, list(shares)), errors, correct, strict=True)
        ]
    return pd.DataFrame(rows)


def test_the_images_both_models_miss_do_not_blur_their_difference() -> None:
    """5 of 400 images are gained in every seed; 200 are hard for both, which an unpaired error counts."""
    plain = np.zeros((3, 400), bool)
    plain[:, :200] = True
    better = plain.copy()
    better[:, 200:212] = True
    ledger = with_predictions(plain, better)
    found = compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls")
    gain = np.zeros(400)
    gain[200:212] = 1
    assert found.error == pytest.approx(NORMAL_QUANTILE * gain.std(ddof=1) / 20, rel=1e-12)
    assert (found.label, found.rule) == ("confirmed", "3 seeds, paired, and paired test images")
    unpaired = compare_objectives(ledger.drop(columns="correct"), "MAE", "U-MAE", metric="linear_probe", readout="cls")
    assert (unpaired.label, unpaired.rule) == ("undecided", "3 seeds, paired")
    ledger.loc[0, "correct"] = None  # one of the models has no predictions: none can be paired
    assert not compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout="cls").paired_images


def test_seeds_and_images_both_count() -> None:
    """Where both errors are alike, the interval covers only as the root of their squares, not as the larger.

    The difference of an image is drawn as one of seed plus one of image, with standard deviations of their means that
    make both half-widths equal. At 20 seeds, 1 − 0.05 / 3 of the intervals should cover the true difference.
    """
    seeds, images, draws = 20, 60, 2000
    rng = np.random.default_rng(0)
    t_over_normal = stats.t.isf(0.05 / 6, seeds - 1) / NORMAL_QUANTILE
    of_seed = rng.standard_normal((draws, seeds)) / t_over_normal * np.sqrt(seeds / images)
    of_image = rng.standard_normal((draws, images))
    means = of_seed.mean(1) + of_image.mean(1)
    by_seed = np.array([t_half_width(row.std(ddof=1), seeds) for row in of_seed])
    by_image = NORMAL_QUANTILE * of_image.std(axis=1, ddof=1) / np.sqrt(images)
    covered = np.abs(means) <= np.hypot(by_seed, by_image)
    larger = np.abs(means) <= np.maximum(by_seed, by_image)
    assert covered.mean() >= 1 - 0.05 / 3 - 3 * np.sqrt(0.05 / 3 / draws)
    assert larger.mean() < 0.95
    found = judged([0.5, 0.5, 0.5], [0.6, 0.61, 0.62], error=0.02)
    spread = T_QUANTILES[3] * 0.01 / sqrt(3)
    assert found.error == pytest.approx(np.hypot(spread, NORMAL_QUANTILE / 2 * 0.02 * sqrt(2)), rel=1e-9)


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
