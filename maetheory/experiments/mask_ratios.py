"""The plain objective at every mask ratio: distances, graphs and probes against it, in one figure and one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from maetheory.core import generator, provenance
from maetheory.experiments.experiment import Cell, Measured, Presented
from maetheory.experiments.run import placed_model_of
from maetheory.figures import image_mask_ratios, masked_pair
from maetheory.figures.image_mask_ratio import accuracy_rows
from maetheory.reports import Section, write_page
from maetheory.reports.mask_ratio import mask_ratio_reading, mask_ratio_table, write_mask_ratio
from maetheory.training import TrainConfig

WATCHED_RATIO = 0.75  # of the model whose features give distances: the one nearest to what MAE is trained with


def mask_ratios(recipe: TrainConfig, ratios: Sequence[float]) -> tuple[Cell, ...]:
    """Return the cells that differ in the mask ratio only."""
    return tuple(Cell(f"mask ratio {ratio:g}", replace(recipe, mask_ratio=ratio)) for ratio in ratios)


def present_mask_ratios(measured: Measured) -> Presented:
    """Draw the mask-ratio figure of the images and of what was trained on them, and write its page."""
    cell = min(measured.experiment.cells, key=lambda cell: abs(cell.recipe.mask_ratio - WATCHED_RATIO))
    seed, patch = measured.experiment.seeds[0], cell.recipe.model.encoder.patch
    encoder = placed_model_of(measured.out, cell, replace(cell.recipe, seed=seed))
    numbers = image_mask_ratios(measured.resident, measured.test, patch, encoder=encoder, seed=seed)
    frame = pd.concat([numbers, accuracy_rows(measured.ledger)], ignore_index=True)
    pair = masked_pair(measured.test, patch, generator(seed, "masked pair"))
    drawn = write_mask_ratio(measured.figures, frame, pair)
    sentence = mask_ratio_reading(frame)
    return Presented(_page(measured, cell, frame, drawn, sentence), tuple(drawn), sentence)


def _page(measured: Measured, cell: Cell, frame: pd.DataFrame, drawn: Sequence[Path], sentence: str) -> Path:
    pictures = {path.stem: path for path in drawn if path.suffix == ".png"}
    seeds = ", ".join(map(str, measured.experiment.seeds))
    lead = (f"{len(measured.resident)} training and {len(measured.test)} test images of {measured.test.name}; "
            f"{cell.recipe.epochs} epochs at each ratio; seeds {seeds}. {sentence}")  # fmt: skip
    sections = [
        Section("Two images of one class", "Under the same masks.", [(pictures["masked_pair"], "masked images")]),
        Section("Against the mask ratio",
                "Distances are L2, of pixels in [0, 1]: of what one mask shows of both images, or with a mask of each "
                f"image's own and hidden pixels grey; of cls features of the {cell.name} model, which sees visible "
                "patches only. Shades are two standard errors, over images and masks; of token graphs 95 % bands; of "
                "kernel graphs two standard errors over masks, for these images. Open marks are UNDECIDED. Graphs keep "
                "positions: each mask has its own, and numbers are means over masks. α of kernel graphs is that of a "
                "vote of other images' views, which is no less than Bayes'.",
                [(pictures["image_mask_ratio"], "distances, graphs and accuracy against the mask ratio")]),
        Section("By rows", "Value [low, high]; a question mark is UNDECIDED.", tables=[mask_ratio_table(frame)]),
    ]  # fmt: skip
    about = {"experiment": cell.recipe.to_dict(), **provenance()}
    return write_page(measured.out / "report.html", f"maetheory: {measured.experiment.name}", lead, sections, about)
