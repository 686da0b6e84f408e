"""Margins of assumptions about pairs of graphs: by how much they are missed, and at what cost, against float sums."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from maetheory.data import worlds
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import ListedMasks, UniformMasks
from maetheory.theory import THEOREMS, certify, check
from maetheory.theory.certified import graph_assumptions
from maetheory.theory.certified.balls import ball, ball_around, enclosure, precision
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.graph_assumptions import (
    _agreement_margin,
    has_complementary_masks,
    hides_more_uniformly,
    images_known_exactly,
    relative_differences,
    same_images,
    same_positions,
)
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.statements.label_error_grows_with_mask_ratio import (
    IMAGES,
    MASKS,
    _hides_more_uniformly,
    _symbol_frequencies,
    contents_agree,
    symbols_per_image,
    uniform_parts,
)

OFF = 1e-3
WORLD = worlds.random(4, 3, 2, seed=5, n_states=9)
THREE = UniformMasks(4, 3)


def margin_of(function, *graphs):
    """Margin of balls at 106 bits as floats: value, allowed shortfall and cost."""
    with precision(106):
        found = function(*(BallGraph(graph) for graph in graphs))
        cost = math.nan if found.cost is None else float(found.cost)
        return float(found.value), float(found.allowed), cost


def kept(law, world=WORLD, positions="kept"):
    return MaskGraph.enumerate(world, law, positions)


def singles(weights):
    """Masks that show one patch of four, with these weights."""
    return ListedMasks(np.eye(4, dtype=bool), np.asarray(weights))


def moved(world, by):
    """World whose first two images exchange this mass."""
    mass = world.probability.copy()
    mass[:2] += [by, -by]
    return FiniteWorld(world.states, mass, world.labels, world.values)


def test_masses_differ_by_a_part_of_the_larger_and_wholly_where_one_is_missing():
    with precision(53):
        one, two = ({"a": ball(0.25), "b": ball(0.5)}, {"b": ball(0.4), "a": ball(0.25), "c": ball(1e-300)})
        for pair in ((one, two), (two, one)):
            assert sorted(map(float, relative_differences(*pair))) == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize("cost", [None, 0.25])
def test_laws_agree_within_their_largest_difference_and_cost_their_sum(cost):
    with precision(53):
        found = _agreement_margin(iter([ball(0.25), ball(0.5)]), "{}", None if cost is None else ball(cost))
        assert (float(found.value), float(found.allowed)) == (-0.5, 1e-12)
        assert float(found.cost) == (0.75 if cost is None else cost)
        assert found.measured == "0.5"


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_images_of_other_masses_cost_the_sum_of_the_differences(positions):
    graph, other = kept(THREE, positions=positions), kept(UniformMasks(4, 1), moved(WORLD, OFF), positions)
    assert margin_of(same_images, graph, other) == pytest.approx((-OFF, 1e-12, 2 * OFF))
    assert margin_of(same_images, graph, graph) == pytest.approx((0.0, 1e-12, 0.0), abs=1e-25)


def test_images_that_differ_in_number_labels_or_contents_are_not_the_same_in_either_mode():
    graph, other = kept(THREE), kept(UniformMasks(4, 1))
    fewer = kept(UniformMasks(4, 1), worlds.random(4, 3, 2, seed=5, n_states=8))
    relabelled = replace(other, image_labels=1 - other.image_labels)
    unlabelled = replace(other, image_labels=None)
    elsewhere = kept(UniformMasks(4, 1), replace(WORLD, states=WORLD.states[::-1]))
    for wrong, words in (
        (fewer, "images"),
        (relabelled, "labels differ"),
        (unlabelled, "labels differ"),
        (elsewhere, "contents differ"),
    ):
        holds, measured = THEOREMS["label-error-grows-with-mask-ratio"].assumptions[IMAGES](graph, wrong)
        assert not holds
        assert words in measured
        assert margin_of(same_images, graph, wrong)[:2] == (-math.inf, 0.0)
    assert THEOREMS["label-error-grows-with-mask-ratio"].assumptions[IMAGES](graph, other)[0]


@pytest.mark.parametrize(("one", "two"), [("kept", "dropped"), ("dropped", "kept"), ("kept", "kept")])
def test_positions_are_kept_or_dropped_in_both(one, two):
    graphs = kept(THREE, positions=one), kept(THREE, positions=two)
    assert margin_of(same_positions, *graphs)[0] == (0.0 if one == two else -math.inf)


def test_a_graph_from_a_joint_law_does_not_know_its_masks():
    bare = MaskGraph.from_joint(np.eye(9) / 9, WORLD.labels)
    for pair in ((bare, kept(THREE)), (kept(THREE), bare)):
        assert margin_of(hides_more_uniformly, *pair)[0] == -math.inf
        found = check("label-error-grows-with-mask-ratio", pair[0], hides_more=pair[1])
        assert "does not know its masks" in found.note


def parts_by_hand(graph, hides_more):
    """Largest and summed difference of the law of image and view from that of uniform parts of larger views."""
    contents, others = graph.view_contents, hides_more.view_contents
    law, wanted = hides_more.image_views.toarray().copy(), graph.image_views.toarray()
    lost = 0.0
    seen, fewer = int((contents.symbols[0] >= 0).sum()), int((others.symbols[0] >= 0).sum())
    shown = {
        (tuple(m), tuple(s)): i for i, (m, s) in enumerate(zip(others.masks.tolist(), symbols_of(others).tolist()))
    }
    for image, view in zip(*wanted.nonzero()):
        for (mask, symbols), column in shown.items():
            mine = symbols_of(contents)[view]
            if all(contents.masks[view][p] and mine[p] == symbols[p] for p in range(4) if mask[p]):
                law[image, column] -= wanted[image, view] / comb(seen, fewer)
    lost += np.abs(law).sum()
    return np.abs(law).max(), lost


def symbols_of(contents):
    """Symbol of each patch, −1 where hidden, shape (N, n)."""
    found = np.full(contents.masks.shape, -1)
    found[contents.masks] = contents.symbols[contents.symbols >= 0]
    return found


@pytest.mark.parametrize("which", ["the first", "the second", "both"])
def test_masks_that_are_nearly_uniform_cost_what_parts_of_views_differ_by(which):
    uneven = np.array([0.25 + OFF, 0.25 - OFF, 0.25, 0.25])
    first = ListedMasks(~np.eye(4, dtype=bool), uneven if which != "the second" else np.full(4, 0.25))
    second = singles(uneven if which != "the first" else np.full(4, 0.25))
    graph, other = kept(first), kept(second)
    most, total = parts_by_hand(graph, other)
    value, allowed, cost = margin_of(hides_more_uniformly, graph, other)
    assert (-value, allowed, cost) == pytest.approx((max(most, OFF), 1e-12, total))
    assert margin_of(hides_more_uniformly, kept(THREE), kept(singles([0.25] * 4)))[::2] == pytest.approx(
        (0, 0), abs=1e-15
    )


def test_masks_that_are_not_all_of_their_size_are_wholly_uneven():
    assert margin_of(hides_more_uniformly, kept(THREE), kept(ListedMasks(np.eye(4, dtype=bool)[:3])))[0] == -1.0


@pytest.mark.parametrize("enough", [True, False])
def test_parts_of_views_are_compared_up_to_a_number_of_them(enough, monkeypatch):
    graph, other = (kept(UniformMasks(4, k)) for k in (3, 1))
    number = 3 * graph.shape[0]
    module = "maetheory.theory.statements.label_error_grows_with_mask_ratio._MAX_PARTS"
    monkeypatch.setattr(module, number if enough else number - 1)
    assert (uniform_parts(graph, other) is not None) is enough


def test_other_images_leave_the_masks_to_be_judged_alone():
    """The premise about images fails and reports it; that about masks holds, as they are uniform."""
    elsewhere = replace(WORLD, states=WORLD.states[::-1])
    value, allowed, cost = margin_of(hides_more_uniformly, kept(THREE), kept(UniformMasks(4, 1), elsewhere))
    assert (value, allowed, cost) == pytest.approx((0.0, 1e-12, 0.0), abs=1e-15)
    uneven = kept(singles([0.25 + OFF, 0.25 - OFF, 0.25, 0.25]), elsewhere)
    assert margin_of(hides_more_uniformly, kept(THREE), uneven) == pytest.approx((-OFF, 1e-12, 2 * OFF))


def pure(law_of_targets):
    """Two views, each of one class, and two targets whose class law is given for a joint law of a quarter each."""
    views = sparse.csr_array(np.diag([0.5, 0.5]))
    return MaskGraph(sparse.csr_array(np.full((2, 2), 0.25)), views, sparse.csr_array(law_of_targets), np.array([0, 1]))


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_law_of_images_that_nearly_fits_costs_twice_what_its_marginals_are_off(exchanged):
    graph = pure(np.array([[0.25 + OFF, 0.25 - OFF], [0.25 - OFF, 0.25 + OFF]]))
    graph = graph.transpose() if exchanged else graph
    assert margin_of(images_known_exactly, graph) == pytest.approx((-4 * OFF, 1e-12, 8 * OFF))
    assert margin_of(images_known_exactly, pure(np.full((2, 2), 0.25))) == (0.0, 1e-12, 0.0)


@pytest.mark.parametrize("enough", [True, False])
def test_a_law_of_images_is_searched_up_to_a_number_of_unknowns(enough, monkeypatch):
    rng = np.random.default_rng(0)
    law = rng.random((3, 4, 4))
    law /= law.sum()
    graph = MaskGraph(*(sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1)), np.array([0, 1, 1]))
    unknowns = 2 * graph.joint.nnz
    monkeypatch.setattr(graph_assumptions, "_MAX_UNKNOWNS", unknowns if enough else unknowns - 1)
    value, allowed, cost = margin_of(images_known_exactly, graph)
    if enough:
        assert -1e-12 <= value <= 0
        assert cost == pytest.approx(-2 * value)
    else:
        assert (value, allowed) == (-1e-12, 1e-12)
        assert math.isnan(cost)  # unknown, so that it carries no proof


def test_a_search_that_finds_no_law_of_images_leaves_it_open(monkeypatch):
    law = np.random.default_rng(0).dirichlet(np.ones(48)).reshape(3, 4, 4)
    graph = MaskGraph(*(sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1)), np.array([0, 1, 1]))
    monkeypatch.setattr(graph_assumptions, "linprog", lambda *_, **__: SimpleNamespace(x=None))
    value, allowed, cost = margin_of(images_known_exactly, graph)
    assert (value, allowed) == (-1e-12, 1e-12)
    assert math.isnan(cost)


def test_contents_agree_in_what_both_graphs_show():
    graph, other = kept(THREE), kept(UniformMasks(4, 1))
    assert contents_agree(graph, other)
    assert contents_agree(graph, MaskGraph.from_joint(np.eye(9) / 9, WORLD.labels))
    assert contents_agree(MaskGraph.from_joint(np.eye(9) / 9, WORLD.labels), graph)
    changed = WORLD.states.copy()
    changed[0, 2] = (changed[0, 2] + 1) % 3
    assert not contents_agree(graph, kept(UniformMasks(4, 1), replace(WORLD, states=changed)))
    first_two = kept(ListedMasks(np.eye(4, dtype=bool)[:2]), replace(WORLD, states=changed))
    assert contents_agree(graph, first_two)  # it never shows the patch that was changed
    assert contents_agree(first_two, graph)
    assert not contents_agree(
        *(kept(law, w, "dropped") for law, w in ((THREE, WORLD), (THREE, replace(WORLD, states=changed))))
    )


@pytest.mark.parametrize("patches", [2, 3, 5])
def test_images_of_another_number_of_patches_have_other_contents(patches):
    states = np.resize(WORLD.states.T, (patches, len(WORLD.states))).T
    other = kept(UniformMasks(patches, 1), FiniteWorld(states, WORLD.probability, WORLD.labels, WORLD.values))
    assert not contents_agree(kept(THREE), other)
    assert not contents_agree(other, kept(THREE))
    for judge in (check, certify):
        found = judge("label-error-grows-with-mask-ratio", kept(THREE), hides_more=other)
        assert "contents differ" in found.note


def test_symbols_of_images_are_assembled_from_views():
    assert np.array_equal(symbols_per_image(kept(UniformMasks(4, 1))), WORLD.states)
    half = symbols_per_image(kept(ListedMasks(np.eye(4, dtype=bool)[:2])))
    assert np.array_equal(half[:, :2], WORLD.states[:, :2])
    assert (half[:, 2:] == -1).all()
    frequencies = _symbol_frequencies(kept(THREE, positions="dropped"), 3)
    assert frequencies == pytest.approx((WORLD.states[:, :, None] == np.arange(3)).mean(1))


def test_a_ball_that_is_wide_widens_the_difference():
    with precision(53):
        (found,) = relative_differences({"a": ball_around(ball(0.5), ball(0.1))}, {"a": ball(0.5)})
        assert enclosure(found).high >= 0.2


def normalised_by_hand(joint):
    return joint / np.sqrt(np.outer(joint.sum(1), joint.sum(0)))


JOINT = np.array([[0.2, 0.1, 0.05], [0.05, 0.1, 0.5]])


@pytest.mark.parametrize("labels", [None, [0, 1], "of the first alone"])
@pytest.mark.parametrize("off", [1e-3, 1e-2])
def test_a_graph_that_is_nearly_transposed_costs_what_values_classes_and_masses_differ_by(labels, off):
    moved_joint = JOINT.copy()
    moved_joint[0, 0] += off
    moved_joint[1, 2] -= off
    alone = labels == "of the first alone"
    graph = MaskGraph.from_joint(JOINT, [0, 1] if alone else labels)
    complement = MaskGraph.from_joint(moved_joint, None if alone else labels).transpose()
    gaps = [np.abs(JOINT - moved_joint)]
    of_classes = 0.0
    if labels is not None and not alone:
        for axis in (1, 0):
            mine, other = (law.sum(axis) if axis else law.T for law in (JOINT, moved_joint))
            laws = [np.diag(value) if axis else value for value in (mine, other)]
            gaps.append(np.abs(laws[0] - laws[1]))
            of_classes += gaps[-1].sum()
    of_values = np.linalg.norm(normalised_by_hand(JOINT) - normalised_by_hand(moved_joint)) + of_classes
    relative = (np.abs(JOINT - moved_joint) / np.maximum(JOINT, moved_joint)).max()
    value, allowed, cost = margin_of(has_complementary_masks, graph, complement)
    assert (-value, allowed) == pytest.approx((max(gap.max() for gap in gaps), 1e-12))
    assert cost == pytest.approx(max(of_values, relative))


def test_a_large_difference_of_class_laws_alone_is_missed_and_costs_its_sum():
    views = np.array([[0.35, 0.05], [0.0, 0.6]])
    graphs = [
        MaskGraph(sparse.csr_array(JOINT), sparse.csr_array(views), sparse.csr_array(JOINT), np.array([0, 1])),
        MaskGraph.from_joint(JOINT, [0, 1]).transpose(),
    ]
    value, _, cost = margin_of(has_complementary_masks, *graphs)
    law = views / views.sum(0) * JOINT.sum(1)
    gaps = np.abs(law - np.diag(JOINT.sum(1)))
    assert (-value, cost) == pytest.approx((gaps.max(), gaps.sum()))


def test_pairs_of_one_graph_alone_cost_as_much_as_there_are_nodes():
    joint = JOINT.copy()
    joint[0, 2], joint[0, 1] = 0.0, 0.15
    assert margin_of(has_complementary_masks, MaskGraph.from_joint(JOINT), MaskGraph.from_joint(joint.T))[2] == 3.0


def test_graphs_of_other_shapes_or_numbers_of_classes_are_not_transposed_in_either_mode():
    graph = MaskGraph.from_joint(JOINT, [0, 1])
    three = MaskGraph.from_joint(JOINT, [0, 2])
    for wrong, words in (
        (graph, "the graphs are"),
        (three.transpose(), "classes"),
        (kept(THREE), "the graphs are"),
    ):
        assert margin_of(has_complementary_masks, graph, wrong)[0] == -math.inf
        assert words in check("mask-ratio-duality", graph, complement=wrong).note


@pytest.mark.parametrize("draws", [2, 3, 7])
def test_views_and_targets_that_are_nearly_independent_cost_as_many_laws_as_draws(draws):
    joint = np.outer([0.25, 0.75], [0.2, 0.3, 0.5]) + OFF * np.array([[1, 0, -1], [-1, 0, 1]])
    roots = np.sqrt(np.outer(joint.sum(1), joint.sum(0)))
    gaps = np.abs(joint / roots - roots)
    with precision(106):
        premise = CERTIFIED_SIDES["sampled-spectrum-is-biased-upward"].assumptions["view and target are independent"]
        found = premise(BallGraph(MaskGraph.from_joint(joint)), draws)
        assert float(-found.value) == pytest.approx(gaps.max())
        assert float(found.cost) == pytest.approx(draws * min(draws, 2) * (roots * gaps).sum() + (gaps**2).sum())


PAIRS = list(combinations(range(4), 2))


def uneven_pairs(off):
    """Masks of two patches of four, some more likely than others, each patch as likely as another."""
    shift = {(0, 1): off, (2, 3): off, (0, 2): -off, (1, 3): -off}
    weights = np.array([1 / 6 + shift.get(pair, 0.0) for pair in PAIRS])
    return ListedMasks(np.array([[p in pair for p in range(4)] for pair in PAIRS]), weights)


def lost_parts(off):
    """Largest and summed difference of the masses of image and sequence of two symbols under uneven masks."""
    most = total = 0.0
    for state, mass in zip(WORLD.states, WORLD.probability, strict=True):
        shown = {}
        for pair, weight in zip(PAIRS, uneven_pairs(off).weights, strict=True):
            sequence = tuple(state[list(pair)])
            shown[sequence] = shown.get(sequence, 0.0) + mass * (weight - 1 / 6)
        most, total = max(most, *map(abs, shown.values())), total + sum(map(abs, shown.values()))
    return most, total


def test_uneven_masks_without_positions_cost_what_sequences_differ_by():
    graph, other = kept(THREE, positions="dropped"), kept(uneven_pairs(OFF), positions="dropped")
    most, total = lost_parts(OFF)
    assert margin_of(hides_more_uniformly, graph, other) == pytest.approx((-most, 1e-12, total))
    holds, measured = _hides_more_uniformly(graph, other)
    assert not holds
    assert float(measured.split()[-1]) == pytest.approx(most, rel=0.01)


@pytest.mark.parametrize(("share", "holds"), [(0.0, True), (0.9, True), (1.1, False)])
def test_uneven_masks_without_positions_are_uniform_within_rounding(share, holds):
    off = share * OFF * 1e-12 / lost_parts(OFF)[0]
    graph, other = kept(THREE, positions="dropped"), kept(uneven_pairs(off), positions="dropped")
    assert _hides_more_uniformly(graph, other)[0] is holds
    value, allowed, _ = margin_of(hides_more_uniformly, graph, other)
    assert (value >= -allowed) is holds


@pytest.mark.parametrize(("share", "holds"), [(0.0, True), (0.9, True), (1.1, False)])
def test_uneven_masks_with_positions_are_uniform_within_rounding(share, holds):
    """The largest mass of a mask less the smallest, in floats; the largest distance from uniform, in balls."""
    for off, judge in ((share * 0.5e-12, check), (share * 1e-12, certify)):
        other = kept(singles([0.25 + off, 0.25 - off, 0.25, 0.25]))
        found = judge("label-error-grows-with-mask-ratio", kept(THREE), hides_more=other)
        assert {a.name: a.holds for a in found.assumptions}[MASKS] is holds


def test_parts_that_the_other_graph_lacks_are_counted_apart():
    graph, other = kept(THREE, positions="dropped"), kept(ListedMasks(np.eye(4, dtype=bool)[:1]), positions="dropped")
    parts = uniform_parts(graph, other).toarray()
    shown = {tuple(symbols): index for index, symbols in enumerate(other.view_contents.symbols)}
    for row, symbols in zip(parts, graph.view_contents.symbols, strict=True):
        wanted = np.zeros(len(shown) + 1, int)
        for symbol in symbols:
            wanted[shown.get((symbol,), -1)] += 1
        assert row.tolist() == wanted.tolist()
