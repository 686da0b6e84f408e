"""Lengths of training and initial weights: cells, tables, slopes with their intervals, and whole small runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from html_pages import check_page
from scipy import stats

from maetheory.checkpoints.initialisations import HUGGING_FACE
from maetheory.core import InputError
from maetheory.core.packed_bits import pack_bits
from maetheory.evaluation import random_init_model
from maetheory.experiments import EXPERIMENTS, experiment
from maetheory.experiments.difference_from_preset import difference_from_preset
from maetheory.experiments.reproduction import reproduce
from maetheory.experiments.studies.training_lengths_page import gain_slope_sentence
from maetheory.reports.claims import CONFIRMED, REFUTED, TAIL, UNDECIDED
from maetheory.reports.training_length import gain_slopes, training_length_table
from maetheory.training import TrainConfig
from maetheory.training.checkpointing import build_model

LENGTHS = (15, 30, 60)
IMAGES = 4000


def planted_ledger(growth: float, *, seeds: int, noise: float = 0.0, predictions: bool = True) -> pd.DataFrame:
    """Return records where U-MAE gains `growth` of the images at each doubling, and `noise` differs among seeds."""
    rng = np.random.default_rng(3)
    rows = []
    for seed in range(seeds):
        shift = noise * rng.normal()
        for doublings, epochs in enumerate(LENGTHS):
            right = np.arange(IMAGES) < IMAGES // 2
            more = np.arange(IMAGES) < IMAGES / 2 + IMAGES * doublings * (growth + shift)
            for objective, correct in (("MAE", right), ("U-MAE", more)):
                row = {"objective": objective, "cell": f"{objective} {epochs} epochs", "seed": seed, "epochs": epochs}
                shared = {"train_images": 10, "test_images": IMAGES, "metric": "linear_probe", "readout": "cls"}
                known = {"correct": pack_bits(correct)} if predictions else {}
                rows.append(row | shared | known | {"value": correct.mean(), "error": 2 * 0.5 / np.sqrt(IMAGES)})
    return pd.DataFrame(rows)


def test_the_slope_is_the_gain_of_a_doubling() -> None:
    (found,) = gain_slopes(planted_ledger(0.02, seeds=3))
    assert (found.metric, found.readout, found.seeds) == ("linear_probe", "cls", 3)
    assert found.slope == pytest.approx(2)
    assert found.label == CONFIRMED
    assert "by +2 ± " in gain_slope_sentence(found)
    table = training_length_table(planted_ledger(0.02, seeds=3))
    gains = table[table.curve == "gain"]
    np.testing.assert_allclose(gains.value, [0, 2, 4], atol=1e-12)
    assert list(gains.epochs) == list(LENGTHS)


def test_the_interval_over_seeds_decides_from_both_sides() -> None:
    (steady,) = gain_slopes(planted_ledger(0.02, seeds=3, noise=0.001))
    (unsteady,) = gain_slopes(planted_ledger(0.02, seeds=3, noise=0.02))
    assert (steady.label, unsteady.label) == (CONFIRMED, UNDECIDED)
    (shrinks,) = gain_slopes(planted_ledger(-0.02, seeds=3, noise=0.001))
    assert shrinks.label == REFUTED


def test_the_interval_over_images_decides_from_both_sides() -> None:
    """A doubling changes one image in 250; paired predictions see that and independent test sets would not."""
    (paired,) = gain_slopes(planted_ledger(0.004, seeds=3))
    (independent,) = gain_slopes(planted_ledger(0.004, seeds=3, predictions=False))
    assert (paired.label, independent.label) == (CONFIRMED, UNDECIDED)
    per_length = np.hypot(0.5, 0.5) / np.sqrt(IMAGES)  # standard error of a difference of two accuracies
    weights = np.array([-0.5, 0, 0.5])
    assert independent.error == pytest.approx(100 * stats.norm.isf(TAIL) * per_length * np.sqrt(weights @ weights))
    changed = np.arange(IMAGES) < IMAGES * 0.008  # images that the longest training adds, each with slope one half
    assert paired.error == pytest.approx(
        100 * stats.norm.isf(TAIL) * (changed / 2).std(ddof=1) / np.sqrt(IMAGES), rel=0.3
    )


def test_one_seed_and_one_length_decide_nothing() -> None:
    (single,) = gain_slopes(planted_ledger(0.02, seeds=1))
    assert single.label == UNDECIDED
    ledger = planted_ledger(0.02, seeds=2)
    assert not gain_slopes(ledger[ledger.epochs == 15])
    partial = ledger[(ledger.seed == 0) | (ledger.epochs < 60)]
    assert [found.seeds for found in gain_slopes(partial)] == [1]  # only seed 0 ran at every length


def test_a_loss_that_rises_is_no_gain() -> None:
    ledger = planted_ledger(0.02, seeds=3, predictions=False)
    losses = ledger.assign(metric="reconstruction_loss", readout="hidden pixels")
    assert not gain_slopes(losses)
    assert set(training_length_table(losses).curve) == {"MAE", "U-MAE", "gain"}  # which the figure calls a change


def test_every_length_ends_its_own_schedule() -> None:
    for name in ("digits-length", "cifar10-length"):
        chosen = experiment(name)
        assert {cell.recipe.epochs for cell in chosen.cells} == {int(cell.name.split()[1]) for cell in chosen.cells}
        assert {cell.objective for cell in chosen.cells} == {"MAE", "U-MAE"}
        assert all(cell.recipe.warmup_epochs <= cell.recipe.epochs / 10 for cell in chosen.cells)


def test_normal_weights_are_drawn_where_asked() -> None:
    recipe = experiment("digits").cells[0].recipe
    xavier, normal = (build_model(replace(recipe, initialisation=rule)) for rule in ("xavier", "normal"))
    weight = "encoder.blocks.0.mlp.fc1.weight"
    stds = [float(model.state_dict()[weight].std()) for model in (xavier, normal)]
    inputs, outputs = xavier.state_dict()[weight].shape[::-1]
    assert stds[0] == pytest.approx(np.sqrt(2 / (inputs + outputs)), rel=0.05)
    assert stds[1] == pytest.approx(0.02, rel=0.05)
    again = random_init_model(xavier, initialisation=HUGGING_FACE, seed=recipe.seed)
    assert again is not None
    assert all(torch.equal(one, two) for one, two in zip(normal.parameters(), again.parameters(), strict=True))
    with pytest.raises(InputError, match="'xavier' or 'normal', but it is 'he'"):
        replace(recipe, initialisation="he")
    without = {key: value for key, value in recipe.to_dict().items() if key != "initialisation"}
    assert TrainConfig.from_dict(without) == recipe  # recipes of before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-length", "digits-initialisation"])
def test_a_small_run_ends_with_its_figure_and_page(name: str, tmp_path: Path) -> None:
    chosen = EXPERIMENTS[name]
    cells = tuple(
        replace(cell, recipe=replace(cell.recipe, epochs=max(1, cell.recipe.epochs // 15), warmup_epochs=0.5))
        for cell in chosen.cells
        if "60" not in cell.name and "240" not in cell.name
    )
    small = replace(chosen, cells=cells, seeds=(0,), train_limit=200, test_limit=100)
    done = reproduce(small, out=tmp_path, workers=1)
    page = check_page(done.page.read_text(encoding="utf-8"))
    assert len(page.pictures) == 1
    reservation = difference_from_preset(small)
    assert done.summary.startswith(f"{reservation} ")
    assert reservation.removeprefix("This is not the published run of ") in page.text
    assert done.summary.removeprefix(reservation).strip()[1:] in page.text
    assert {path.suffix for path in done.figures} == {".svg", ".png", ".csv"}
    assert all(path.stat().st_size > 0 for path in done.figures)
    assert "1 seed" in done.summary or "one seed" in done.summary
