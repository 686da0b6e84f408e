"""Cells of the mask-ratio experiments: one recipe at several mask ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig


def mask_ratio_cells(recipe: TrainConfig, ratios: Sequence[float]) -> tuple[Cell, ...]:
    """Return one cell for each mask ratio; the cells differ in nothing else."""
    return tuple(Cell(f"mask ratio {ratio:g}", replace(recipe, mask_ratio=ratio)) for ratio in ratios)
