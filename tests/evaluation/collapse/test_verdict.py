"""Conclusions about collapse are right for features with a known answer, and undecided where intervals overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from maetheory.evaluation import collapse_report
from maetheory.evaluation.collapse.formatting import format_interval, format_number
from maetheory.evaluation.collapse.verdict import Answer, Finding, assess_collapse

N, D = 400, 16
RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(N, D))
COMPLETE, DIMENSIONAL = 0, 1


def read(features: np.ndarray) -> tuple[Finding, ...]:
    """Assess given features beside shuffled columns; they have no random-initialisation baseline."""
    rows = torch.as_tensor(features, dtype=torch.float32)
    place = iter(range(0, N, 100))

    def encoder(images: torch.Tensor) -> torch.Tensor:
        start = next(place)
        return rows[start : start + len(images)]

    names = ("mean_cosine", "direction_std", "effective_rank")
    return assess_collapse(collapse_report(encoder, np.zeros((N, 1, 2, 2)), full=True, metrics=names, batch=100))


@pytest.mark.parametrize(
    ("features", "complete", "dimensional"),
    [
        (np.ones((N, D)), Answer.YES, Answer.YES),
        (np.outer(NORMAL[:, 0], np.ones(D)), Answer.NO, Answer.YES),
        (NORMAL[:, :3] @ NORMAL[:3], Answer.NO, Answer.YES),
        (NORMAL, Answer.NO, Answer.NO),
        (0.3 * NORMAL + 3, Answer.YES, Answer.NO),
        (0.28 * NORMAL + 1, Answer.NO, Answer.NO),
        (np.zeros((N, D)), Answer.UNDECIDED, Answer.YES),
    ],
    ids=["constant", "rank one", "rank three", "isotropic", "shared vector", "lesser shared vector", "zero"],
)
def test_synthetic_features(features: np.ndarray, complete: Answer, dimensional: Answer) -> None:
    found = read(features)
    assert [finding.answer for finding in found] == [complete, dimensional]
    assert [finding.question for finding in found] == ["complete collapse", "dimensional collapse"]


def test_sentences_say_compared_with_what() -> None:
    complete, dimensional = read(NORMAL)
    assert complete.sentence.startswith("Mean cosine")
    assert "does not differ significantly from the shuffled-column baseline" in dimensional.sentence
    assert "the random-initialisation baseline is not available" in dimensional.sentence
    assert "one shared vector makes up most" in read(0.28 * NORMAL + 1)[COMPLETE].sentence
    assert "the features span a single direction" in read(np.ones((N, D)))[DIMENSIONAL].sentence


def record(metric: str, value: float, error: float, **others: Any) -> dict[str, Any]:
    beside = {f"{name}{end}": np.nan for name in ("random_init", "shuffled") for end in ("", "_low", "_high")}
    for name, (middle, width) in others.items():
        beside |= {name: middle, f"{name}_low": middle - width, f"{name}_high": middle + width}
    return {
        "readout": "cls",
        "layer": "last",
        "metric": metric,
        "value": value,
        "low": value - error,
        "high": value + error,
        "d": 64,
        "note": "",
        **beside,
    }


@pytest.mark.parametrize(
    ("random_init", "shuffled", "answer", "words"),
    [
        (
            (30, 1),
            (50, 1),
            Answer.YES,
            "is below the random-initialisation baseline (30.0 [29.0, 31.0]) and is below the shuffled-column baseline",
        ),
        (
            (10, 1),
            (50, 1),
            Answer.NO,
            "is above the random-initialisation baseline (10.0 [9.0, 11.0]) and is below the shuffled",
        ),
        (
            (21, 1),
            (50, 1),
            Answer.UNDECIDED,
            "does not differ significantly from the random-initialisation baseline (21.0 [20.0, 22.0])",
        ),
        ((21.99, 1), (50, 1), Answer.UNDECIDED, "does not differ significantly"),  # the intervals touch
        ((22.01, 1), (50, 1), Answer.YES, "is below"),
        ((30, 1), (20, 1), Answer.UNDECIDED, "does not differ significantly from the shuffled-column baseline"),
    ],
)
def test_the_intervals_decide_against_the_baselines(
    random_init: Any, shuffled: Any, answer: Answer, words: str
) -> None:
    (found,) = assess_collapse(
        pd.DataFrame([record("effective_rank", 20, 1, random_init=random_init, shuffled=shuffled)])
    )
    assert found.answer is answer
    assert words in found.sentence
    assert found.to_dict()["answer"] == str(answer)


@pytest.mark.parametrize(
    ("value", "error", "answer"),
    [
        (0.995, 0.004, Answer.YES),
        (0.995, 0.006, Answer.UNDECIDED),
        (0.985, 0.006, Answer.UNDECIDED),
        (0.98, 0.005, Answer.NO),
        (0.995, np.nan, Answer.UNDECIDED),
    ],
)
def test_complete_collapse_is_as_certain_as_its_interval(value: float, error: float, answer: Answer) -> None:
    (found,) = assess_collapse(pd.DataFrame([record("mean_cosine", value, error)]))
    assert found.answer is answer


def test_without_baselines_or_intervals_nothing_is_concluded() -> None:
    (alone,) = assess_collapse(pd.DataFrame([record("effective_rank", 20, 1)]))
    assert alone.answer is Answer.UNDECIDED
    assert "No baseline is available" in alone.sentence
    (bare,) = assess_collapse(pd.DataFrame([record("effective_rank", 20, np.nan, random_init=(50, 1))]))
    assert bare.answer is Answer.UNDECIDED
    assert assess_collapse(pd.DataFrame()) == ()


def test_a_baseline_that_is_collapsed_too_is_named() -> None:
    (found,) = assess_collapse(pd.DataFrame([record("mean_cosine", 0.995, 0.001, random_init=(0.998, 0.001))]))
    assert "as for the random-initialisation baseline" in found.sentence


def test_numbers_have_the_digits_that_their_intervals_support() -> None:
    assert format_interval({"value": 39.2431, "low": 38.81, "high": 39.68}) == "39.2 [38.8, 39.7]"
    assert format_interval({"value": 1.0, "low": 1.0, "high": 1.0}) == "1 [1, 1]"
    assert format_interval({"value": 12.0, "low": np.nan, "high": np.nan}) == format_number(12.0)
    assert format_interval({"value": np.nan, "low": np.nan, "high": np.nan}) == "–"


def test_tables_with_the_old_column_names_are_read() -> None:
    table = pd.DataFrame([record("effective_rank", 20, 1, random_init=(30, 1), shuffled=(50, 1))])
    old = table.rename(columns=lambda name: name.replace("random_init", "random_twin"))
    assert assess_collapse(old) == assess_collapse(table)
    assert assess_collapse(old)[0].answer is Answer.YES
