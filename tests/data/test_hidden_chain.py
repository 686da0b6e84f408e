"""Hidden Markov worlds are sums over hidden paths; which masked predictions tell two of them apart is exact."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import MaskPairs


def test_the_world_is_the_sum_over_hidden_paths():
    rng = np.random.default_rng(0)
    initial, move, emit = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3), rng.dirichlet(np.ones(2), 3)
    world = worlds.hidden_markov(3, initial, move, emit)
    for state, mass, label in zip(world.states, world.probability, world.labels, strict=True):
        by_first = np.zeros(3)
        for path in product(range(3), repeat=3):
            chance = initial[path[0]] * move[path[0], path[1]] * move[path[1], path[2]]
            by_first[path[0]] += chance * np.prod([emit[h, x] for h, x in zip(path, state, strict=True)])
        assert mass == pytest.approx(by_first.sum(), rel=1e-12)
        assert label == by_first.argmax()


def test_hidden_states_that_show_themselves_are_the_markov_chain():
    stay = 0.8
    move = np.array([[stay, 1 - stay], [1 - stay, stay]])
    hidden, chain = worlds.hidden_markov(4, np.full(2, 0.5), move, np.eye(2)), worlds.markov(4, 2, stay)
    np.testing.assert_allclose(hidden.probability, chain.probability, rtol=1e-12)
    np.testing.assert_array_equal(hidden.labels, chain.labels)


def symmetric(mu, e):
    """Symmetric chain of two states and symbols, in fractions: initial law, transitions and emissions."""
    half = Fraction(1, 2)
    move, emit = ([[half * (1 + x), half * (1 - x)], [half * (1 - x), half * (1 + x)]] for x in (mu, e))
    return [half, half], move, emit


def exact_law(model, places):
    """Law of the patches at these places of three, in fractions, by the sum over hidden paths."""
    initial, move, emit = model
    law = Counter()
    for path in product(range(2), repeat=3):
        chance = initial[path[0]] * move[path[0]][path[1]] * move[path[1]][path[2]]
        for image in product(range(2), repeat=3):
            weight = chance * emit[path[0]][image[0]] * emit[path[1]][image[1]] * emit[path[2]][image[2]]
            law[tuple(image[place] for place in places)] += weight
    return law


ONE, TWO = symmetric(Fraction(1, 2), Fraction(1)), symmetric(Fraction(8, 9), Fraction(3, 4))


@pytest.mark.parametrize(
    ("view", "target", "same"),
    [
        ((0,), (1,), True),
        ((1,), (2,), True),
        ((0,), (2,), False),
        ((0,), (1, 2), False),
        ((0, 2), (1,), False),
        ((0, 1), (2,), False),
    ],
)
def test_neighbours_do_not_identify_the_model_and_further_targets_do_tell_it_apart(view, target, same):
    """Predicting a patch from the one before it fits both models exactly; from both before it, or two apart, one."""
    laws = [exact_law(model, view + target) for model in (ONE, TWO)]
    assert (laws[0] == laws[1]) is same
    masks = [np.isin(np.arange(3), places)[None] for places in (view, target)]
    graphs = [MaskGraph.enumerate(floats(model), MaskPairs(*masks)) for model in (ONE, TWO)]
    difference = np.abs(graphs[0].joint.toarray() - graphs[1].joint.toarray()).max()
    assert bool(difference < 1e-15) is same


def floats(model):
    return worlds.hidden_markov(3, *(np.array(part, dtype=float) for part in model))


def test_two_patches_apart_alone_leave_the_same_question_open():
    """(μ, e) with μ²e² = 1/4: each pairwise task alone fits a curve of models, and two of them together fit one."""
    other = symmetric(Fraction(8, 9), Fraction(9, 16))
    assert exact_law(ONE, (0, 2)) == exact_law(other, (0, 2))
    assert exact_law(ONE, (0, 1)) != exact_law(other, (0, 1))


@pytest.mark.parametrize("gap", [1, 2])
def test_sigma_is_the_closed_form(gap):
    world = worlds.hidden_markov(3, *(np.array(part, dtype=float) for part in TWO))
    view, target = np.arange(3) == 0, np.arange(3) == gap
    found = MaskGraph.enumerate(world, MaskPairs(view[None], target[None])).spectrum(2).values[1]
    assert found == pytest.approx((8 / 9) ** gap * (3 / 4) ** 2, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transition": np.eye(3)}, r"\(2,\), \(3, 3\) and \(2, 2\)"),
        ({"initial": np.array([0.5, 0.6])}, "each row of initial must be non-negative and sum to 1"),
        ({"emission": np.array([[1.5, -0.5], [0, 1]])}, "each row of emission"),
        ({"emission": np.ones((2, 1))}, "alphabet must be at least 2"),
        ({"n_patches": 1}, "n_patches must be at least 2"),
        ({"transition": np.full((2, 2), np.nan)}, "each row of transition"),
    ],
)
def test_what_is_no_hidden_chain_is_one_sentence(change, words):
    usual = {"n_patches": 2, "initial": np.full(2, 0.5), "transition": np.eye(2), "emission": np.eye(2)}
    with pytest.raises(InputError, match=words):
        worlds.hidden_markov(**(usual | change))
