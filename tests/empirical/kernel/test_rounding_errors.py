"""Rounding errors of kernel graphs cover float64 and are not much larger; guards and ties, each from both sides."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from maetheory.core import Estimate, InputError
from maetheory.data import ImageSet
from maetheory.empirical import GaussianKernelMatrix, average_over_masks, kernel_graph, neighbour_graph
from maetheory.empirical.kernel import gaussian_matrix, sharded_matrix
from maetheory.empirical.kernel import graph as graph_module
from maetheory.empirical.kernel.bandwidth import median_distance, median_heuristic
from maetheory.empirical.kernel.gaussian_matrix import column_blocks, gaussian_kernel
from maetheory.empirical.kernel.graph import check_shared_targets, residual_bound
from maetheory.empirical.kernel.graph_summary import _squared_estimate, sharp_bound
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.empirical.kernel.mask_average import mean_over_masks
from maetheory.empirical.kernel.masked_images import mask_images
from maetheory.empirical.kernel.nearest_neighbour_graph import _row_weights
from maetheory.empirical.kernel.nearest_neighbours import nearest_neighbours
from maetheory.empirical.kernel.points import centre_points, duplicate_groups
from maetheory.masks import UniformMasks

EPS32 = float(np.finfo(np.float32).eps)
EPS = float(np.finfo(float).eps)
MASK = np.array([True, False, False, True])
N = 40


def images(n: int = N) -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((n, 2, 4, 4)) / 2, 0, 1), labels, "noise")


def least_bandwidth(points: np.ndarray) -> float:
    """√(2 ε (√q + 4)) times the largest length of a centred point."""
    centred = points - points.mean(0)
    return float(np.sqrt(2 * EPS32 * (np.sqrt(points.shape[1]) + 4) * np.square(centred).sum(1).max()))


# The kernel matrix


@pytest.mark.parametrize("q", [1, 9, 100])
def test_a_bandwidth_is_refused_below_the_rounding_of_distances_and_accepted_above(q: int) -> None:
    points = np.random.default_rng(0).normal(size=(30, q)) + 5
    least = least_bandwidth(points)
    assert GaussianKernelMatrix(points, 1.001 * least).rounding_error == pytest.approx(1, rel=0.01)
    with pytest.raises(InputError, match=f"take at least {least:.3g}"[:22]):
        GaussianKernelMatrix(points, 0.999 * least)
    found = GaussianKernelMatrix(points, 10 * least).rounding_error
    assert found == pytest.approx(2 * EPS32 + 0.01, rel=1e-4)
    assert GaussianKernelMatrix(points, 1e9 * least).rounding_error == pytest.approx(2 * EPS32, rel=1e-6)
    assert GaussianKernelMatrix(points, np.inf).rounding_error == GaussianKernelMatrix(points, 0.0).rounding_error == 0


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("q", [1, 20, 300])
def test_entries_are_within_the_rounding_error_and_it_is_not_much_larger(q: int, offset: float) -> None:
    points = np.random.default_rng(1).random((60, q)) + offset
    width = 100 * least_bandwidth(points)
    exact = np.exp(-np.square(points[:, None] - points[None]).sum(2) / (2 * width**2))
    matrix = GaussianKernelMatrix(points, width)
    seen = exact > 1e-30  # smaller entries leave the range of float32
    off = np.abs(matrix.matmul(np.eye(60))[seen] / exact[seen] - 1).max()
    assert 0 < off <= matrix.rounding_error <= 400 * off


def test_points_that_coincide_have_kernel_one_and_never_more() -> None:
    points = np.repeat(np.random.default_rng(2).normal(size=(10, 7)) * 30, 4, axis=0)
    matrix = GaussianKernelMatrix(points, 1.0).matmul(np.eye(40))
    assert matrix.max() == 1.0


def test_a_very_large_bandwidth_gives_ones() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2))
    for width in (1e149, 1e200, 1e308, np.inf):
        assert (GaussianKernelMatrix(points, width).matmul(np.eye(5)) == 1).all()
    squares = torch.ones(2)
    assert gaussian_kernel(torch.eye(2), torch.eye(2), squares, squares, 1.0)[0, 1] == pytest.approx(math.exp(-1))


def test_the_budget_of_one_tile_and_of_all_tiles_decides() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    one_tile, all_tiles = 12 * 20 * 20, 4 * 20 * 20
    assert GaussianKernelMatrix(points, 1.0, memory_budget=one_tile).is_cached
    with pytest.raises(InputError, match=r"20 points need tiles of 4.8e-06 GB, but only 4.8e-06 GB"):
        GaussianKernelMatrix(points, 1.0, memory_budget=one_tile - 1)
    assert not GaussianKernelMatrix(points, 1.0, memory_budget=one_tile, cache=False).is_cached
    assert all_tiles <= one_tile


def test_half_of_the_free_memory_is_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", 2)
    needed = 4 * GaussianKernelMatrix(points, 1.0).n_entries
    for free, cached in ((2 * needed, True), (2 * needed - 2, False)):
        monkeypatch.setattr(gaussian_matrix, "available_memory", lambda free=free: free)
        assert GaussianKernelMatrix(points, 1.0).is_cached == cached


def test_a_tile_holds_no_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    for limit, rows in ((4 * 30 * 7, 7), (4 * 30 * 7 - 1, 6), (1, 1), (2**30, 30)):
        monkeypatch.setattr(gaussian_matrix, "TILE_BYTES", limit)
        assert GaussianKernelMatrix(points, 1.0).tile_rows == rows


def test_column_blocks_cover_the_columns_once() -> None:
    found = [(block.start, block.stop) for block in column_blocks(2, 5, 12, 3)]
    assert found == [(2, 5), (5, 8), (8, 11), (11, 12)]


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        (np.zeros((2, 1)), np.zeros((1, 1))),
        (np.zeros((2, 1)), np.zeros((2, 0))),
        (np.zeros((2, 1)), np.zeros(2)),
        (np.zeros((2, 1)), np.array([[0.0], [np.inf]])),
    ],
)
def test_points_are_at_least_two_finite_rows(accepted: np.ndarray, refused: np.ndarray) -> None:
    centre_points(accepted)
    with pytest.raises(InputError, match="points"):
        centre_points(refused)


def test_points_are_centred_in_double_precision_and_told_apart_to_the_last_bit() -> None:
    wide = np.array([[1e8], [1e8 + 1e-3], [1e8 + 2e-3]])
    assert centre_points(wide).ravel().tolist() == pytest.approx([-1e-3, 0, 1e-3], rel=1e-4, abs=1e-7)
    assert duplicate_groups(np.array([[1.0], [np.nextafter(1.0, 2)], [1.0]])).tolist() == [0, 1, 0]


def test_the_median_is_of_a_sample_of_many_points_and_limits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3))
    exact = np.median([np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]])
    assert median_distance(points, rng) == pytest.approx(exact, rel=1e-3)
    monkeypatch.setattr("maetheory.empirical.kernel.bandwidth.MEDIAN_SAMPLE", 100)
    assert median_distance(points, rng) == pytest.approx(exact, rel=0.1)
    assert median_distance(points, rng) != pytest.approx(exact, rel=1e-6)
    monkeypatch.setattr("maetheory.empirical.kernel.bandwidth.MEDIAN_SAMPLE", 300)
    assert median_distance(points, rng) == pytest.approx(exact, rel=1e-3)
    assert median_heuristic(points, 0.0, rng) == 0
    assert median_heuristic(points, np.inf, rng) == np.inf
    assert median_heuristic(points, -1.0, rng) == -1  # refused where it is used
    assert median_heuristic(points, 0.5, rng) == pytest.approx(exact / 2, rel=1e-3)


# The kernel graph


@pytest.mark.parametrize("factor", [0.1, 0.3, 1.0])
def test_errors_of_label_errors_cover_the_graph_in_double_precision(factor: float) -> None:
    sample = images()
    graph = kernel_graph(sample, MASK, patch=2, factor=factor)
    masked = mask_images(sample, MASK, 2).targets.astype(float)
    weights = np.exp(-np.square(masked[:, None] - masked[None]).sum(2) / (2 * graph.bandwidth**2))
    joint = weights / weights.sum(1, keepdims=True) / N
    pairs = np.einsum("ij,lj,j->il", joint, joint, 1 / joint.sum(0))
    own = pairs[sample.labels[:, None] != sample.labels[None]].sum()
    same = float(np.trace(pairs))
    target = 1 - sum(max(joint[sample.labels == c, j].sum() for c in range(3)) for j in range(N))
    rounding = 6 * graph.kernel_matrix.rounding_error + N * EPS
    for found, exact, error in (
        (graph.self_pair_fraction, same, rounding),
        (graph.pair_label_error(distinct=False), own, rounding),
        (graph.pair_label_error(), own / (1 - same), 2 * rounding / (1 - same)),
        (graph.target_label_error(), target, rounding),
    ):
        assert abs(found.value - exact) <= found.error
        assert found.error == pytest.approx(error, rel=1e-3)
        assert not found.sampled


def test_label_errors_of_equal_labels_are_zero_and_not_negative() -> None:
    sample = images()
    graph = kernel_graph(ImageSet(sample.images, np.ones(N, int), "one class"), MASK, patch=2, factor=0.5)
    for found in (graph.pair_label_error(), graph.pair_label_error(distinct=False), graph.target_label_error()):
        assert 0 <= found.value <= found.error


def spectrum_of(values: list[float], enclosure: float) -> Any:
    return SimpleNamespace(values=np.array(values), enclosure_radius=enclosure)


def test_a_residual_bound_is_infinite_where_the_enclosure_reaches_one() -> None:
    """λ = σ² moves by 2e where σ near 1 moves by e."""
    e = 1e-6
    for gap, finite in ((2.2 * e, True), (1.8 * e, False)):
        found = residual_bound(0.5, spectrum_of([1.0, math.sqrt(1 - gap)], e))
        assert math.isfinite(found) == finite
        if finite:
            assert found == pytest.approx(0.5 / gap, rel=1e-6)
    assert residual_bound(0.5, spectrum_of([1.0], 0.0)) == math.inf


def test_pairs_of_different_images_are_too_rare_below_a_billionth() -> None:
    check_shared_targets(1 - 2e-9)
    with pytest.raises(InputError, match="no two images share a target"):
        check_shared_targets(1 - 0.5e-9)


def test_a_bound_propagates_the_errors_of_label_error_and_eigenvalue_to_the_end() -> None:
    phi, value, alpha = Estimate(0.1, 0.01), Estimate(0.9, 0.02), Estimate(0.05, 0.03)
    found = sharp_bound(phi, value, alpha)
    assert found.value == pytest.approx(4 * 0.1 / 0.1 + 0.1)
    assert found.high == pytest.approx(4 * 0.11 / 0.08 + 0.1)  # both at their worst ends
    assert sharp_bound(phi, Estimate(0.9, 0.101), alpha).value == math.inf
    assert sharp_bound(phi, Estimate(0.5, 0.5), alpha).value == math.inf  # a tie cannot be told from 1
    assert sharp_bound(phi, Estimate(0.9, 0.099), alpha).value == pytest.approx(4.1)


def test_an_eigenvalue_is_enclosed_by_the_squares_of_the_ends() -> None:
    found = _squared_estimate(0.5, 0.1)
    assert (found.value, found.high) == pytest.approx((0.25, 0.36))
    assert found.low <= 0.16


def test_the_error_of_a_tail_is_of_the_values_taken_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Σ σ⁴ of the values moves by 4 σ³ e each; probes add two standard errors where one is a rounding error."""
    graph = kernel_graph(images(), MASK, patch=2, factor=0.5)
    top = graph.spectrum(3)
    plain = graph.tail_energy(replace(top, enclosure_radius=0.0), 2)
    wide = graph.tail_energy(replace(top, enclosure_radius=1e-3), 2)
    assert wide.error - plain.error == pytest.approx(4e-3 * (top.values[:2] ** 3).sum())
    exact = (np.linalg.svd(graph.normalized @ np.eye(N), compute_uv=False)[2:] ** 4).sum()
    assert abs(plain.value - exact) <= plain.error + 1e-12
    assert abs(wide.value - plain.value) == 0
    found = Estimate(1.0, 0.25, sampled=True)
    monkeypatch.setattr(graph_module, "tail_energy", lambda *_, **__: found)
    assert graph.tail_energy(replace(top, enclosure_radius=0.0), 2).error == 0.5
    monkeypatch.setattr(graph_module, "tail_energy", lambda *_, **__: Estimate(1.0, 0.25))
    assert graph.tail_energy(replace(top, enclosure_radius=0.0), 2).error == 0.25


def test_the_error_of_a_leave_one_out_vote_is_two_binomial_standard_errors() -> None:
    views = np.array([[0.0], [0.1], [1.0], [1.1], [1.05]])
    found = leave_one_out_error(views, np.array([0, 0, 1, 1, 0]), factor=0.1, seed=0, device="cpu")
    assert found.value == pytest.approx(0.6)  # the last image outvotes its two neighbours and is outvoted by them
    assert found.error == pytest.approx(2 * math.sqrt(0.6 * 0.4 / 5))


@pytest.mark.parametrize("k", [0, N + 1])
def test_the_number_of_values_is_from_one_to_all(k: int) -> None:
    graph = kernel_graph(images(), MASK, patch=2, factor=0.5)
    assert len(graph.spectrum(1).values) == 1
    assert len(graph.spectrum(N).values) == N
    with pytest.raises(InputError, match="between 1 and the 40 images"):
        graph.spectrum(k)


def test_sixteen_more_values_are_computed_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    solve, counts = graph_module.block_golub_kahan_svd, []

    def counted(operator: Any, count: int, *arguments: Any, **options: Any) -> Any:
        counts.append(count)
        return solve(operator, count, *arguments, **options)

    monkeypatch.setattr(graph_module, "block_golub_kahan_svd", counted)
    graph = kernel_graph(images(), MASK, patch=2, factor=0.5)
    graph.spectrum(3)
    graph.spectrum(30)
    assert counts == [19, N]


# Nearest neighbours


def test_errors_of_a_truncated_graph_are_of_its_sums() -> None:
    graph = neighbour_graph(images(), MASK, neighbours=4, patch=2, bandwidth=0.5)
    own, same = graph.pair_label_error(distinct=False), graph.self_pair_fraction
    assert same.error == pytest.approx(EPS * 4 * N * same.value)
    found = graph.pair_label_error()
    worst = (own.value + own.error) / (1 - same.value - same.error)
    assert found.high == pytest.approx(worst, rel=1e-12)
    assert found.error == pytest.approx(worst - found.value, rel=0.1)
    top = graph.spectrum(3)
    whole = (np.linalg.svd(graph.graph.normalized_matrix.toarray(), compute_uv=False) ** 4).sum()
    found = graph.tail_energy(replace(top, enclosure_radius=1e-3), 2)
    assert found.error == pytest.approx(4e-3 * (top.values[:2] ** 3).sum() + EPS * N * whole, rel=1e-9)
    assert graph.tail_energy(replace(top, values=top.values * 1.5), 3).value == 0.0


def test_weights_of_equal_and_of_distant_targets() -> None:
    squares = np.array([[0.0, 0.0, 1.0], [0.0, 1e300, 4.0]])
    assert _row_weights(squares, 0.0).tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    found = _row_weights(squares, 1.0)
    assert found[0].tolist() == pytest.approx((np.array([1, 1, math.exp(-0.5)]) / (2 + math.exp(-0.5))).tolist())
    assert _row_weights(squares, 1e-200)[1].tolist() == [1.0, 0.0, 0.0]
    assert _row_weights(squares, np.inf)[0].tolist() == pytest.approx([1 / 3] * 3)
    with pytest.raises(InputError, match="must not be negative"):
        neighbour_graph(images(), MASK, neighbours=2, patch=2, bandwidth=-1e-9)
    assert neighbour_graph(images(), MASK, neighbours=2, patch=2, bandwidth=0.0).n_components == N


@pytest.mark.parametrize("q", [1, 40])
def test_candidates_within_the_rounding_of_products_are_compared_by_differences(q: int) -> None:
    """Two clusters far apart: inside each, distances are far below the rounding of float32 products."""
    rng = np.random.default_rng(q)
    points = rng.normal(size=(50, q)) * 1e-6
    points[25:] += 30
    indices, squares = nearest_neighbours(points, 3)
    for i in range(50):
        exact = np.square(points - points[i]).sum(1)
        exact[i] = -1
        assert indices[i].tolist() == np.argsort(exact, kind="stable")[:3].tolist()
        assert squares[i] == pytest.approx(np.maximum(np.sort(exact)[:3], 0), rel=1e-6)


# Masks


def test_a_mean_over_masks_is_infinite_without_error_and_adds_rounding() -> None:
    infinite = mean_over_masks([Estimate(1.0), Estimate(np.inf)])
    assert (infinite.value, infinite.error, infinite.sampled) == (np.inf, 0.0, True)
    found = mean_over_masks([Estimate(1.0, 0.1), Estimate(3.0, 0.3)])
    assert found.error == pytest.approx(2 * math.sqrt(2) / math.sqrt(2) + 0.2)


def test_the_fewest_masks_and_the_most_features() -> None:
    few = images(6)
    found = average_over_masks(few, UniformMasks(4, 2), masks=2, k=5, patch=2, bandwidth=0.4)
    assert len(found.values) == 6
    for change in ({"k": 6}, {"k": 0}, {"k": 2.0}, {"masks": 1}, {"masks": 2.0}):
        with pytest.raises(InputError):
            average_over_masks(few, UniformMasks(4, 2), **({"masks": 2, "k": 1, "patch": 2, "bandwidth": 0.4} | change))


@pytest.mark.parametrize(
    ("mask", "words"),
    [(np.ones(4, bool), "shows 4 of 4"), (np.zeros(4, bool), "shows 0 of 4"), (np.ones(4), "must be boolean")],
)
def test_a_mask_shows_and_hides(mask: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        mask_images(images(), mask, 2)


def test_bytes_are_scaled_to_the_unit_range_and_floats_are_kept() -> None:
    pixels = np.array([255, 0], np.uint8).reshape(1, 1, 1, 2)
    assert mask_images(pixels, np.array([True, False]), 1).views.tolist() == [[1.0]]
    assert mask_images(pixels / 510, np.array([True, False]), 1).views.tolist() == [[0.5]]


def test_processes_of_a_machine_share_half_of_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharded_matrix, "available_device_memory", lambda device: 1001)
    there = (sharded_matrix.socket.gethostname(), "")
    group = SimpleNamespace(all_gather_object=lambda own: [own, own, ("another machine", "")])
    shared = SimpleNamespace(device=torch.device("cpu"), process_group=group)
    assert there == (sharded_matrix.socket.gethostname(), sharded_matrix._device_uuid(torch.device("cpu")))
    assert sharded_matrix.ShardedKernelMatrix._default_memory_budget(shared) == 250  # type: ignore[arg-type]  # a stand-in


def test_gpus_are_assigned_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    select = sharded_matrix._select_device
    assert select(torch.device("cpu"), 3) == torch.device("cpu")
    assert select(torch.device("cuda", 1), 3) == torch.device("cuda", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [select(torch.device("cuda"), rank).index for rank in range(4)] == [0, 1, 0, 1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no card"):
        select(torch.device("cuda"), 0)
