"""Cells of the mask-law studies: one recipe under several mask laws and patch sizes, and untrained networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig


def mask_law_cells(recipe: TrainConfig, laws: Sequence[tuple[str, float, int]]) -> tuple[Cell, ...]:
    """Return a cell for each (mask law, mask ratio, patch size), and an untrained one for each patch size."""
    patches = sorted({patch for _, _, patch in laws})
    untrained = [
        Cell(f"untrained patch {patch}", _recipe_with_mask_law(recipe, "uniform", 0.5, patch), trained=False)
        for patch in patches
    ]
    return (
        *untrained,
        *(
            Cell(f"{law} {ratio:g} patch {patch}", _recipe_with_mask_law(recipe, law, ratio, patch))
            for law, ratio, patch in laws
        ),
    )


def _recipe_with_mask_law(recipe: TrainConfig, law: str, ratio: float, patch: int) -> TrainConfig:
    model = replace(recipe.model, encoder=replace(recipe.model.encoder, patch=patch))
    return replace(recipe, model=model, mask_law=law, mask_ratio=ratio)  # type: ignore[arg-type]  # `TrainConfig` refuses other laws
