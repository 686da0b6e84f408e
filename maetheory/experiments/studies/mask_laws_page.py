"""Figure, table and page of a mask-law study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from maetheory import figures
from maetheory.core import atomic_write, provenance
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.experiments.studies.mask_law_scores import (
    READOUTS,
    count_above_untrained,
    score_correlations,
    score_mask_laws,
    seed_agreement,
)
from maetheory.figures.descriptions import describe_score_against_accuracy
from maetheory.reports import Picture, Section, Statement, Table, write_page


def present_mask_laws(measured: MeasuredExperiment) -> Presentation:
    """Score the mask laws, unless an earlier call did, and plot each score against the measured accuracies."""
    scores = score_mask_laws(
        measured.experiment.cells,
        measured.training_images,
        progress=measured.progress,
        store=measured.out / "mask_law_scores.csv",
    )
    correlations = score_correlations(scores, measured.ledger)
    frame = figures.score_against_accuracy(scores, measured.ledger, correlations)
    with figures.paper_style():
        figure = figures.plot("score_against_accuracy", frame)
        drawn = figures.save_figure(figure, frame, measured.figures, "score_against_accuracy")
    with atomic_write(measured.figures / "score_correlations.csv") as part:
        correlations.to_csv(part, index=False, float_format="%.4g")
    sentence = summary_sentence(correlations, measured.ledger)
    picture = Picture(
        next(path for path in drawn if path.suffix == ".svg"),
        describe_score_against_accuracy(frame),
        "Scores of mask laws against linear-probe accuracy.",
    )
    page = _write_html_report(measured, scores, correlations, picture, sentence)
    return Presentation(page, (*drawn, measured.figures / "score_correlations.csv"), sentence)


def summary_sentence(correlations: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Return which scores predict accuracy after correction for all of them, and which correlate negatively."""
    laws, seeds = ledger[ledger.objective != "random"].cell.nunique(), ledger.seed.nunique()
    known = correlations[correlations.p_adjusted < 0.05]
    right, wrong = known[known.rho > 0], known[known.rho < 0]
    learned = " and ".join(f"{count_above_untrained(ledger, readout)} ({readout})" for readout in READOUTS)
    start = (
        f"{laws} mask laws, of which {learned} probe better than an untrained network; {seeds} "
        f"seed{'s' * (seeds > 1)}{_seed_agreement_clause(ledger)}; {len(correlations)} correlations tested"
    )
    if known.empty:
        best = correlations.loc[correlations.rho.idxmax()]
        return (
            f"{start}: after correction for all of them, no score predicts linear-probe accuracy at the 5 % level; "
            f"the largest correlation is {_format_score(best)}."
        )
    said = [f"predict accuracy: {_format_scores(right)}"] * (not right.empty)
    said += [f"correlate negatively: {_format_scores(wrong)}"] * (not wrong.empty)
    return f"{start}: after correction for all of them (5 % level), these scores {'; these '.join(said)}."


def _seed_agreement_clause(ledger: pd.DataFrame) -> str:
    """Return how well seeds agree on the order of the laws, which bounds what a score can predict."""
    if ledger.seed.nunique() < 2:
        return ""
    found = ", ".join(f"{seed_agreement(ledger, readout):.2f} ({readout})" for readout in READOUTS)
    return f" whose rankings of the laws correlate with ρ = {found}"


def _format_scores(rows: pd.DataFrame) -> str:
    return ", ".join(_format_score(row) for _, row in rows.iterrows())


def _format_score(row: pd.Series) -> str:
    return f"{row.score} ({row.readout}) {row.rho:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _write_html_report(
    measured: MeasuredExperiment, scores: pd.DataFrame, correlations: pd.DataFrame, picture: Picture, sentence: str
) -> Path:
    seeds = ", ".join(map(str, measured.experiment.seeds))
    lead = (
        f"{len(measured.training_images)} training and {len(measured.test)} test images of {measured.test.name}; seeds "
        f"{seeds}."
    )
    sections = [
        Section(
            "Scores against accuracy",
            "All rank correlations, and the mask laws of the four scores whose smaller correlation is largest, each "
            "oriented so that a score predicts higher accuracy to the right. Scores use images, labels "
            "and the mask law only, except the reconstruction loss, which uses the model. The direction of each score "
            "was stated before accuracies were measured. ρ is Spearman's correlation with the mean over seeds; its "
            "95 % interval is not corrected for the number of scores.",
            [picture],
        ),
        Section(
            "Rank correlations",
            "p_adjusted is corrected for all rows of this table by permuting laws; partial controls for the mask "
            "ratio; least_seed and most_seed are the extremes of ρ over single seeds.",
            tables=[Table(correlations.round(3), "Rank correlations of scores with accuracy.")],
        ),
        Section(
            "All scores",
            tables=[Table(scores.drop(columns="why").round(4), "Scores of each mask law, with their intervals.")],
        ),
    ]
    about = {"experiment": {cell.name: cell.recipe.to_dict() for cell in measured.experiment.cells}, **provenance()}
    title = f"maetheory: {measured.experiment.name}"
    reading = [*measured.reservations, Statement("Scores of mask laws.", f"{sentence[0].upper()}{sentence[1:]}")]
    return write_page(measured.out / "report.html", title, lead, sections, about, reading=reading)
