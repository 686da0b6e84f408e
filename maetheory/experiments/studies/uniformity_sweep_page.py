"""Figure, table and page of the uniformity sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from maetheory import figures
from maetheory.core import provenance
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.experiments.studies.cell_comparisons import (
    compare_linear_probes,
    comparison_section,
    comparison_sentence,
)
from maetheory.figures.descriptions import describe_uniformity_sweep
from maetheory.figures.uniformity_sweep import U_MAE_TERM
from maetheory.reports import Picture, Section, Statement, Table, write_page


def present_uniformity_sweep(measured: MeasuredExperiment) -> Presentation:
    """Draw ranks, probes and reconstruction against the weight, and write the page."""
    frame = figures.uniformity_sweep(measured.ledger)
    drawn = write_uniformity_sweep_figure(frame, measured.figures)
    sentence = uniformity_sweep_summary(frame)
    return Presentation(_write_html_report(measured, frame, drawn, sentence), tuple(drawn), sentence)


def write_uniformity_sweep_figure(frame: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw the figure of a sweep into a folder: svg, png, csv."""
    from matplotlib import pyplot as plt

    with figures.paper_style():
        figure, axes = plt.subplots(2, 2, figsize=(6.5, 5.4), layout="constrained")
        figures.draw_uniformity_sweep(list(axes.flat), frame)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
        return figures.save_figure(figure, frame, folder, "uniformity_sweep")


def uniformity_sweep_summary(frame: pd.DataFrame) -> str:
    """Return rank, probe accuracy and reconstruction loss of U-MAE's term at weight 0 and at the largest weight."""
    parts = []
    for metric, readout, words in (
        ("effective_rank", "cls", "effective rank of cls features"),
        ("linear_probe", "cls", "linear probe of cls, %"),
        ("linear_probe", "mean", "linear probe of mean patches, %"),
        ("reconstruction_loss", "hidden pixels", "squared error"),
    ):
        part = frame[(frame.metric == metric) & (frame.readout == readout) & (frame.term == U_MAE_TERM)].sort_values(
            "weight"
        )
        parts.append(f"{words} {_format_mean_std(part.iloc[0])} to {_format_mean_std(part.iloc[-1])}")
    top, seeds = frame[frame.term == U_MAE_TERM].weight.max(), frame.seeds.min()
    return f"from λ = 0 to {top:g}: {'; '.join(parts)} ({seeds} seed{'s' if seeds > 1 else ''})"


def _format_mean_std(row: pd.Series) -> str:
    return f"{row.value:.3g}" + (f" ± {row.spread:.2g}" if row.seeds > 1 else "")


def _mean_table(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.assign(
        text=[_format_mean_std(row) for _, row in frame.iterrows()], measure=frame.metric + ", " + frame.readout
    )
    return shown.pivot(index=["term", "weight"], columns="measure", values="text").reset_index()


def _write_html_report(measured: MeasuredExperiment, frame: pd.DataFrame, drawn: Sequence[Path], sentence: str) -> Path:
    recipe, ledger = measured.experiment.cells[0].recipe, measured.ledger
    picture = next(path for path in drawn if path.suffix == ".svg")
    lead = (
        f"{ledger.train_images.max()} training and {len(measured.test)} test images of {measured.test.name}; "
        f"{recipe.epochs} epochs; seeds {', '.join(map(str, sorted(set(ledger.seed))))}."
    )
    probe = ledger[ledger.metric == "linear_probe"].recipe.iloc[0]
    told_apart = compare_linear_probes(ledger)
    sections = [
        Section(
            "Metrics against the uniformity weight",
            "Error bars and shading: standard deviation over seeds. Models are named by term and weight, squares being "
            "U-MAE's term. The weights of different terms are not comparable: "
            "to second order the coding rate is half of U-MAE's term; Wang and Isola's potential is larger and also "
            f"depends on the sign of cosines. Probe: {probe}.",
            [
                Picture(
                    picture, describe_uniformity_sweep(frame), "Ranks, probes and reconstruction against the weight."
                )
            ],
            [Table(_mean_table(frame), "Means over seeds ± their standard deviation.")],
        ),
        comparison_section(told_apart),
    ]
    about = {"experiment": recipe.to_dict(), **provenance()}
    title = f"maetheory: {measured.experiment.name}"
    reading = [*measured.reservations, Statement("Uniformity weight.", f"{sentence[0].upper()}{sentence[1:]}.")]
    reading.append(Statement("Linear probes.", comparison_sentence(told_apart)))
    return write_page(measured.out / "report.html", title, lead, sections, about, reading=reading)
