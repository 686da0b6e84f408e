"""Test that figure and page of the sweep show the means and standard deviations of the ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from html_pages import check_page
from matplotlib import pyplot as plt

from maetheory.data import load_images
from maetheory.experiments import Experiment, experiment
from maetheory.experiments.presentation import MeasuredExperiment
from maetheory.experiments.studies.uniformity_sweep_page import present_uniformity_sweep, uniformity_sweep_summary
from maetheory.figures import draw_uniformity_sweep, uniformity_sweep
from maetheory.figures.uniformity_sweep import MEASURES

SWEEP = experiment("digits-uniformity")


def planted(seeds: tuple[int, ...] = (0, 1, 2), sweep: Experiment = SWEEP) -> pd.DataFrame:
    """Return a ledger with a different value for each cell, measure and seed."""
    rows = []
    for i, cell in enumerate(sweep.cells):
        for j, (metric, readout) in enumerate(MEASURES):
            for seed in seeds:
                value = 0.01 * (i + 20 * j) + 0.001 * seed**2
                rows.append(
                    {
                        "experiment": sweep.name,
                        "cell": cell.name,
                        "objective": cell.objective,
                        "seed": seed,
                        "dataset": "digits",
                        "epochs": 60,
                        "train_images": 10,
                        "test_images": 5,
                        "readout": readout,
                        "training": replace(cell.recipe, seed=seed).to_dict(),
                        "metric": metric,
                        "value": value,
                        "error": 0.1,
                        "recipe": "a probe",
                    }
                )
    return pd.DataFrame(rows)


def test_means_and_spreads_of_every_cell() -> None:
    frame = uniformity_sweep(planted()).set_index(["term", "weight", "metric", "readout"])
    assert len(frame) == len(SWEEP.cells) * len(MEASURES)
    values = 0.001 * np.array([0.0, 1.0, 4.0])
    for i, cell in enumerate(SWEEP.cells):
        for j, (metric, readout) in enumerate(MEASURES):
            row = frame.loc[(cell.recipe.uniformity_term, cell.recipe.uniformity_weight, metric, readout)]
            scale = 100 if metric == "linear_probe" else 1
            assert row.value == pytest.approx(scale * (0.01 * (i + 20 * j) + values.mean()))
            assert row.spread == pytest.approx(scale * values.std(ddof=1))
            assert row.seeds == 3


def test_one_seed_has_no_spread() -> None:
    frame = uniformity_sweep(planted((0,)))
    assert frame.spread.isna().all()
    assert "±" not in uniformity_sweep_summary(frame)
    assert uniformity_sweep_summary(frame).endswith("(1 seed)")


@pytest.mark.parametrize("name", ["digits-uniformity", "cifar10-uniformity"])
def test_the_figure_shows_the_means_and_the_value_at_weight_zero(name: str) -> None:
    frame = uniformity_sweep(planted(sweep=experiment(name)))
    assert set(frame.weight[frame.term == "squares"]) >= {0, 0.001, 0.01, 0.1}
    figure, axes = plt.subplots(2, 2)
    draw_uniformity_sweep(list(axes.flat), frame)
    for ax, (metric, readout) in zip(axes.flat, MEASURES):
        part = frame[(frame.metric == metric) & (frame.readout == readout)]
        drawn = {
            (x, y) for line in ax.lines if line.get_marker() not in ("None", "_", "|") for x, y in line.get_xydata()
        }
        shown = part[part.weight > 0]
        assert {tuple(np.round(point, 9)) for point in drawn} == set(zip(shown.weight.round(9), shown.value.round(9)))
        level = next(line for line in ax.lines if line.get_label() == "λ = 0, MAE")
        assert set(level.get_ydata()) == set(part[part.weight == 0].value)
    plt.close(figure)


def test_the_page_shows_figure_and_table(tmp_path: Path) -> None:
    images = load_images("digits", limit=10)
    shown = present_uniformity_sweep(
        MeasuredExperiment(SWEEP, planted(), images, images, tmp_path, tmp_path / "figures")
    )
    assert {path.name for path in shown.figures} == {f"uniformity_sweep.{end}" for end in ("svg", "png", "csv")}
    page = check_page(shown.page.read_text(encoding="utf-8"))
    assert len(page.pictures) == 1
    assert "a probe" in page.text
    assert "no two are told apart (78 pairs)" in page.text
    assert shown.summary in page.text.replace("From λ", "from λ")
    assert shown.summary.startswith(
        "from λ = 0 to 1: effective rank of cls features 0.00167 ± 0.0021 to 0.0417 ± 0.0021"
    )
    assert not plt.get_fignums()
