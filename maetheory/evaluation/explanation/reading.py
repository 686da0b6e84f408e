"""An explanation in sentences and as a table: results first, each number with its error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from maetheory.core import Estimate
from maetheory.core.enumeration import enumerated
from maetheory.evaluation.collapse.formatting import format_interval, format_number, format_value_with_error
from maetheory.evaluation.explanation.content_free_share import ContentFreeShare
from maetheory.evaluation.explanation.explanation import ExplainedDirection, ReadoutExplanation
from maetheory.evaluation.explanation.removal import RemovalEffect
from maetheory.evaluation.rank_correlation import RankCorrelation

KIND_NAMES = {"constant": "constant colours", "shuffled": "shuffled patches", "noise": "pixel noise"}
PROBE_NAMES = {"linear": "the linear probe", "knn": "k-NN"}
LEVEL = 0.05
STABLE = 0.9  # stability below which a direction is said to mix with its neighbours

CONTENT_FREE = (
    "A direction is content-free if images of one colour, or with their patches shuffled, vary along it at least half "
    "as much as the real images that they are made from, and their scores explain at least half of the variance of the "
    "scores of these, beyond the errors; pixel noise alone leaves it undecided."
)


def explanation_headline(one: ReadoutExplanation) -> str:
    """Return which leading directions are content-free, as `CONTENT_FREE` defines it."""
    m = len(one.directions)
    if not m:
        return f"{one.readout}: all images have the same features, so that there is no direction to explain."
    has = [f"{k.number} ({_kinds(k)})" for k in one.directions if k.content == "content-free"]
    lacks = [str(k.number) for k in one.directions if k.content == "content"]
    unknown = [str(k.number) for k in one.directions if k.content == "undecided"]
    parts = [
        *([f"{_directions(has)} content-free"] if has else []),
        *([f"{_directions(lacks)} not content-free"] if lacks else []),
        *([f"{_directions(unknown)} undecided"] if unknown else []),
    ]
    leading = f"of the {m} leading directions" if m > 1 else "of the leading direction"
    return f"{one.readout}: {leading}, {'; '.join(parts)}."


def _directions(numbers: list[str]) -> str:
    return f"directions {enumerated(numbers)} are" if len(numbers) > 1 else f"direction {numbers[0]} is"


def explanation_paragraph(one: ReadoutExplanation) -> str:
    """Return the headline, and what is known of all directions together."""
    if not one.directions:
        return explanation_headline(one)
    together = (
        f"Together they carry {_percent(one.share)} % of the variance of {one.n} images; the mean of all features is "
        f"{_percent(one.mean_share)} % of their mean square."
    )
    return " ".join([explanation_headline(one), together, *_joint_removals(one)])


def direction_sentences(one: ReadoutExplanation) -> list[str]:
    """Return what is known of each direction."""
    return [_direction_sentence(direction) for direction in one.directions]


def direction_table(one: ReadoutExplanation) -> pd.DataFrame:
    """Return one row for each direction, as text.

    Returns
    -------
    DataFrame
        direction, content, share of variance, % (± two standard errors); for each kind of images without content the
        variance ratio and r²; the most closely followed statistic with its correlation; readable from layer.
    """
    rows = []
    for direction in one.directions:
        row = {
            "direction": str(direction.number),
            "content": direction.content,
            "share of variance, %": _percent(direction.share),
            **{KIND_NAMES[part.kind]: _ratio_cell(part) for part in direction.content_free},
            "statistic": _statistic_cell(direction),
            "readable from layer": "–" if direction.origin is None else str(direction.origin),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def removal_table(one: ReadoutExplanation) -> pd.DataFrame:
    """Return what probes gain or lose without directions, as text: removed, probe, accuracy in %, change in points."""
    everything = [*one.removal, *(effect for direction in one.directions for effect in direction.removal)]
    return pd.DataFrame(
        [
            {
                "removed": f"direction {effect.removed}" if effect.removed.isdecimal() else effect.removed,
                "probe": PROBE_NAMES[effect.probe].removeprefix("the "),
                "accuracy, %": _percent(effect.accuracy),
                "change, points": "–" if effect.removed == "nothing" else _points(effect),
                "outcome": "–" if effect.removed == "nothing" else effect.outcome,
            }
            for effect in everything
        ]
    )


def _direction_sentence(direction: ExplainedDirection) -> str:
    """Return what is known of one direction."""
    have = enumerated([_ratio_phrase(part) for part in direction.content_free])
    parts = [
        f"Direction {direction.number} carries {_percent(direction.share)} % of the variance.",
        f"{have[0].upper()}{have[1:]}{_untrained_phrase(direction.content_free)}.",
        _statistic(direction),
    ]
    if direction.stability < STABLE:
        parts.append(f"It is not well separated from its neighbours (stability {direction.stability:.2f}).")
    if direction.origin is not None:
        parts.append(f"It can be read from layer {direction.origin} on.")
    if direction.removal:
        parts.append(f"Without it, {_changes(direction.removal)}.")
    return " ".join(parts)


def _ratio_phrase(part: ContentFreeShare) -> str:
    explained = "" if np.isnan(part.explained) else f" (r² {part.explained:.2f})"
    return f"{KIND_NAMES[part.kind]} have {_with_error(part.ratio)} times that{explained}"


def _untrained_phrase(parts: Sequence[ContentFreeShare]) -> str:
    """Return the mean ratios of untrained networks and how many there are, empty without any."""
    means = [float(np.mean(part.untrained)) if part.untrained else np.nan for part in parts]
    if np.isnan(means).all():
        return ""
    values = enumerated([format_number(one) for one in means])
    return f"; in the mean of {len(parts[0].untrained)} untrained networks {values}"


def _statistic(direction: ExplainedDirection) -> str:
    best = direction.best_statistic
    if best is None:
        return "No statistic of the images varies."
    name, found = best
    if found.p_adjusted > LEVEL:
        return f"Its score follows no statistic of the images (most: {name}, {_correlation(found)})."
    return f"Its score follows {name} most, {_correlation(found)}."


def _correlation(found: RankCorrelation) -> str:
    interval = format_interval({"value": found.value, "low": found.low, "high": found.high})
    return f"Spearman's ρ {interval}, corrected p {found.p_adjusted:.1g}"


def _statistic_cell(direction: ExplainedDirection) -> str:
    best = direction.best_statistic
    if best is None:
        return "–"
    name, found = best
    star = "*" if found.p_adjusted <= LEVEL else ""
    interval = format_interval({"value": found.value, "low": found.low, "high": found.high})
    return f"{name} {interval}{star}"


def _ratio_cell(part: ContentFreeShare) -> str:
    explained = "" if np.isnan(part.explained) else f", r² {part.explained:.2f}"
    return f"{_with_error(part.ratio)}{explained}"


def _joint_removals(one: ReadoutExplanation) -> Iterator[str]:
    """Yield what the probes reach, and what they gain or lose without several directions."""
    nothing = [effect for effect in one.removal if effect.removed == "nothing"]
    if not nothing:
        return
    reach = " and ".join(f"{PROBE_NAMES[effect.probe]} {_percent(effect.accuracy)} %" for effect in nothing)
    yield f"Accuracy with all directions: {reach}."
    for removed in dict.fromkeys(effect.removed for effect in one.removal if effect.removed != "nothing"):
        effects = [effect for effect in one.removal if effect.removed == removed]
        name = f"{removed} directions" if removed.startswith("first") else removed
        yield f"Without the {name}, {_changes(effects)}."


def _changes(effects: Sequence[RemovalEffect]) -> str:
    """Return the change of each probe in points, and whether it is beyond its interval."""
    outcomes = {"gains": " (a gain)", "loses": " (a loss)", "undecided": ""}
    changes = [f"{PROBE_NAMES[one.probe]} changes by {_points(one)} points{outcomes[one.outcome]}" for one in effects]
    return " and ".join(changes)


def _points(effect: RemovalEffect) -> str:
    """Return a change of accuracy in percentage points, with its interval."""
    change, low, high = (100 * one for one in (effect.change, effect.low, effect.high))
    return format_interval({"value": change, "low": low, "high": high})


def _percent(one: Estimate) -> str:
    return format_value_with_error(100 * one.value, 100 * one.error)


def _with_error(one: Estimate) -> str:
    return format_value_with_error(one.value, one.error)


def _kinds(direction: ExplainedDirection) -> str:
    """Return the kinds of images without content that have half of a direction's variance."""
    return enumerated([KIND_NAMES[kind] for kind in direction.content_free_kinds])
