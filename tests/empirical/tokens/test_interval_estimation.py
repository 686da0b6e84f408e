"""Intervals from samples cover the exact values, narrow at the stated rate, and are undecided where they must be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.finite_world import FiniteWorld
from maetheory.empirical import GraphIntervals, IntervalEstimate, TokenSample, graph_intervals, sample_from_codes
from maetheory.empirical.tokens.interval_estimate import standard_error
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.spectrum_brackets import spectrum_brackets
from maetheory.graph import MaskGraph
from maetheory.masks import MaskLaw, UniformMasks

NAMES = ("alpha", "alpha2", "phi", "tail_energy", "components", "sharp_bound")


@dataclass(frozen=True)
class Case:
    """A world, its sampling, and the number of features."""

    world: FiniteWorld
    law: MaskLaw
    positions: str
    n: int
    k: int
    n_masks: int | None = None


CASES = {
    "mixture": Case(worlds.mixture(6, 2, 2, 0.1), UniformMasks(6, 3), "dropped", 500, 2),
    "mixture of three, a double eigenvalue": Case(worlds.mixture(6, 3, 3, 0.2), UniformMasks(6, 3), "dropped", 300, 3),
    "mixture, masks drawn": Case(worlds.mixture(8, 2, 2, 0.1), UniformMasks(8, 5), "dropped", 500, 2, 10),
    "mixture of four, few meet": Case(worlds.mixture(8, 4, 4, 0.1), UniformMasks(8, 5), "dropped", 200, 4, 5),
    "independent": Case(worlds.independent(4, 2, seed=1), UniformMasks(4, 2), "kept", 500, 7),
}


def drawn(case: Case, seed: int, n: int | None = None) -> TokenSample:
    rng, world = np.random.default_rng(seed), case.world
    states = rng.choice(len(world.states), case.n if n is None else n, p=world.probability)
    return sample_from_codes(
        world.states[states], world.labels[states], case.law, n_masks=case.n_masks, seed=seed, positions=case.positions
    )


def numbers(found: GraphIntervals) -> dict[str, IntervalEstimate]:
    named = {name: getattr(found, name) for name in NAMES}
    return {**named, **{f"lambda {i}": interval for i, interval in enumerate(found.eigenvalues, 1)}}


@cache
def truth(name: str) -> dict[str, float]:
    case = CASES[name]
    graph = MaskGraph.enumerate(case.world, case.law, case.positions)
    values = np.append(np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False) ** 2, np.zeros(case.k + 1))
    alpha, alpha2, phi = map(float, (graph.label_error(), graph.target_label_error(), graph.pair_label_error()))
    next_eigenvalue = values[case.k] if graph.n_components <= case.k else 1.0
    bound = 4 * phi / (1 - next_eigenvalue) + 2 * alpha if next_eigenvalue < 1 else np.inf
    known = (alpha, alpha2, phi, (values[case.k :] ** 2).sum(), graph.n_components, bound)
    return {**dict(zip(NAMES, known)), **{f"lambda {i + 1}": values[i] for i in range(case.k + 1)}}


def coverage(name: str, seeds: int) -> dict[str, float]:
    """Fraction of seeds for which the interval covers the exact value or is undecided."""
    counts = dict.fromkeys(truth(name), 0)
    for seed in range(seeds):
        for number, interval in numbers(graph_intervals(drawn(CASES[name], seed), CASES[name].k)).items():
            counts[number] += not interval.decided or interval.covers(truth(name)[number])
    return {number: count / seeds for number, count in counts.items()}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].k != 4])  # that one takes ten seconds
def test_intervals_cover_what_they_decide(name):
    """Binomial law: of 40 draws, 95 % intervals cover fewer than 36 with probability 4.8 %, 80 % ones with 92 %."""
    assert binom.cdf(35, 40, 0.95) < 0.05 < 0.92 < binom.cdf(35, 40, 0.8)
    assert min(coverage(name, 40).values()) >= 36 / 40


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_intervals_cover_what_they_decide_in_nine_of_ten_samples(name):
    found = coverage(name, 200)
    assert min(found.values()) >= 0.9, found


def test_the_plug_in_is_far_above_zero_and_the_interval_is_not():
    """Independent patches have λ = 0; the plug-in value of a sample is biased by about 1/n per cell."""
    found = graph_intervals(drawn(CASES["independent"], 0, 60), 7)
    plug_in = drawn(CASES["independent"], 0, 60).graph.spectrum(7).values ** 2
    assert plug_in[6] > 0.03
    assert found.eigenvalues[6].covers(0.0)


def test_functions_of_one_half_are_independent_of_the_noise_in_the_other():
    case = Case(worlds.independent(2, 12), UniformMasks(2, 1), "kept", 300, 3)
    found = [spectrum_brackets(drawn(case, seed), 3, 4, 0).eigenvalues[3] for seed in range(5)]
    assert np.mean([bracket.lower for bracket in found]) < 0.03  # a few 1/n
    assert np.mean([bracket.upper for bracket in found]) > 0.1
    # 2 λ̂_n − λ̂_{n/2} removes the bias of order 1/n; the values scatter by 0.03
    assert abs(np.mean([bracket.value for bracket in found])) < 0.03


def test_a_large_sample_decides_everything():
    found = graph_intervals(drawn(CASES["mixture"], 0, 4000), 2)
    assert all(interval.decided and interval.why == "" for interval in numbers(found).values())
    assert found.components.value == 1
    assert (found.shared_view_fraction, found.shared_target_fraction) == pytest.approx((1, 1), abs=1e-12)
    assert found.sharp_bound.high - found.sharp_bound.low < 0.25


def test_a_sample_without_shared_nodes_decides_nothing():
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 50, (60, 8)), rng.integers(0, 2, 60)
    sample = sample_from_codes(codes, labels, UniformMasks(8, 4), n_masks=5)
    assert sample.graph.label_error() == sample.graph.pair_label_error() == 0
    found = graph_intervals(sample, 2)
    assert not any(interval.decided for interval in numbers(found).values() if interval is not found.eigenvalues[0])
    assert all(interval.why for interval in numbers(found).values() if not interval.decided)
    assert found.alpha.covers(0.5)
    assert found.phi.covers(0.5)
    assert found.eigenvalues[2].covers(0.0)
    assert found.shared_view_fraction == 0.0
    assert found.components.high == found.sharp_bound.value == found.sharp_bound.high == np.inf


def test_the_error_falls_like_the_root_of_the_number_of_images():
    sizes, seeds = (200, 1600), 20
    errors = {name: [] for name in ("alpha", "lambda 2")}
    widths = {name: [] for name in errors}
    for n in sizes:
        found = [numbers(graph_intervals(drawn(CASES["mixture"], seed, n), 2)) for seed in range(seeds)]
        for name in errors:
            off = np.array([each[name].value - truth("mixture")[name] for each in found])
            errors[name].append(np.sqrt((off**2).mean()))
            widths[name].append(np.mean([each[name].high - each[name].low for each in found]))
    for name in errors:
        rate = np.polyfit(np.log(sizes), np.log(errors[name]), 1)[0]
        assert -0.8 < rate < -0.3, (name, errors[name])  # ½, within what 20 seeds tell
        assert -0.9 < np.polyfit(np.log(sizes), np.log(widths[name]), 1)[0] < -0.4


def small_sample() -> TokenSample:
    case = Case(worlds.mixture(4, 2, 2, 0.2), UniformMasks(4, 2), "dropped", 40, 1)
    return drawn(case, 5)


def test_label_errors_are_those_of_a_plain_vote():
    sample = small_sample()
    n, m = sample.views.shape
    errors = [0.0, 0.0]
    for voters, (i, j) in product((0, 1), product(range(n), range(m))):
        votes = np.zeros(2)
        for other, mask in product(range(n), range(m)):
            if (voters == 0 or other != i) and sample.views[other, mask] == sample.views[i, j]:
                votes[sample.labels[other]] += sample.mask_weights[mask]
        own, other_class = votes[sample.labels[i]], votes[1 - sample.labels[i]]
        wrong = own < other_class - 1e-9 if voters == 0 else own <= other_class + 1e-9
        if voters == 0 and abs(own - other_class) < 1e-9:
            wrong = sample.labels[i] == 1
        errors[voters] += sample.mask_weights[j] * wrong / n
    found = label_error_bracket(sample, sample.views)
    assert (found.lower, found.upper) == pytest.approx(tuple(errors), abs=1e-12)
    assert found.lower == pytest.approx(sample.graph.label_error(), abs=1e-12)


def test_pairs_that_differ_are_counted_one_by_one():
    sample = small_sample()
    n, m = sample.views.shape
    size, law = sample.shape[0], np.zeros((2, sample.shape[0]))
    squares = np.zeros(size)
    for i in range(n):
        own = np.bincount(sample.views[i], sample.mask_weights, size)
        law[sample.labels[i]] += own
        squares += own**2
    first = (law[1] > law[0] + 1e-9).astype(int)
    certain = np.abs(law[0] - law[1]) > 2.6 * np.sqrt(squares)
    assert 0 < certain.sum() < size
    low = high = 0.0
    for target in range(sample.shape[1]):
        here = [
            (i, sample.views[i, j], sample.mask_weights[j] / n)
            for i, j in product(range(n), range(m))
            if sample.targets[i, j] == target
        ]
        mass = differ = may_differ = 0.0
        for (i, v, w), (i2, v2, w2) in product(here, here):
            if i != i2:
                mass += w * w2
                both = certain[v] and certain[v2]
                differ += w * w2 * (both and first[v] != first[v2])
                may_differ += w * w2 * (first[v] != first[v2] if both else v != v2)
        total = sum(w for _, _, w in here)
        low += total * differ / mass if mass else 0.0
        high += total * may_differ / mass if mass else total
    found = pair_error_bracket(sample)
    assert (found.lower, found.upper) == pytest.approx((low, high), abs=1e-12)


def test_masks_that_were_drawn_add_their_variance():
    influence = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    weights = np.full(3, 1 / 3)
    assert standard_error(influence, weights, False) == 0.0
    wider = 4.302652729911275 / 1.959963984540054  # Student's quantile for two degrees of freedom, and the normal one
    assert standard_error(influence, weights, True) == pytest.approx(wider / np.sqrt(3))
    assert standard_error(influence[:, :1], np.ones(1), True) == np.inf


def test_an_interval_is_also_an_estimate():
    interval = IntervalEstimate(0.25, 0.2, 0.35, True, "")
    assert (interval.estimate.value, interval.estimate.sampled) == (0.25, True)
    assert interval.estimate.error == pytest.approx(0.1)


def test_what_cannot_be_estimated_is_one_sentence():
    sample = small_sample()
    with pytest.raises(InputError, match="at least 20 images, but there are 10"):
        graph_intervals(drawn(CASES["mixture"], 0, 10), 2)
    with pytest.raises(InputError, match="k must be at least 1 and below 4"):
        graph_intervals(sample, 4)
    with pytest.raises(InputError, match="confidence must lie strictly between 0 and 1"):
        graph_intervals(sample, 1, confidence=1.0)
