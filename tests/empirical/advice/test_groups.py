"""Candidates that are alike are told apart in at most 5 % of cases, and those that differ are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from maetheory.empirical.advice.candidate_scores import CandidateScore, bootstrap_weights, pooled_variance
from maetheory.empirical.advice.groups import difference_p_value, rank_groups, told_apart

N, MASKS = 100, 8
WEIGHTS = bootstrap_weights(N, 0)


def scores(rng: np.random.Generator, means: list[float], mask_spread: float = 1.0) -> list[CandidateScore]:
    """Candidates whose score is a mean over the same images, which share half of their variance, plus masks."""
    shared, found = rng.normal(size=N), []
    for mean in means:
        images = mean + (shared + rng.normal(size=N)) / np.sqrt(2)
        masks = mask_spread * rng.normal(size=MASKS) / np.sqrt(N)
        value = float(images.mean() + masks.mean())
        replicates = value + (WEIGHTS - 1) @ images / N
        found.append(CandidateScore(value, replicates, float(masks.var(ddof=1) / MASKS), MASKS, 0.0))
    return found


@pytest.mark.parametrize("mask_spread", [0.0, 1.0, 10.0])
def test_candidates_that_are_alike_are_seldom_told_apart(mask_spread: float) -> None:
    rng = np.random.default_rng(0)
    wrong = sum(told_apart(scores(rng, [0.0] * 5, mask_spread)).any() for _ in range(300))
    assert wrong <= 26  # P < 0.005 at 5 %
    single = sum(difference_p_value(*scores(rng, [0.0, 0.0], mask_spread)) <= 0.05 for _ in range(600))
    assert 10 <= single <= 46  # the level of one pair is 5 %, or less where masks decide


def test_intervals_cover_at_their_level() -> None:
    rng = np.random.default_rng(1)
    intervals = [scores(rng, [0.0])[0].interval for _ in range(400)]
    assert 364 <= sum(low <= 0 <= high for low, high in intervals) <= 396  # 95 % ± 4 standard errors, wider to below


def test_what_images_share_cancels_in_a_difference() -> None:
    one, other = scores(np.random.default_rng(2), [0.0, 0.35], 0.0)
    apart = difference_p_value(one, other)
    variance, df = pooled_variance(float((one.replicates - other.replicates).var(ddof=1)), len(WEIGHTS), one, other)
    assert apart == pytest.approx(2 * student.sf(abs(one.value - other.value) / variance**0.5, df))
    alone = one.replicates.var() + other.replicates.var()
    assert variance == pytest.approx(alone / 2, rel=0.4)


def test_degrees_of_freedom_are_those_of_the_part_that_decides() -> None:
    exact = CandidateScore(0.0, np.zeros(200), 0.0, 0, 0.0)
    drawn = CandidateScore(0.0, np.zeros(200), 0.5, 5, 0.0)
    assert pooled_variance(1.0, 200, exact) == (1.0, 199)
    assert pooled_variance(0.0, 200, drawn) == (0.5, 4)
    assert pooled_variance(0.0, 200, drawn, drawn)[0] == 1.0
    assert pooled_variance(0.0, 200, drawn, drawn)[1] == pytest.approx(8)
    assert drawn.interval[1] == pytest.approx(student.ppf(0.975, 4) * 0.5**0.5)
    assert difference_p_value(exact, exact) == 1
    assert difference_p_value(exact, CandidateScore(1e-9, np.full(200, 1e-9), 0.0, 0, 0.0)) == 0


def test_groups_start_at_the_best_in_the_direction_of_the_score() -> None:
    rng = np.random.default_rng(3)
    found = scores(rng, [0.0, 3.0, 0.0, 3.0, 9.0])
    assert rank_groups(found, -1) == [1, 2, 1, 2, 3]
    assert rank_groups(found, 1) == [3, 2, 3, 2, 1]
    assert told_apart(found).sum() == 16
    assert rank_groups(found[:1], 1) == [1]


def test_the_limit_of_a_pair_is_divided_by_the_number_of_pairs() -> None:
    """Two candidates with p of about 0.03 are told apart alone, but not among four that are compared."""

    def fixed(value: float) -> CandidateScore:
        return CandidateScore(value, value + np.tile([-1.0, 1.0], 100) * (1 if value else -1), 0.0, 0, 0.0)

    pair = [fixed(0.0), fixed(4.4)]
    assert 0.0125 < difference_p_value(*pair) < 0.05
    assert told_apart(pair).any()
    assert not told_apart([*pair, fixed(0.0), fixed(0.0)]).any()
