"""Conditions of --fail-if: what they say, what they refuse, and whether they hold beyond the error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from maetheory.core import InputError
from maetheory.evaluation.collapse.conditions import condition_metrics, evaluate_conditions, parse_condition


def table(value: float, error: float, metric: str = "effective_rank") -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"readout": "cls", "layer": layer, "metric": metric, "value": v, "error": error, "d": 64, "note": ""}
        for layer, v in ((0, 1.0), (1, value), (1, 50.0))  # a lower layer, the last one, another convention of it
    ]
    return pd.DataFrame(rows).assign(low=np.nan, high=np.nan)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("effective_rank < 20", False),
        ("effective_rank < 20.5", True),
        ("effective_rank <= 20", True),
        ("effective_rank>=20", True),
        ("effective_rank > 20", False),
    ],
)
def test_each_comparison_compares_the_last_layer_under_the_default_convention(text: str, met: bool) -> None:
    (found,) = evaluate_conditions([parse_condition(text)], table(20.0, 0.1))
    assert found.met is met
    assert found.value == 20


@pytest.mark.parametrize(
    ("value", "error", "met", "beyond"),
    [(19.0, 0.5, True, True), (19.0, 1.5, True, False), (21.0, 1.5, False, False), (21.0, 0.5, False, True)],
)
def test_the_error_decides_whether_a_condition_is_certain(value: float, error: float, met: bool, beyond: bool) -> None:
    (found,) = evaluate_conditions([parse_condition("effective_rank < 20")], table(value, error))
    assert (found.met, found.beyond_error) == (met, beyond)
    assert found.sentence.endswith("beyond the error" if beyond else "within the error")


def test_a_metric_without_a_value_or_an_error_is_said() -> None:
    condition = parse_condition("effective_rank < 20")
    (unknown,) = evaluate_conditions([condition], table(np.nan, np.nan))
    assert unknown.met
    assert "has no value" in unknown.sentence
    (missing,) = evaluate_conditions([condition], table(3.0, 0.1, "twonn"))
    assert missing.met
    (uncertain,) = evaluate_conditions([condition], table(30.0, np.nan))
    assert (uncertain.met, uncertain.beyond_error) == (False, None)


@pytest.mark.parametrize(
    "text",
    ["effective_rank = 20", "effective_rank <", "< 20", "effective_rank < many", "effective_rank < nan", "yes", ""],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="'effective_rank < 20'"):
        parse_condition(text)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no metric 'rank'; did you mean rankme, stable_rank or effective_rank"):
        parse_condition("rank < 20")


def test_the_metrics_named_are_measured() -> None:
    conditions = [parse_condition(text) for text in ("twonn < 3", "collapsed", "lidar > 2", "twonn > 1")]
    assert condition_metrics(conditions) == ("twonn", "lidar")
