"""The picture of the README: its numbers are published ones, and those of one file's records."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.core import InputError
from maetheory.figures.mask_graph import MASK_GRAPH, mask_graph_layout
from maetheory.figures.overview import FILE, RANKS, THIS_FILE, draw_overview, main, overview

FIGURES = Path(__file__).resolve().parents[2] / "figures"
RECORD = {
    "name": "vit",
    "readout": "cls",
    "layer": "last",
    "metric": "effective_rank",
    "convention": "roy-vetterli-2007",
    "images": 900,
    "d": 72,
    "random_images": 500,
    "same_images": 38.0,
    "same_images_error": 1.5,
    "random_init": 10.0,
    "random_init_low": 6.0,
    "random_init_high": 18.0,
    "random_span_low": 5.0,
    "random_span_high": 42.0,
    "shuffled": 70.0,
}


def test_the_published_numbers_are_those_of_figure_1c_and_of_the_mask_graph() -> None:
    frame = overview(FIGURES)
    ranks = pd.read_csv(FIGURES / "cifar10-small" / "effective_rank.csv")
    for source in ("ours", "paper"):
        for name in ("random", "MAE", "U-MAE"):
            found = frame[(frame.panel == RANKS) & (frame.source == source) & (frame.name == name)].value
            expected = ranks[(ranks.source == source) & (ranks.objective == name)].effective_rank
            np.testing.assert_allclose(found, expected)
    nodes = mask_graph_layout()
    assert (frame.panel == MASK_GRAPH).sum() == (nodes.graph == MASK_GRAPH).sum()
    pd.testing.assert_frame_equal(pd.read_csv(FIGURES / "overview.csv")[list(frame)], frame, check_dtype=False)


def test_records_of_a_file_are_compared_on_the_same_images() -> None:
    other = RECORD | {"readout": "mean", "same_images": 99.0}
    frame = overview(FIGURES, pd.DataFrame([RECORD, other]))
    file = frame[frame.panel == FILE].set_index("name")
    assert list(file.loc[THIS_FILE, ["value", "low", "high", "images"]]) == [38.0, 36.5, 39.5, 500]
    assert list(file.low) == [36.5, 6.0, 5.0, 70.0]
    assert list(file.high) == [39.5, 18.0, 42.0, 70.0]


@pytest.mark.parametrize("count", [0, 2])
def test_records_of_no_file_or_of_two_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"one file, but they hold {count}"):
        overview(FIGURES, pd.DataFrame([RECORD] * count + [RECORD | {"readout": "mean"}]))


def test_it_is_drawn_from_published_tables_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"effective_rank\.csv must be a published table"):
        overview(tmp_path)
    (tmp_path / "cifar10-small").mkdir()
    for name in ("cifar10-small/effective_rank.csv", "overview.csv"):
        (tmp_path / name).write_bytes((FIGURES / name).read_bytes())
    main(["--into", str(tmp_path)])
    assert (tmp_path / "overview.csv").read_bytes() == (FIGURES / "overview.csv").read_bytes()
    assert (tmp_path / "overview.png").stat().st_size > 20_000
    assert not plt.get_fignums()


def test_the_mean_over_seeds_is_the_height_of_a_bar() -> None:
    frame = overview(FIGURES)
    figure, axes = plt.subplots(1, 3)
    draw_overview(list(axes), frame)
    ours = frame[(frame.panel == RANKS) & (frame.source == "ours")].groupby("name").value.mean()
    heights = [bar.get_height() for bar in axes[1].patches[:3]]
    np.testing.assert_allclose(heights, ours[["random", "MAE", "U-MAE"]])
    plt.close(figure)
