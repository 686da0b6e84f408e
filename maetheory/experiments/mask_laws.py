"""Does what the theory says of a mask law before training agree with how well the model probes after it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig


def mask_laws(recipe: TrainConfig, laws: Iterable[tuple[str, float, int]]) -> tuple[Cell, ...]:
    """Return a cell for each (mask law, mask ratio, patch size), everything else as in `recipe`."""
    return tuple(Cell(f"{law} {ratio:g} patch {patch}", _under(recipe, law, ratio, patch)) for law, ratio, patch in laws)


def _under(recipe: TrainConfig, law: str, ratio: float, patch: int) -> TrainConfig:
    model = replace(recipe.model, encoder=replace(recipe.model.encoder, patch=patch))
    return replace(recipe, model=model, mask_law=law, mask_ratio=ratio)  # type: ignore[arg-type]
