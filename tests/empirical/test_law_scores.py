"""Scores of mask laws cover the exact values of finite worlds, and their bounds equal those of the theorems."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import ImageSet, worlds
from maetheory.empirical import (
    HYPOTHESES,
    GraphScores,
    LawScores,
    average_over_masks,
    linear_mae_kept_share,
    region_sample,
    score_law,
    score_table,
)
from maetheory.empirical.graph_scores import BoundInputs, graph_scores, mean_interval, spectral_certificate
from maetheory.empirical.tokens.interval_estimate import IntervalEstimate
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import closed_form_mixture as closed
from maetheory.theory.statements.certificate_bounds_downstream_error import certificate_bound

NOISE, N, V = 0.2, 6, 3


def pictures(n: int, seed: int = 0) -> ImageSet:
    """Images of six binary patches of one pixel, drawn from two balanced classes."""
    world = worlds.mixture(N, 2, 2, NOISE)
    drawn = np.random.default_rng(seed).choice(len(world.states), n, p=world.probability)
    return ImageSet(world.states[drawn].reshape(n, 1, 2, 3).astype(float), world.labels[drawn], "binary")


@pytest.fixture(scope="module")
def scored() -> LawScores:
    return score_law(pictures(700), UniformMasks(N, V), patch=1, k=2, n_masks=3, seed=1)


def test_token_scores_cover_the_closed_form_of_the_world(scored: LawScores) -> None:
    found = scored.tokens
    exact = {
        "view_label_error": exact_label_error(),
        "pair_label_error": closed.pair_error(N, V, NOISE),
        "connectivity": 1 - closed.second_eigenvalue(N, V, NOISE),
        "next_eigenvalue": 0.0,
        "residual_bound": closed.pair_error(N, V, NOISE),
    }
    for name, truth in exact.items():
        interval = getattr(found, name)
        assert interval.covers(truth), (name, interval, truth)
        assert interval.value == pytest.approx(truth, abs=0.06), name
        assert interval.low <= interval.value <= interval.high
    assert found.image_bound.covers(4 * exact["pair_label_error"] + 2 * exact["view_label_error"])


def exact_label_error() -> float:
    """α against the labels of states, by enumeration; S5's Bayes error is against the class drawn."""
    return float(MaskGraph.enumerate(worlds.mixture(N, 2, 2, NOISE), UniformMasks(N, V), "kept").label_error())


def test_kernel_scores_are_means_over_the_same_masks(scored: LawScores) -> None:
    images, law = pictures(300), UniformMasks(N, V)
    found = score_law(images, law, patch=1, k=2, n_masks=2, factor=0.5, seed=1).kernel
    average = average_over_masks(images, law, masks=2, k=2, patch=1, factor=0.5, seed=1)
    assert found.pair_label_error.value == pytest.approx(average.pair_label_error.value, abs=1e-6)
    assert found.view_label_error.value == pytest.approx(average.view_label_error.value, abs=1e-12)
    assert found.connectivity.value == pytest.approx(1 - average.values[1].value, abs=1e-6)
    assert found.image_bound.value == pytest.approx(average.sharp_bound.value, rel=1e-5)
    assert found.residual_bound.value == pytest.approx(average.graph_bound.value / 4, rel=1e-5)
    assert found.certificate.value <= found.residual_bound.value + 1e-9


def test_regions_of_few_values_are_not_quantised() -> None:
    images, law, mask = pictures(400), UniformMasks(N, V), np.array([1, 0, 1, 0, 1, 0], bool)
    sample = region_sample(images, law, mask, patch=1)
    states = images.images.reshape(400, N)
    assert sample.shape == tuple(len(np.unique(states[:, shown], axis=0)) for shown in (mask, ~mask))
    for side, shown in ((sample.views, mask), (sample.targets, ~mask)):
        same = (states[:, None, shown] == states[None, :, shown]).all(-1)
        assert (same == (side == side.T)).all()
    assert max(region_sample(images, law, mask, patch=1, codes=3).shape) <= 3


@pytest.mark.parametrize("seed", range(6))
def test_the_certificate_of_spectral_features_is_that_of_the_theorem(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = MaskGraph.from_joint((lambda m: m / m.sum())(rng.random((7, 6)) ** 3), labels=np.arange(7) % 3)
    k = 1 + seed % 3
    found = graph.spectrum(6)
    features = found.left[:, :k] / np.sqrt(graph.degrees[0])[:, None]
    eigenvalues = np.append(found.values**2, np.zeros(4))
    masses = np.sort(np.bincount(np.arange(7) % 3, graph.degrees[0]))[::-1]
    bound = spectral_certificate(float(graph.pair_label_error()), eigenvalues, masses, k)
    assert bound == pytest.approx(float(certificate_bound(graph, features)), abs=1e-6)
    labels = (np.arange(7)[:, None] % 3 == np.arange(3)) * np.sqrt(graph.degrees[0])[:, None]
    residual = ((labels - found.left[:, :k] @ (found.left[:, :k].T @ labels)) ** 2).sum()
    assert residual <= bound + 1e-9


def exact(value: float) -> IntervalEstimate:
    return IntervalEstimate(value, value, value, True, "")


def test_intervals_of_bounds_come_from_the_ends_of_their_inputs() -> None:
    phi = IntervalEstimate(0.1, 0.05, 0.2, True, "")
    eigenvalues = (exact(1.0), exact(0.8), IntervalEstimate(0.5, 0.4, 0.6, False, "few images"), exact(0.0))
    found = graph_scores(BoundInputs(phi, exact(0.05), phi, eigenvalues, np.array([0.5, 0.5]), 2))
    assert (found.residual_bound.low, found.residual_bound.high) == pytest.approx((0.05 / 0.6, 0.2 / 0.4))
    assert found.image_bound.value == pytest.approx(4 * 0.1 / 0.5 + 0.1)
    assert (found.image_bound.decided, found.image_bound.why) == (False, "few images")
    assert found.connectivity.value == pytest.approx(0.2)
    joined = graph_scores(BoundInputs(phi, phi, phi, (exact(1.0),) * 4, np.array([0.5, 0.5]), 2))
    assert joined.residual_bound.value == np.inf
    assert "may be 1" in joined.residual_bound.why


def test_the_mean_over_masks_is_widened_by_the_spread_over_masks() -> None:
    found = mean_interval([exact(0.2), exact(0.4)], 1.0)
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (0.0, 1.0)  # Student's quantile for one degree of freedom is 12.7
    many = mean_interval([exact(v) for v in (0.2, 0.3, 0.4) * 10])
    half = 2.0452296 * np.std([0.2, 0.3, 0.4] * 10, ddof=1) / np.sqrt(30)
    assert (many.low, many.high) == pytest.approx((0.3 - half, 0.3 + half))
    assert mean_interval([exact(np.inf), exact(1.0)]).value == np.inf


def test_every_score_has_a_direction(scored: LawScores) -> None:
    table = score_table([scored, scored])
    assert list(table.score) == list(HYPOTHESES) * 2
    assert set(table.direction) == {-1, 1}
    assert (table.low <= table.value).all()
    assert (table.value <= table.high).all()
    assert set(HYPOTHESES) == {
        f"{source} {field.name}" for source in ("tokens", "kernel") for field in fields(GraphScores)
    } | {
        "mask_ratio",
        "relative_distance",
        "linear_mae_kept_share",
    }
    assert table.set_index("score").value["mask_ratio"].iloc[0] == 0.5


def test_the_kept_share_is_of_the_same_images_and_width(scored: LawScores) -> None:
    found = linear_mae_kept_share(pictures(700).images, UniformMasks(N, V), patch=1, k=2)
    interval = scored.linear_mae_kept_share
    assert (interval.value, interval.low) == (found.value, found.low)
    assert interval.high == min(found.high, 1.0)
    assert score_law(pictures(60), UniformMasks(N, V), patch=1, k=6, n_masks=2).linear_mae_kept_share.high == 1.0


def test_the_same_seed_gives_the_same_scores() -> None:
    twice = [score_table([score_law(pictures(60), UniformMasks(N, V), patch=1, n_masks=2, seed=3)]) for _ in range(2)]
    assert twice[0].equals(twice[1])


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (pictures(10), {}, "at least 20 images"),
        (pictures(60), {"n_masks": 1}, "2"),
        (pictures(60), {"k": 0}, "k must be from 1 to 59, one less than there are images, but it is 0"),
        (pictures(60), {"k": 60}, "k must be from 1 to 59"),
        (ImageSet(np.zeros((30, 1, 2, 3)), np.arange(30) % 2, "black"), {}, "shows the same"),
    ],
)
def test_bad_input_is_one_sentence(images: ImageSet, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        score_law(images, UniformMasks(N, V), patch=1, **({"n_masks": 2} | options))
