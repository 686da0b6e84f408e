"""Means over masks equal those of dense graphs, and their errors cover the mean over all masks."""

from __future__ import annotations

import weakref
from functools import cache

import numpy as np
import pytest

from maetheory.core import Estimate, InputError
from maetheory.data import ImageSet
from maetheory.empirical import KernelAverage, average_over_masks, kernel_graph
from maetheory.empirical.kernel.graph_summary import KernelGraphSummary
from maetheory.empirical.kernel.mask_average import mean_over_masks
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.masks.grid import patchify

N, K, BANDWIDTH = 24, 3, 0.4
LAW = UniformMasks(4, 2)


@cache
def _images(n: int = N) -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((n, 2, 4, 4)) / 2, 0, 1), labels, "noise")


@cache
def _average(masks: int = 5, seed: int = 0) -> KernelAverage:
    return average_over_masks(_images(), LAW, masks=masks, k=K, patch=2, bandwidth=BANDWIDTH, seed=seed)


def _weights(points: np.ndarray, bandwidth: float) -> np.ndarray:
    return np.array([[np.exp(-((a - b) ** 2).sum() / (2 * bandwidth**2)) for b in points] for a in points])


def _vote_error(views: np.ndarray, labels: np.ndarray) -> float:
    apart = [np.linalg.norm(a - b) for i, a in enumerate(views) for b in views[:i]]
    weights = _weights(views, 0.25 * np.sort(apart)[(len(apart) - 1) // 2])
    wrong = 0
    for i in range(len(views)):
        votes = [sum(weights[i, j] for j in range(len(views)) if j != i and labels[j] == c) for c in range(3)]
        wrong += any(votes[c] >= votes[labels[i]] for c in range(3) if c != labels[i])
    return wrong / len(views)


def _by_dense_graph(mask: np.ndarray) -> dict[str, float]:
    """All quantities under one mask, in float64 from the images alone."""
    patches, labels = patchify(_images().images, 2), _images().labels
    kernel = _weights(patches[:, ~mask].reshape(N, -1), BANDWIDTH)
    joint = kernel / kernel.sum(1, keepdims=True) / N
    graph = MaskGraph.from_joint(joint, labels=labels)
    values = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False) ** 2
    pairs = np.einsum("ij,lj,j->il", joint, joint, 1 / joint.sum(0))
    differ = labels[:, None] != labels[None]
    own, same = pairs[differ].sum(), np.trace(pairs)
    distinct, alpha = own / (1 - same), _vote_error(patches[:, mask].reshape(N, -1), labels)
    return {
        **{f"lambda {i}": values[i] for i in range(K + 1)},
        "pair_label_error": distinct,
        "graph_pair_label_error": own,
        "view_label_error": alpha,
        "target_label_error": 1 - sum(max(joint[labels == c, j].sum() for c in range(3)) for j in range(N)),
        "self_pair_fraction": same,
        "tail_energy": (values[K:] ** 2).sum(),
        "sharp_bound": 4 * distinct / (1 - values[K]) + 2 * alpha,
        "graph_bound": 4 * own / (1 - values[K]),
    }


def _named(found: KernelAverage) -> dict[str, Estimate]:
    values = {f"lambda {i}": value for i, value in enumerate(found.values)}
    return values | {name: getattr(found, name) for name in _by_dense_graph(found.masks[0]) if name not in values}


def test_means_and_errors_equal_those_of_dense_graphs() -> None:
    found = _average()
    by_mask = [_by_dense_graph(mask) for mask in found.masks]
    for name, estimate in _named(found).items():
        each = np.array([numbers[name] for numbers in by_mask])
        assert estimate == pytest.approx(each.mean(), rel=1e-4, abs=1e-6), name
        error = 2 * np.sqrt(((each - each.mean()) ** 2).sum() / (len(each) - 1) / len(each))
        rounding = np.mean([0 if name == "view_label_error" else _error(one, name) for one in found.per_mask])
        assert estimate.error == pytest.approx(error + rounding, rel=1e-3, abs=1e-6), name
        assert estimate.sampled
        assert rounding < 2e-3 * max(abs(estimate), 1), name


def _error(one: KernelGraphSummary, name: str) -> float:
    estimate: Estimate = one.values[int(name[7:])] if name.startswith("lambda") else getattr(one, name)
    return estimate.error


def test_each_mask_is_drawn_from_the_law_and_has_its_summary() -> None:
    found = _average()
    assert found.masks.shape == (5, 4)
    assert (found.masks.sum(1) == 2).all()
    assert len(found.per_mask) == 5
    assert (found.k, found.n_images) == (K, N)
    assert all(one.bandwidth == BANDWIDTH and one.complete for one in found.per_mask)
    again = average_over_masks(_images(), LAW, masks=5, k=K, patch=2, bandwidth=BANDWIDTH)
    assert _named(again) == _named(found)
    assert (_average(seed=1).masks != found.masks).any()


def test_the_error_covers_the_mean_over_all_masks() -> None:
    exact = [_by_dense_graph(mask) for mask in LAW.support()[0]]
    covered = {name: 0 for name in exact[0]}
    for seed in range(10):
        for name, estimate in _named(_average(6, seed)).items():
            covered[name] += abs(estimate - np.mean([one[name] for one in exact])) <= estimate.error + 1e-6
    assert min(covered.values()) >= 7, covered  # two standard errors of six masks cover 90 %


def test_a_factor_takes_the_median_of_each_mask() -> None:
    found = average_over_masks(_images(), LAW, masks=4, k=1, patch=2, factor=0.5, seed=3)
    alone = [kernel_graph(_images(), mask, patch=2, factor=0.5).bandwidth for mask in found.masks]
    assert [one.bandwidth for one in found.per_mask] == pytest.approx(alone)


def test_one_graph_is_in_memory_at_a_time(monkeypatch) -> None:
    built: list[weakref.ref] = []

    def watched(*args, **options):
        assert all(matrix() is None for matrix in built)
        graph = kernel_graph(*args, **options)
        built.append(weakref.ref(graph.kernel_matrix))
        return graph

    monkeypatch.setattr("maetheory.empirical.kernel.mask_average.kernel_graph", watched)
    seen = []
    average_over_masks(_images(), LAW, masks=3, k=1, patch=2, progress=lambda *step: seen.append(step))
    assert len(built) == 3
    assert seen == [(number, 3, "masks averaged") for number in (1, 2, 3)]


def test_a_matrix_in_a_file_gives_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.gaussian_matrix.TILE_BYTES", 4 * N * 2)
    filed = average_over_masks(
        _images(), LAW, masks=5, k=K, patch=2, bandwidth=BANDWIDTH, memory_budget=N * N * 2, scratch_dir=tmp_path
    )
    for name, estimate in _named(filed).items():
        assert estimate == pytest.approx(_named(_average())[name], rel=1e-4, abs=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_the_bound_of_a_disconnected_graph_is_infinite_and_not_nan() -> None:
    labels = np.arange(10) % 2
    apart = ImageSet(np.broadcast_to(labels[:, None, None, None], (10, 1, 4, 4)) * 1.0, labels, "black and white")
    found = average_over_masks(apart, LAW, masks=3, k=1, patch=2, bandwidth=0.05)
    assert found.values[1] == pytest.approx(1, abs=1e-9)
    for bound in (found.sharp_bound, found.graph_bound):
        assert (bound.value, bound.error) == (np.inf, 0)
    assert found.pair_label_error == pytest.approx(0, abs=1e-6)
    assert average_over_masks(apart, LAW, masks=3, k=2, patch=2, bandwidth=0.05).sharp_bound < 1e-4


def test_the_tail_by_probes_agrees_with_the_exact_one(monkeypatch) -> None:
    graph = kernel_graph(_images(120), np.array([True, False, True, False]), patch=2, factor=0.3)
    found = graph.spectrum(2)
    exact = graph.tail_energy(found, 2)
    assert not exact.sampled
    monkeypatch.setattr("maetheory.empirical.kernel.graph.MAX_EXACT_IMAGES", 119)
    probed = graph.tail_energy(found, 2, seed=1)
    assert probed.sampled
    assert probed != exact
    assert abs(probed - exact) < 2 * probed.error
    assert probed.error < 0.05 * exact


def test_a_mean_adds_rounding_to_the_spread_and_leaves_out_errors_over_images() -> None:
    spread = 2 / np.sqrt(3)
    assert mean_over_masks([Estimate(v, 0.1) for v in (1, 2, 3)]).error == pytest.approx(spread + 0.1)
    assert mean_over_masks([Estimate(v, 0.1, sampled=True) for v in (1, 2, 3)]).error == pytest.approx(spread)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masks": 1}, "at least 2 of them to know its error, but masks is 1"),
        ({"masks": 2.5}, "at least 2 of them"),
        ({"k": 0}, "whole number from 1 to 23"),
        ({"k": N}, "whole number from 1 to 23"),
        ({"law": UniformMasks(9, 2)}, "must cover the 4 patches of an image, but it covers 9"),
        ({"labels": None}, "need labels, but the images were given without"),
        ({"labels": np.zeros(N, int)}, "all 24 images have the label 0"),
        ({"labels": np.arange(N - 1)}, "24 integers from 0 to .*, one per image"),
        ({"labels": np.arange(N) - 1}, "24 integers from 0 to .*, one per image"),
        ({"labels": np.arange(N) * np.nan}, "24 integers from 0 to .*, one per image"),
        ({"bandwidth": 1e-9}, "the bandwidth 1e-09 is too small"),
        ({"bandwidth": 0.0}, "no two images share a target"),
    ],
)
def test_bad_input_is_one_sentence(change: dict, words: str) -> None:
    usual = {"law": LAW, "masks": 2, "k": 1, "patch": 2, "labels": _images().labels}
    with pytest.raises(InputError, match=words):
        average_over_masks(_images().images, **(usual | change))
