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
from maetheory.experiments.studies.cell_comparisons import (
    compare_linear_probes,
    comparison_section,
    comparison_sentence,
)
from maetheory.figures import image_statistics_by_mask_ratio, masked_pair
from maetheory.figures.descriptions import describe_image_statistics, describe_masked_images
from maetheory.figures.mask_ratio_table import accuracy_rows
from maetheory.reports import Picture, Section, Statement, Table, write_page
from maetheory.reports.mask_ratio import mask_ratio_summary, mask_ratio_table, write_mask_ratio_figures

FEATURE_RATIO = 0.75  # distances use the features of the model trained nearest to MAE's own mask ratio


def present_mask_ratios(measured: MeasuredExperiment) -> Presentation:
    """Draw the mask-ratio figure of the images and of the trained models, and write the page."""
    cell = min(measured.experiment.cells, key=lambda cell: abs(cell.recipe.mask_ratio - FEATURE_RATIO))
    seed, patch = measured.experiment.seeds[0], cell.recipe.model.encoder.patch
    encoder = load_cell_model_on_device(measured.out, cell, replace(cell.recipe, seed=seed), measured.device)
    numbers = image_statistics_by_mask_ratio(measured.training_images, measured.test, patch, encoder=encoder, seed=seed)
    frame = pd.concat([numbers, accuracy_rows(measured.ledger)], ignore_index=True)
    pair = masked_pair(measured.test, patch, generator(seed, "masked pair"))
    drawn = write_mask_ratio_figures(measured.figures, frame, pair)
    sentence = mask_ratio_summary(frame)
    return Presentation(_write_html_report(measured, cell, frame, pair, drawn, sentence), tuple(drawn), sentence)


def _write_html_report(
    measured: MeasuredExperiment,
    cell: Cell,
    frame: pd.DataFrame,
    pair: pd.DataFrame,
    drawn: Sequence[Path],
    sentence: str,
) -> Path:
    pictures = {path.stem: path for path in drawn if path.suffix == ".svg"}
    seeds = ", ".join(map(str, measured.experiment.seeds))
    lead = (
        f"{len(measured.training_images)} training and {len(measured.test)} test images of {measured.test.name}; "
        f"{cell.recipe.epochs} epochs at each ratio; seeds {seeds}."
    )
    told_apart = compare_linear_probes(measured.ledger)
    sections = [
        Section(
            "Against the mask ratio",
            "Distances are L2: of pixels in [0, 1], either visible under one shared mask, or under one mask per image "
            f"with hidden pixels set to grey; and of cls features of the {cell.name} model, which receives visible "
            "patches only. Shaded: two standard errors over images and masks; 95 % intervals for token graphs; for "
            "kernel graphs two standard errors over masks, with the images fixed. Open markers are UNDECIDED. Mask "
            "graphs keep positions: each mask has its own graph, and values are means over masks. α of kernel graphs "
            "is the error of a vote among the views of other images, which is at least the Bayes error.",
            [
                Picture(
                    pictures["image_mask_ratio"],
                    describe_image_statistics(frame),
                    "Distances, accuracy and statistics of mask graphs against the mask ratio.",
                )
            ],
            [Table(mask_ratio_table(frame), "Value [low, high]; a question mark means UNDECIDED.")],
        ),
        comparison_section(told_apart),
        Section(
            "Two images of one class",
            pictures=[
                Picture(
                    pictures["masked_pair"],
                    describe_masked_images(pair),
                    "Two images under the same masks, of which each hides more patches than the one before.",
                )
            ],
        ),
    ]
    about = {"experiment": cell.recipe.to_dict(), **provenance()}
    title = f"maetheory: {measured.experiment.name}"
    reading = [*measured.reservations, Statement("Mask ratio.", sentence)]
    reading.append(Statement("Linear probes.", comparison_sentence(told_apart)))
    return write_page(measured.out / "report.html", title, lead, sections, about, reading=reading)
