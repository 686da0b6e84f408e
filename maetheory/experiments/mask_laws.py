"""What the theory says of a mask law before training is held against how well the model probes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from maetheory.core import Progress, silent
from maetheory.data import ImageSet
from maetheory.empirical import Score, score_law, score_table
from maetheory.evaluation import RankCorrelation, rank_correlations
from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig

MAX_SCORED_IMAGES = 2000  # images at most that scores look at
READOUTS = ("cls", "mean")
LOSS_SCORE = "reconstruction_loss"
LOSS_SCORE_DIRECTION = Score(-1, "a rival that needs the model: the loss on hidden pixels of test images")
COLUMNS = ("score", "readout", "rho", "low", "high", "p", "p_adjusted", "partial", "least_seed", "most_seed", "why")


def mask_law_cells(recipe: TrainConfig, laws: Sequence[tuple[str, float, int]]) -> tuple[Cell, ...]:
    """Return a cell for each (mask law, mask ratio, patch size), and an untrained one for each patch size."""
    patches = sorted({patch for _, _, patch in laws})
    untrained = [
        Cell(f"untrained patch {patch}", _recipe_with_mask_law(recipe, "uniform", 0.5, patch), trained=False)
        for patch in patches
    ]
    return (
        *untrained,
        *(
            Cell(f"{law} {ratio:g} patch {patch}", _recipe_with_mask_law(recipe, law, ratio, patch))
            for law, ratio, patch in laws
        ),
    )


def _recipe_with_mask_law(recipe: TrainConfig, law: str, ratio: float, patch: int) -> TrainConfig:
    model = replace(recipe.model, encoder=replace(recipe.model.encoder, patch=patch))
    return replace(recipe, model=model, mask_law=law, mask_ratio=ratio)  # type: ignore[arg-type]


def score_mask_laws(
    cells: Sequence[Cell], images: ImageSet, *, n_masks: int = 8, seed: int = 0, progress: Progress = silent
) -> pd.DataFrame:
    """Score the law of every trained cell on images of training: the `score_table`, law being the cell's name."""
    seen, found, cells = images.limit(min(MAX_SCORED_IMAGES, len(images))), [], [cell for cell in cells if cell.trained]
    for number, cell in enumerate(cells):
        progress(number, len(cells), f"scoring {cell.name}")
        found.append(
            score_law(
                seen,
                cell.recipe.law(),
                patch=cell.recipe.model.encoder.patch,
                name=cell.name,
                n_masks=n_masks,
                seed=seed,
            )
        )
    return score_table(found)


def score_correlations(scores: pd.DataFrame, ledger: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Correlate every score of mask laws with the accuracy of linear probes on models trained under them.

    Parameters
    ----------
    scores : DataFrame
        As `score_mask_laws` returns it.
    ledger : DataFrame
        As `run` returns it, its trained cells being the laws of `scores`.
    seed : int
        Draws permutations of the laws.

    Returns
    -------
    DataFrame
        A row for each score and readout. rho is Spearman's, over laws, with the mean accuracy over seeds, positive
        where the score is right in the direction written down for it; low and high its 95 % interval; p and p_adjusted
        of the permutation test alone and corrected for all rows; partial has the mask ratio held fixed; least_seed and
        most_seed are the extremes of rho with the accuracies of one seed only; why is a sentence where a score ranks
        nothing. The intervals are those of `rank_correlations`: laws are permuted, each with all its seeds.
    """
    accuracy = _accuracies(ledger[ledger.objective != "random"])
    laws = accuracy.index
    turned = {
        str(name): part.set_index("law").loc[laws].eval("value * direction").to_numpy()
        for name, part in scores.groupby("score", sort=False)
    }
    loss = ledger[ledger.metric == LOSS_SCORE].groupby("cell").value.mean()
    turned[LOSS_SCORE] = LOSS_SCORE_DIRECTION.direction * loss.loc[laws].to_numpy()
    ratio = scores.drop_duplicates("law").set_index("law").mask_ratio.loc[laws].to_numpy()
    means = {readout: accuracy[readout].mean(axis=1).to_numpy() for readout in READOUTS}
    found = rank_correlations(turned, means, control=ratio, seed=seed)
    rows = [
        _correlation_row(*pair, one, _single_seed_extremes(turned[pair[0]], accuracy[pair[1]]))
        for pair, one in found.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def seed_agreement(ledger: pd.DataFrame, readout: str) -> float:
    """Return the mean rank correlation of the laws' accuracies between two seeds; NaN for one seed.

    Where seeds do not agree on the order of laws, no score of laws can predict it.
    """
    accuracy = _accuracies(ledger[ledger.objective != "random"])[readout]
    ranks = accuracy.corr(method="spearman").to_numpy()
    above = np.triu_indices(len(ranks), 1)
    return float(ranks[above].mean()) if len(above[0]) else float("nan")


def count_above_untrained(ledger: pd.DataFrame, readout: str) -> int:
    """Count the laws whose mean accuracy lies above that of the untrained network of their patch size."""
    probes = ledger[(ledger.metric == "linear_probe") & (ledger.readout == readout)]
    mean = probes.groupby("cell").value.mean()
    trained = probes[probes.objective != "random"].cell.unique()
    return sum(mean[cell] > mean[f"untrained patch {cell.rsplit(maxsplit=1)[1]}"] for cell in trained)


def _accuracies(ledger: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of linear probes, a row for each cell and a column for each (readout, seed)."""
    probes = ledger[(ledger.metric == "linear_probe") & ledger.readout.isin(READOUTS)]
    return probes.pivot_table(index="cell", columns=["readout", "seed"], values="value", sort=False)


def _single_seed_extremes(score: np.ndarray, accuracy: pd.DataFrame) -> tuple[float, float]:
    each = {str(seed): accuracy[seed].to_numpy() for seed in accuracy}
    found = [one.value for one in rank_correlations({"score": score}, each, permutations=1).values()]
    return min(found), max(found)


def _correlation_row(score: str, readout: str, one: RankCorrelation, seeds: tuple[float, float]) -> tuple[object, ...]:
    return (score, readout, one.value, one.low, one.high, one.p, one.p_adjusted, one.partial, *seeds, one.why)
