"""Questions in absolute terms have the right answers for features whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maetheory.evaluation import collapse_report
from maetheory.evaluation.collapse.interval_limits import clip_interval, without_unreliable_extrapolation
from maetheory.evaluation.collapse.metric_specs import MetricEstimate, select_metrics
from maetheory.evaluation.collapse.verdict import assess_collapse, assess_yardsticks

D = 40
RNG = np.random.default_rng(0)
NAMES = ("effective_rank", "mean_cosine", "stable_rank")


def answers(features: np.ndarray) -> dict[str, str]:
    table = collapse_report(features, metrics=NAMES)
    return {one.question: str(one.answer) for one in assess_yardsticks(table)}


@pytest.mark.parametrize(
    ("n", "axes", "few"),
    [
        (400, np.r_[np.ones(2), np.zeros(D - 2)], "yes"),  # rank 2 of 40
        (400, np.r_[np.ones(8), np.zeros(D - 8)], "no"),  # rank 8 of 40
        (30, np.ones(D), "no"),  # at most 30, but more than 4 at any number of images
        (400, np.r_[np.ones(4), np.zeros(D - 4)], "undecided"),  # exactly a tenth
    ],
    ids=["two", "eight", "few images", "a tenth"],
)
def test_directions_are_few_below_a_tenth_of_the_dimension(n: int, axes: np.ndarray, few: str) -> None:
    assert answers(RNG.normal(size=(n, D)) * axes)["few directions"] == few


def test_a_low_rank_of_too_few_images_decides_nothing() -> None:
    wide = RNG.normal(size=(12, 400)) * np.arange(1, 401) ** -0.5  # its rank of 12 images is below a tenth of 400
    assert answers(wide)["few directions"] == "undecided"


@pytest.mark.parametrize(("length", "dominates"), [(20.0, "yes"), (1.0, "no")])
def test_one_vector_dominates_where_it_holds_more_than_half_of_the_mean_square(length: float, dominates: str) -> None:
    shared = np.zeros(D)
    shared[0] = length
    assert answers(RNG.normal(size=(400, D)) + shared)["one vector dominates"] == dominates


def test_only_questions_about_collapse_are_findings() -> None:
    table = collapse_report(RNG.normal(size=(60, D)), metrics=NAMES)
    assert [one.question for one in assess_collapse(table)] == ["complete collapse", "dimensional collapse"]
    every = assess_yardsticks(table)
    assert [one.question for one in every][2:] == ["few directions", "one vector dominates"]
    assert all(one.number and one.yardstick for one in every)


def test_an_extrapolation_lies_inside_its_interval_or_is_left_out_with_a_reason() -> None:
    for n, axes in ((30, np.ones(D)), (60, np.arange(1, D + 1) ** -1.0), (600, np.arange(1, D + 1) ** -1.0)):
        table = collapse_report(RNG.normal(size=(n, D)) * axes, full=True, conventions="all")
        shown = table[table.limit.notna()]
        assert ((shown.limit_low <= shown.limit) & (shown.limit <= shown.limit_high)).all()
        missing = table[table.limit.isna()]
        assert (missing.no_limit.str.len() + missing.note.str.len() > 0).all()
        assert table[table.metric == "effective_rank"].limit.notna().any() == (n == 600)
        assert table[table.metric == "condition_number"].limit.isna().all()


@pytest.mark.parametrize(("n", "limit", "kept"), [(8 * D, 30.0, True), (8 * D - 1, 21.1, False), (40, 20.9, True)])
def test_a_rank_is_extrapolated_with_many_rows_or_by_little(n: int, limit: float, kept: bool) -> None:
    (spec,) = select_metrics(["effective_rank"])
    estimate = MetricEstimate(20.0, limit - 1, limit + 1, 0.5, "", limit=limit)
    found: Any = without_unreliable_extrapolation(clip_interval(estimate, spec, D), spec, n, D)
    assert np.isfinite(found.limit) == kept
    assert (found.no_limit == "") == kept


def test_features_of_one_dimension_have_not_collapsed_and_two_equal_columns_have() -> None:
    column = np.random.default_rng(0).random((80, 1)) + 0.1
    one = assess_yardsticks(collapse_report(column, full=True))
    assert {finding.question for finding in one} >= {"complete collapse", "dimensional collapse"}
    assert {str(finding.answer) for finding in one} == {"undecided"}
    assert all("one dimension" in finding.sentence for finding in one)
    twice = assess_collapse(collapse_report(np.hstack([column, column]), full=True))
    assert "yes" in {str(finding.answer) for finding in twice}
