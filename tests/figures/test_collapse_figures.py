"""Test that collapse figures draw the computed tables on common scales and leave no figure open."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.evaluation import CollapseMeasurements, measure_collapse
from maetheory.figures.collapse import (
    draw_effective_rank_by_layer,
    draw_effective_rank_by_sample_size,
    draw_feature_spectra,
    effective_rank_by_layer,
    effective_rank_by_sample_size,
    feature_spectra,
)
from maetheory.figures.style import paper_style
from maetheory.models import MAE, MAEConfig, ViTConfig


@pytest.fixture(scope="module")
def measured() -> dict[str, CollapseMeasurements]:
    images = np.random.default_rng(0).random((40, 1, 8, 8)).astype(np.float32)
    names = ("effective_rank", "mean_cosine")
    models = {width: MAE(MAEConfig(ViTConfig(8, 2, 1, width=width, depth=2, heads=2), 16, 1, 2)) for width in (16, 24)}
    return {
        f"width {width}": measure_collapse(model, images, layers="all", full=True, metrics=names)
        for width, model in models.items()
    }


def test_spectra_agree_with_the_measurement_and_share_their_scales(measured: dict[str, CollapseMeasurements]) -> None:
    frame = feature_spectra({name: one.spectra for name, one in measured.items()})
    pd.testing.assert_frame_equal(frame, feature_spectra({name: one.spectra for name, one in measured.items()}))
    own = frame[(frame.checkpoint == "width 24") & (frame.who == "checkpoint") & (frame.readout == "cls")]
    kept = measured["width 24"].spectra.query("who == 'checkpoint' and readout == 'cls'").singular_value
    np.testing.assert_array_equal(own.singular_value, kept[kept > 1e-6 * kept.max()])
    with paper_style():
        _, axes = plt.subplots(2, 2)
        draw_feature_spectra(list(axes.flat), frame)
        assert len({ax.get_ylim() for ax in axes.flat}) == len({ax.get_xlim() for ax in axes.flat}) == 1
        assert [len(ax.lines) for ax in axes.flat] == [4] * 4
        assert axes[0, 1].get_title() == "width 24\ncls"
    assert not plt.get_fignums()


def test_layers_and_growth_are_drawn_for_every_checkpoint(measured: dict[str, CollapseMeasurements]) -> None:
    layers = effective_rank_by_layer({name: one.table for name, one in measured.items()})
    assert layers.groupby("checkpoint").layer.apply(list).tolist() == [[0, 0, 1, 1, 2, 2]] * 2
    growth = effective_rank_by_sample_size({name: one.growth for name, one in measured.items()})
    assert growth.images.max() == 40
    with paper_style():
        for frame, draw in ((layers, draw_effective_rank_by_layer), (growth, draw_effective_rank_by_sample_size)):
            _, axes = plt.subplots(1, 2)
            draw(list(axes), frame)
            assert [len(ax.lines) for ax in axes] == [4, 4]
            assert len({ax.get_ylim() for ax in axes}) == 1
    assert not plt.get_fignums()
