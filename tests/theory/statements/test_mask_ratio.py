"""Mask ratios: duality, growth of α and the sweep, against loops over images and masks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import sparse

from maetheory.data import worlds
from maetheory.graph import MaskGraph, NodeContents
from maetheory.masks import BlockMasks, ListedMasks, UniformMasks
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Verdict, certify, check
from maetheory.theory.certified.balls import precision
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.graph_assumptions import has_complementary_masks
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.closed_form_mixture import best_visible, pair_error, second_eigenvalue, sharp_bound
from maetheory.theory.mask_ratio_sweep import mask_ratio_sweep

LABELS, VALUES = np.array([0, 1]), np.array([0.0, 1.0])
DUAL, GROWS = "mask-ratio-duality", "label-error-grows-with-mask-ratio"


@pytest.mark.parametrize("slug", [DUAL, GROWS])
def test_a_short_search_finds_nothing(slug):
    assert_holds(THEOREMS[slug], worlds=40, seed=1)


def test_blocks_are_not_dual():
    world = worlds.mixture(4, 2, 2, 0.2)
    graph, other = (MaskGraph.enumerate(world, BlockMasks((1, 4), v)) for v in (1, 3))
    found = replace(THEOREMS[DUAL], assumptions={}).check(graph, complement=other)
    assert found.verdict is Verdict.VIOLATED


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_the_sweep_is_the_sum_over_images_and_masks(positions):
    world = worlds.random(4, 2, 2, seed=3, n_states=9)
    rows = mask_ratio_sweep(world, 2, positions)
    for row, dual in zip(rows, rows[::-1], strict=True):
        masks, seen = list(combinations(range(4), row.n_visible)), defaultdict(lambda: [0.0, 0.0])
        for state, mass, label in zip(world.states, world.probability, world.labels, strict=True):
            for mask in masks:
                view = tuple(state[list(mask)]) if positions == "dropped" else (mask, tuple(state[list(mask)]))
                seen[view][label] += mass / len(masks)
        assert row.alpha == pytest.approx(sum(min(pair) for pair in seen.values()), abs=1e-14)
        assert row.alpha2 == pytest.approx(dual.alpha, abs=1e-12)
        assert row.tail == pytest.approx(dual.tail, abs=1e-12)
        assert row.components == dual.components
    assert all(a.alpha >= b.alpha - 1e-14 for a, b in pairwise(rows))


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("k", [1, 2, 4, 5, 40])
def test_the_bound_of_a_sweep_divides_by_the_gap_and_is_infinite_where_components_outnumber_features(k, positions):
    world = worlds.random(4, 2, 2, seed=3, n_states=9)
    for row in mask_ratio_sweep(world, k, positions):
        graph = MaskGraph.enumerate(world, UniformMasks(4, row.n_visible), positions)
        found = np.linalg.eigvalsh(graph.augmentation.toarray())[::-1]
        lam = np.pad(found, (0, 50))
        assert row.mask_ratio == 1 - row.n_visible / 4
        assert row.phi == pytest.approx(float(graph.pair_label_error()), abs=1e-14)
        assert (row.last_eigenvalue, row.next_eigenvalue) == pytest.approx((lam[k - 1], lam[k]), abs=1e-12)
        assert row.tail == pytest.approx((lam[k:] ** 2).sum(), abs=1e-12)
        assert row.components == int((lam > 1 - 1e-9).sum())
        bound = 4 * row.phi / (1 - lam[k]) + 2 * row.alpha if row.components <= k else np.inf
        assert row.sharp_bound == pytest.approx(bound, rel=1e-9)


def test_the_solvable_mixture_is_its_graph_where_no_tie_occurs():
    for v in (1, 3, 5):
        graph = MaskGraph.enumerate(worlds.mixture(6, 2, 2, 0.1), UniformMasks(6, v), "dropped")
        assert graph.spectrum(2).values[1] ** 2 == pytest.approx(second_eigenvalue(6, v, 0.1), abs=1e-12)
        assert graph.pair_label_error() == pytest.approx(pair_error(6, v, 0.1), abs=1e-12)


def test_the_best_ratio_tends_to_one_half():
    assert [best_visible(n, 0.1) / n for n in (8, 16, 32, 64)] == [0.625, 0.5625, 0.53125, 0.515625]
    assert [round(sharp_bound(8, v, 0.1), 3) for v in (2, 4)] == [0.945, 0.386]


def sure_and_unsure():
    """Four equally likely images of the same labels; in the first world the picture does not tell the label."""
    labels, mass, values = np.array([0, 1, 0, 1]), np.full(4, 0.25), np.array([0.0, 1.0])
    pictures = [np.repeat(np.array(bits)[:, None], 3, 1) for bits in ([0, 0, 1, 1], [0, 1, 0, 1])]
    return [worlds.FiniteWorld(states, mass, labels, values) for states in pictures]


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_images_of_equal_mass_and_label_that_look_different_are_told_apart(positions):
    unsure, sure = sure_and_unsure()
    graph = MaskGraph.enumerate(unsure, UniformMasks(3, 2), positions)
    other = MaskGraph.enumerate(sure, UniformMasks(3, 1), positions)
    found = check(GROWS, graph, hides_more=other)
    assert found.slack == pytest.approx(-0.5)
    assert found.verdict is Verdict.INAPPLICABLE
    assert "contents differ" in found.note


def test_who_drops_positions_may_err_more_than_who_keeps_them_and_sees_less():
    world = worlds.random(3, 2, 2, seed=11, n_states=7)
    graph = MaskGraph.enumerate(world, UniformMasks(3, 2), "dropped")
    found = check(GROWS, graph, hides_more=MaskGraph.enumerate(world, UniformMasks(3, 1), "kept"))
    assert found.slack < -0.1
    assert found.verdict is Verdict.INAPPLICABLE
    assert "positions are dropped and kept" in found.note


def test_graphs_of_equal_masses_and_degrees_are_not_dual_for_that():
    """A cycle of eight and two cycles of four have the same sorted masses and degrees."""
    ring = MaskGraph.from_joint(np.eye(4) / 8 + np.roll(np.eye(4), 1, 1) / 8)
    squares = MaskGraph.from_joint(np.kron(np.eye(2), np.ones((2, 2))) / 8)
    found = check(DUAL, ring, complement=squares)
    assert found.slack <= -1
    assert found.verdict is Verdict.INAPPLICABLE
    assert check(DUAL, ring, complement=MaskGraph.from_joint(ring.joint.T)).verdict is Verdict.TIGHT


def renumbered(graph):
    """The same graph with its views counted backwards."""
    seen = graph.view_contents
    masks = None if seen.masks is None else seen.masks[::-1]
    contents = NodeContents(seen.symbols[::-1], masks, seen.values)
    return replace(graph, joint=graph.joint[::-1], image_views=graph.image_views[:, ::-1], view_contents=contents)


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_the_complement_is_matched_by_what_nodes_show_and_by_labels(positions):
    world = worlds.random(4, 2, 2, seed=6, n_states=9)
    graph, dual = (MaskGraph.enumerate(world, UniformMasks(4, v), positions) for v in (1, 3))
    assert check(DUAL, graph, complement=dual).verdict is Verdict.TIGHT
    assert check(DUAL, graph, complement=renumbered(dual)).verdict is Verdict.TIGHT
    nameless = replace(renumbered(dual), view_contents=None, target_contents=None)
    assert check(DUAL, graph, complement=nameless).verdict is Verdict.INAPPLICABLE
    relabelled = replace(dual, image_labels=np.roll(dual.image_labels, 1))
    other = "dropped" if positions == "kept" else "kept"
    for wrong in (relabelled, MaskGraph.enumerate(world, UniformMasks(4, 3), other)):
        assert check(DUAL, graph, complement=wrong).verdict is Verdict.INAPPLICABLE


def masks_by_image(world, masks_of_image):
    """Joint law of a graph whose masks depend on the image, on the nodes of the graph of `ListedMasks`."""
    every = ListedMasks(np.unique(np.concatenate(masks_of_image), axis=0))
    graph = MaskGraph.enumerate(world, every)
    joint, of_views, of_targets = (np.zeros(a.shape) for a in (graph.joint, graph.image_views, graph.image_targets))
    views, targets = (
        {(*m, *s[s >= 0]): i for i, (m, s) in enumerate(zip(c.masks.tolist(), c.symbols))}
        for c in (graph.view_contents, graph.target_contents)
    )
    for image, masks in enumerate(masks_of_image):
        for mask in masks:
            i = views[(*mask.tolist(), *world.states[image][mask])]
            j = targets[(*(~mask).tolist(), *world.states[image][~mask])]
            mass = world.probability[image] / len(masks)
            joint[i, j] += mass
            of_views[image, i] += mass
            of_targets[image, j] += mass
    shown, hidden = joint.sum(1) > 0, joint.sum(0) > 0  # the other nodes of the graph never occur
    laws = joint[shown][:, hidden], of_views[:, shown], of_targets[:, hidden]
    joint, of_views, of_targets = (sparse.csr_array(law) for law in laws)
    contents = (
        replace(c, symbols=c.symbols[kept], masks=c.masks[kept])
        for c, kept in ((graph.view_contents, shown), (graph.target_contents, hidden))
    )
    return MaskGraph(joint, of_views, of_targets, graph.image_labels, *contents, graph.n_pairs)


def test_a_law_that_chooses_its_masks_by_the_image_violates_duality():
    """Both images see both patches equally often, so the masks are complementary, but not image by image."""
    states = np.array([[0, 0, 0], [1, 1, 1]])
    world = worlds.FiniteWorld(states, np.array([0.5, 0.5]), np.array([0, 1]), np.array([0.0, 1.0]))
    first, second = np.array([[True, False, False]]), np.array([[False, True, False]])
    graph = masks_by_image(world, [first, second])
    wrong = masks_by_image(world, [~second, ~first])
    right = masks_by_image(world, [~first, ~second])
    assert check(DUAL, graph, complement=right).verdict is Verdict.TIGHT
    found = check(DUAL, graph, complement=wrong)
    assert found.assumptions[0].holds
    assert found.verdict is Verdict.VIOLATED
    assert certify(DUAL, graph, complement=wrong).verdict is Verdict.VIOLATED
    assert certify(DUAL, graph, complement=right).verdict is Verdict.TIGHT


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_laws_with_their_own_complements_are_proved_dual_and_others_are_not_called_dual(positions):
    world = worlds.random(4, 2, 2, seed=1, n_states=6)
    masks = np.array([[True, False, False, False], [True, True, False, True]])
    laws = [ListedMasks(m, w) for m, w in ((masks, [0.3, 0.7]), (~masks, [0.3, 0.7]), (~masks, [0.7, 0.3]))]
    graph, right, wrong = (MaskGraph.enumerate(world, law, positions) for law in laws)
    assert certify(DUAL, graph, complement=right).verdict is Verdict.TIGHT
    blocks = [MaskGraph.enumerate(world, BlockMasks((1, 4), v), positions) for v in (1, 3)]
    for one, two in ((graph, wrong), blocks):
        assert certify(DUAL, one, complement=two).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize(("off", "verdict"), [(0.9e-12, Verdict.TIGHT), (1.2e-12, Verdict.INAPPLICABLE)])
@pytest.mark.parametrize("of", ["masks", "images"])
def test_complementary_laws_agree_up_to_a_relative_rounding_error(of, off, verdict):
    """The rare mask, or image, of mass 1e-6 differs by a part of its own mass: 1e-18 of the whole."""
    masses, moved = np.array([1 - 1e-6, 1e-6]), np.array([1 - 1e-6 * (1 + off), 1e-6 * (1 + off)])
    even, masks = np.array([0.5, 0.5]), np.array([[True, False, False], [True, True, False]])
    graph, dual = (
        MaskGraph.enumerate(
            worlds.FiniteWorld(np.array([[0, 0, 0], [1, 1, 1]]), m if of == "images" else even, LABELS, VALUES),
            ListedMasks(shown, m if of == "masks" else even),
        )
        for shown, m in ((masks, masses), (~masks, moved))
    )
    assert check(DUAL, graph, complement=dual).verdict is verdict
    assert certify(DUAL, graph, complement=dual).verdict is verdict


def test_the_cost_of_nearly_complementary_laws_covers_what_they_change():
    """Masses of image and mask that are both off by a share δ change a mass of a pair by nearly twice as much."""
    masks, states = np.array([[True, False, False], [True, True, False]]), np.array([[0, 0, 0], [1, 1, 1]])
    for share in (0.5, 1e-3):
        graph, dual = (
            MaskGraph.enumerate(worlds.FiniteWorld(states, m, LABELS, VALUES), ListedMasks(shown, m))
            for shown, m in ((masks, np.array([0.9, 0.1])), (~masks, np.array([1 - 0.1 * share, 0.1 * share])))
        )
        with precision(106):
            one, two = BallGraph(graph), BallGraph(dual)
            margin = has_complementary_masks(one, two)
            found = CERTIFIED_SIDES[DUAL].lhs(one, two)
            assert margin.cost >= found
            assert -margin.value < found  # the share alone would not cover it


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("seed", range(5))
def test_any_law_and_its_complements_transpose_the_joint(seed, positions):
    rng = np.random.default_rng(seed)
    world = worlds.random(4, 2, 2, seed=seed, n_states=9)
    masks = np.array([rng.permutation(4) < rng.integers(1, 4) for _ in range(5)])
    weights = rng.dirichlet(np.ones(5))
    graph, dual = (MaskGraph.enumerate(world, ListedMasks(m, weights), positions) for m in (masks, ~masks))
    assert check(DUAL, graph, complement=dual).verdict is Verdict.TIGHT
    other = MaskGraph.enumerate(world, ListedMasks(~masks, weights[::-1]), positions)
    assert check(DUAL, graph, complement=other).verdict is Verdict.INAPPLICABLE


def test_one_entry_of_a_tiny_mass_that_is_wrong_violates_duality():
    world = worlds.random(3, 2, 2, seed=1, n_states=4)
    tiny = replace(world, probability=np.array([1 - 3e-10, 1e-10, 1e-10, 1e-10]))
    graph, dual = (MaskGraph.enumerate(tiny, UniformMasks(3, v)) for v in (1, 2))
    assert check(DUAL, graph, complement=dual).verdict is Verdict.TIGHT
    wrong = dual.joint.tolil()
    i, j = np.argwhere(dual.joint.toarray() == dual.joint.data.min())[0]
    wrong[i, j] *= 2
    joint = sparse.csr_array(wrong.tocsr())
    assert check(DUAL, graph, complement=replace(dual, joint=joint)).slack < -0.4


def test_labels_of_one_graph_alone_are_not_compared():
    joint = np.array([[0.3, 0.2], [0.1, 0.4]])
    labelled, bare = MaskGraph.from_joint(joint, labels=[0, 1]), MaskGraph.from_joint(joint)
    for graph, other in ((labelled, bare), (bare, labelled)):
        dual = replace(MaskGraph.from_joint(joint.T), image_labels=other.image_labels)
        assert check(DUAL, graph, complement=dual).verdict is Verdict.TIGHT
        assert certify(DUAL, graph, complement=dual).verdict is Verdict.TIGHT


def test_images_with_other_labels_are_other_images():
    world = worlds.mixture(3, 2, 2, 0.2)
    other = replace(world, labels=1 - world.labels)
    graph, hides_more = MaskGraph.enumerate(world, UniformMasks(3, 2)), MaskGraph.enumerate(other, UniformMasks(3, 1))
    for found in (check(GROWS, graph, hides_more=hides_more), certify(GROWS, graph, hides_more=hides_more)):
        assert found.verdict is Verdict.INAPPLICABLE
        assert "labels" in found.note
