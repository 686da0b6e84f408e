"""The plain objective at every mask ratio: distances, graphs and probes against it, in one figure and one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig


def mask_ratios(recipe: TrainConfig, ratios: Sequence[float]) -> tuple[Cell, ...]:
    """Return the cells that differ in the mask ratio only."""
    return tuple(Cell(f"mask ratio {ratio:g}", replace(recipe, mask_ratio=ratio)) for ratio in ratios)
