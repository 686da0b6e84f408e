"""Mask ratios: duality, growth of α and the sweep, held to loops over images and masks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import BlockMasks, UniformMasks
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Verdict, falsify
from maetheory.theory.mask_ratio_sweep import mask_ratio_sweep
from maetheory.theory.solvable_mixture import best_visible, pair_error, second_eigenvalue, sharp_bound

DUAL, GROWS = "mask-ratio-duality", "label-error-grows-with-mask-ratio"
FALSE = {
    "α is its own dual": (
        DUAL,
        {"lhs": lambda graph, complement: abs(graph.label_error() - complement.label_error()), "terms": None},
    ),
    "α falls": (GROWS, {"direction": ">="}),
    "α grows by five percent": (GROWS, {"lhs": lambda graph: 1.05 * graph.label_error()}),
}


@pytest.mark.parametrize("name", FALSE)
def test_planted_false_versions_are_found(name):
    slug, changes = FALSE[name]
    assert falsify(replace(THEOREMS[slug], slug="planted", trivial=None, **changes), worlds=60) is not None


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
        masks, seen = list(combinations(range(4), row.visible)), defaultdict(lambda: [0.0, 0.0])
        for state, mass, label in zip(world.states, world.probability, world.labels, strict=True):
            for mask in masks:
                view = tuple(state[list(mask)]) if positions == "dropped" else (mask, tuple(state[list(mask)]))
                seen[view][label] += mass / len(masks)
        assert row.alpha == pytest.approx(sum(min(pair) for pair in seen.values()), abs=1e-14)
        assert row.alpha2 == pytest.approx(dual.alpha, abs=1e-12)
        assert row.tail == pytest.approx(dual.tail, abs=1e-12)
        assert row.components == dual.components
    assert all(a.alpha >= b.alpha - 1e-14 for a, b in pairwise(rows))


def test_the_solvable_mixture_is_its_graph_where_no_tie_occurs():
    for v in (1, 3, 5):
        graph = MaskGraph.enumerate(worlds.mixture(6, 2, 2, 0.1), UniformMasks(6, v), "dropped")
        assert graph.spectrum(2).values[1] ** 2 == pytest.approx(second_eigenvalue(6, v, 0.1), abs=1e-12)
        assert graph.pair_label_error() == pytest.approx(pair_error(6, v, 0.1), abs=1e-12)


def test_the_best_ratio_tends_to_one_half():
    assert [best_visible(n, 0.1) / n for n in (8, 16, 32, 64)] == [0.625, 0.5625, 0.53125, 0.515625]
    assert [round(sharp_bound(8, v, 0.1), 3) for v in (2, 4)] == [0.945, 0.386]
