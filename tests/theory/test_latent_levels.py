"""Levels of a tree of latents that singular functions follow, against sums over all latents."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise, product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import MaskPairs
from maetheory.theory import latent_levels
from maetheory.theory.latent_levels import explained_shares, functions_under_mask, latent_level_table


def trees(depth, alphabet, stay):
    """Every assignment of the nodes, level by level, with its probability."""
    sizes = [2**level for level in range(depth + 1)]
    for symbols in product(range(alphabet), repeat=sum(sizes)):
        levels, start = [], 0
        for size in sizes:
            levels.append(symbols[start : start + size])
            start += size
        chance = 1 / alphabet
        for above, below in pairwise(levels):
            for place, symbol in enumerate(below):
                chance *= stay if symbol == above[place // 2] else (1 - stay) / (alphabet - 1)
        yield levels, chance


def test_the_world_is_the_sum_over_its_latents():
    for depth, alphabet, stay in ((2, 2, 0.8), (1, 3, 0.6)):
        law, root = defaultdict(float), defaultdict(float)
        for levels, chance in trees(depth, alphabet, stay):
            law[levels[-1]] += chance
            root[levels[-1], levels[0][0]] += chance
        world = worlds.hierarchy(depth, alphabet, stay)
        for state, mass, label in zip(world.states.tolist(), world.probability, world.labels, strict=True):
            assert mass == pytest.approx(law[tuple(state)], rel=1e-12)
            assert root[tuple(state), int(label)] >= max(root[tuple(state), c] for c in range(alphabet)) - 1e-15


def test_patches_hold_neighbouring_pixels():
    fine, coarse = (worlds.hierarchy(2, 2, 0.9, patch) for patch in (1, 2))
    np.testing.assert_allclose(coarse.probability, fine.probability)
    np.testing.assert_array_equal(coarse.pixels.reshape(16, 4), fine.pixels.reshape(16, 4))
    np.testing.assert_array_equal(coarse.labels, fine.labels)


@pytest.mark.parametrize("above", [1, 2, 3])
def test_two_leaves_correlate_by_their_common_ancestor(above):
    world, mu = worlds.hierarchy(3, 2, 0.85), 0.7
    masks = np.arange(8) == 0, np.arange(8) == 2 ** (above - 1)
    graph = MaskGraph.enumerate(world, MaskPairs(masks[0][None], masks[1][None]))
    np.testing.assert_allclose(graph.spectrum(2).values, [1, mu ** (2 * above)], atol=1e-12)


def test_shares_are_variances_of_conditional_means_over_all_latents():
    depth, stay = 2, 0.8
    functions = np.random.default_rng(0).normal(size=(16, 2))
    index = {state: i for i, state in enumerate(product(range(2), repeat=4))}
    explained = []
    for level in range(depth + 1):
        mass, total = defaultdict(float), defaultdict(lambda: np.zeros(2))
        for levels, chance in trees(depth, 2, stay):
            mass[levels[level]] += chance
            total[levels[level]] += chance * functions[index[levels[-1]]]
        means = {z: total[z] / mass[z] for z in mass}
        mean = sum(mass[z] * means[z] for z in mass)
        explained.append(sum(mass[z] * (means[z] - mean) ** 2 for z in mass))
    expected = np.diff(np.array(explained), axis=0, prepend=0.0) / explained[-1]
    found = explained_shares(functions, depth, 2, stay)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(0), 1)
    assert (found >= -1e-12).all()


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 1e6])
def test_a_constant_function_has_no_shares(size):
    constants = size * np.random.default_rng(0).normal(size=20)
    assert (explained_shares(np.tile(constants, (16, 1)), 2, 2, 0.8) == 0).all()
    nearly = constants + 1e-6 * size * np.random.default_rng(1).normal(size=(16, 20))
    np.testing.assert_allclose(explained_shares(nearly, 2, 2, 0.8).sum(0), 1)


def test_trees_of_sixteen_leaves_have_the_levels_of_smaller_ones():
    """One visible patch of four pixels is a subtree of depth 2: its root explains the same, μ² a level further up."""
    small, large = (latent_level_table(depth, 2, (0.9,), (4,)) for depth in (3, 4))
    assert set(small.level) == {0, 1, 2, 3}
    assert set(large.level) == {0, 1, 2, 3, 4}
    upper = large[(large.mask_ratio == 0.75) & (large.level <= 1)].share.sum()
    assert upper == pytest.approx(small[small.level == 0].share.iloc[0], rel=0.2)


def test_functions_are_those_of_the_mask_graph():
    world, mask = worlds.hierarchy(2, 2, 0.8), np.array([True, True, False, False])
    sigmas, functions = functions_under_mask(world, mask)
    graph = MaskGraph.enumerate(world, MaskPairs(mask[None], ~mask[None]))
    np.testing.assert_allclose(sigmas, graph.spectrum(4).values[1:], atol=1e-10)
    moments = functions.T @ (world.probability[:, None] * functions)
    np.testing.assert_allclose(moments, np.eye(3), atol=1e-12)
    means = world.probability @ functions
    np.testing.assert_allclose(means, 0, atol=1e-12)


def test_one_visible_leaf_has_the_shares_of_a_chain():
    """A function of one leaf keeps μ² of its variance a level up, whatever it predicts."""
    frame = latent_level_table(3, 2, (0.9,), (1,))
    shares = frame[frame.mask_ratio == 7 / 8].sort_values("level").share.to_numpy()
    np.testing.assert_allclose(np.cumsum(shares), 0.8 ** (2 * np.array([3, 2, 1, 0])), rtol=1e-9)


def test_sigmas_are_dual_in_the_mask_ratio_and_levels_are_not():
    frame = latent_level_table(2, 2, (0.9,), (1,))
    sigma, level = (frame[frame.level == 0].set_index("mask_ratio")[column] for column in ("sigma", "mean_level"))
    assert sigma[0.25] == pytest.approx(sigma[0.75], abs=1e-12)
    assert level[0.75] > level[0.25] + 0.1


def test_extreme_ratios_at_both_ends_give_lower_levels_and_the_large_one_more():
    """The published table: the root has its largest share at mask ratios from 1/4 to 1/2, and the least at 7/8."""
    frame = latent_level_table(3, 2, (0.9,), (1,))
    root = frame[frame.level == 0].set_index("mask_ratio").share
    assert root[[0.25, 0.375, 0.5]].min() > max(root[0.125], root[0.875], root[0.75])
    assert root.idxmin() == 0.875
    assert root[0.125] > root[0.75] + 0.02


def test_repeated_singular_values_share_alike(monkeypatch):
    """The basis of a repeated singular value is arbitrary: each of its functions gets their mean share."""
    functions = np.random.default_rng(0).normal(size=(16, 3))
    sigmas = np.array([0.5, 0.5, 0.2])
    monkeypatch.setattr(latent_levels, "functions_under_mask", lambda world, mask: (sigmas, functions))
    frame = latent_level_table(2, 2, (0.9,), (2,), n_functions=3)
    found = frame.pivot_table("share", "function", "level").to_numpy()
    alone = explained_shares(functions, 2, 2, 0.9).T
    assert np.abs(alone[0] - alone[1]).max() > 0.05
    np.testing.assert_allclose(found, [alone[:2].mean(0), alone[:2].mean(0), alone[2]], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: worlds.hierarchy(0, 2, 0.9), "depth must be from 1 to 4, but it is 0"),
        (lambda: worlds.hierarchy(5, 2, 0.9), "depth must be from 1 to 4, but it is 5"),
        (lambda: worlds.hierarchy(2, 1, 0.9), "alphabet must be at least 2"),
        (lambda: worlds.hierarchy(2, 2, 1.1), "stay_probability must lie between 0 and 1"),
        (lambda: worlds.hierarchy(2, 2, 0.9, 3), "patch must be a power of two below the 4 pixels, but it is 3"),
        (lambda: worlds.hierarchy(2, 2, 0.9, 4), "patch must be a power of two below the 4 pixels, but it is 4"),
        (lambda: worlds.hierarchy(4, 3, 0.9), "states, more than the 4,000,000"),
        (lambda: latent_level_table(n_functions=0), "n_functions must be at least 1"),
        (lambda: latent_level_table(4, 2, (0.9,), (1,)), "masks of 8 of 16 patches, more than 1,000"),
    ],
)
def test_what_is_no_tree_is_one_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()
