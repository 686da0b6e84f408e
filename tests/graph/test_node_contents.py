"""Pixels of targets and views are in the patches that the mask selects."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, UniformMasks

VALUES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
WORLD = FiniteWorld([[0, 1, 2], [2, 1, 1]], [0.5, 0.5], [0, 1], VALUES)


@pytest.mark.parametrize("law", [UniformMasks(3, 1), BernoulliMasks(3, 0.5)], ids=repr)
def test_zero_filled_view_and_target_add_up_to_the_image(law: object) -> None:
    graph = MaskGraph.enumerate(WORLD, law)
    views, targets, pixels = graph.view_features(), graph.targets(), WORLD.pixels.reshape(2, -1)
    image, view = graph.image_views.nonzero()
    target = {i: set(graph.image_targets[[i]].indices.tolist()) for i in range(2)}
    for i, v in zip(image, view, strict=True):
        hidden = [t for t in graph.joint[[v]].indices.tolist() if t in target[i]]
        assert any((views[v] + targets[t] == pixels[i]).all() for t in hidden)
    assert not (views[graph.joint.nonzero()[0]] * targets[graph.joint.nonzero()[1]]).any()


def test_packed_targets_are_the_hidden_patches_in_order() -> None:
    graph = MaskGraph.enumerate(WORLD, UniformMasks(3, 1), "dropped")
    found = {tuple(row) for row in graph.targets("packed").tolist()}
    wanted = {(*VALUES[a], *VALUES[b]) for a, b in [(1, 2), (0, 2), (0, 1), (1, 1), (2, 1)]}
    assert found == wanted
    assert {tuple(row) for row in graph.view_features("packed").tolist()} == {tuple(v) for v in VALUES}


def test_target_masks_number_the_masks() -> None:
    graph = MaskGraph.enumerate(WORLD, BernoulliMasks(3, 0.5))
    masks = graph.target_contents.masks
    same = (masks[:, None] == masks[None]).all(2)
    np.testing.assert_array_equal(graph.target_masks[:, None] == graph.target_masks, same)


def test_an_embedding_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="positions were dropped"):
        MaskGraph.enumerate(WORLD, UniformMasks(3, 1), "dropped").targets()
    with pytest.raises(InputError, match="equally many"):
        MaskGraph.enumerate(WORLD, BernoulliMasks(3, 0.5)).targets("packed")
    with pytest.raises(InputError, match='"zero" or "packed"'):
        MaskGraph.enumerate(WORLD, UniformMasks(3, 1)).targets("padded")
    with pytest.raises(InputError, match="joint law"):
        MaskGraph.from_joint([[1.0]]).targets()
    with pytest.raises(InputError, match="dropped"):
        _ = MaskGraph.enumerate(WORLD, UniformMasks(3, 1), "dropped").target_masks
