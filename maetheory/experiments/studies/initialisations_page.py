"""Figure, table and page of the experiments that compare initial weights."""

from __future__ import annotations

import pandas as pd

from maetheory import figures
from maetheory.core import provenance
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.figures.descriptions import describe_initialisation
from maetheory.figures.initialisation import RULES, initialisation
from maetheory.reports import Picture, Section, Statement, Table, write_page
from maetheory.reports.claims import TAIL, t_half_width


def present_initialisations(measured: MeasuredExperiment) -> Presentation:
    """Draw rank and probes under both rules, and write the page."""
    frame = initialisation(measured.ledger)
    figures.plot("initialisation", frame, out=measured.figures)
    drawn = tuple(measured.figures / f"initialisation.{suffix}" for suffix in ("svg", "png", "csv"))
    sentence = initialisation_summary(frame)
    recipe, ledger = measured.experiment.cells[0].recipe, measured.ledger
    lead = (
        f"{ledger.train_images.max()} training and {len(measured.test)} test images of {measured.test.name}; "
        f"{recipe.epochs} epochs; seeds {', '.join(map(str, sorted(set(ledger.seed))))}."
    )
    sections = [
        Section(
            "Initial weights",
            "A small point for each seed; beside it mean and standard deviation over seeds. Whether MAE's features "
            "have collapsed compared with an untrained network depends on how that network is drawn.",
            [Picture(drawn[0], describe_initialisation(frame), "Effective rank and probes under two initialisations.")],
            [Table(_mean_table(frame), "Means over seeds; spread: standard deviation.")],
        ),
    ]
    about = {"experiment": recipe.to_dict(), **provenance()}
    title = f"maetheory: {measured.experiment.name}"
    reading = [*measured.reservations, Statement("Initial weights.", f"{sentence[0].upper()}{sentence[1:]}.")]
    page = write_page(measured.out / "report.html", title, lead, sections, about, reading=reading)
    return Presentation(page, drawn, sentence)


def initialisation_summary(frame: pd.DataFrame) -> str:
    """Return the effective rank that training adds to an untrained network under each rule, with its interval."""
    ranks = frame[(frame.metric == "effective_rank") & (frame.readout == "cls")]
    parts = []
    for rule, name in RULES.items():
        of_rule = ranks[ranks.initialisation == rule].pivot(index="seed", columns="objective", values="value")
        if not {"random", "MAE"} <= set(of_rule):
            continue
        change = (of_rule.MAE - of_rule.random).dropna()
        error = t_half_width(float(change.std(ddof=1)), len(change)) if len(change) > 1 else float("nan")
        words = f" ± {error:.2g}" if len(change) > 1 else ", one seed"
        parts.append(f"{change.mean():+.3g}{words} ({name})")
    level = f"intervals of {100 * (1 - 2 * TAIL):.1f} % over {ranks.seed.nunique()} seeds"
    return f"MAE changes the effective rank of cls features from initialisation by {' and '.join(parts)}; {level}"


def _mean_table(frame: pd.DataFrame) -> pd.DataFrame:
    grouped = frame.groupby(["metric", "readout", "initialisation", "objective"], sort=False).value
    return grouped.agg(["mean", "std", "count"]).reset_index().rename(columns={"std": "spread", "count": "seeds"})
