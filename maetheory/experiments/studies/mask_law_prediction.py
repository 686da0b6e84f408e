"""A prediction of which mask laws train better models, written before any is trained, and the rule that judges it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, rankdata

from maetheory.core import InputError
from maetheory.experiments.studies.mask_law_scores import READOUTS, mean_accuracies

PREDICTING_SCORE = "tokens pair_label_error"
"""φ of token graphs, which predicted probes on digits and on CIFAR-10 before a third data set was looked at."""

ERROR_PROBABILITY = 0.05
MAX_LAWS = 9  # whose orders are enumerated
PREDICTION_COLUMNS = ("law", "patch", "mask_ratio", "score", "value", "low", "high", "direction", "predicted_rank")
VERDICT_COLUMNS = ("score", "readout", "rho", "p", "p_opposite", "verdict")


def predict_order(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the prediction that scores of mask laws make: for each score its laws, and their predicted rank.

    Parameters
    ----------
    scores : DataFrame
        As `score_mask_laws` returns it.

    Returns
    -------
    DataFrame
        The columns `PREDICTION_COLUMNS`; predicted_rank is 1 for the law that is predicted to train the best model, and
        the mean rank for laws of equal score.

    Raises
    ------
    InputError
        If a score has no value for a law.
    """
    if scores.value.isna().any():
        first = scores[scores.value.isna()].iloc[0]
        raise InputError(f"the score {first.score} of {first.law} is no number, so that it predicts no order")
    turned = -scores.value * scores.direction
    rank = turned.groupby(scores.score, sort=False).rank()
    return scores.assign(predicted_rank=rank)[list(PREDICTION_COLUMNS)]


def judge_prediction(prediction: pd.DataFrame, ledger: pd.DataFrame, *, score: str = PREDICTING_SCORE) -> pd.DataFrame:
    """Compare a predicted order of mask laws with the linear-probe accuracies of the models trained under them.

    The rule: for each readout, ρ is Spearman's correlation of the predicted order with the order of mean accuracies
    over seeds, and p the share of all orders of the laws whose ρ is at least as large. The prediction is confirmed if
    p ≤ 0.05 / 2, half for each readout, refuted if the same holds of -ρ, and otherwise undecided. With six laws that
    takes ρ ≥ 0.886.

    Parameters
    ----------
    prediction : DataFrame
        As `predict_order` returns it.
    ledger : DataFrame
        As `run` returns it, with a trained cell for each law.
    score : str
        The score whose prediction is judged.

    Returns
    -------
    DataFrame
        A row for each readout: score, readout, rho, p, p_opposite, verdict (confirmed, refuted or undecided).

    Raises
    ------
    InputError
        If the prediction has no such score, there are more than nine laws, or the ledger holds other laws.
    """
    order = prediction[prediction.score == score].set_index("law").predicted_rank
    accuracy = mean_accuracies(ledger)
    if order.empty:
        raise InputError(
            f"the prediction holds no score {score!r}; it holds {', '.join(sorted(set(prediction.score)))}"
        )
    if set(order.index) != set(accuracy.index) or len(order) > MAX_LAWS:
        raise InputError(
            f"the ledger must hold the {len(order)} predicted mask laws, at most {MAX_LAWS}, and no others, but it "
            f"holds {', '.join(map(str, accuracy.index)) or 'none'}"
        )
    rows = [
        (score, readout, *_judge(-order.loc[accuracy.index].to_numpy(), accuracy[readout].to_numpy()))
        for readout in READOUTS
    ]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def _judge(predicted: np.ndarray, accuracy: np.ndarray) -> tuple[float, float, float, str]:
    """Return ρ, the probability of at least ρ and of at most ρ among all orders, and the verdict."""
    ranks, measured = rankdata(predicted), rankdata(accuracy)

    def rho(left: np.ndarray) -> float:
        return float(np.corrcoef(left, measured)[0, 1])

    if not np.ptp(ranks) or not np.ptp(measured):
        return float("nan"), 1.0, 1.0, "undecided"
    p, p_opposite = (
        float(permutation_test((ranks,), rho, permutation_type="pairings", n_resamples=np.inf, alternative=side).pvalue)
        for side in ("greater", "less")
    )
    limit = ERROR_PROBABILITY / len(READOUTS)
    verdict = "confirmed" if p <= limit else "refuted" if p_opposite <= limit else "undecided"
    return rho(ranks), p, p_opposite, verdict
