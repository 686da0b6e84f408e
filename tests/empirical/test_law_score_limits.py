"""Limits, confidences and default sizes of the scores of mask laws, where each decides."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.data import ImageSet, load_images
from maetheory.empirical import GraphScores, graph_intervals, law_scores, region_sample, sample_from_codes, token_sample
from maetheory.empirical.graph_scores import BoundInputs, graph_scores, mean_scores
from maetheory.empirical.tokens import spectrum_brackets as brackets_module
from maetheory.empirical.tokens.codebook import fit_codebook
from maetheory.empirical.tokens.interval_estimate import IntervalEstimate
from maetheory.masks import UniformMasks

WORDS = 2.0**-128


def exact(value: float) -> IntervalEstimate:
    return IntervalEstimate(value, value, value, True, "")


def test_only_bounds_may_exceed_one() -> None:
    scores = GraphScores(**{field.name: exact(0.5) for field in fields(GraphScores)})
    wide = replace(scores, **{field.name: exact(0.9) for field in fields(GraphScores)})
    found = mean_scores([scores, wide])  # Student's half-width of two masks is 2.5
    for field in fields(GraphScores):
        high = getattr(found, field.name).high
        assert (high > 1) == (field.name in ("residual_bound", "image_bound")), field.name
        assert high >= 1


def test_bounds_take_the_label_error_that_belongs_to_them() -> None:
    """The residual and the certificate are of the graph itself, the bound on images of pairs of different images."""
    parts = BoundInputs(exact(0.3), exact(0.2), exact(0.1), (exact(1.0), exact(0.5), exact(0.0)), np.full(2, 0.5), 1)
    found = graph_scores(parts)
    assert found.residual_bound.value == pytest.approx(0.1 / 0.5)
    assert found.image_bound.value == pytest.approx(4 * 0.3 / 0.5 + 0.4)
    assert found.next_eigenvalue.value == 0.5
    assert found.certificate.value <= 0.1 / 0.5


def test_kernel_inputs_stay_in_range_and_reach_to_eigenvalues_that_the_solver_may_have_missed() -> None:
    summary: Any = SimpleNamespace(
        pair_label_error=Estimate(0.1, 0.2),
        view_label_error=Estimate(0.3, 0.1),
        graph_pair_label_error=Estimate(0.0, 0.05),
        values=(Estimate(1.0, 0.1), Estimate(0.5, 0.1), Estimate(0.05, 0.1)),
        missed_eigenvalue_bound=0.3,
    )
    found = law_scores._kernel_bound_inputs(summary, 1, np.full(2, 0.5))
    assert (found.pair_label_error.low, found.pair_label_error.high) == pytest.approx((0.0, 0.3))
    assert (found.view_label_error.low, found.view_label_error.high) == pytest.approx((0.2, 0.4))
    assert [(one.low, one.high) for one in found.eigenvalues] == [
        pytest.approx((0.9, 1.0)),
        pytest.approx((0.4, 0.6)),
        pytest.approx((0.0, 0.3)),
    ]


def test_each_input_of_the_bound_has_a_third_of_the_error_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def watched(sample: Any, k: int, **options: Any) -> Any:
        seen.append({"k": k, **options})
        return graph_intervals(sample, k, **options)

    monkeypatch.setattr(law_scores, "graph_intervals", watched)
    rng = np.random.default_rng(0)
    images = ImageSet(rng.integers(0, 2, (60, 1, 2, 2)).astype(float), np.arange(60) % 2, "bits")
    law_scores.score_law(images, UniformMasks(4, 2), patch=1, k=1, n_masks=2, factor=0.5)
    assert [one["confidence"] for one in seen] == pytest.approx([1 - 0.05 / 3] * 2)
    assert [one["k"] for one in seen] == [
        2,
        2,
    ]  # it gives one value more


def test_views_that_are_equal_under_one_mask_leave_the_distance_undecided() -> None:
    pixels = np.random.default_rng(0).random((10, 1, 1, 2))
    pixels[:, :, :, 0] = 0.5
    images = ImageSet(pixels, np.arange(10) % 2, "half grey")
    both: Any = SimpleNamespace(masks=np.array([[True, False], [False, True]]))
    found = law_scores._relative_distance(images, both, 1)
    assert (found.low, found.high, found.decided) == (0.0, np.inf, False)
    assert found.why.startswith("the jackknife needs")
    one: Any = SimpleNamespace(masks=np.array([[False, True], [False, True]]))
    assert law_scores._relative_distance(images, one, 1).decided


def test_a_value_outside_its_interval_is_moved_to_the_end() -> None:
    interval = IntervalEstimate(0.5, 0.4, 0.6, True, "")
    assert [law_scores._replace_value(interval, value).value for value in (0.1, 0.45, 0.9)] == [0.4, 0.45, 0.6]


def test_regions_have_32_codes_by_default() -> None:
    digits = load_images("digits", limit=200)
    mask = np.arange(16) % 2 == 0
    assert region_sample(digits, UniformMasks(16, 8), mask, patch=2).shape == (32, 32)


def test_the_probability_of_a_collision_counts_distinct_views_and_targets() -> None:
    sample = sample_from_codes(np.array([[0, 0], [1, 1], [0, 1]]), np.zeros(3, int), UniformMasks(2, 1))
    n_views, n_targets = sample.shape
    pairs = (n_views * (n_views - 1) + n_targets * (n_targets - 1)) / 2
    assert sample.collision_probability / WORDS == pytest.approx(pairs)
    digits = load_images("digits", limit=30)
    tokens = token_sample(digits, UniformMasks(4, 2), codebook=fit_codebook(digits, 4, 5), n_masks=2)
    pairs = sum(count * (count - 1) / 2 for count in tokens.shape)
    assert tokens.collision_probability / WORDS == pytest.approx(pairs)


def test_eight_values_beyond_the_last_are_computed_for_the_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, counts = brackets_module.fit_singular_functions, []

    def counted(law: Any, count: int, seed: int) -> Any:
        counts.append(count)
        return fit(law, count, seed)

    monkeypatch.setattr(brackets_module, "fit_singular_functions", counted)
    rng = np.random.default_rng(0)
    sample = sample_from_codes(rng.integers(0, 3, (200, 4)), rng.integers(0, 2, 200), UniformMasks(4, 2))
    graph_intervals(sample, 3)
    assert counts == [12] * 3
    counts.clear()
    few = sample_from_codes(rng.integers(0, 2, (200, 2)), rng.integers(0, 2, 200), UniformMasks(2, 1))
    graph_intervals(few, 1)
    assert counts == [min(few.shape)] * 3
