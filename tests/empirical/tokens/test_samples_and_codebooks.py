"""Guards of token samples and codebooks from both sides, and their large branches at lowered thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch.distributed as dist

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.empirical import TokenSample, fit_codebook, sample_from_codes, token_sample
from maetheory.empirical.law_scores import score_law
from maetheory.empirical.parallel import ProcessGroup, solve_on_root
from maetheory.empirical.tokens import build_sharded_graph, node_identities, sharded_graph
from maetheory.empirical.tokens import codebook as codebook_module
from maetheory.empirical.tokens.build_sharded_graph import sharded_token_graph
from maetheory.empirical.tokens.codebook import fit_codebook_to_vectors, pixels_as_float64
from maetheory.empirical.tokens.hashing import collision_bound, unique_inverse
from maetheory.empirical.tokens.label_error_brackets import label_error_bracket, pair_error_bracket
from maetheory.empirical.tokens.node_identities import sample_image_indices_for_codebook, visible_patch_means
from maetheory.empirical.tokens.sample import sample_mask_pairs
from maetheory.empirical.tokens.sharded_graph import ShardedGraph
from maetheory.masks import BernoulliMasks, UniformMasks
from maetheory.metrics.uncertainty import jackknife_error

LAW = UniformMasks(4, 2)


def images(n: int = 60) -> ImageSet:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (5, 4), dtype=np.uint8)
    labels = rng.integers(0, 2, n)
    symbols = np.where(rng.random((n, 4)) < 0.6, labels[:, None], rng.integers(0, 5, (n, 4)))
    cells = palette[symbols].reshape(n, 2, 2, 2, 2)  # (n, rows, columns, s, s)
    return ImageSet(cells.transpose(0, 1, 3, 2, 4).reshape(n, 1, 4, 4), labels, "five patches")


# Guards


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        (lambda: fit_codebook(images(), 2, 2), lambda: fit_codebook(images(), 2, 1)),
        (lambda: fit_codebook(images(), 2, 5), lambda: fit_codebook(images(), 2, 6)),
        (lambda: fit_codebook(images(), 2, 3, components=1), lambda: fit_codebook(images(), 2, 3, components=0)),
        (lambda: fit_codebook(images(), 2, 3, components=4), lambda: fit_codebook(images(), 2, 3, components=5)),
        (lambda: sample_mask_pairs(LAW, 1, 0), lambda: sample_mask_pairs(LAW, 0, 0)),
        (
            lambda: token_sample(images(), LAW, codebook=fit_codebook(images(), 2, 3), chunk=1),
            lambda: token_sample(images(), LAW, codebook=fit_codebook(images(), 2, 3), chunk=0),
        ),
        (
            lambda: sample_from_codes(np.zeros((2, 2), int), np.zeros(2, int), UniformMasks(2, 1)),
            lambda: sample_from_codes(np.zeros((1, 2), int), np.zeros(1, int), UniformMasks(2, 1)),
        ),
        (
            lambda: sample_from_codes(np.zeros((2, 2), np.uint8), np.zeros(2, np.uint8), UniformMasks(2, 1)),
            lambda: sample_from_codes(np.zeros((2, 2)), np.zeros(2, int), UniformMasks(2, 1)),
        ),
        (
            lambda: sample_from_codes(np.zeros((2, 2), int), np.array([0, 5]), UniformMasks(2, 1)),
            lambda: sample_from_codes(np.zeros((2, 2), int), np.array([0.0, 1.0]), UniformMasks(2, 1)),
        ),
        (
            lambda: sample_from_codes(np.zeros((2, 2), int), np.zeros(2, int), UniformMasks(2, 1)),
            lambda: sample_from_codes(np.zeros((2, 2), int), np.zeros(3, int), UniformMasks(2, 1)),
        ),
        (
            lambda: sample_from_codes(np.zeros((2, 2), int), np.zeros(2, int), UniformMasks(2, 1)),
            lambda: sample_from_codes(np.zeros(4, int), np.zeros(4, int), UniformMasks(2, 1)),
        ),
    ],
)
def test_the_last_value_accepted_and_the_first_refused(accepted, refused) -> None:
    accepted()
    with pytest.raises(InputError):
        refused()


def test_masks_of_no_probability_are_left_out_and_drawn_masks_weigh_alike() -> None:
    (masks, hidden), weights = sample_mask_pairs(BernoulliMasks(3, 0.5), None, 0)
    assert len(masks) == len(weights) == 6
    assert (hidden == ~masks).all()
    assert (weights > 0).all()
    assert sample_mask_pairs(LAW, 4, 0)[1].tolist() == [0.25] * 4


def test_the_bound_on_collisions_counts_pairs() -> None:
    for count in (2, 1000):
        assert collision_bound(count) * 2.0**128 == pytest.approx(count * (count - 1) / 2)
    assert collision_bound(1) == 0
    assert unique_inverse(np.array([[1, 2]], np.uint64)).tolist() == [0]


# Codebooks


def test_axes_without_variance_are_left_out_where_axes_are_whitened() -> None:
    """Below 1e-12 of the largest variance an axis is rounding; whitening would divide by it."""
    rng = np.random.default_rng(0)
    for size, axes in ((1e-7, 1), (1e-5, 2)):
        rows = rng.normal(size=(200, 2)) * [1.0, size]
        book = fit_codebook_to_vectors(rows, 1, 4, whiten=True)
        assert book.projection.shape == (2, axes)
        np.testing.assert_allclose(((rows - book.mean) @ book.projection).std(0), 1, rtol=1e-6)
    flat = fit_codebook_to_vectors(np.vstack([np.zeros((3, 2)), np.ones((3, 2))]), 1, 2, whiten=True)
    assert flat.projection.shape == (2, 1)
    with pytest.raises(InputError, match="the 1 distinct patches"):
        fit_codebook_to_vectors(np.full((5, 2), 0.1), 1, 2, whiten=True)


def test_codes_of_chunks_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = rng.random((50, 3))
    book = fit_codebook_to_vectors(rows, 1, 7)
    nearest = ((rows[:, None] - book.centres) ** 2).sum(-1).argmin(1)
    for entries in (1, 7 * 11, 8_000_000):
        monkeypatch.setattr(codebook_module, "_CHUNK_ENTRIES", entries)
        assert book.codes(rows).tolist() == nearest.tolist()
    tied = replace(book, centres=np.vstack([book.centres, book.centres]))
    assert tied.codes(rows).tolist() == nearest.tolist()  # the lowest index on a tie


def test_at_most_so_many_patches_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    fit = codebook_module.fit_codebook_to_vectors
    monkeypatch.setattr(
        codebook_module,
        "fit_codebook_to_vectors",
        lambda rows, *a, **b: (seen.append(len(rows)), fit(rows, *a, **b))[1],
    )
    for limit in (100_000, 41, 40, 3):
        monkeypatch.setattr(codebook_module, "MAX_FIT_VECTORS", limit)
        fit_codebook(load_images("digits", limit=30), 4, 2)
    assert seen == [120, 40, 40, 4]  # whole images of four patches, one at least


def test_so_many_images_give_the_codebook_of_means(monkeypatch: pytest.MonkeyPatch) -> None:
    for n_masks, expected in ((10, 10), (30, 3), (60, 2), (1000, 2)):
        monkeypatch.setattr(node_identities, "MAX_FIT_VECTORS", 100)
        chosen = sample_image_indices_for_codebook(50, n_masks, 0)
        assert len(chosen) == expected
        assert (np.diff(chosen) > 0).all()
    assert sample_image_indices_for_codebook(5, 10, 0).tolist() == [0, 1, 2, 3, 4]


def test_means_are_of_the_shown_patches_and_bytes_are_scaled() -> None:
    patches = np.array([[[1.0], [2.0], [6.0]]])
    assert visible_patch_means(patches, np.array([[True, True, False], [False, False, True]])).ravel().tolist() == [
        1.5,
        6,
    ]
    assert pixels_as_float64(np.array([0, 255], np.uint8)).tolist() == [0, 1]
    assert pixels_as_float64(np.array([0.5], np.float32)).dtype == np.float64


def test_nodes_are_pooled_to_64_codes_by_default() -> None:
    digits = load_images("digits", limit=300)
    book = fit_codebook(digits, 2, 8)
    options = {"codebook": book, "n_masks": 2, "targets": "pooled", "positions": "dropped"}
    assert token_sample(digits, UniformMasks(16, 8), **options).targets.max() + 1 == 64


# Standard errors of label errors


def noisy_sample(n: int, seed: int = 0) -> TokenSample:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    codes = np.where(rng.random((n, 4)) < 0.3, 1 - labels[:, None], labels[:, None])
    return sample_from_codes(codes, labels, LAW, positions="dropped")


def without_image(sample: TokenSample, i: int) -> TokenSample:
    kept = np.arange(sample.n_images) != i
    return replace(sample, views=sample.views[kept], targets=sample.targets[kept], labels=sample.labels[kept])


def test_standard_errors_of_label_errors_are_those_of_leaving_out_images() -> None:
    """Not of the leave-one-out vote, whose ties jump when an image is left out."""
    sample = noisy_sample(100)
    brackets = {
        "pairs": (pair_error_bracket, ("lower", "upper")),
        "views": (lambda one: label_error_bracket(one, one.views), ("lower",)),
        "targets": (lambda one: label_error_bracket(one, one.targets), ("lower",)),
    }
    for name, (bracket, ends) in brackets.items():
        found = bracket(sample)
        left_out = [bracket(without_image(sample, i)) for i in range(sample.n_images)]
        for end in ends:
            expected = jackknife_error([getattr(one, end) for one in left_out])
            assert getattr(found, f"{end}_error") == pytest.approx(expected, rel=0.25), (name, end)


# One process of a group


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield ProcessGroup.from_torch()
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("entries", [1, 7, 2**22])
@pytest.mark.parametrize("options", [{"positions": "kept"}, {"positions": "dropped"}, {"n_masks": 3, "seed": 2}])
def test_a_group_of_one_gives_the_graph_of_one_process(
    entries: int, options: dict, group: ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded_graph, "_CHUNK_ENTRIES", entries)
    book = fit_codebook(images(), 2, 5)
    shared = sharded_token_graph(images(), LAW, codebook=book, chunk=7, process_group=group, **options)
    alone = token_sample(images(), LAW, codebook=book, **options).graph
    assert shared.shape == alone.shape
    assert (shared.n_edges, shared.n_components, shared.n_classes) == (alone.joint.nnz, alone.n_components, 2)
    assert shared.n_pairs == 60 * (3 if "n_masks" in options else 6)
    for name in ("label_error", "target_label_error", "pair_label_error"):
        found, exact = getattr(shared, name)(), getattr(alone, name)()
        assert abs(found.value - exact.value) <= found.error + exact.error
        assert found.value == pytest.approx(exact.value, abs=1e-12)
        assert found.error <= 50 * exact.error + 1e-15
    for k in (1, min(3, min(shared.shape)), min(shared.shape)):
        assert shared.spectrum(k).values == pytest.approx(alone.spectrum(k).values, abs=1e-10)
    for k in (0, min(shared.shape) + 1):
        with pytest.raises(InputError, match="k must lie between 1 and"):
            shared.spectrum(k)


def test_a_group_without_enough_images_is_refused(group: ProcessGroup) -> None:
    book = fit_codebook(images(), 2, 5)
    sharded_token_graph(images().take([0, 1]), LAW, codebook=book, process_group=group)
    for few in (None, images().take([0])):
        with pytest.raises(InputError, match="at least 2 images, but all processes together have"):
            sharded_token_graph(few, LAW, codebook=book, process_group=group)
    wide = ImageSet(np.zeros((3, 2, 4, 4)), np.zeros(3, int), "two channels")
    with pytest.raises(InputError, match="for patches of 4 values, but these have 8"):
        sharded_token_graph(wide, LAW, codebook=book, process_group=group)
    empty = np.empty((0, 1, 2), np.uint64)
    with pytest.raises(InputError, match="no process has any"):
        ShardedGraph.from_hashes(empty, empty, np.empty(0, int), np.ones(1), process_group=group)


def test_images_that_do_not_fit_the_codebook_are_refused_before_any_process_hashes_one(
    group: ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only one process has such images, the others would wait for its hashes."""
    book = fit_codebook(images(), 2, 5)
    monkeypatch.setattr(build_sharded_graph, "collect_node_identities", None)
    wide = ImageSet(np.zeros((3, 2, 4, 4)), np.zeros(3, int), "two channels")
    with pytest.raises(InputError, match="for patches of 4 values, but these have 8"):
        sharded_token_graph(wide, LAW, codebook=book, process_group=group)


def test_an_error_of_the_solver_releases_the_workers(group: ProcessGroup) -> None:
    from scipy import sparse

    rows = sparse.csr_array(np.arange(6.0).reshape(2, 3))

    def fail(operator: object) -> None:
        raise InputError("no solution")

    with pytest.raises(InputError, match="no solution"):
        solve_on_root(group, rows, np.array([0, 2]), fail)
    assert solve_on_root(group, rows, np.array([0, 2]), lambda b: (b @ np.eye(3)).tolist()) == rows.toarray().tolist()


# Scores of laws


def test_the_number_of_features_of_a_law_is_below_the_number_of_images() -> None:
    rng = np.random.default_rng(0)
    few = ImageSet(rng.random((24, 1, 2, 3)), np.arange(24) % 2, "noise")
    assert score_law(few, UniformMasks(6, 3), patch=1, k=23, n_masks=2, factor=0.5).k == 23
    for k in (0, 24):
        with pytest.raises(InputError, match="k must be from 1 to 23"):
            score_law(few, UniformMasks(6, 3), patch=1, k=k, n_masks=2, factor=0.5)


def test_two_different_views_and_targets_suffice_for_the_scores_of_a_law() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (40, 1, 1, 2)).astype(float)
    found = score_law(
        ImageSet(bits, np.arange(40) % 2, "bits"), UniformMasks(2, 1), patch=1, k=1, n_masks=2, factor=0.5
    )
    assert 0 < found.tokens.pair_label_error.value < 1
    same = bits.copy()
    same[:, :, :, 0] = 1.0
    with pytest.raises(InputError, match="every image shows the same, or hides the same"):
        score_law(ImageSet(same, np.arange(40) % 2, "ones"), UniformMasks(2, 1), patch=1, k=1, n_masks=2)
