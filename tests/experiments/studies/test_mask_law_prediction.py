"""A predicted order of mask laws is judged by the rule that was written down: both sides of it, and what is refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from maetheory.core import InputError
from maetheory.experiments import EXPERIMENTS
from maetheory.experiments.studies.mask_law_prediction import PREDICTING_SCORE, judge_prediction, predict_order

LAWS = [f"uniform {ratio:g} patch 8" for ratio in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]


def prediction(values: list[float] | None = None) -> pd.DataFrame:
    """φ rises from law to law, so that the first is predicted to be the best."""
    columns = {"law": LAWS, "patch": 8, "mask_ratio": 0.5, "score": PREDICTING_SCORE, "low": 0.0, "high": 1.0}
    return predict_order(pd.DataFrame({**columns, "value": values or [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "direction": -1}))


def ledger(order: list[int], seeds: int = 3) -> pd.DataFrame:
    """Accuracies of law i that fall with order[i], the same for both readouts, and an untrained network."""
    rows = [
        (law, "MAE", seed, readout, "linear_probe", 0.9 - place / 20 + (seed - 1) / 1000)
        for law, place in zip(LAWS, order, strict=True)
        for seed in range(seeds)
        for readout in ("cls", "mean")
    ]
    rows.append(("untrained patch 8", "random", 0, "cls", "linear_probe", 0.3))
    rows.append((LAWS[0], "MAE", 0, "cls", "knn_probe", 0.3))
    return pd.DataFrame(rows, columns=["cell", "objective", "seed", "readout", "metric", "value"])


def test_the_lowest_label_error_is_predicted_best() -> None:
    found = prediction([0.1, 0.3, 0.2, 0.3, 0.5, 0.6])
    assert found.predicted_rank.tolist() == [1, 3.5, 2, 3.5, 5, 6]
    assert found.assign(direction=1).pipe(predict_order).predicted_rank.tolist() == [6, 3.5, 5, 3.5, 2, 1]
    with pytest.raises(InputError, match="is no number, so that it predicts no order"):
        predict_order(found.assign(value=np.nan))


@pytest.mark.parametrize(
    ("order", "verdict"),
    [
        ([1, 2, 3, 4, 5, 6], "confirmed"),
        ([2, 1, 3, 4, 6, 5], "confirmed"),
        ([2, 1, 4, 3, 6, 5], "undecided"),  # p = 0.029, enough for one readout and not for two
        ([2, 1, 3, 6, 4, 5], "undecided"),
        ([6, 1, 2, 3, 4, 5], "undecided"),
        ([5, 6, 4, 3, 1, 2], "refuted"),
        ([6, 5, 4, 3, 2, 1], "refuted"),
    ],
)
def test_the_verdict_is_that_of_all_orders_counted(order: list[int], verdict: str) -> None:
    found = judge_prediction(prediction(), ledger(order))
    rho = spearmanr([1, 2, 3, 4, 5, 6], order).statistic
    every = [spearmanr([1, 2, 3, 4, 5, 6], list(one)).statistic for one in permutations(range(6))]
    assert found.verdict.tolist() == [verdict] * 2
    assert found.rho.to_numpy() == pytest.approx(rho)
    assert found.p.to_numpy() == pytest.approx(np.mean(np.array(every) >= rho - 1e-9))
    assert found.p_opposite.to_numpy() == pytest.approx(np.mean(np.array(every) <= rho + 1e-9))
    assert (verdict == "confirmed") == (rho > 0.88)  # as the docstring says for six laws


def test_each_readout_is_judged_alone_and_constants_decide_nothing() -> None:
    some = ledger([1, 2, 3, 4, 5, 6])
    some.loc[some.readout == "mean", "value"] = 0.5
    found = judge_prediction(prediction(), some).set_index("readout")
    assert found.verdict.to_dict() == {"cls": "confirmed", "mean": "undecided"}
    assert np.isnan(found.rho["mean"])


def test_other_laws_and_scores_are_refused() -> None:
    whole = ledger([1, 2, 3, 4, 5, 6])
    for rows in (whole[whole.cell != LAWS[0]], whole[whole.metric == "knn_probe"]):
        with pytest.raises(InputError, match="must hold the 6 predicted mask laws"):
            judge_prediction(prediction(), rows)
    with pytest.raises(InputError, match="holds no score 'rank'; it holds tokens pair_label_error"):
        judge_prediction(prediction(), whole, score="rank")


def test_the_study_of_tin20_has_six_laws_of_the_recipe_of_tin20() -> None:
    study, other = EXPERIMENTS["mask-laws-tin20"], EXPERIMENTS["tin20"].cells[1].recipe
    assert [cell.name for cell in study.cells if cell.trained] == [
        "uniform 0.25 patch 8",
        "uniform 0.5 patch 8",
        "uniform 0.75 patch 8",
        "block 0.5 patch 8",
        "block 0.75 patch 8",
        "uniform 0.5 patch 16",
    ]
    same = next(cell.recipe for cell in study.cells if cell.name == "uniform 0.75 patch 8")
    assert same == other
    assert (study.seeds, study.presentation) == ((0, 1, 2), "mask laws")
