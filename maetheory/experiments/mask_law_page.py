"""What scores of mask laws said beforehand beside what probes found afterwards: a figure, a table, a page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from maetheory import figures
from maetheory.core import provenance, replacing
from maetheory.experiments.experiment import Measured, Presented
from maetheory.experiments.mask_laws import (
    READOUTS,
    SCORED,
    above_untrained,
    law_scores,
    score_correlations,
    seed_agreement,
)
from maetheory.reports import Section, write_page


def present_mask_laws(measured: Measured) -> Presented:
    """Score the laws, unless an earlier call did, and show each score against the accuracies measured."""
    from matplotlib import pyplot as plt

    scores = _scores(measured)
    correlations = score_correlations(scores, measured.ledger)
    frame = figures.score_against_accuracy(scores, measured.ledger, correlations)
    with figures.paper_style():
        figure, axes = plt.subplots(*figures.GRID_OF_SCORES, figsize=(13, 12), layout="constrained")
        figures.draw_score_against_accuracy(list(axes.ravel()), frame)
        drawn = figures.save_figure(figure, frame, measured.figures, "score_against_accuracy")
    with replacing(measured.figures / "score_correlations.csv") as part:
        correlations.to_csv(part, index=False, float_format="%.4g")
    sentence = reading(correlations, measured.ledger)
    page = _page(measured, scores, correlations, drawn[1], sentence)
    return Presented(page, (*drawn, measured.figures / "score_correlations.csv"), sentence)


def reading(correlations: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Say which scores predict accuracy once corrected for looking at all of them, and which point the wrong way."""
    laws, seeds = ledger[ledger.objective != "random"].cell.nunique(), ledger.seed.nunique()
    known = correlations[correlations.p_adjusted < 0.05]
    right, wrong = known[known.rho > 0], known[known.rho < 0]
    learned = " and ".join(f"{above_untrained(ledger, readout)} ({readout})" for readout in READOUTS)
    start = (f"{laws} mask laws, of which {learned} probe better than an untrained network; {seeds} "
             f"seed{'s' * (seeds > 1)}{_agreement(ledger)}; {len(correlations)} correlations looked at")  # fmt: skip
    if known.empty:
        best = correlations.loc[correlations.rho.idxmax()]
        return (f"{start}: no score predicts linear-probe accuracy at 5 % once corrected for looking at all of them; "
                f"the largest correlation is {_named(best)}.")  # fmt: skip
    said = [f"predict accuracy: {_listed(right)}"] * (not right.empty)
    said += [f"point the wrong way: {_listed(wrong)}"] * (not wrong.empty)
    return f"{start}: at 5 %, corrected for all of them, these {'; these '.join(said)}."


def _agreement(ledger: pd.DataFrame) -> str:
    """Say how well seeds agree, which bounds what a score can do."""
    if ledger.seed.nunique() < 2:
        return ""
    found = ", ".join(f"{seed_agreement(ledger, readout):.2f} ({readout})" for readout in READOUTS)
    return f" that order the laws alike with ρ = {found}"


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(_named(row) for _, row in rows.iterrows())


def _named(row: pd.Series) -> str:
    return f"{row.score} ({row.readout}) {row.rho:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _scores(measured: Measured) -> pd.DataFrame:
    path, cells = measured.out / "mask_law_scores.csv", measured.experiment.cells
    n_images = min(SCORED, len(measured.resident))
    wanted = {(cell.name, cell.recipe.law().mask_ratio, n_images) for cell in cells if cell.trained}
    if path.exists():
        found = pd.read_csv(path, keep_default_na=False)
        if set(zip(found.law, found.mask_ratio, found.n_images, strict=True)) == wanted:
            return found
    found = law_scores(cells, measured.resident)
    with replacing(path) as part:
        found.to_csv(part, index=False)
    return found


def _page(measured: Measured, scores: pd.DataFrame, correlations: pd.DataFrame, picture: Path, sentence: str) -> Path:
    seeds = ", ".join(map(str, measured.experiment.seeds))
    lead = (f"{len(measured.resident)} training and {len(measured.test)} test images of {measured.test.name}; seeds "
            f"{seeds}; {sentence}")  # fmt: skip
    sections = [
        Section("Scores against accuracy",
                "Each panel is turned so that a score predicts more accuracy to the right. Scores know images, labels "
                "and the mask law only, but for the reconstruction loss. Which way a score predicts was written down "
                "before accuracies were seen. ρ is Spearman's with the mean over seeds, with its 95 % interval, which "
                "is not corrected for looking at many scores.",
                [(picture, "each score of a mask law against linear-probe accuracy")]),
        Section("Rank correlations",
                "p_adjusted is corrected for all rows of this table by permuting laws; partial holds the mask ratio "
                "fixed; least_seed and most_seed are the extremes of ρ over single seeds.",
                tables=[correlations.round(3)]),
        Section("Every score with its band", "", tables=[scores.drop(columns="why").round(4)]),
    ]  # fmt: skip
    about = {"experiment": {cell.name: cell.recipe.to_dict() for cell in measured.experiment.cells}, **provenance()}
    return write_page(measured.out / "report.html", f"maetheory: {measured.experiment.name}", lead, sections, about)
