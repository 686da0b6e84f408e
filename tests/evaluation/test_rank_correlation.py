"""Rank correlations agree with SciPy's; intervals and p-values have their nominal coverage for several scores."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from maetheory.core import InputError
from maetheory.evaluation import RankCorrelation, rank_correlations


def one(score: np.ndarray, measured: np.ndarray, **options) -> RankCorrelation:
    return rank_correlations({"a": score}, {"b": measured}, **options)["a", "b"]


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_that_of_scipy_with_and_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=12), rng.normal(size=12)
    assert one(x, y, permutations=1).value == pytest.approx(spearmanr(x, y).statistic, abs=1e-14)
    x, y = rng.integers(0, 4, 12).astype(float), rng.integers(0, 4, 12).astype(float)
    assert one(x, y, permutations=1).value == pytest.approx(spearmanr(x, y).statistic, abs=1e-14)


def test_the_p_value_agrees_with_that_over_all_permutations() -> None:
    x, y = np.arange(6.0), np.array([1.0, 0.0, 2.0, 5.0, 3.0, 4.0])
    reached = abs(spearmanr(x, y).statistic) - 1e-9
    exact = np.mean([abs(spearmanr(x, order).statistic) >= reached for order in permutations(range(6))])
    found = one(x, y, permutations=20_000).p
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_a_score_that_predicts_perfectly_has_correlation_1() -> None:
    accuracy = np.array([0.1, 0.4, 0.2, 0.9, 0.5, 0.8, 0.7, 0.3])
    found = one(np.exp(7 * accuracy), accuracy)
    assert (found.value, found.high) == pytest.approx((1, 1), abs=1e-15)
    assert 0.8 < found.low < 1  # eight items cannot vouch for ρ = 1
    assert found.p == found.p_adjusted < 0.001
    assert one(-accuracy, accuracy).value == pytest.approx(-1, abs=1e-15)


def test_under_independence_the_interval_contains_0_and_tests_reject_at_the_stated_rate() -> None:
    rng, worlds, scores = np.random.default_rng(0), 400, 6
    covered, alone, any_adjusted, any_alone = 0, 0, 0, 0
    for seed in range(worlds):
        guesses = {str(i): rng.normal(size=10) for i in range(scores)}
        found = rank_correlations(guesses, {"y": rng.normal(size=10)}, permutations=400, seed=seed).values()
        first = next(iter(found))
        covered += first.low <= 0 <= first.high
        alone += first.p <= 0.05
        any_alone += any(each.p <= 0.05 for each in found)
        any_adjusted += any(each.p_adjusted <= 0.05 for each in found)
    three_errors = 3 * np.sqrt(0.05 * 0.95 / worlds)
    assert covered / worlds >= 0.95 - three_errors
    assert alone / worlds <= 0.05 + three_errors
    assert any_adjusted / worlds <= 0.05 + three_errors
    assert any_alone / worlds > 0.15  # what looking at six without correction would have found


def test_the_interval_of_a_correlated_score_has_nearly_nominal_coverage() -> None:
    rng, truth, held = np.random.default_rng(1), 6 / np.pi * np.arcsin(0.6 / 2), 0
    for seed in range(200):
        x, noise = rng.normal(size=(2, 12))
        found = one(x, 0.6 * x + 0.8 * noise, permutations=400, seed=seed)
        held += found.low <= truth <= found.high
    assert held / 200 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_the_partial_correlation_given_a_common_cause_is_small() -> None:
    rng = np.random.default_rng(2)
    cause = rng.normal(size=400)
    x, y = cause + rng.normal(size=(2, 400))
    found = one(x, y, control=cause, permutations=1)
    assert found.value > 0.35
    assert abs(found.partial) < 0.15
    ranks = [spearmanr(*pair).statistic for pair in ((x, y), (x, cause), (y, cause))]
    exact = (ranks[0] - ranks[1] * ranks[2]) / np.sqrt((1 - ranks[1] ** 2) * (1 - ranks[2] ** 2))
    assert found.partial == pytest.approx(exact, abs=1e-12)
    assert np.isnan(one(cause, y, control=cause, permutations=1).partial)


def test_a_constant_score_has_no_correlation_and_a_reason() -> None:
    found = rank_correlations({"flat": np.ones(5), "good": np.arange(5.0)}, {"y": np.arange(5.0)})
    assert np.isnan(found["flat", "y"].value)
    assert (found["flat", "y"].low, found["flat", "y"].high, found["flat", "y"].p) == (-1, 1, 1)
    assert found["flat", "y"].reason == "flat is the same for all 5, so it ranks nothing"
    assert found["good", "y"].value == pytest.approx(1)
    assert one(np.arange(5.0), np.ones(5)).reason.startswith("b is the same")


def test_an_infinite_score_has_the_last_rank() -> None:
    assert one(-np.array([1.0, np.inf, 2.0, 3.0]), np.array([0.9, 0.1, 0.8, 0.7])).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("scores", "measured", "words"),
    [
        ({}, {"y": np.arange(5.0)}, "at least one score"),
        ({"x": np.arange(3.0)}, {"y": np.arange(3.0)}, "4 items or more everywhere, but there are 3"),
        ({"x": np.arange(5.0)}, {"y": np.arange(6.0)}, "but there are 5, 6"),
        ({"x": np.array([np.nan, 1, 2, 3])}, {"y": np.arange(4.0)}, "x is nan for 1 of 4 items"),
        ({"x": np.arange(4.0)}, {"y": np.array([np.inf, 1, 2, 3])}, "y is inf for 1 of 4 items"),
    ],
)
def test_errors_are_one_sentence(scores: dict, measured: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        rank_correlations(scores, measured)
