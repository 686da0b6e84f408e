"""The plain objective at every mask ratio: distances, graphs and probes against it, in one figure and one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from maetheory.core import generator, provenance
from maetheory.experiments.experiment import Cell, MeasuredExperiment, Presentation
from maetheory.experiments.run import load_cell_model_on_device
from maetheory.figures import image_mask_ratios, masked_pair
from maetheory.figures.image_mask_ratio import accuracy_rows
from maetheory.reports import Section, write_page
from maetheory.reports.mask_ratio import mask_ratio_summary, mask_ratio_table, write_mask_ratio_figures
from maetheory.training import TrainConfig

FEATURE_RATIO = 0.75  # of the model whose features give distances: the one nearest to what MAE is trained with


def mask_ratio_cells(recipe: TrainConfig, ratios: Sequence[float]) -> tuple[Cell, ...]:
    """Return the cells that differ in the mask ratio only."""
    return tuple(Cell(f"mask ratio {ratio:g}", replace(recipe, mask_ratio=ratio)) for ratio in ratios)


def present_mask_ratios(measured: MeasuredExperiment) -> Presentation:
    """Draw the mask-ratio figure of the images and of what was trained on them, and write its page."""
    cell = min(measured.experiment.cells, key=lambda cell: abs(cell.recipe.mask_ratio - FEATURE_RATIO))
    seed, patch = measured.experiment.seeds[0], cell.recipe.model.encoder.patch
    encoder = load_cell_model_on_device(measured.out, cell, replace(cell.recipe, seed=seed))
    numbers = image_mask_ratios(measured.training_images, measured.test, patch, encoder=encoder, seed=seed)
    frame = pd.concat([numbers, accuracy_rows(measured.ledger)], ignore_index=True)
    pair = masked_pair(measured.test, patch, generator(seed, "masked pair"))
    drawn = write_mask_ratio_figures(measured.figures, frame, pair)
    sentence = mask_ratio_summary(frame)
    return Presentation(_page(measured, cell, frame, drawn, sentence), tuple(drawn), sentence)


def _page(measured: MeasuredExperiment, cell: Cell, frame: pd.DataFrame, drawn: Sequence[Path], sentence: str) -> Path:
    pictures = {path.stem: path for path in drawn if path.suffix == ".png"}
    seeds = ", ".join(map(str, measured.experiment.seeds))
    lead = (
        f"{len(measured.training_images)} training and {len(measured.test)} test images of {measured.test.name}; "
        f"{cell.recipe.epochs} epochs at each ratio; seeds {seeds}. {sentence}"
    )
    sections = [
        Section("Two images of one class", "Under the same masks.", [(pictures["masked_pair"], "masked images")]),
        Section(
            "Against the mask ratio",
            "Distances are L2, of pixels in [0, 1]: of what one mask shows of both images, or with a mask of each "
            f"image's own and hidden pixels grey; of cls features of the {cell.name} model, which sees visible "
            "patches only. Shades are two standard errors, over images and masks; of token graphs 95 % bands; of "
            "kernel graphs two standard errors over masks, for these images. Open marks are UNDECIDED. Graphs keep "
            "positions: each mask has its own, and numbers are means over masks. α of kernel graphs is that of a "
            "vote of other images' views, which is no less than Bayes'.",
            [(pictures["image_mask_ratio"], "distances, graphs and accuracy against the mask ratio")],
        ),
        Section("By rows", "Value [low, high]; a question mark is UNDECIDED.", tables=[mask_ratio_table(frame)]),
    ]
    about = {"experiment": cell.recipe.to_dict(), **provenance()}
    return write_page(measured.out / "report.html", f"maetheory: {measured.experiment.name}", lead, sections, about)
