"""Cells of the experiments that compare initial weights: untrained, MAE and U-MAE under two rules."""

from __future__ import annotations

from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.experiments.studies.objectives import objective_cells
from maetheory.training import TrainConfig


def initialisation_cells(recipe: TrainConfig, uniformity_weight: float) -> tuple[Cell, ...]:
    """Return random, MAE and U-MAE, with Xavier-uniform weights at the start and with normal ones (0.02)."""
    xavier = objective_cells(recipe, uniformity_weight)
    normal = objective_cells(replace(recipe, initialisation="normal"), uniformity_weight)
    return xavier + tuple(replace(cell, name=f"{cell.name} normal") for cell in normal)
