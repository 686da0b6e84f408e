"""Cells of the experiments that compare objectives: random, MAE and U-MAE, SimMIM and U-SimMIM."""

from __future__ import annotations

from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig


def objective_cells(recipe: TrainConfig, uniformity_weight: float, *, simmim: bool = False) -> tuple[Cell, ...]:
    """Return the cells random, MAE and U-MAE, and with `simmim` also SimMIM and U-SimMIM."""
    cells = [Cell("random", recipe, trained=False)]
    for objective in ("mae", "simmim") if simmim else ("mae",):
        for weight in (0.0, uniformity_weight):
            one = replace(recipe, objective=objective, uniformity_weight=weight)
            cells.append(Cell(Cell("", one).objective, one))
    return tuple(cells)
