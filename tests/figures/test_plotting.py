"""`plot` draws every figure in one call: from data, from a published table, and without data."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import typer

import maetheory.figures
from maetheory.cli import app
from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.experiments import EXPERIMENTS
from maetheory.figures import plot
from maetheory.figures.plotting import DATA_FIGURES, MADE_BY
from maetheory.figures.theory_figures import THEORY_FIGURES
from maetheory.metrics import effective_rank

FIGURES = Path(__file__).resolve().parents[2] / "figures"
PUBLISHED = {
    "effective_rank": "cifar10-small",
    "log_singular_values": "cifar10-small",
    "feature_scatter": "digits",
    "effective_rank_through_training": "digits",
    "uniformity_sweep": "digits",
    "score_against_accuracy": "digits",
    "image_mask_ratio": "digits",
    "masked_pair": "digits",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_table_is_drawn_again(name: str) -> None:
    figure = plot(name, pd.read_csv(FIGURES / PUBLISHED[name] / f"{name}.csv"))
    assert any(axes.has_data() for axes in figure.axes)
    assert not plt.get_fignums()


def test_every_figure_of_data_names_what_makes_its_data() -> None:
    assert set(MADE_BY) == set(DATA_FIGURES)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # click's groups have them
    for name, how in MADE_BY.items():
        words = how.split()
        if words[0] == "maetheory":
            options = {spelling for one in commands[words[1]].params for spelling in one.opts}
            assert {word for word in words if word.startswith("--")} <= options
            presets = [words[place + 1] for place, word in enumerate(words) if word == "--preset"]
            assert all(preset in EXPERIMENTS for preset in presets)
        elif words[0] == "python":
            assert find_spec(words[2]) is not None
        else:
            calls = {"figures": maetheory.figures, "load_images": load_images, "np": np}
            assert eval(how, calls).axes, name


@pytest.mark.parametrize("names", [["mine"], ["random", "MAE", "U-MAE", "SimMIM", "U-SimMIM"]])
def test_every_curve_of_the_spectra_is_in_the_legend(names: list[str]) -> None:
    features = np.random.default_rng(0).normal(size=(40, 8))
    figure = plot("log_singular_values", {name: [features] for name in names})
    (legend,) = figure.legends
    named = {text.get_text() for text in legend.get_texts()}
    for axes in figure.axes:
        assert axes.lines
        assert {str(line.get_label()) for line in axes.lines} <= named
    assert named == {*names, "random", "MAE", "U-MAE"}
    assert "√N" in figure.axes[0].get_ylabel()
    assert "scale unknown" in figure.axes[1].get_ylabel()


def test_out_writes_the_picture_and_its_table(tmp_path: Path) -> None:
    name, table = "effective_rank", FIGURES / "digits" / "effective_rank.csv"
    plot(name, pd.read_csv(table), out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{end}" for end in ("svg", "png", "csv")}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), pd.read_csv(table))


def test_data_become_a_picture_in_one_call() -> None:
    rng = np.random.default_rng(0)
    features = {name: [rng.normal(size=(60, 12)) for _ in range(2)] for name in ("MAE", "U-MAE")}
    figure = plot("effective_rank", features)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [np.mean([effective_rank(z) for z in runs]) for runs in features.values()])
    assert len(plot("log_singular_values", features, n_values=5).axes[0].lines[0].get_xdata()) == 5
    logs = {"MAE": [[{"epoch": epoch, "effective_rank": 3.0 + epoch} for epoch in range(3)]]}
    assert plot("effective_rank_through_training", logs).axes[0].has_data()
    images = load_images("digits", limit=40)
    assert len(plot("masked_pair", images, 2, np.random.default_rng(0)).axes) >= 4
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", sorted(DATA_FIGURES))
def test_a_table_of_another_figure_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=rf"the table lacks what the figure {name} draws"):
        plot(name, pd.DataFrame({"colour": ["red"]}))
    assert not plt.get_fignums()


def test_models_of_any_name_are_drawn() -> None:
    rng = np.random.default_rng(0)
    features = {name: [rng.normal(size=(60, 12))] for name in ("mine", "another", "MAE")}
    for name in ("effective_rank", "log_singular_values"):
        assert plot(name, features).axes[0].has_data()
    bars = plot("effective_rank", features).axes[0].patches
    assert len({bar.get_facecolor() for bar in bars}) == 3
    logs = {"mine": [[{"epoch": epoch, "effective_rank": 3.0 + epoch} for epoch in range(3)]]}
    assert plot("effective_rank_through_training", logs).axes[0].has_data()


def test_collapse_tables_are_drawn_by_checkpoint() -> None:
    spectra = pd.DataFrame(
        {"readout": "cls", "layer": "last", "who": "checkpoint", "index": [1, 2, 3], "singular_value": [3.0, 2.0, 1.0]}
    )
    assert len(plot("feature_spectra", {"a": spectra, "b": spectra}).axes) == 2


def test_the_first_theory_figure_needs_no_data() -> None:
    assert len(plot("mask_graph").axes) == THEORY_FIGURES["mask_graph"].n_panels


def test_every_figure_is_named_in_the_docstring() -> None:
    assert plot.__doc__ is not None
    for name in (*DATA_FIGURES, *THEORY_FIGURES):
        assert f'"{name}"' in plot.__doc__, name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ranks",), "there is no figure 'ranks'; maetheory figure lists all"),
        (("effective_rank", 3), "the figure effective_rank takes other data"),
        (("effective_rank",), "the figure effective_rank takes other data"),
    ],
)
def test_what_is_no_figure_or_no_data_is_one_sentence(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plot(*arguments)  # type: ignore[arg-type]  # which is what is tested
    assert not plt.get_fignums()
