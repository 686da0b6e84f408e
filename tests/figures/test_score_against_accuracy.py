"""Test the table and the drawing of mask-law scores against accuracies."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory import figures
from maetheory.figures.score_against_accuracy import abbreviate_law

LAWS = ("uniform 0.5 patch 2", "block 0.75 patch 4")


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    scores = pd.DataFrame(
        [
            (law, name, 1.0 + i, 0.5, 3.0, direction)
            for i, law in enumerate(LAWS)
            for name, direction in (("one", -1), ("two", 1))
        ],
        columns=["law", "score", "value", "low", "high", "direction"],
    )
    rows = [
        (law, "MAE", seed, readout, "linear_probe", 0.6 + 0.1 * i + 0.02 * seed)
        for i, law in enumerate(LAWS)
        for seed in (0, 1)
        for readout in ("cls", "mean")
    ]
    rows += [(law, "MAE", seed, "hidden pixels", "reconstruction_loss", 0.3) for law in LAWS for seed in (0, 1)]
    rows += [("untrained patch 2", "random", 0, readout, "linear_probe", 0.5) for readout in ("cls", "mean")]
    rows += [("untrained patch 2", "random", 0, "hidden pixels", "reconstruction_loss", 2.0)]
    ledger = pd.DataFrame(rows, columns=["cell", "objective", "seed", "readout", "metric", "value"])
    rho = pd.DataFrame(
        [
            (name, readout, 0.5, -0.2, 0.8)
            for name in ("one", "two", "reconstruction_loss")
            for readout in ("cls", "mean")
        ],
        columns=["score", "readout", "rho", "low", "high"],
    )
    return scores, ledger, rho


def test_every_law_meets_its_own_accuracy_and_its_untrained_network() -> None:
    frame = figures.score_against_accuracy(*tables())
    assert len(frame) == 2 * 2 * 3
    assert set(frame.law) == set(LAWS)
    first = frame[(frame.law == LAWS[0]) & (frame.score == "one") & (frame.readout == "mean")].iloc[0]
    assert (first.value, first.low, first.high, first.direction) == (1.0, 0.5, 3.0, -1)
    assert (first.accuracy, first.untrained) == pytest.approx((0.61, 0.5))
    assert first.spread == pytest.approx(np.std([0.6, 0.62], ddof=1))
    assert (first.rho, first.rho_low, first.rho_high) == (0.5, -0.2, 0.8)
    assert frame[frame.law == LAWS[1]].untrained.isna().all()
    assert frame.equals(figures.score_against_accuracy(*tables()))


def test_better_is_to_the_right_and_no_figure_stays_open() -> None:
    frame = figures.score_against_accuracy(*tables())
    with figures.paper_style():
        axes = figures.score_axes(plt.figure())
        figures.draw_score_against_accuracy(axes, frame)
        correlations, scatters, unused = axes[0], axes[1:4], axes[4]
        assert [ax.get_title() for ax in scatters] == ["one", "two", "reconstruction loss"]
        assert [ax.xaxis_inverted() for ax in scatters] == [True, False, True]
        labels = {text.get_text() for text in scatters[0].texts}
        assert labels == {abbreviate_law(law, "patch 2") for law in LAWS} == {"u50", "k75 p4"}
        assert not unused.axison
        assert [text.get_text() for text in correlations.get_yticklabels()] == ["one", "two", "reconstruction loss"]
        assert [list(line.get_xdata()) for line in correlations.lines[:2]] == [[0.5] * 3, [0.5] * 3]
    assert not plt.get_fignums()


def test_scatters_show_the_largest_correlations_of_either_sign() -> None:
    scores, ledger, rho = tables()
    rho.loc[rho.score == "one", "rho"] = -0.9
    rho.loc[(rho.score == "two") & (rho.readout == "cls"), "rho"] = 0.95  # and 0.5 on the other readout
    with figures.paper_style():
        axes = figures.score_axes(plt.figure())
        figures.draw_score_against_accuracy(axes, figures.score_against_accuracy(scores, ledger, rho))
        assert axes[1].get_title() == "one"


def test_labels_omit_the_smallest_patch_and_a_constant_score_is_said() -> None:
    scores, ledger, rho = (
        part.replace({"block 0.75 patch 4": "block 0.75 patch 16", "uniform 0.5 patch 2": "uniform 0.5 patch 8"})
        for part in tables()
    )
    rho.loc[rho.score == "two", "rho"] = np.nan
    with figures.paper_style():
        figure = plt.figure()
        axes = figures.score_axes(figure)
        figures.draw_score_against_accuracy(axes, figures.score_against_accuracy(scores, ledger, rho))
        assert {text.get_text() for text in axes[1].texts} == {"u50", "k75 p16"}
        assert figure.legends[0].get_title().get_text().endswith("; p16: patch 16, else patch 8")
        assert [text.get_text() for text in axes[0].texts] == ["same score for all laws"]
        assert [ax.get_title() for ax in axes[1:3]] == ["one", "reconstruction loss"]
