"""Cells of the experiments that compare lengths of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.experiments.experiment import Cell, recipe_with_epochs
from maetheory.training import TrainConfig


def training_length_cells(recipe: TrainConfig, uniformity_weight: float, lengths: Sequence[int]) -> tuple[Cell, ...]:
    """Return MAE and U-MAE at each number of epochs.

    Each length has a learning-rate schedule of its own, which ends at zero: a network in the middle of a longer
    schedule still has a high learning rate, and is no fair example of a short training.
    """
    return tuple(
        Cell(f"{objective} {epochs} epochs", replace(recipe_with_epochs(recipe, epochs), uniformity_weight=weight))
        for epochs in lengths
        for objective, weight in (("MAE", 0.0), ("U-MAE", uniformity_weight))
    )
