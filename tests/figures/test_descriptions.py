"""What is said of a figure names every curve and holds the numbers that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from maetheory.figures import descriptions
from maetheory.figures.descriptions import MAX_CURVES, describe_curve

PUBLISHED = Path(__file__).resolve().parents[2] / "figures" / "digits"


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / f"{name}.csv")


def test_a_curve_has_its_ends_and_the_extremes_between() -> None:
    x = pd.Series([3, 1, 2, 4])  # in any order
    assert (
        describe_curve(x, pd.Series([5.0, 1.0, 0.25, 2.0])) == "from 1 at 1 to 2 at 4, lowest 0.25 at 2, highest 5 at 3"
    )
    assert describe_curve(x, pd.Series([3.0, 1.0, 2.0, 4.0]), "n =") == "from 1 at n = 1 to 4 at n = 4"
    assert describe_curve(x, pd.Series([np.nan, 1.0, np.nan, np.nan])) == "1 at 1"
    assert describe_curve(x, pd.Series([np.nan] * 4)) == "no values"


@pytest.mark.parametrize(
    ("describe", "name"),
    [
        ("describe_log_spectra", "log_singular_values"),
        ("describe_effective_ranks", "effective_rank"),
        ("describe_training_curves", "effective_rank_through_training"),
        ("describe_tsne", "feature_scatter"),
        ("describe_masked_images", "masked_pair"),
        ("describe_image_statistics", "image_mask_ratio"),
        ("describe_score_against_accuracy", "score_against_accuracy"),
        ("describe_uniformity_sweep", "uniformity_sweep"),
    ],
)
def test_published_figures_are_described_with_their_numbers(describe: str, name: str) -> None:
    frame = table(name)
    said = getattr(descriptions, describe)(frame)
    assert said.endswith(".")
    assert sum(sign.isdigit() for sign in said) > 8
    assert "nan" not in said
    if "objective" in frame:
        assert all(str(objective) in said for objective in frame.objective.unique())


def test_means_of_bars_and_ends_of_curves_are_those_drawn() -> None:
    ranks = table("effective_rank")
    said = descriptions.describe_effective_ranks(ranks)
    for (_, objective), value in ranks.groupby(["source", "objective"]).effective_rank.mean().items():
        assert f"{objective} {value:.2f}" in said
    curves = table("effective_rank_through_training")
    said = descriptions.describe_training_curves(curves)
    last = curves[curves.epoch == curves.epoch.max()].groupby("objective").effective_rank.mean()
    assert all(f"{value:.3g} at epoch {curves.epoch.max():.3g}" in said for value in last)


def test_layers_and_sample_sizes_of_every_file_are_described() -> None:
    growth = pd.DataFrame(
        {
            "checkpoint": "a",
            "readout": "cls",
            "who": ["checkpoint", "checkpoint"],
            "images": [10, 40],
            "value": [3.0, 9.0],
        }
    )
    said = descriptions.describe_effective_rank_by_sample_size(growth)
    assert said == "Effective rank by number of images. a: cls, checkpoint from 3 at n = 10 to 9 at n = 40."
    layers = pd.DataFrame({"checkpoint": "a", "readout": "cls", "layer": ["0", "2", "10"], "value": [1.0, 5.0, 4.0]})
    said = descriptions.describe_effective_rank_by_layer(layers)
    assert said == "Effective rank by layer. a: cls from 1 at layer 0 to 4 at layer 10, highest 5 at layer 2."


def test_a_figure_of_very_many_files_says_how_many_are_left_out() -> None:
    frames = [
        pd.DataFrame(
            {"checkpoint": f"file {n}", "readout": "cls", "who": "checkpoint", "index": [1, 2], "singular_value": 1.0}
        )
        for n in range(MAX_CURVES + 3)
    ]
    said = descriptions.describe_feature_spectra(pd.concat(frames))
    assert said.endswith("And 3 more.")
    assert said.count("file ") == MAX_CURVES
