"""Figure of explained directions: its table is complete, nothing stays open, gray images and few layers."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from torch import Tensor

from maetheory.evaluation import explain_collapse
from maetheory.evaluation.explanation import ReadoutExplanation
from maetheory.figures.explained_directions import (
    DRAWN,
    describe_explained_directions,
    draw_explained_directions,
    explained_directions,
    explained_directions_size,
    extreme_images,
)
from maetheory.figures.style import paper_style
from maetheory.models import ViT, ViTConfig


def explain(channels: int, n: int) -> ReadoutExplanation:
    images = np.random.default_rng(0).random((n, channels, 8, 8), dtype=np.float32)
    vit = ViT(ViTConfig(image_size=8, patch=4, channels=channels, width=8, depth=1, heads=2))
    return explain_collapse(vit, images, directions=2, readout="mean", n_initialisations=1).readouts[0]


@pytest.mark.parametrize(("channels", "n"), [(1, 20), (3, 40)])
def test_the_table_holds_everything_that_is_drawn(channels: int, n: int) -> None:
    one = explain(channels, n)
    frame = explained_directions(one)
    assert set(frame.quantity) <= set(DRAWN)
    assert set(frame.direction) == {1, 2}
    assert len(frame[frame.quantity == "rank correlation"]) == 2
    assert len(frame[frame.quantity == "readable"]) == 4
    images = extreme_images(one)
    assert [low.shape for low, _ in images] == [(8, channels, 8, 8)] * 2
    before = frame.copy()
    with paper_style():
        figure = plt.figure(figsize=explained_directions_size(frame))
        draw_explained_directions(figure, frame, images)
        assert len(figure.axes) == 8
        texts = " ".join(ax.get_ylabel() for ax in figure.axes)
        assert "direction 1" in texts
        assert "direction 2" in texts
    assert plt.get_fignums() == []
    assert frame.equals(before)
    description = describe_explained_directions(frame)
    assert "Direction 2: " in description
    assert "can be read from layer" in description


def test_a_network_without_known_layers_has_no_curves() -> None:
    def features(pixels: Tensor) -> Tensor:
        return pixels.flatten(1)[:, :5]

    images = np.random.default_rng(0).random((30, 1, 8, 8), dtype=np.float32)
    (one,) = explain_collapse(features, images, directions=1).readouts
    frame = explained_directions(one)
    with paper_style():
        figure = plt.figure(figsize=explained_directions_size(frame))
        draw_explained_directions(figure, frame, extreme_images(one))
        assert [ax.axison for ax in figure.axes] == [True, True, True, False]
    assert "read from layer" not in describe_explained_directions(frame)
