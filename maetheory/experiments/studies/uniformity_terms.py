"""Cells of the uniformity sweep: weight, form and readout of the uniformity term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig

WEIGHTS = (0.001, 0.01, 0.1, 1.0)
BASELINE = "MAE"


def uniformity_sweep_cells(recipe: TrainConfig) -> tuple[Cell, ...]:
    """Return MAE, U-MAE at several weights, other forms of the term, and the term on the mean patch token.

    At μ = 1 the coding rate counts half of U-MAE's term to second order, so its weights are twice as large.
    """
    means = [_uniformity_cell(recipe, weight, uniformity_readout="mean") for weight in WEIGHTS[1:]]
    others = [
        _uniformity_cell(recipe, 0.1, uniformity_convention="authors"),
        _uniformity_cell(recipe, 0.01, uniformity_form="gaussian"),
        _uniformity_cell(recipe, 0.1, uniformity_form="gaussian"),
        _uniformity_cell(recipe, 0.2, uniformity_form="coding-rate"),
        _uniformity_cell(recipe, 2.0, uniformity_form="coding-rate"),
    ]
    return (*uniformity_weight_cells(recipe, WEIGHTS), *means, *others)


def uniformity_weight_cells(recipe: TrainConfig, weights: Sequence[float]) -> tuple[Cell, ...]:
    """Return MAE, and U-MAE at several weights of its term."""
    return (
        Cell(BASELINE, replace(recipe, uniformity_weight=0.0)),
        *(_uniformity_cell(recipe, weight) for weight in weights),
    )


def _uniformity_cell(recipe: TrainConfig, weight: float, **changes: str) -> Cell:
    changed = replace(recipe, uniformity_weight=weight, **changes)  # type: ignore[arg-type]  # `TrainConfig` refuses other values
    return Cell(f"{changed.uniformity_term} {weight:g}", changed)
