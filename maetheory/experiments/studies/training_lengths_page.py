"""Figure, table and page of the experiments that compare lengths of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from maetheory import figures
from maetheory.core import provenance
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.figures.descriptions import describe_training_length
from maetheory.reports import Picture, Section, Statement, Table, write_page
from maetheory.reports.claims import looks_sentence
from maetheory.reports.training_length import PERCENT_METRICS, GainSlope, gain_slopes, training_length_table

_NAMES = {
    "linear_probe": "linear probing accuracy",
    "knn_probe": "k-NN accuracy",
    "effective_rank": "effective rank",
    "reconstruction_loss": "reconstruction error",
}


def present_training_lengths(measured: MeasuredExperiment) -> Presentation:
    """Draw both objectives and the gain against the number of epochs, and write the page."""
    frame = training_length_table(measured.ledger)
    figures.plot("training_length", frame, out=measured.figures)
    drawn = [measured.figures / f"training_length.{suffix}" for suffix in ("svg", "png", "csv")]
    slopes = gain_slopes(measured.ledger)
    sentence = "; ".join(map(gain_slope_sentence, slopes)) or "one length of training has no slope"
    return Presentation(_write_html_report(measured, frame, slopes, drawn, sentence), tuple(drawn), sentence)


def gain_slope_sentence(found: GainSlope) -> str:
    """Return what twice the training adds to the gain, its interval and the verdict."""
    unit = " points" if found.metric in PERCENT_METRICS else ""
    return (
        f"twice the epochs change the gain of U-MAE in {_NAMES[found.metric]} ({found.readout}) by "
        f"{found.slope:+.2g} ± {found.error:.2g}{unit} ({found.seeds} seed{'s' if found.seeds > 1 else ''}), "
        f"so that it grows with training is {found.label}"
    )


def _slope_table(slopes: Sequence[GainSlope]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "measure": f"{_NAMES[one.metric]}, {one.readout}",
                "change of the gain by twice the epochs": f"{one.slope:+.2g} ± {one.error:.2g}",
                "seeds": one.seeds,
                "the gain grows with training": one.label,
            }
            for one in slopes
        ]
    )


def _write_html_report(
    measured: MeasuredExperiment, frame: pd.DataFrame, slopes: Sequence[GainSlope], drawn: Sequence[Path], sentence: str
) -> Path:
    recipe, ledger = measured.experiment.cells[0].recipe, measured.ledger
    picture = next(path for path in drawn if path.suffix == ".svg")
    lead = (
        f"MAE and U-MAE (λ = {measured.experiment.cells[1].recipe.uniformity_weight:g}) on {ledger.train_images.max()} "
        f"training and {len(measured.test)} test images of {measured.test.name}; seeds "
        f"{', '.join(map(str, sorted(set(ledger.seed))))}. Every number of epochs is a training of its own, with a "
        "learning rate that falls to zero at its end."
    )
    sections = [
        Section(
            "Does the gain grow with training?",
            looks_sentence(),
            tables=[Table(_slope_table(slopes), "Change of the gain of U-MAE by twice the epochs.")],
        ),
        Section(
            "Against the number of epochs",
            "Left: mean and standard deviation over seeds. Right: U-MAE − MAE, paired by seed and test image, with its "
            "interval.",
            [Picture(picture, describe_training_length(frame), "MAE and U-MAE, and their difference, by epochs.")],
            [Table(frame, "Means over seeds; error: standard deviation, or half the interval of a gain.")],
        ),
    ]
    about = {"experiment": recipe.to_dict(), **provenance()}
    title = f"maetheory: {measured.experiment.name}"
    reading = [*measured.reservations, Statement("Length of training.", f"{sentence[0].upper()}{sentence[1:]}.")]
    return write_page(measured.out / "report.html", title, lead, sections, about, reading=reading)
