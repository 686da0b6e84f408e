"""Does what the theory says of a mask law before training agree with how well the model probes after it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from maetheory.core import Progress, silent
from maetheory.data import ImageSet
from maetheory.empirical import Score, score_law, score_table
from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig

SCORED = 2000  # images at most that scores look at
READOUTS = ("cls", "mean")
TRAINED = "reconstruction_loss"
AFTER_TRAINING = Score(-1, "a rival that needs the model: the loss on hidden pixels of test images")
COLUMNS = ("score", "readout", "rho", "low", "high", "p", "p_adjusted", "partial", "least_seed", "most_seed", "why")


def mask_laws(recipe: TrainConfig, laws: Iterable[tuple[str, float, int]]) -> tuple[Cell, ...]:
    """Return a cell for each (mask law, mask ratio, patch size), everything else as in `recipe`."""
    return tuple(
        Cell(f"{law} {ratio:g} patch {patch}", _under(recipe, law, ratio, patch)) for law, ratio, patch in laws
    )


def _under(recipe: TrainConfig, law: str, ratio: float, patch: int) -> TrainConfig:
    model = replace(recipe.model, encoder=replace(recipe.model.encoder, patch=patch))
    return replace(recipe, model=model, mask_law=law, mask_ratio=ratio)  # type: ignore[arg-type]


def law_scores(cells: Sequence[Cell], images: ImageSet, *, n_masks: int = 8, seed: int = 0,
               progress: Progress = silent) -> pd.DataFrame:  # fmt: skip
    """Score the law of every cell on images of training: the `score_table`, law being the name of the cell."""
    seen, found = images.limit(min(SCORED, len(images))), []
    for number, cell in enumerate(cells):
        progress(number, len(cells), f"scoring {cell.name}")
        found.append(score_law(seen, cell.recipe.law(), patch=cell.recipe.model.encoder.patch, name=cell.name,
                               n_masks=n_masks, seed=seed))  # fmt: skip
    return score_table(found)
