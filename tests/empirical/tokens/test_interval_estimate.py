"""Widths, ties and guards of interval estimates, from both sides of where they decide."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.empirical import IntervalEstimate, TokenSample, graph_intervals, mean_graph_intervals, sample_from_codes
from maetheory.empirical.graph_scores import BoundInputs, graph_scores, mean_interval, spectral_certificate
from maetheory.empirical.tokens import spectrum_brackets as brackets_module
from maetheory.empirical.tokens.interval_estimate import (
    Bracket,
    monotone_interval,
    normal_quantile,
    residual_bound,
    standard_error,
    student_half_width,
)
from maetheory.empirical.tokens.interval_estimation import check_sample_size, sharp_bound_interval
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.mask_averaged_intervals import _weighted_mean_interval
from maetheory.empirical.tokens.region_tokens import region_sample
from maetheory.empirical.tokens.singular_functions import (
    SingularFunctions,
    fit_singular_functions,
    held_out_correlations,
)
from maetheory.empirical.tokens.spectrum_brackets import _eigenvalue_errors, _Influence, _SpectrumEstimate
from maetheory.masks import UniformMasks

Z = 1.959963984540054  # the normal quantile of 95 %


def exact(value: float) -> IntervalEstimate:
    return IntervalEstimate(value, value, value, True, "")


# Intervals from brackets


def test_quantiles_are_those_of_the_tables() -> None:
    assert normal_quantile(0.95) == pytest.approx(Z, rel=1e-12)
    assert normal_quantile(0.99) == pytest.approx(2.5758293035489004, rel=1e-12)
    assert student_half_width([1.0, 3.0]) == pytest.approx(12.706204736174694)  # of one degree of freedom, σ/√2 = 1
    assert student_half_width([1.0, 2.0, 4.0], 0.9) == pytest.approx(
        2.919985580353726 * np.std([1, 2, 4], ddof=1) / 3**0.5
    )
    assert student_half_width([1.0]) == math.inf


@pytest.mark.parametrize("n", [20, 500])
def test_where_no_error_is_seen_the_interval_reaches_beyond_that_of_the_exact_binomial(n: int) -> None:
    """Zero errors in n images: up to z²/n for each term that the standard error leaves out."""
    none = Bracket(0.0, 0.0, 0.0, 0.0, 0.0)
    found = none.interval("x", n, 0.95)
    assert (found.low, found.high) == (0.0, pytest.approx(Z**2 / n))
    assert found.high >= 1 - 0.05 ** (1 / n)  # Clopper and Pearson, one-sided
    assert replace(none, upper_terms=3).interval("x", n, 0.95).high == pytest.approx(3 * Z**2 / n)
    assert replace(none, upper_terms=0).interval("x", n, 0.95).high == 0


def test_an_interval_is_wilsons_on_either_side() -> None:
    bracket = Bracket(0.4, 0.5, 0.01, 0.03, 0.45, lower_terms=2, upper_terms=1)
    found = bracket.interval("x", 100, 0.95)
    below, above = Z * 2 / 200, Z / 200
    assert found.low == pytest.approx(0.4 - Z * math.hypot(0.01, below) - Z * below)
    assert found.high == pytest.approx(0.5 + Z * math.hypot(0.03, above) + Z * above)
    plain = replace(bracket, lower_terms=0, upper_terms=0).interval("x", 100, 0.95)
    assert (plain.low, plain.high) == pytest.approx((0.4 - 0.01 * Z, 0.5 + 0.03 * Z))
    assert found.value == 0.45


def test_an_interval_stays_in_its_range_and_contains_its_value() -> None:
    wide = Bracket(0.1, 0.9, 1.0, 1.0, 5.0, maximum=0.95).interval("x", 100, 0.95)
    assert (wide.low, wide.high, wide.value) == (0.0, 0.95, 0.95)
    low = Bracket(0.4, 0.5, 0.0, 0.0, 0.1, upper_terms=0).interval("x", 100, 0.95)
    assert (low.low, low.high, low.value) == (0.4, 0.5, 0.4)
    beyond = Bracket(0.8, 0.9, 0.0, 0.0, 0.85, maximum=0.5, upper_terms=0).interval("x", 100, 0.95)
    assert beyond.low == beyond.high == 0.8


@pytest.mark.parametrize(
    ("upper", "maximum", "widest"), [(0.5, 1.0, 0.2), (0.4, 0.5, 0.1), (0.7, math.inf, 0.2), (3.0, math.inf, 0.6)]
)
def test_a_gap_of_a_fifth_of_the_range_decides(upper: float, maximum: float, widest: float) -> None:
    for share, decided in ((0.999, True), (1.001, False)):
        found = Bracket(upper - share * widest, upper, 0, 0, upper, maximum=maximum).interval("φ", 100, 0.95)
        assert found.decided == decided
        assert (found.why == "") == decided
        assert decided or found.why.startswith("φ is between")


def test_an_interval_covers_its_ends_up_to_rounding() -> None:
    found = IntervalEstimate(0.5, 0.25, 0.75, True, "")
    assert [found.covers(x) for x in (0.25 - 0.9e-9, 0.25 - 1.1e-9, 0.75 + 0.9e-9, 0.75 + 1.1e-9)] == [1, 0, 1, 0]
    assert IntervalEstimate(0.5, 0.1, 0.6, True, "").estimate.error == pytest.approx(0.4)
    assert IntervalEstimate(0.5, 0.4, 0.9, True, "").estimate.error == pytest.approx(0.4)
    assert (repr(found), repr(replace(found, decided=False))) == (
        "IntervalEstimate(0.5 in [0.25, 0.75])",
        "IntervalEstimate(0.5 in [0.25, 0.75], UNDECIDED)",
    )


def test_the_variance_over_images_and_over_masks_are_added() -> None:
    influence = np.array([[0.0, 1.0], [1.0, 4.0], [5.0, 7.0]])
    weights = np.array([0.25, 0.75])
    images = np.var(influence @ weights, ddof=1) / 3
    assert standard_error(influence, weights, False) == pytest.approx(math.sqrt(images))
    masks = (12.706204736174694 / Z) ** 2 * np.var(influence.mean(0), ddof=1) / 2
    assert standard_error(influence, weights, True) == pytest.approx(math.sqrt(images + masks))
    assert standard_error(influence[:, :1], np.ones(1), False) < math.inf


def test_a_residual_bound_is_infinite_where_rounding_cannot_tell_the_eigenvalue_from_one() -> None:
    assert residual_bound(0.1, 1 - 0.5e-12) == math.inf
    assert residual_bound(0.1, 1 - 2e-12) == pytest.approx(0.1 / 2e-12, rel=1e-3)


def test_a_bound_whose_upper_end_alone_is_infinite_is_undecided() -> None:
    wide = IntervalEstimate(0.9, 0.8, 1.0, True, "")
    found = monotone_interval(residual_bound, exact(0.1), wide)
    assert (found.decided, found.why) == (False, "the next eigenvalue may be 1, where there is no bound")
    both = monotone_interval(residual_bound, exact(0.1), exact(1.0))
    assert (both.value, both.decided) == (math.inf, True)
    few = replace(exact(0.1), decided=False, why="few images")
    assert monotone_interval(residual_bound, few, wide).why.startswith("few images; the next")
    assert monotone_interval(residual_bound, few, exact(0.5)).decided is False
    assert monotone_interval(residual_bound, exact(0.1), exact(0.5)).decided is True


def test_a_bound_of_three_intervals_gives_each_a_third_of_the_error_probability() -> None:
    """The union bound is the whole difference: three intervals of 95 % together would cover 85 %."""
    alpha, phi, value = (Bracket(x, x, 0.01, 0.01, x, upper_terms=0) for x in (0.1, 0.2, 0.5))
    found = sharp_bound_interval(alpha, phi, value, 100, 0.95)
    z = normal_quantile(1 - 0.05 / 3)
    assert z == pytest.approx(2.3939797998185104, rel=1e-9)
    for sign, end in ((-1, found.low), (1, found.high)):
        off = sign * z * 0.01
        assert end == pytest.approx(4 * (0.2 + off) / (0.5 - off) + 2 * (0.1 + off))
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(20_000, 3)) * 0.01 + [0.1, 0.2, 0.5]
    together = (np.abs(draws - [0.1, 0.2, 0.5]) <= z * 0.01).all(1).mean()
    assert together == pytest.approx((1 - 0.05 / 3) ** 3, abs=4 * np.sqrt(0.95 * 0.05 / 20_000))
    assert (1 - 0.05 / 3) ** 3 > 0.95
    assert (np.abs(draws - [0.1, 0.2, 0.5]) <= Z * 0.01).all(1).mean() < 0.87


# Means over masks


def test_a_mean_over_drawn_masks_stays_in_its_range_and_names_the_first_reason() -> None:
    parts = [exact(0.2), replace(exact(0.3), decided=False, why="few"), replace(exact(0.4), decided=False, why="none")]
    weights = np.array([0.2, 0.3, 0.5])
    found = _weighted_mean_interval(parts, weights, None, 1.0)
    assert (found.value, found.low, found.high) == pytest.approx((0.33,) * 3)
    assert (found.decided, found.why) == (False, "few")
    wide = _weighted_mean_interval(parts, weights, 0.95, 1.0)
    half = student_half_width([0.2, 0.3, 0.4])
    assert (wide.low, wide.high) == pytest.approx((0.33 - half, 0.33 + half))
    assert _weighted_mean_interval(parts[:1], np.ones(1), 0.95, 1.0).why.startswith("only one mask was drawn")
    assert (_weighted_mean_interval(parts[1:2], np.ones(1), 0.95, 1.0).why) == "few"
    assert _weighted_mean_interval([exact(0.0), exact(1.0)], np.full(2, 0.5), 0.95, 1.0).low == 0.0
    assert _weighted_mean_interval([exact(0.0), exact(1.0)], np.full(2, 0.5), 0.95, 0.9).high == 0.9
    assert _weighted_mean_interval([exact(math.inf)] * 2, np.full(2, 0.5), 0.95, math.inf).high == math.inf


def test_a_mean_of_scores_stays_in_its_range_and_counts_its_undecided_masks() -> None:
    undecided = replace(exact(0.4), decided=False, why="few")
    found = mean_interval([exact(0.2), undecided, undecided, exact(0.3)], 1.0)
    assert (found.decided, found.why) == (False, "under 2 of 4 masks: few")
    half = student_half_width([0.2, 0.4, 0.4, 0.3])
    assert (found.low, found.high) == pytest.approx((0.325 - half, 0.325 + half))
    assert mean_interval([exact(0.1), exact(0.9)]).low == 0.0
    assert mean_interval([exact(0.1), exact(0.9)], 0.95).high == 0.95
    assert mean_interval([exact(0.1), exact(0.9)]).high > 5
    infinite = IntervalEstimate(math.inf, 0.5, math.inf, False, "may be 1")
    assert mean_interval([infinite, exact(0.5)]).low == 0.5


def test_connectivity_turns_the_ends_of_the_second_eigenvalue() -> None:
    second = IntervalEstimate(0.5, 0.3, 0.6, True, "")
    parts = BoundInputs(exact(0.1), exact(0.0), exact(0.1), (exact(1.0), second, second), np.array([0.5, 0.5]), 1)
    found = graph_scores(parts).connectivity
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.4, 0.7))


def test_a_certificate_ignores_gaps_that_are_rounding_and_stays_below_one() -> None:
    masses = np.array([0.6, 0.4])
    assert spectral_certificate(5.0, np.array([1.0, 0.5, 0.0]), masses, 1) == 1.0
    for gap in (0.0, 0.5e-12):  # no more features: φ cannot be divided by a gap of rounding
        assert spectral_certificate(0.0, np.array([1.0, 1.0 - gap, 1.0 - gap]), masses, 1) == 1.0
    assert spectral_certificate(0.0, np.array([1.0, 1 - 2e-12, 1 - 2e-12]), masses, 1) == pytest.approx(0, abs=1e-3)
    assert spectral_certificate(0.0, np.array([1.0, 0.5, 0.5, 0.1]), masses, 2) == pytest.approx(0.0, abs=1e-12)


# Votes


def votes(
    views: list[list[int]], labels: list[int], weights: list[float], targets: list[list[int]] | None = None
) -> TokenSample:
    nodes = np.array(views, np.int32)
    other = np.zeros_like(nodes) if targets is None else np.array(targets, np.int32)
    return TokenSample(nodes, other, np.array(labels), np.array(weights), False, "dropped")


def test_votes_that_tie_up_to_rounding_go_to_the_smallest_class() -> None:
    """Class 1 has the weight 0.1 + 0.2, which is more than 0.3 by rounding alone."""
    weights = [0.1, 0.2, 0.3, 0.4]
    sample = votes([[1, 1, 0, 2], [3, 3, 1, 4]], [1, 0], weights)
    assert 0.1 + 0.2 > 0.3
    found = label_error_bracket(sample, sample.views)
    assert found.lower == pytest.approx(0.15)  # the image of class 1 errs under two masks
    assert found.upper > found.lower


def test_a_leave_one_out_vote_that_ties_up_to_rounding_is_an_error() -> None:
    """Without the image itself its class has 0.1 + 0.2 at node 0, and the other class 0.3."""
    weights = [0.1, 0.2, 0.3, 0.4]
    rows = [[9, 9, 9, 0], [0, 0, 8, 7], [6, 6, 0, 5]]
    numbered = np.unique(rows, return_inverse=True)[1].reshape(3, 4)
    sample = votes(numbered.tolist(), [0, 0, 1], weights)
    node = int(numbered[0, 3])
    found = label_error_bracket(sample, sample.views)
    own = [1.0 if sample.views[0, 3] == node else 0.0]
    assert own == [1.0]
    # image 0 at node 0 ties, image 1 at node 0 leads (0.4 > 0.3), image 2 is outvoted; elsewhere each view is alone,
    # and is given the most frequent class, 0
    assert found.upper == pytest.approx((0.4 + 0 + (0.3 + 0.3 + 0.4)) / 3)


def test_a_view_alone_is_given_the_most_frequent_class_whatever_the_order_of_its_weights() -> None:
    sample = votes([[0, 0, 0, 1], [2, 2, 2, 3], [4, 4, 4, 5]], [1, 1, 0], [0.1, 0.2, 0.3, 0.4])
    found = label_error_bracket(sample, sample.views)
    assert (found.lower, found.upper) == pytest.approx((0.0, 1 / 3))
    assert found.maximum == 0.5
    three = votes([[0], [1], [2]], [0, 1, 2], [1.0])
    assert label_error_bracket(three, three.views).maximum == pytest.approx(2 / 3)
    one = votes([[0], [0]], [0, 0], [1.0])
    assert label_error_bracket(one, one.views).maximum == 0.5


def test_a_lone_vote_against_another_class_is_not_alone() -> None:
    """One image of class 0 and three of class 1 at a node: without it, class 0 has no vote and loses."""
    sample = votes([[0], [0], [0], [0], [1], [1]], [0, 1, 1, 1, 0, 0], [1.0])
    found = label_error_bracket(sample, sample.views)
    assert (found.lower, found.upper) == pytest.approx((1 / 6, 1 / 6))


@pytest.mark.parametrize(("n", "certain"), [(6, False), (7, True)])
def test_seven_images_of_one_class_decide_a_view_and_six_do_not(n: int, certain: bool) -> None:
    """The lead of n equal votes is √n of their standard errors, and 2.6 are needed: √6 = 2.45, √7 = 2.65."""
    labels = [0] * n + [1] * n
    sample = votes([[0]] * n + [[1]] * n, labels, [1.0])
    found = pair_error_bracket(sample)
    differ = n / (2 * n - 1)  # of pairs of different images
    assert found.lower == pytest.approx(differ if certain else 0.0)
    assert found.upper == pytest.approx(differ)


def test_a_target_of_one_image_under_several_masks_has_no_pairs_though_its_weights_round() -> None:
    """Its squared weight minus those of its own pairs is 0 up to rounding, which is no pair of images."""
    weights = [0.1, 0.2, 0.3, 0.15, 0.25]
    rounded = []
    for shift in range(5):
        turned = np.roll(weights, shift).tolist()
        sample = votes([[0] * 5, [0] * 5, [1] * 5], [0, 0, 1], turned, [[0] * 5, [0] * 5, [1] * 5])
        found = pair_error_bracket(sample)
        assert found.lower == 0.0
        assert found.upper == pytest.approx(1 / 3)  # the target of the third image may hold any pair
        rounded.append(found.upper_error)
    np.testing.assert_allclose(rounded, np.std([0, 0, 1], ddof=1) / np.sqrt(3))


# Spectra


def joint(sample: TokenSample) -> sparse.csr_array:
    return brackets_module._joint_law_of_images(sample, None)


def small_sample(positions: str = "dropped", n_masks: int | None = None) -> TokenSample:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    codes = np.where(rng.random((60, 4)) < 0.25, 1 - labels[:, None], labels[:, None])
    return sample_from_codes(codes, labels, UniformMasks(4, 2), positions=positions, n_masks=n_masks)


def test_influences_are_derivatives_of_singular_values() -> None:
    """Moving a little weight to one image under one mask moves σ_i by its influence."""
    sample = small_sample()
    law, step = joint(sample), 1e-6
    fit = fit_singular_functions(law, 3, 0)
    influence = _Influence(sample, fit, None)
    for i in (1, 2):
        entry = influence.entry(i, i)
        assert float(np.mean(entry @ sample.mask_weights)) == pytest.approx(0, abs=1e-9)
        for image, mask in ((0, 0), (7, 3), (40, 5)):
            point = sparse.csr_array(
                ([1.0], ([sample.views[image, mask]], [sample.targets[image, mask]])), shape=sample.shape
            )
            moved = fit_singular_functions(sparse.csr_array((1 - step) * law + step * point), 3, 0).values
            assert (moved[i] - fit.values[i]) / step == pytest.approx(entry[image, mask], abs=1e-3)


def test_mixed_influences_are_derivatives_of_the_correlation_matrix() -> None:
    """Entry (i, j) of the normalised law in the old singular functions, by finite differences."""
    sample = small_sample()
    law, step = joint(sample).toarray(), 1e-6
    fit = fit_singular_functions(sparse.csr_array(law), 3, 0)
    one, two = law.sum(1), law.sum(0)
    left, right = np.sqrt(one)[:, None] * fit.f, np.sqrt(two)[:, None] * fit.g
    found = _Influence(sample, fit, None).entry(1, 2)
    for image, mask in ((0, 0), (7, 3), (40, 5)):
        moved = (1 - step) * law
        moved[sample.views[image, mask], sample.targets[image, mask]] += step
        normal = moved / np.sqrt(np.outer(moved.sum(1), moved.sum(0)))
        before = law / np.sqrt(np.outer(one, two))
        change = left[:, 1] @ (normal - before) @ right[:, 2] / step
        assert change == pytest.approx(found[image, mask], abs=1e-3)


def test_values_nearer_than_their_errors_share_their_variance() -> None:
    """Two values within 1.96 of their summed errors may be one double value, perturbed by the norm of its row."""
    sample = small_sample()
    fit = fit_singular_functions(joint(sample), 3, 0)

    def errors(gap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values = np.array([1.0, 0.5, 0.5 - gap])
        influence = _Influence(sample, SingularFunctions(values, fit.f, fit.g), None)
        found = _eigenvalue_errors(sample, _SpectrumEstimate(values, (influence,)))
        alone = np.array([standard_error(influence.entry(i, i), sample.mask_weights, False) for i in range(3)])
        mixed = np.array(
            [[standard_error(influence.entry(i, j), sample.mask_weights, False) for j in range(3)] for i in range(3)]
        )
        return (
            found.nearby,
            found.of_square / (2 * values),
            np.sqrt(alone**2 + np.array([0, 1, 1]) * (mixed[1, 2] ** 2 + mixed[2, 1] ** 2) / 2),
        )

    nearby, found, together = errors(1e-3)
    assert nearby.tolist() == [1, 2, 2]
    np.testing.assert_allclose(found[1:], together[1:])
    nearby, found, _ = errors(0.49)
    assert nearby.tolist() == [1, 1, 1]
    values = np.array([1.0, 0.5, 0.01])
    influence = _Influence(sample, SingularFunctions(values, fit.f, fit.g), None)
    np.testing.assert_allclose(
        found, [standard_error(influence.entry(i, i), sample.mask_weights, False) for i in range(3)]
    )


@pytest.mark.parametrize("square_entries", [0, 20_000_000])
def test_the_tail_beyond_the_computed_values_is_exact_or_bounded(square_entries: int, monkeypatch) -> None:
    sample = small_sample("kept")
    monkeypatch.setattr(brackets_module, "MAX_SQUARE_ENTRIES", square_entries)
    values = np.linalg.svd(sample.graph.normalized_matrix.toarray(), compute_uv=False)
    for count in (8, 12, 20):
        found = brackets_module._tail_beyond_found(sample, values[:count])
        beyond = float((values[count:] ** 4).sum())
        if square_entries:
            assert found == pytest.approx(beyond, abs=1e-12)
        else:
            assert found == pytest.approx(values[count - 1] ** 2 * (values[count:] ** 2).sum(), abs=1e-12)
            assert found >= beyond - 1e-12
    assert brackets_module._tail_beyond_found(sample, np.append(values, 1e-9)) == pytest.approx(0, abs=1e-9)
    assert brackets_module._tail_beyond_found(sample, values * 1.01) == 0.0  # rounding is never negative energy


def test_the_tail_of_a_wide_graph_is_that_of_its_transpose() -> None:
    sample = small_sample("kept")
    turned = replace(sample, views=sample.targets, targets=sample.views)
    values = np.linalg.svd(sample.graph.normalized_matrix.toarray(), compute_uv=False)[:8]
    assert brackets_module._tail_beyond_found(turned, values) == pytest.approx(
        brackets_module._tail_beyond_found(sample, values), rel=1e-9
    )


def test_masks_add_variance_to_a_spectrum_only_where_positions_are_dropped() -> None:
    for positions, varies in (("kept", False), ("dropped", True)):
        assert brackets_module._varies_over_masks(small_sample(positions, 3)) == varies
        assert not brackets_module._varies_over_masks(small_sample(positions))


def test_functions_without_variance_and_nodes_without_mass_cause_no_division_by_zero() -> None:
    law = sparse.csr_array(np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]))
    fit = fit_singular_functions(law, 2, 0)
    assert np.isfinite(fit.f).all()
    assert np.isfinite(fit.g).all()
    assert fit.values.tolist() == pytest.approx([1.0, 1.0])
    np.testing.assert_allclose(fit.f[2], np.sqrt([0.5, 0.5, 0]) @ (fit.f * np.sqrt([[0.5], [0.5], [0]])), atol=1e-12)
    zero = SingularFunctions(np.ones(2), np.zeros((3, 2)), np.zeros((3, 2)))
    found = held_out_correlations(zero, law)
    assert found.values.tolist() == [0.0, 0.0]
    one = SingularFunctions(np.ones(2), np.array([[1.0, -1], [-1, -1], [0, 0]]), np.array([[1.0, 1], [-1, 1], [0, 0]]))
    assert held_out_correlations(one, law).values.tolist() == pytest.approx([1.0, 0.0])  # a negative one counts as none


def test_a_direction_of_almost_no_variance_is_no_function() -> None:
    """Below 1e-10 of the variance a direction in the span is rounding, whose correlation would be noise."""
    law = sparse.csr_array(np.diag([0.4, 0.3, 0.3]))
    for size, counted in ((1e-7, False), (1e-3, True)):
        f = np.column_stack([[1.0, -1, 0], np.array([1.0, -1, 0]) + size * np.array([0.0, 1, -1])])
        g = np.column_stack([[1.0, -1, 0], np.array([1.0, -1, 0]) - size * np.array([0.0, 1, -1])])
        found = held_out_correlations(SingularFunctions(np.ones(2), f, g), law).values
        assert found == pytest.approx([1.0, 1.0], abs=1e-3) or not counted
        assert np.isfinite(found).all()
        if not counted:
            assert found[1] <= 1.0


# Guards of samples


def test_the_smallest_sample_and_the_ends_of_a_confidence() -> None:
    sample = small_sample()
    check_sample_size(replace(sample, views=sample.views[:20]), 0.5)
    with pytest.raises(InputError, match="there are 19"):
        check_sample_size(replace(sample, views=sample.views[:19]), 0.5)
    for confidence in (0.0, 1.0):
        with pytest.raises(InputError, match="strictly between"):
            check_sample_size(sample, confidence)
    check_sample_size(sample, 1e-9)
    fewest = min(sample.shape)
    graph_intervals(sample, fewest - 1)
    for k in (0, fewest):
        with pytest.raises(InputError, match="k must be at least 1 and below"):
            graph_intervals(sample, k)
    with pytest.raises(InputError, match="at least 1 feature"):
        mean_graph_intervals(small_sample("kept"), 0)


def test_components_are_decided_where_every_edge_occurs_twice() -> None:
    codes = np.repeat([[0, 0], [1, 1]], 15, axis=0)
    sample = sample_from_codes(codes, codes[:, 0], UniformMasks(2, 1), positions="dropped")
    found = graph_intervals(sample, 1).components
    assert (found.value, found.low, found.high, found.decided) == (2, 2, 2, True)
    once = sample_from_codes(
        np.vstack([codes, [[0, 1]]]), np.append(codes[:, 0], 0), UniformMasks(2, 1), positions="dropped"
    )
    other = graph_intervals(once, 1)
    assert (other.components.low, other.components.high, other.components.decided) == (1, math.inf, False)
    assert other.components.why.startswith("0.032 of the weight")
    assert other.shared_view_fraction == pytest.approx(1)


def test_one_image_under_two_masks_does_not_share_its_node_with_another() -> None:
    sample = sample_from_codes(
        np.vstack([np.repeat([[0, 0]], 25, axis=0), [[1, 1]]]),
        np.zeros(26, int),
        UniformMasks(2, 1),
        positions="dropped",
    )
    found = graph_intervals(sample, 1)
    assert found.shared_view_fraction == pytest.approx(25 / 26)
    assert found.shared_target_fraction == pytest.approx(25 / 26)


def test_with_as_many_features_as_nodes_the_next_eigenvalue_may_be_zero() -> None:
    codes = np.repeat([[0, 0], [1, 1], [0, 1], [1, 0]], 20, axis=0)
    sample = sample_from_codes(codes, codes[:, 0], UniformMasks(2, 1))
    inside, all_, beyond = (mean_graph_intervals(sample, k).next_eigenvalue for k in (1, 2, 5))
    assert inside.high <= 0.2
    assert (all_.low, all_.value, all_.high) == (beyond.low, beyond.value, beyond.high)
    assert all_.low == all_.value == 0


def test_the_tail_is_exact_up_to_a_limit_of_the_smaller_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few nodes that meet in many pairs: the dense square is cheaper than the pairs, and alone is within the limit."""
    sample = small_sample("dropped")
    matrix = sample.graph.normalized_matrix
    pairs = int((np.bincount(matrix.indices).astype(np.int64) ** 2).sum())
    square = matrix.shape[0] ** 2
    assert square < pairs
    values = np.linalg.svd(matrix.toarray(), compute_uv=False)
    exact, bound = float((values[2:] ** 4).sum()), values[1] ** 2 * float((values[2:] ** 2).sum())
    assert exact < 0.99 * bound
    for limit, wanted in ((square, exact), (square - 1, bound)):
        monkeypatch.setattr(brackets_module, "MAX_SQUARE_ENTRIES", limit)
        assert brackets_module._tail_beyond_found(sample, values[:2]) == pytest.approx(wanted, abs=1e-12)


def test_a_bracket_of_the_tail_is_not_turned_round() -> None:
    """Held-out values above the in-sample ones, which chance allows, leave the bracket at its upper end."""
    sample = small_sample("kept")
    fit = fit_singular_functions(joint(sample), 4, 0)
    in_sample = brackets_module._SpectrumEstimate(fit.values, (_Influence(sample, fit, None),))
    held_out = replace(in_sample, values=2 * in_sample.values)
    found = brackets_module._tail_bracket(sample, 2, held_out, in_sample, in_sample.values**2)
    assert found.lower == found.upper
    lower = brackets_module._tail_bracket(sample, 2, replace(in_sample, values=fit.values / 2), in_sample, fit.values)
    assert lower.lower == pytest.approx(float(((fit.values[2:] / 2) ** 4).sum()))
    assert lower.lower < lower.upper


def test_seeds_are_zero_by_default() -> None:
    for function in (graph_intervals, region_sample):
        assert inspect.signature(function).parameters["seed"].default == 0


def test_a_gap_of_exactly_the_limit_is_decided() -> None:
    assert Bracket(1.0, 1.25, 0.0, 0.0, 1.1, maximum=math.inf).interval("x", 100, 0.95).decided
    wider = Bracket(1.0, np.nextafter(1.25, 2) + 1e-15, 0.0, 0.0, 1.1, maximum=math.inf)
    assert not wider.interval("x", 100, 0.95).decided


def test_the_first_eigenvalue_is_one_without_an_interval() -> None:
    first = graph_intervals(small_sample("kept"), 2).eigenvalues[0]
    assert (first.low, first.value, first.high, first.decided) == (1.0, 1.0, 1.0, True)


def test_the_value_of_a_label_error_lies_midway_between_the_two_estimates() -> None:
    sample = small_sample("kept")
    for nodes in (sample.views, sample.targets):
        found = label_error_bracket(sample, nodes)
        assert found.lower < found.upper
        assert found.value == (found.lower + found.upper) / 2
