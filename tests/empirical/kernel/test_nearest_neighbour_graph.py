"""The graph of nearest neighbours equals the one from sorting all distances, and its two limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import average_over_masks, kernel_graph, neighbour_graph
from maetheory.empirical.kernel.nearest_neighbours import nearest_neighbours
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.masks.grid import patchify

MASK = np.array([True, False, False, True])
N = 40


def _images(n: int = N) -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((n, 2, 4, 4)) / 2, 0, 1), labels, "noise")


def _sorted(points: np.ndarray, count: int) -> list[list[int]]:
    """Nearest points by sorting (not itself, distance, index) of every pair."""
    found = []
    for i, one in enumerate(points):
        keys = [(j != i, float(((one - other) ** 2).sum()), j) for j, other in enumerate(points)]
        found.append([j for _, _, j in sorted(keys)[:count]])
    return found


def _dense(images: ImageSet, neighbours: int, bandwidth: float) -> np.ndarray:
    hidden = patchify(images.images, 2)[:, ~MASK].reshape(len(images), -1)
    joint = np.zeros((len(images), len(images)))
    for i, near in enumerate(_sorted(hidden, neighbours)):
        for j in near:
            joint[i, j] = np.exp(-((hidden[i] - hidden[j]) ** 2).sum() / (2 * bandwidth**2))
    return joint / joint.sum(1, keepdims=True) / len(images)


@pytest.mark.parametrize("count", [1, 2, 7, 60])
@pytest.mark.parametrize("rows_in_a_tile", [1, 7, 60])
def test_nearest_are_those_of_sorting_all_distances(count: int, rows_in_a_tile: int, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.nearest_neighbours.CHUNK_BYTES", 16 * 60 * rows_in_a_tile)
    points = np.random.default_rng(1).normal(size=(60, 5)) + 100
    indices, squared_distances = nearest_neighbours(points, count)
    assert indices.tolist() == _sorted(points, count)
    apart = ((points[:, None] - points[indices]) ** 2).sum(-1)
    assert squared_distances == pytest.approx(apart, rel=1e-12, abs=0)


def test_a_row_larger_than_a_chunk_is_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.nearest_neighbours.CHUNK_BYTES", 1)
    points = np.random.default_rng(1).normal(size=(9, 5))
    assert nearest_neighbours(points, 3)[0].tolist() == _sorted(points, 3)


def test_ties_go_to_itself_and_then_to_the_lower_index(monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.nearest_neighbours.CHUNK_BYTES", 16 * 81 * 10)
    grid = np.stack(np.meshgrid(np.arange(3.0), np.arange(3.0)), -1).reshape(-1, 2)
    points = np.tile(grid, (9, 1))[np.random.default_rng(2).permutation(81)]  # each place nine times
    for count in (1, 5, 9, 12, 30):
        assert nearest_neighbours(points, count)[0].tolist() == _sorted(points, count)


def test_points_equal_in_float32_products_are_separated_by_differences() -> None:
    rng = np.random.default_rng(3)
    points = np.vstack([rng.normal(size=(30, 4)) * 1e-4, rng.normal(size=(30, 4)) * 1e-4 + 1000])
    assert nearest_neighbours(points, 5)[0].tolist() == _sorted(points, 5)


@pytest.mark.parametrize("neighbours", [2, 6, 15])
def test_every_quantity_is_that_of_the_dense_joint_law(neighbours: int, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.nearest_neighbour_graph.CHUNK_ROWS", 7)
    images = _images()
    graph = neighbour_graph(images, MASK, neighbours=neighbours, patch=2, bandwidth=0.5)
    joint = _dense(images, neighbours, 0.5)
    dense = MaskGraph.from_joint(joint, labels=images.labels)
    off = 1e-5  # pixels are rounded to float32
    assert graph.graph.joint.toarray() == pytest.approx(joint, rel=off)
    assert graph.degrees[1] == pytest.approx(joint.sum(0), rel=off)
    normal = dense.normalized_matrix.toarray()
    assert graph.normalized @ np.eye(N) == pytest.approx(normal, rel=off)
    sigma = np.linalg.svd(normal, compute_uv=False)
    found = graph.spectrum(5)
    assert found.values == pytest.approx(sigma[:5], abs=off)
    assert graph.n_components == (sigma > 1 - 1e-9).sum()
    pairs = np.einsum("ij,lj,j->il", joint, joint, 1 / joint.sum(0))
    own = pairs[images.labels[:, None] != images.labels[None]].sum()
    assert graph.self_pair_fraction == pytest.approx(np.trace(pairs), rel=off)
    assert graph.pair_label_error(distinct=False) == pytest.approx(own, rel=off)
    assert graph.pair_label_error() == pytest.approx(own / (1 - np.trace(pairs)), rel=off)
    law = joint.T @ (images.labels[:, None] == np.arange(3))
    assert graph.target_label_error() == pytest.approx(1 - law.max(1).sum(), rel=off)
    assert graph.tail_energy(found, 2) == pytest.approx((sigma[2:] ** 4).sum(), rel=off)
    expected = own / (1 - sigma[4] ** 2) if sigma[4] < 1 - 1e-9 else np.inf
    assert graph.residual_bound(found) == pytest.approx(expected, rel=1e-4)


def test_rows_have_the_given_number_of_targets_and_are_not_symmetrised() -> None:
    graph = neighbour_graph(_images(), MASK, neighbours=4, patch=2, factor=np.inf)
    joint = graph.graph.joint.toarray()
    assert (joint > 0).sum(1).tolist() == [4] * N
    assert joint[joint > 0] == pytest.approx(1 / (4 * N), rel=1e-14)
    assert ((joint > 0) != (joint > 0).T).any()
    assert graph.degrees[0] == pytest.approx(np.full(N, 1 / N), rel=1e-14)


def test_one_neighbour_gives_the_identity_and_all_with_equal_weights_rank_one() -> None:
    alone = neighbour_graph(_images(), MASK, neighbours=1, patch=2)
    assert (alone.graph.normalized_matrix.toarray() == np.eye(N)).all()
    assert alone.self_pair_fraction == pytest.approx(1, rel=1e-15 * N)
    assert alone.n_components == N
    with pytest.raises(InputError, match="no two images share a target"):
        alone.pair_label_error()
    everything = neighbour_graph(_images(), MASK, neighbours=N, patch=2, bandwidth=np.inf)
    assert everything.spectrum(3).values == pytest.approx([1, 0, 0], abs=1e-7)
    assert everything.self_pair_fraction == pytest.approx(1 / N)


def test_all_neighbours_give_the_kernel_graph() -> None:
    cut = neighbour_graph(_images(), MASK, neighbours=N, patch=2)
    whole = kernel_graph(_images(), MASK, patch=2)
    matrix = whole.kernel_matrix
    assert cut.bandwidth == whole.bandwidth
    assert cut.graph.joint.toarray() == pytest.approx(
        (matrix.matmul(np.eye(N)).T / matrix.matmul(np.ones(N))).T / N, rel=4 * matrix.rounding_error
    )
    assert cut.view_label_error() == whole.view_label_error()
    assert cut.residual_bound(cut.spectrum(3)) == pytest.approx(whole.residual_bound(whole.spectrum(3)), rel=1e-4)


def test_bandwidth_zero_joins_only_targets_that_coincide() -> None:
    pairs_of_images = np.repeat(np.random.default_rng(4).random((5, 1, 4, 4)), 2, axis=0)
    graph = neighbour_graph(pairs_of_images, MASK, neighbours=4, patch=2, bandwidth=0.0)
    assert graph.graph.joint.toarray() == pytest.approx(np.kron(np.eye(5), np.full((2, 2), 0.05)))
    assert graph.n_components == 5


def test_means_over_masks_are_of_the_truncated_kernel() -> None:
    found = average_over_masks(_images(), UniformMasks(4, 2), masks=3, k=2, patch=2, bandwidth=0.5, neighbours=5)
    graphs = [neighbour_graph(_images(), mask, neighbours=5, patch=2, bandwidth=0.5) for mask in found.masks]
    assert found.self_pair_fraction == pytest.approx(np.mean([graph.self_pair_fraction for graph in graphs]))
    last = [graph.spectrum(3).values[2] ** 2 for graph in graphs]
    assert found.values[2] == pytest.approx(np.mean(last))
    phi = [graph.pair_label_error(distinct=False) for graph in graphs]
    bounds = [4 * one / (1 - value) if value < 1 - 1e-9 else np.inf for one, value in zip(phi, last)]
    assert found.graph_bound == pytest.approx(np.mean(bounds))


@pytest.mark.parametrize("wrong", [0, -1, N + 1, 2.5, True])
def test_an_invalid_number_of_neighbours_is_one_sentence(wrong) -> None:
    with pytest.raises(InputError, match="itself included, must be a whole number from 1 to the 40 points"):
        neighbour_graph(_images(), MASK, neighbours=wrong, patch=2)


def test_other_bad_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="must not be negative"):
        neighbour_graph(_images(), MASK, neighbours=2, patch=2, bandwidth=-1.0)
    with pytest.raises(InputError, match="needs labels"):
        neighbour_graph(_images().images, MASK, neighbours=2, patch=2).view_label_error()
    with pytest.raises(InputError, match="1 of 3 points"):
        nearest_neighbours(torch.tensor([[0.0], [float("nan")], [1.0]]), 2)
