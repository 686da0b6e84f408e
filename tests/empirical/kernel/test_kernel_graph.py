"""The kernel graph equals its dense joint law, and the limits of bandwidth 0 and infinity."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import GaussianKernelMatrix, kernel_graph
from maetheory.empirical.kernel import gaussian_matrix
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.graph import MaskGraph
from maetheory.masks.grid import patchify

MASK = np.array([True, False, False, True])


def _images(n: int = 40, seed: int = 0) -> ImageSet:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((n, 2, 4, 4)) / 2, 0, 1), labels, "noise")


def _dense(graph: KernelGraph, images: ImageSet) -> np.ndarray:
    """Joint law by loops, in float64, from the images alone."""
    hidden = patchify(images.images, 2)[:, ~graph.mask].reshape(len(images), -1)
    joint = np.zeros((len(images), len(images)))
    for i, one in enumerate(hidden):
        row = [np.exp(-sum((a - b) ** 2 for a, b in zip(one, two)) / (2 * graph.bandwidth**2)) for two in hidden]
        joint[i] = np.array(row) / sum(row) / len(images)
    return joint


@pytest.mark.parametrize("factor", [0.2, 0.5, 2.0])
def test_every_quantity_is_that_of_the_dense_joint_law(factor: float) -> None:
    images = _images()
    graph = kernel_graph(images, MASK, patch=2, factor=factor)
    dense = MaskGraph.from_joint(_dense(graph, images), labels=images.labels)
    off = 4 * graph.kernel_matrix.rounding_error
    assert graph.degrees[1] == pytest.approx(dense.degrees[1], rel=off)
    normal = dense.normalized_matrix.toarray()
    assert graph.normalized @ np.eye(40) == pytest.approx(normal, abs=off)
    assert graph.normalized.T @ np.eye(40) == pytest.approx(normal.T, abs=off)
    assert graph.spectrum(5).values == pytest.approx(np.linalg.svd(normal, compute_uv=False)[:5], abs=40 * off)
    assert graph.pair_label_error(distinct=False) == pytest.approx(dense.pair_label_error(), abs=off)
    law = dense.joint.toarray().T @ (images.labels[:, None] == np.arange(3))
    assert graph.target_label_error() == pytest.approx(1 - law.max(1).sum(), abs=off)


def test_progress_counts_the_rows_of_tiles_and_ends_at_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", 16)
    seen: list[tuple[int, int]] = []
    GaussianKernelMatrix(np.eye(40), 1.0, progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(16, 40), (32, 40), (40, 40)]


def test_one_vector_is_multiplied_as_one_column_is() -> None:
    operator, x = kernel_graph(_images(), MASK, patch=2).normalized, np.random.default_rng(4).normal(size=40)
    assert operator @ x == pytest.approx((operator @ x[:, None])[:, 0], rel=1e-12)
    assert operator.T @ x == pytest.approx((operator.T @ x[:, None])[:, 0], rel=1e-12)


def test_the_bandwidth_is_a_multiple_of_the_median_distance_of_targets() -> None:
    images = _images()
    hidden = patchify(images.images, 2)[:, ~MASK].reshape(40, -1)
    apart = [np.linalg.norm(hidden[i] - hidden[j]) for i in range(40) for j in range(i)]
    found = kernel_graph(images, MASK, patch=2, factor=0.5).bandwidth
    assert found == pytest.approx(0.5 * np.sort(apart)[(len(apart) - 1) // 2], rel=1e-5)


def test_the_residual_bound_is_that_of_the_spectral_features() -> None:
    images = _images()
    graph = kernel_graph(images, MASK, patch=2, factor=0.5)
    dense = MaskGraph.from_joint(_dense(graph, images), labels=images.labels)
    left, sigma, _ = np.linalg.svd(dense.normalized_matrix.toarray())
    bound = graph.residual_bound(graph.spectrum(4))
    assert bound == pytest.approx(dense.pair_label_error() / (1 - sigma[3] ** 2), rel=1e-3)
    labels = (images.labels[:, None] == np.arange(3)) / np.sqrt(40)
    residual = ((labels - left[:, :3] @ (left[:, :3].T @ labels)) ** 2).sum()
    assert residual <= bound


def test_distinct_pairs_are_those_of_two_images() -> None:
    images = _images()
    graph = kernel_graph(images, MASK, patch=2, factor=0.3)
    joint = _dense(graph, images)
    disagree = same = 0.0
    for j in range(40):
        for i in range(40):
            for other in range(40):
                mass = joint[i, j] * joint[other, j] / joint[:, j].sum()
                same += mass * (i == other)
                disagree += mass * (images.labels[i] != images.labels[other])
    assert graph.self_pair_fraction == pytest.approx(same, rel=1e-4)
    assert graph.pair_label_error() == pytest.approx(disagree / (1 - same), rel=1e-4)


def test_the_certificate_decides_where_values_fall_slowly_and_all_products_are_counted(monkeypatch) -> None:
    graph = kernel_graph(_images(200), MASK, patch=2, factor=0.25)
    columns, matmul = [], GaussianKernelMatrix.matmul

    def counted(self, x, **options):
        columns.append(np.atleast_2d(np.transpose(x)).shape[0])
        return matmul(self, x, **options)

    assert graph.degrees[1].sum() == pytest.approx(1)
    monkeypatch.setattr(GaussianKernelMatrix, "matmul", counted)
    found = graph.spectrum(8)
    exact = np.linalg.svd(graph.normalized @ np.eye(200), compute_uv=False)
    assert found.values[7] - exact[8] < 0.04 * exact[8]  # what 32 steps for the next value itself could not decide
    assert found.complete
    assert exact[8] <= found.missed_below < exact[7]
    assert found.matvecs == sum(columns) - 200
    assert len(found.values) == 8


def test_bandwidth_zero_gives_the_identity_and_infinity_rank_one() -> None:
    nothing = kernel_graph(_images(), MASK, patch=2, factor=0.0)
    assert (nothing.normalized @ np.eye(40) == np.eye(40)).all()
    assert nothing.self_pair_fraction == 1
    with pytest.raises(InputError, match="no two images share a target"):
        nothing.pair_label_error()
    everything = kernel_graph(_images(), MASK, patch=2, factor=np.inf)
    assert everything.spectrum(3).values == pytest.approx([1, 0, 0], abs=1e-7)
    assert everything.self_pair_fraction == pytest.approx(1 / 40)


@pytest.mark.parametrize("q", [1, 8, 48])
def test_bandwidth_zero_joins_points_that_coincide(q: int) -> None:
    """Distances by products are not exactly 0 between equal points, and are 0 between some that differ by an ulp."""
    rng = np.random.default_rng(q)
    points = np.repeat(rng.random((30, q)), 4, axis=0)
    points = np.concatenate([points, np.nextafter(points[:1], 2.0)])
    same = (points[:, None] == points[None]).all(2).astype(float)
    for cache in (True, False):
        matrix = GaussianKernelMatrix(points, 0.0, cache=cache)
        np.testing.assert_array_equal(matrix.matmul(np.eye(121)), same)
        assert matrix.rounding_error == 0


def test_bandwidth_zero_joins_images_with_equal_targets() -> None:
    images = _images(40).images.copy()
    images[:8, :, 2:] = 0  # the lower patches
    mask = np.array([True, True, False, False])
    graph = kernel_graph(images, mask, patch=2, bandwidth=0.0)
    assert graph.self_pair_fraction.value == pytest.approx((40 - 8 + 1) / 40, abs=1e-12)


def test_a_bandwidth_below_the_rounding_of_distances_is_refused() -> None:
    points = np.random.default_rng(0).random((20, 6))
    for bandwidth in (1e-200, 1e-25, 1e-6):
        with pytest.raises(InputError, match=r"is too small for these points.*or 0 to join only what coincides"):
            GaussianKernelMatrix(points, bandwidth)
    assert GaussianKernelMatrix(points, 1e-2).rounding_error < 1


def test_more_blur_never_raises_a_singular_value() -> None:
    spectra = [kernel_graph(_images(), MASK, patch=2, factor=f).spectrum(8).values for f in (0.1, 0.2, 0.5, 1, 3)]
    assert (np.diff(spectra, axis=0) <= 1e-5).all()


def test_a_matrix_in_memory_in_a_file_or_recomputed_is_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.gaussian_matrix.TILE_BYTES", 4 * 40 * 5)
    points = np.random.default_rng(1).normal(size=(40, 6))
    x = np.random.default_rng(2).normal(size=(40, 3))
    memory = GaussianKernelMatrix(points, 2.0)
    file = GaussianKernelMatrix(points, 2.0, memory_budget=40 * 40 * 2, scratch_dir=tmp_path)
    recomputed = GaussianKernelMatrix(points, 2.0, memory_budget=40 * 40 * 2)
    assert (memory.is_cached, file.is_cached, recomputed.is_cached) == (True, True, False)
    exact = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1) / 8) @ x
    for matrix in (memory, file, recomputed):
        assert matrix.matmul(x) == pytest.approx(exact, rel=0, abs=40 * matrix.rounding_error * 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("block_size", [1, 6, 7, 40])
@pytest.mark.parametrize("cache", [True, False])
def test_products_by_blocks_of_one_half_equal_those_of_the_matrix(block_size: int, cache: bool, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.gaussian_matrix.BLOCK_SIZE", {"cpu": block_size})
    points = np.random.default_rng(1).normal(size=(40, 6))
    matrix = GaussianKernelMatrix(points, 2.0, cache=cache)
    assert (matrix.tile_rows, matrix.is_cached) == (block_size, cache)
    exact = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1) / 8)
    whole, off = matrix.matmul(np.eye(40)), 2 * matrix.rounding_error
    assert (whole == whole.T).all()
    assert (np.diag(whole) == 1).all()
    assert whole == pytest.approx(exact, rel=off)
    for x in (np.random.default_rng(2).normal(size=(40, 3)), np.random.default_rng(3).normal(size=40)):
        assert matrix.matmul(x) == pytest.approx(whole @ x, rel=0, abs=1e-14 * 40 * 4)
        assert matrix.matmul(x, power=2) == pytest.approx(whole**2 @ x, rel=0, abs=1e-14 * 40 * 4)


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_the_number_of_entries_is_known_before_they_are_computed(rows: int, monkeypatch) -> None:
    monkeypatch.setattr("maetheory.empirical.kernel.gaussian_matrix.BLOCK_SIZE", {"cpu": rows})
    points = np.random.default_rng(1).normal(size=(40, 6))
    assert GaussianKernelMatrix(points, 2.0).n_entries == sum(
        tile.numel() for _, tile in GaussianKernelMatrix(points, 2.0)._tiles()
    )
    needed = 4 * GaussianKernelMatrix(points, 2.0).n_entries
    tiles = 12 * rows * 40
    assert GaussianKernelMatrix(points, 2.0, memory_budget=max(needed, tiles)).is_cached
    if needed > tiles:
        assert not GaussianKernelMatrix(points, 2.0, memory_budget=needed - 1).is_cached


def test_a_tied_vote_and_a_vote_without_weight_are_errors() -> None:
    views = np.array([[0.0], [1.0], [1.0]])
    votes = {"factor": 0.5, "seed": 0, "device": "cpu"}
    assert (
        leave_one_out_error(views, np.array([0, 1, 0]), **votes) == 1
    )  # image 0 gets one vote of each class, the others only votes of the wrong one
    assert leave_one_out_error(np.array([[0.0], [1e4], [2e4]]), np.array([0, 0, 0]), **(votes | {"factor": 1e-2})) == 1
    assert leave_one_out_error(views, np.array([0, 0, 0]), **votes) == 0


def test_the_labels_of_views_are_guessed_from_other_images() -> None:
    clear = _images(60)
    assert kernel_graph(clear, MASK, patch=2).view_label_error() < 0.2
    blind = ImageSet(clear.images, np.random.default_rng(3).permutation(clear.labels), "shuffled")
    assert kernel_graph(blind, MASK, patch=2).view_label_error() > 0.4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask": np.ones(4, bool)}, "must show and hide at least one patch"),
        ({"mask": np.ones(3, bool)}, r"boolean of shape \(4,\)"),
        ({"factor": -1.0}, "must not be negative"),
        ({"memory_budget": 100}, "take fewer images"),
    ],
)
def test_bad_input_is_one_sentence(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        kernel_graph(_images(), **({"mask": MASK, "patch": 2} | change))


def test_points_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="1 of 3 points"):
        GaussianKernelMatrix(np.array([[0.0], [np.nan], [1.0]]), 1.0)


def test_quantities_that_need_labels_raise_without_them() -> None:
    graph = kernel_graph(_images().images, MASK, patch=2)
    with pytest.raises(InputError, match="needs labels"):
        graph.target_label_error()
    with pytest.raises(InputError, match="between 1 and the 40 images"):
        graph.spectrum(41)


def test_the_spectrum_is_found_far_more_exactly_than_the_kernel_is_rounded() -> None:
    graph = kernel_graph(_images(400), MASK, patch=2, factor=0.5)
    found = graph.spectrum(6)
    assert found.enclosure_radius <= 1e-3 * graph.kernel_matrix.rounding_error
