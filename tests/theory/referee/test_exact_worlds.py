"""Exact worlds: every law once up to order, from small to large, without a seed."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.theory import THEOREMS, replay
from maetheory.theory.exact_worlds import FIRST_EXACT, exact_laws, exact_world, matrices

PAIRS = THEOREMS["pair-error-bounded-by-label-errors"]


def own_image_laws(n1, n2):
    """Joint weights and labels of the exact laws of this size in which every view has its own image."""
    for law, labels in exact_laws():
        if law.shape == (n1, n1, n2) and np.count_nonzero(law.sum(2)) == n1:
            yield law.sum(0), labels


@pytest.mark.parametrize(("n1", "n2", "most"), [(1, 2, 3), (2, 1, 3), (2, 2, 6), (3, 1, 4), (2, 3, 5)])
def test_every_law_is_there_once_up_to_the_order_of_nodes_and_the_names_of_classes(n1, n2, most):
    """Against all matrices and all labels, each brought to one form by a loop over all orders and names."""

    def form(weights, labels):
        return min(
            (tuple(weights[np.ix_(rows, columns)].ravel()), tuple(names[labels[i]] for i in rows))
            for rows in permutations(range(n1))
            for columns in permutations(range(n2))
            for names in permutations(range(n1))
        )

    wanted = {
        form(np.array(cells).reshape(n1, n2), labels)
        for cells in product(range(most + 1), repeat=n1 * n2)
        if 0 < sum(cells) <= most and np.gcd.reduce(cells) == 1
        for labels in product(range(n1), repeat=n1)
        if np.array(cells).reshape(n1, n2).any(0).all() and np.array(cells).reshape(n1, n2).any(1).all()
    }
    found = [form(weights, labels.tolist()) for weights, labels in own_image_laws(n1, n2)]
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_laws_come_from_small_to_large_and_some_images_share_a_view():
    sizes = [law.shape[1] * law.shape[2] for law, _ in exact_laws()]
    assert sizes == sorted(sizes)
    shared = [law for law, _ in exact_laws() if ((law.sum(2) > 0).sum(0) > 1).any()]
    assert len(shared) > 50
    assert all(law.sum((0, 2)).all() and law.sum((0, 1)).all() for law in shared)


def test_rows_descend_so_that_no_two_are_exchanged():
    assert ((1, 0), (0, 1)) in set(matrices(2, 2, 2))
    assert ((0, 1), (1, 0)) not in set(matrices(2, 2, 2))


def test_an_exact_world_is_replayed_by_its_number_under_any_seed():
    one, two = (replay(PAIRS, seed=seed, number=FIRST_EXACT + 40) for seed in (0, 9))
    np.testing.assert_array_equal(one.world.law, two.world.law)
    assert one.check == two.check


def test_objects_are_small_integers_of_the_shapes_that_the_theorem_names():
    theorem = THEOREMS["reconstruction-bounds-alignment"]
    for index in range(200):
        world = exact_world(theorem, index)
        h = world.objects["h"]
        assert h.shape == (world.law.shape[1], world.objects["targets"].shape[1])
        assert set(h.ravel().tolist()) <= {-1.0, 0.0, 1.0}


def test_weights_are_positive_fractions():
    theorem = THEOREMS["effective-rank-grows-with-uniformity"]
    assert {exact_world(theorem, index).objects["weight"] for index in range(60)} == {0.5, 1.0, 2.0}


def test_a_theorem_with_worlds_of_its_own_has_none():
    with pytest.raises(InputError, match="has no exact worlds"):
        exact_world(THEOREMS["mask-ratio-duality"], 0)
