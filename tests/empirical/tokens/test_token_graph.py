"""Token graphs equal the exact graph of their finite world, whatever the chunk; bad input is one sentence."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images, worlds
from maetheory.empirical import fit_codebook, sample_from_codes, token_graph, token_sample
from maetheory.empirical.tokens.codebook import pixels_as_float64
from maetheory.empirical.tokens.hashing import collision_bound, random_hash_words, unique_inverse, view_hashes
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, BlockMasks, UniformMasks, patchify, view_identities

LAWS = (UniformMasks(4, 1), UniformMasks(4, 2), BernoulliMasks(4, 0.4), BlockMasks(2, 2))


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Sixty images of four patches with five distinct contents in two classes."""
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (5, 4), dtype=np.uint8)
    labels = rng.integers(0, 2, 60)
    symbols = np.where(rng.random((60, 4)) < 0.6, labels[:, None], rng.integers(0, 5, (60, 4)))
    cells = palette[symbols].reshape(60, 2, 2, 2, 2)  # (n, rows, columns, s, s)
    return ImageSet(cells.transpose(0, 1, 3, 2, 4).reshape(60, 1, 4, 4), labels, "five patches")


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("law", LAWS)
def test_all_patches_and_all_masks_give_the_graph_of_the_world(images, law, positions):
    book = fit_codebook(images, 2, 5)
    found = token_graph(images, law, codebook=book, positions=positions, chunk=7)
    world = worlds.from_images(images, 2, 5)
    exact = MaskGraph.enumerate(world, law, positions)
    place = {tuple(state): s for s, state in enumerate(world.states.tolist())}
    codes = book.codes(pixels_as_float64(patchify(images.images, 2)))
    assert {tuple(row) for row in codes.tolist()} == set(place)  # both number distinct patches in the same order
    rows = [place[tuple(row)] for row in codes.tolist()]
    masks = law.support()[0]
    sample = token_sample(images, law, codebook=book, positions=positions)
    maps = []
    for ours, shown in ((sample.views, masks), (sample.targets, ~masks)):
        theirs = view_identities(world.states, shown, positions)[0][rows]  # (n, m)
        pairs = np.unique(np.stack([ours.ravel(), theirs.ravel()], axis=1), axis=0)
        assert len(pairs) == len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == theirs.max() + 1
        maps.append(pairs[:, 1])
    moved = np.zeros(exact.shape)
    moved[np.ix_(*maps)] = found.joint.toarray()
    np.testing.assert_allclose(moved, exact.joint.toarray(), rtol=0, atol=60 * len(masks) * np.finfo(float).eps)
    for name in ("label_error", "target_label_error", "pair_label_error"):
        assert getattr(found, name)() == pytest.approx(getattr(exact, name)(), abs=1e-12)
    assert found.n_components == exact.n_components


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_equal_hashes_are_equal_views(positions):
    rng = np.random.default_rng(1)
    codes, masks = rng.integers(0, 3, (40, 5)), BernoulliMasks(5, 0.5).support()[0]
    hashes = view_hashes(codes, masks, positions, random_hash_words(5, 3, 0))
    seen: dict[bytes, set] = {}
    for i, j in product(range(40), range(len(masks))):
        shown = tuple(codes[i, masks[j]])
        view = (tuple(masks[j]), shown) if positions == "kept" else shown
        seen.setdefault(hashes[i, j].tobytes(), set()).add(view)
    assert all(len(views) == 1 for views in seen.values())
    assert len(seen) == len(set().union(*seen.values()))


def test_a_collision_in_one_lane_is_told_apart_by_the_other():
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 4, (200, 2)).astype(np.uint64)
    expected = np.unique(hashes, axis=0, return_inverse=True)[1].ravel()
    assert unique_inverse(hashes).tolist() == expected.tolist()
    assert collision_bound(3, 2) == 4 / 2.0**128


def test_neither_the_chunk_nor_a_second_run_changes_anything(images):
    book = fit_codebook(images, 2, 4, seed=3)
    again = fit_codebook(images, 2, 4, seed=3)
    assert book.centres.tobytes() == again.centres.tobytes()
    told: list[tuple[int, int]] = []
    for targets in ("patches", "pooled"):
        options = {"codebook": book, "n_masks": 3, "targets": targets, "pooled_codes": 6, "seed": 1}
        one = token_sample(images, UniformMasks(4, 2), **options)
        many = token_sample(
            images, UniformMasks(4, 2), chunk=16, progress=lambda *step: told.append(step[:2]), **options
        )
        assert np.array_equal(one.views, many.views)
        assert np.array_equal(one.targets, many.targets)
    assert told == [(16, 60), (32, 60), (48, 60), (60, 60)] * 2


def test_pooled_targets_coincide_where_patches_do_not():
    digits = load_images("digits", limit=300)
    book, law = fit_codebook(digits, 2, 32), UniformMasks(16, 8)
    for positions in ("kept", "dropped"):
        options = {"codebook": book, "n_masks": 4, "positions": positions}
        fine = token_sample(digits, law, **options)
        coarse = token_sample(digits, law, targets="pooled", pooled_codes=8, **options)
        assert fine.targets.max() > 1000
        assert coarse.targets.max() + 1 <= (4 * 8 if positions == "kept" else 8)
        assert np.array_equal(fine.views, coarse.views)
        masks_of = [set(np.nonzero(coarse.targets == t)[1].tolist()) for t in range(coarse.targets.max() + 1)]
        assert (max(map(len, masks_of)) == 1) == (positions == "kept")  # a kept target knows its mask
    assert coarse.graph.n_components < 8 < 1000 < fine.graph.n_components
    both = token_sample(digits, law, views="pooled", targets="pooled", pooled_codes=8, **options)
    assert both.shape == (8, 8)


def test_a_pooled_target_is_the_nearest_mean():
    digits = load_images("digits", limit=40)
    law = UniformMasks(16, 15)  # one patch hidden: its mean is itself
    book = fit_codebook(digits, 2, 8)
    sample = token_sample(digits, law, codebook=book, targets="pooled", pooled_codes=4, positions="dropped")
    masks = law.support()[0]
    patches = pixels_as_float64(patchify(digits.images, 2))
    hidden = np.stack([patches[:, np.flatnonzero(~mask)[0]] for mask in masks], axis=1)  # (n, m, c)
    centres = np.stack([hidden[sample.targets == t].mean(0) for t in range(4)])
    distance = ((hidden[:, :, None] - centres) ** 2).sum(-1)
    assert (distance.argmin(-1) == sample.targets).mean() > 0.95  # k-means on minibatches has not quite converged


def test_codes_are_the_nearest_centres_in_whitened_axes():
    digits = load_images("digits", limit=50)
    book = fit_codebook(digits, 2, 16, components=3, whiten=True, seed=1)
    patches = pixels_as_float64(patchify(digits.images, 2)).reshape(-1, 4)
    seen = (patches - book.mean) @ book.projection
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-9)
    distance = ((seen[:, None] - book.centres) ** 2).sum(-1)
    nearest = distance[np.arange(len(seen)), book.codes(patches)]
    np.testing.assert_allclose(nearest, distance.min(1), atol=1e-12)
    assert set(book.codes(patches)) == set(range(16))


def test_masks_drawn_are_those_of_the_law_and_weigh_alike(images):
    sample = token_sample(images, UniformMasks(4, 2), codebook=fit_codebook(images, 2, 5), n_masks=7)
    assert sample.masks_drawn
    assert sample.views.shape == (60, 7)
    assert sample.mask_weights.tolist() == [1 / 7] * 7
    assert sample.graph.joint.sum() == pytest.approx(1, abs=1e-13)
    assert 0 < sample.collision_probability < 1e-30


def test_what_cannot_be_counted_is_one_sentence(images):
    law, book = UniformMasks(4, 2), fit_codebook(images, 2, 5)
    with pytest.raises(InputError, match="size must lie between 2 and the 5 distinct patches there are, but it is 6"):
        fit_codebook(images, 2, 6)
    with pytest.raises(InputError, match="components must lie between 1 and the 4 values of a patch, but it is 5"):
        fit_codebook(images, 2, 3, components=5)
    with pytest.raises(InputError, match="at least 2 images"):
        token_graph(images.take([0]), law, codebook=book)
    with pytest.raises(InputError, match="must cover the 4 patches of an image, but it covers 9"):
        token_graph(images, UniformMasks(9, 2), codebook=book)
    with pytest.raises(InputError, match="codes must be integers from 0, but they are int64 from -1"):
        sample_from_codes(np.array([[-1, 0], [1, 0]]), np.arange(2), UniformMasks(2, 1))
    with pytest.raises(InputError, match="n_masks must be at least 1"):
        token_graph(images, law, codebook=book, n_masks=0)
    with pytest.raises(InputError, match='targets must be "patches" or "pooled"'):
        token_graph(images, law, codebook=book, targets="mean")
    with pytest.raises(InputError, match='positions must be "kept" or "dropped"'):
        token_graph(images, law, codebook=book, positions="lost")
    with pytest.raises(InputError, match="chunk must be at least 1"):
        token_graph(images, law, codebook=book, chunk=0)
    with pytest.raises(InputError, match="for patches of 4 values, but these have 1"):
        book.codes(np.zeros((3, 1)))
    with pytest.raises(InputError, match="distinct"):
        token_graph(images, law, codebook=book, targets="pooled", pooled_codes=10_000)
    with pytest.raises(InputError, match="labels must be 2 integers"):
        sample_from_codes(np.zeros((2, 4), int), np.array([0, -1]), law)


def test_a_code_without_a_patch_is_refused(monkeypatch):
    class Lazy:
        def __init__(self, size, **_):
            self.cluster_centers_ = np.zeros((size, 1))

        def fit(self, rows):
            self.labels_ = np.zeros(len(rows), int)
            return self

    monkeypatch.setattr("sklearn.cluster.MiniBatchKMeans", Lazy)
    images = ImageSet(np.linspace(0, 1, 12).reshape(3, 1, 2, 2), np.zeros(3, int), "ramp")
    with pytest.raises(InputError, match="k-means left 2 of 3 codes without a patch"):
        fit_codebook(images, 1, 3)
