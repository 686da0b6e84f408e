"""Whatever differs from a preset is said, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from maetheory.data import load_images
from maetheory.experiments import EXPERIMENTS, Cell
from maetheory.experiments.difference_from_preset import difference_from_preset
from maetheory.experiments.presentation import MeasuredExperiment

DIGITS = EXPERIMENTS["digits"]


def with_recipes(**changes):
    return replace(DIGITS, cells=tuple(replace(one, recipe=replace(one.recipe, **changes)) for one in DIGITS.cells))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_preset_is_its_own_run(name):
    assert difference_from_preset(EXPERIMENTS[name], ["32-true"]) == ""
    epochs = EXPERIMENTS[name].cells[0].recipe.epochs
    if len({cell.recipe.epochs for cell in EXPERIMENTS[name].cells}) == 1:
        assert difference_from_preset(EXPERIMENTS[name].with_epochs(epochs)) == ""


@pytest.mark.parametrize(
    ("experiment", "precisions", "words"),
    [
        (DIGITS.with_epochs(3), [], ["epochs 3, not 60"]),
        (replace(DIGITS, seeds=(4,)), [], ["seeds 4, not 0, 1, 2"]),
        (replace(DIGITS, train_limit=50), [], ["train limit 50, not all"]),
        (with_recipes(batch=64), [], ["batch 64, not 128"]),
        (with_recipes(warmup_epochs=1), [], ["warmup epochs 1, not 5"]),
        (DIGITS, ["32-true", "bf16-mixed"], ["precision bf16-mixed, not 32-true"]),
        (replace(DIGITS.with_epochs(3), seeds=(4,)), [], ["epochs 3, not 60", "seeds 4, not 0, 1, 2"]),
        (replace(DIGITS, cells=DIGITS.cells[:2]), [], ["other models"]),
        (replace(DIGITS, cells=(*DIGITS.cells, Cell("more", DIGITS.cells[0].recipe))), [], ["other models"]),
    ],
)
def test_every_difference_is_said(experiment, precisions, words):
    sentence = difference_from_preset(experiment, precisions)
    assert sentence.startswith("This is not the published run of digits: ")
    assert all(one in sentence for one in words)
    assert sentence.count(";") == len(words) - 1


def test_an_experiment_of_ones_own_differs_from_nothing():
    assert difference_from_preset(replace(DIGITS.with_epochs(3), name="mine")) == ""


def test_a_page_says_it_first(tmp_path):
    images = load_images("digits", split="test").limit(10)
    ledger = pd.DataFrame({"precision": [None, "bf16-mixed", "bf16-mixed"]})
    measured = MeasuredExperiment(DIGITS, ledger, images, images, tmp_path, tmp_path)
    assert [one.text for one in measured.reservations] == [measured.difference]
    assert measured.difference.endswith("precision bf16-mixed, not 32-true.")
    assert not replace(measured, ledger=ledger.iloc[:1]).reservations
