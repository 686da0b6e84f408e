"""Each constructor returns the distribution that its docstring states."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld

EPS = np.finfo(float).eps


def test_mixture_is_the_sum_over_classes_and_patches() -> None:
    n, alphabet, classes, noise = 3, 3, 2, 0.3
    world = worlds.mixture(n, alphabet, classes, noise)
    for state, p, label in zip(world.states.tolist(), world.probability, world.labels, strict=True):
        likelihood = []
        for c in range(classes):
            term = 1.0
            for symbol in state:
                term *= 1 - noise if symbol == c else noise / (alphabet - 1)
            likelihood.append(term)
        assert p == pytest.approx(sum(likelihood) / classes, rel=50 * EPS)
        best = max(likelihood)
        assert label == min(c for c in range(classes) if likelihood[c] >= best - 1e-12 * sum(likelihood))
    assert [tuple(s) for s in world.states.tolist()] == list(product(range(alphabet), repeat=n))


def test_mixture_seeds_draw_distinct_prototypes() -> None:
    world = worlds.mixture(2, 2, 4, 0.0, seed=5)
    np.testing.assert_allclose(world.probability, 0.25)
    assert sorted(world.labels.tolist()) == [0, 1, 2, 3]
    again = worlds.mixture(2, 2, 4, 0.0, seed=5)
    np.testing.assert_array_equal(again.labels, world.labels)


def test_mixture_ties_go_to_the_lowest_class() -> None:
    assert worlds.mixture(4, 2, 2, 0.1).labels[0b0011] == 0
    assert worlds.mixture(3, 2, 2, 0.5).labels.max() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_patches": 0}, "n_patches"),
        ({"alphabet": 1}, "alphabet"),
        ({"n_classes": 3}, "n_classes"),
        ({"n_classes": 0}, "n_classes"),
        ({"noise": 1.5}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"n_patches": 30}, "1,073,741,824 states"),
    ],
)
def test_impossible_mixtures_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        worlds.mixture(**({"n_patches": 3, "alphabet": 2, "n_classes": 2, "noise": 0.1} | change))


@pytest.mark.parametrize(
    ("states", "probability", "labels", "words"),
    [
        ([[0.0, 1.0]], [1.0], [0], "integers"),
        ([0, 1], [0.5, 0.5], [0, 0], "shape"),
        ([[0, 2]], [1.0], [0], "0 to 1"),
        ([[0, 1]], [0.9], [0], "sum to 1"),
        ([[0, 1]], [float("nan")], [0], "finite"),
        ([[0, 1], [1, 1]], [1.5, -0.5], [0, 0], "non-negative"),
        ([[0, 1]], [0.5, 0.5], [0], "one per state"),
        ([[0, 1]], [1.0], [-1], "labels"),
        ([[0, 1]], [1.0], [0, 1], "labels"),
    ],
)
def test_a_world_that_is_no_law_is_refused(states: list, probability: list, labels: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        FiniteWorld(states, probability, labels, [[0.0], [1.0]])


def test_pixels_are_the_values_of_the_symbols() -> None:
    world = FiniteWorld([[1, 0], [1, 1]], [0.5, 0.5], None, [[1.0, 2.0], [3.0, 4.0]])
    assert world.pixels.tolist() == [[[3.0, 4.0], [1.0, 2.0]], [[3.0, 4.0], [3.0, 4.0]]]
    assert world.n_classes == 0
