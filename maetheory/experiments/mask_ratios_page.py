"""Figure and page of a mask-ratio experiment: distances, mask graphs and probes against the mask ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from maetheory.core import generator, provenance
from maetheory.experiments.experiment import Cell
from maetheory.experiments.models import load_cell_model_on_device
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.figures import image_statistics_by_mask_ratio, masked_pair
from maetheory.figures.mask_ratio_table import accuracy_rows
from maetheory.reports import Section, write_page
from maetheory.reports.mask_ratio import mask_ratio_summary, mask_ratio_table, write_mask_ratio_figures

FEATURE_RATIO = 0.75  # distances use the features of the model trained nearest to MAE's own mask ratio


def present_mask_ratios(measured: MeasuredExperiment) -> Presentation:
    """Draw the mask-ratio figure of the images and of the trained models, and write the page."""
    cell = min(measured.experiment.cells, key=lambda cell: abs(cell.recipe.mask_ratio - FEATURE_RATIO))
    seed, patch = measured.experiment.seeds[0], cell.recipe.model.encoder.patch
    encoder = load_cell_model_on_device(measured.out, cell, replace(cell.recipe, seed=seed))
    numbers = image_statistics_by_mask_ratio(measured.training_images, measured.test, patch, encoder=encoder, seed=seed)
    frame = pd.concat([numbers, accuracy_rows(measured.ledger)], ignore_index=True)
    pair = masked_pair(measured.test, patch, generator(seed, "masked pair"))
    drawn = write_mask_ratio_figures(measured.figures, frame, pair)
    sentence = mask_ratio_summary(frame)
    return Presentation(_write_html_report(measured, cell, frame, drawn, sentence), tuple(drawn), sentence)


def _write_html_report(
    measured: MeasuredExperiment, cell: Cell, frame: pd.DataFrame, drawn: Sequence[Path], sentence: str
) -> Path:
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
            "Distances are L2: of pixels in [0, 1], either visible under one shared mask, or under one mask per image "
            f"with hidden pixels set to grey; and of cls features of the {cell.name} model, which receives visible "
            "patches only. Shaded: two standard errors over images and masks; 95 % intervals for token graphs; for "
            "kernel graphs two standard errors over masks, with the images fixed. Open markers are UNDECIDED. Mask "
            "graphs keep positions: each mask has its own graph, and values are means over masks. α of kernel graphs "
            "is the error of a vote among the views of other images, which is at least the Bayes error.",
            [(pictures["image_mask_ratio"], "distances, graphs and accuracy against the mask ratio")],
        ),
        Section("Table", "Value [low, high]; a question mark means UNDECIDED.", tables=[mask_ratio_table(frame)]),
    ]
    about = {"experiment": cell.recipe.to_dict(), **provenance()}
    return write_page(measured.out / "report.html", f"maetheory: {measured.experiment.name}", lead, sections, about)
