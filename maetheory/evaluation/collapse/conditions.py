"""Conditions on metrics that fail a run, such as ``effective_rank < 20``, with whether they hold beyond the error."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from maetheory.core import InputError
from maetheory.evaluation.collapse.answer import Answer, at_this_n
from maetheory.evaluation.collapse.formatting import format_value_with_error
from maetheory.evaluation.collapse.metric_specs import select_metrics
from maetheory.evaluation.collapse.verdict import assess_collapse

COLLAPSED = "collapsed"
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERN = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Condition:
    """A comparison of a metric with a number, or "collapsed".

    Attributes
    ----------
    text : str
    metric : str
        Name of a metric, "" for "collapsed".
    comparison : str
        One of `COMPARISONS`.
    bound : float
    """

    text: str
    metric: str = ""
    comparison: str = ""
    bound: float = math.nan


@dataclass(frozen=True)
class ConditionResult:
    """Whether a condition is met by one readout.

    Attributes
    ----------
    condition, readout : str
    value, error : float
        The metric and two standard errors; NaN for "collapsed".
    met : bool
        Whether the condition holds; also where the metric has no value, since then nothing shows that it does not hold.
    beyond_error : bool or None
        Whether it holds, or does not, for all of ``value ± error``; None where there is no error.
    sentence : str
    """

    condition: str
    readout: str
    value: float
    error: float
    met: bool
    beyond_error: bool | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def parse_condition(text: str) -> Condition:
    """Return the condition that a text states.

    Raises
    ------
    InputError
        If it is neither "collapsed" nor a metric, one of < <= > >=, and a number; or there is no such metric.

    Examples
    --------
    >>> parse_condition("effective_rank<20")
    Condition(text='effective_rank < 20', metric='effective_rank', comparison='<', bound=20.0)
    """
    if text.strip() == COLLAPSED:
        return Condition(COLLAPSED)
    match = _PATTERN.fullmatch(text)
    bound = _parse_finite_number(match[3]) if match else None
    if match is None or bound is None:
        raise InputError(
            f"a condition is a metric, one of < <= > >=, and a number, such as 'effective_rank < 20', or it is "
            f"'{COLLAPSED}'; but it is {text!r}"
        )
    select_metrics([match[1]])
    return Condition(f"{match[1]} {match[2]} {match[3]}", match[1], match[2], bound)


def condition_metrics(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """Return the metrics that conditions name."""
    return tuple(dict.fromkeys(one.metric for one in conditions if one.metric))


def evaluate_conditions(conditions: Sequence[Condition], table: pd.DataFrame) -> tuple[ConditionResult, ...]:
    """Return whether each condition is met by each readout of the last layer.

    Parameters
    ----------
    conditions : sequence of Condition
    table : DataFrame
        The result of `collapse_report`; metrics count under the convention of their publication.
    """
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    results: list[ConditionResult] = []
    for one in conditions:
        if one.text == COLLAPSED:
            results += _collapsed(table)
            continue
        rows = last[last.metric == one.metric].to_dict("records")
        results += [_compare_with_number(one, row) for row in rows or [{"readout": "any readout", "value": math.nan}]]
    return tuple(results)


def _compare_with_number(condition: Condition, row: Mapping[Any, Any]) -> ConditionResult:
    value = float(row["value"])
    if math.isnan(value):
        sentence = f"{condition.metric} of {row['readout']} has no value, so that {condition.text} counts as met"
        return ConditionResult(condition.text, row["readout"], value, math.nan, True, None, sentence)
    record, holds = at_this_n({"low": math.nan, "high": math.nan, **row}), COMPARISONS[condition.comparison]
    met = holds(value, condition.bound)
    beyond = None
    if np.isfinite(record["low"]):
        beyond = all(holds(end, condition.bound) == met for end in (record["low"], record["high"]))
    certainty = {None: "its error is unknown", True: "beyond the error", False: "within the error"}[beyond]
    number = format_value_with_error(value, record["error"])
    sentence = f"{condition.text} is {'' if met else 'not '}met by {row['readout']}: {number}, {certainty}"
    return ConditionResult(condition.text, row["readout"], value, float(record["error"]), met, beyond, sentence)


def _collapsed(table: pd.DataFrame) -> list[ConditionResult]:
    """Return for each readout whether the answer to a question about collapse is yes."""
    findings = assess_collapse(table)
    results = []
    for readout in dict.fromkeys(one.readout for one in findings):
        answers = {one.question: one.answer for one in findings if one.readout == readout}
        met = Answer.YES in answers.values()
        words = ", ".join(f"{question}: {answer}" for question, answer in answers.items())
        sentence = f"{COLLAPSED} is {'' if met else 'not '}met by {readout}: {words}"
        results.append(ConditionResult(COLLAPSED, readout, math.nan, math.nan, met, None, sentence))
    return results


def _parse_finite_number(text: str) -> float | None:
    """Return a finite number, None for another text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
