"""Two pairs of image and mask have one view identity exactly when their visible values are equal."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.masks import BernoulliMasks, view_identities
from maetheory.masks.views import visible_indices


def slow_name(state: np.ndarray, mask: np.ndarray, j: int, positions: str) -> tuple:
    shown = tuple(int(s) for s, seen in zip(state, mask, strict=True) if seen)
    return (j, *shown) if positions == "kept" else shown


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("patches", [4, 70])
def test_identities_agree_with_tuples(positions: str, patches: int) -> None:
    """The codes of 70 patches of 9 symbols exceed 64 bits several times."""
    rng = np.random.default_rng(0)
    states = rng.integers(0, 9, (30, patches)) if patches > 4 else rng.integers(0, 2, (30, patches))
    states[15:] = states[:15]
    states[20:, -1] = 8 if patches > 4 else 1
    masks = BernoulliMasks(patches, 0.5).sample(rng, 12)
    masks = np.unique(masks, axis=0)
    identity, first = view_identities(states, masks, positions)
    seen: dict[tuple, int] = {}
    for i, state in enumerate(states):
        for j, mask in enumerate(masks):
            assert seen.setdefault(slow_name(state, mask, j, positions), identity[i, j]) == identity[i, j]
    assert len(set(seen.values())) == len(seen) == len(first) == identity.max() + 1
    np.testing.assert_array_equal(identity.ravel()[first], np.arange(len(first)))


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_codes_past_64_bits_keep_every_patch(positions: str) -> None:
    """Three symbols and "no patch" take two bits each: without renumbering, the first of 40 patches would be lost."""
    states = np.zeros((4, 40), int)
    states[:, 0], states[:, 1] = [0, 1, 2, 2], [0, 0, 0, 1]
    identity, first = view_identities(states, np.arange(40)[None] < 39, positions)
    assert identity.ravel().tolist() == first.tolist() == [0, 1, 2, 3]


def test_dropped_positions_keep_length_and_order() -> None:
    masks = np.array([[True, True, False], [False, True, True], [True, False, False]])
    identity, _ = view_identities(np.array([[0, 0, 0], [0, 1, 0]]), masks, "dropped")
    same = identity[0, 0] == identity[0, 1]
    assert same  # (0, 0) seen twice
    assert identity[0, 2] != identity[0, 0]  # (0) is not (0, 0)
    assert identity[1, 0] != identity[1, 1]  # (0, 1) is not (1, 0)
    assert identity[0, 2] == identity[1, 2]


def test_indices_are_padded() -> None:
    assert visible_indices(np.array([[False, True, True], [True, False, False]])).tolist() == [[1, 2], [0, -1]]


@pytest.mark.parametrize(("positions", "patches", "words"), [("lost", 2, "kept"), ("kept", 3, "shape")])
def test_bad_input_is_refused(positions: str, patches: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        view_identities(np.zeros((1, patches), int), np.array([[True, False]]), positions)
