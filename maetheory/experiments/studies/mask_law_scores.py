"""Score mask laws before training, and correlate the scores with probe accuracy after training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from maetheory.core import InputError, Progress, atomic_write, no_progress, printable
from maetheory.core.files import read_regular_file
from maetheory.data import ImageSet
from maetheory.empirical import HYPOTHESES, Hypothesis, score_law, score_table
from maetheory.evaluation import RankCorrelation, rank_correlations
from maetheory.experiments.experiment import Cell

MAX_SCORED_IMAGES = 2000  # largest number of images that scores are computed on
READOUTS = ("cls", "mean")
LOSS_SCORE = "reconstruction_loss"
LOSS_SCORE_DIRECTION = Hypothesis(-1, "baseline that needs the trained model: the loss on hidden pixels of test images")
COLUMNS = ("score", "readout", "rho", "low", "high", "p", "p_adjusted", "partial", "least_seed", "most_seed", "why")
MAX_SCORES_BYTES = 2**24
_TEXT_COLUMNS = ("law", "score", "why")
_NUMBER_COLUMNS = ("patch", "mask_ratio", "value", "low", "high", "direction", "k", "n_images", "n_masks")


def score_mask_laws(
    cells: Sequence[Cell],
    images: ImageSet,
    *,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = no_progress,
    store: Path | None = None,
) -> pd.DataFrame:
    """Return the `score_table` of the mask laws of all trained cells, computed on training images.

    Parameters
    ----------
    cells : sequence of Cell
    images : ImageSet
    n_masks, seed
        As for `score_law`.
    progress : Progress
    store : path, optional
        CSV that holds the scores of each law as soon as they are there; those that it holds are not computed again.

    Raises
    ------
    InputError
        If the stored table is damaged.
    """
    scored_images = images.limit(min(MAX_SCORED_IMAGES, len(images)))
    known = read_scores(store) if store is not None and store.exists() else pd.DataFrame()
    trained = [cell for cell in cells if cell.trained]
    tables = [_stored_scores(known, cell, len(scored_images), n_masks) for cell in trained]
    for number, cell in enumerate(trained):
        if not tables[number].empty:
            continue
        progress(number, len(trained), f"scoring {cell.name}")
        law, patch = cell.recipe.law(), cell.recipe.model.encoder.patch
        scores = score_law(scored_images, law, patch=patch, name=cell.name, n_masks=n_masks, seed=seed)
        tables[number] = score_table([scores])
        if store is not None:
            with atomic_write(store) as part:
                pd.concat(table for table in tables if len(table)).to_csv(part, index=False)
    return pd.concat(tables, ignore_index=True)


def _stored_scores(known: pd.DataFrame, cell: Cell, n_images: int, n_masks: int) -> pd.DataFrame:
    """Return the stored rows of a law if they are all there and computed alike, otherwise none."""
    if known.empty:
        return known
    rows = known[known.law == cell.name]
    is_alike = (
        (rows.mask_ratio == cell.recipe.law().mask_ratio) & (rows.n_images == n_images) & (rows.n_masks == n_masks)
    )
    return rows if is_alike.all() and set(rows.score) == set(HYPOTHESES) else rows.iloc[:0]


def read_scores(path: Path) -> pd.DataFrame:
    """Return the table of scores that an earlier call of `score_mask_laws` stored as CSV.

    Raises
    ------
    InputError
        If it is damaged: no such table, a number that is none, or a law without one row for each score.
    """
    try:
        content = read_regular_file(path, MAX_SCORES_BYTES).decode()
        table = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
        wanted = {*_TEXT_COLUMNS, *_NUMBER_COLUMNS, "decided"}
        if set(table.columns) != wanted or table.empty:
            raise ValueError(f"it must have the columns {', '.join(sorted(wanted))} and rows")
        for name in _NUMBER_COLUMNS:
            table[name] = table[name].replace("", "nan").astype(float)
        for name in ("patch", "k", "n_images", "n_masks"):
            table[name] = table[name].astype(int)
        table["decided"] = table.decided.map({"True": True, "False": False}).astype("boolean").astype(bool)
        if not set(table.direction) <= {-1.0, 1.0} or np.isinf(table.low).any():
            raise ValueError("a direction is neither 1 nor -1, or a lower end is infinite")
        if np.isneginf(table[["value", "high"]].to_numpy()).any():  # a bound without a gap is infinite, but never less
            raise ValueError("a score is minus infinity")
        if table.duplicated(["law", "score"]).any() or len(table) != table.law.nunique() * table.score.nunique():
            raise ValueError("each law must have one row for each score")
    except (ValueError, TypeError, OverflowError, InputError) as error:  # pandas' errors are cases of ValueError
        raise InputError(
            f"{path} is no whole table of mask-law scores ({printable(str(error), 300)}); delete it, and they are "
            "computed again"
        ) from error
    return table


def score_correlations(scores: pd.DataFrame, ledger: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Correlate every score of the mask laws with the linear-probe accuracy of the models trained under them.

    Parameters
    ----------
    scores : DataFrame
        As `score_mask_laws` returns it.
    ledger : DataFrame
        As `run` returns it; its trained cells are the laws of `scores`.
    seed : int
        Seed of the permutations of the laws.

    Returns
    -------
    DataFrame
        One row for each score and readout. rho is Spearman's correlation over laws with the mean accuracy over seeds;
        it is positive where the score is right in the direction stated beforehand. low and high are its 95 % interval.
        p is that of the permutation test, p_adjusted is corrected for all rows. partial controls for the mask ratio.
        least_seed and most_seed are the extremes of rho over single seeds. why says why a score has no ranking.
        Intervals are those of `rank_correlations`: laws are permuted, each with all its seeds.
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
    means = {name: values.to_numpy() for name, values in mean_accuracies(ledger).loc[laws].items()}
    found = rank_correlations(turned, means, control=ratio, seed=seed)
    rows = [
        _correlation_row(*pair, one, _single_seed_correlation_range(turned[pair[0]], accuracy[pair[1]]))
        for pair, one in found.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def seed_agreement(ledger: pd.DataFrame, readout: str) -> float:
    """Return the mean rank correlation of the laws' accuracies between two seeds; NaN for one seed.

    It bounds what any score of the laws can predict.
    """
    accuracy = _accuracies(ledger[ledger.objective != "random"])[readout]
    ranks = accuracy.corr(method="spearman").to_numpy()
    above = np.triu_indices(len(ranks), 1)
    return float(ranks[above].mean()) if len(above[0]) else float("nan")


def count_above_untrained(ledger: pd.DataFrame, readout: str) -> int:
    """Count the laws whose mean accuracy exceeds that of the untrained network with the same patch size."""
    probes = ledger[(ledger.metric == "linear_probe") & (ledger.readout == readout)]
    mean = probes.groupby("cell").value.mean()
    trained = probes[probes.objective != "random"].cell.unique()
    return sum(mean[cell] > mean[f"untrained patch {cell.rsplit(maxsplit=1)[1]}"] for cell in trained)


def mean_accuracies(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the mean linear-probe accuracy over seeds: a row for each trained law, a column for each readout."""
    probes = ledger[(ledger.metric == "linear_probe") & (ledger.objective != "random")]
    return probes.groupby(["cell", "readout"]).value.mean().unstack().reindex(columns=list(READOUTS))


def _accuracies(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return linear-probe accuracies, one row for each cell and one column for each (readout, seed)."""
    probes = ledger[(ledger.metric == "linear_probe") & ledger.readout.isin(READOUTS)]
    return probes.pivot_table(index="cell", columns=["readout", "seed"], values="value", sort=False)


def _single_seed_correlation_range(score: np.ndarray, accuracy: pd.DataFrame) -> tuple[float, float]:
    each = {str(seed): accuracy[seed].to_numpy() for seed in accuracy}
    found = [one.value for one in rank_correlations({"score": score}, each, permutations=1).values()]
    return min(found), max(found)


def _correlation_row(score: str, readout: str, one: RankCorrelation, seeds: tuple[float, float]) -> tuple[object, ...]:
    return (score, readout, one.value, one.low, one.high, one.p, one.p_adjusted, one.partial, *seeds, one.reason)
