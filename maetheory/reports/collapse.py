"""Collapse report as terminal text, JSON document and flat records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from maetheory.core import printable, provenance
from maetheory.core.json_documents import json_ready
from maetheory.evaluation.collapse.answer import Answer, at_this_n
from maetheory.evaluation.collapse.conditions import Condition
from maetheory.evaluation.collapse.formatting import format_interval, format_number, format_value_with_error
from maetheory.evaluation.collapse.verdict import COLLAPSE_QUESTIONS, Finding
from maetheory.evaluation.explanation.reading import CONTENT_FREE, direction_sentences, explanation_paragraph
from maetheory.evaluation.features.feature_files import FeatureFile
from maetheory.reports.collapse_tables import (
    COMPARABLE,
    RANK_ALIASES,
    comparison_table,
    convention_label,
    effective_rank_comparison,
    limit_text,
    metric_remarks,
    ranges_caption,
    ranges_table,
    yardstick_table,
)
from maetheory.reports.console import borderless_table, capturing_console, column_widths
from maetheory.reports.diagnosis import Diagnosis

if TYPE_CHECKING:
    from rich.table import Table

COMPACT_METRICS = (
    "effective_rank",
    "rankme",
    "stable_rank",
    "participation_ratio",
    "alpha_req",
    "twonn",
    "mean_cosine",
    "direction_std",
    "umae_uniformity",
    "uniformity",
    "lidar",
    "mask_pair_alignment",
)
"""Metrics of the table in the terminal; the other files hold all."""
DECISIVE_METRICS = ("effective_rank", "stable_rank", "mean_cosine")
"""Metrics that answer the four questions, which a brief text is about."""
BASELINE_HEADINGS = {"random_init": "random init", "shuffled": "shuffled", "noise": "noise"}
"""Column of a collapse table -> heading."""
LEGEND = (
    "Values are those of the n rows measured, ± two standard errors for another sample of as many images. n → ∞: the "
    "value extrapolated to infinitely many images, with its interval, where that is valid. σ: singular values of the "
    "features, σ²: their squares; not centred unless it is said. "
    "Untrained networks have the same architecture and see the same images; own rule is the code base's own "
    "initialisation, with the interval of a further network, and the usual rules are those of all libraries. "
    "Shuffled: each column of the features permuted independently. Noise, where it is shown: Gaussian rows of the same "
    "shape, whose spectrum is that of Marchenko and Pastur. Ranks grow with the number of images: compare them at "
    "equal n."
)
BRIEF_LEGEND = "±: two standard errors for another sample of as many images."
UNTRAINED_LEGEND = (
    " Untrained networks have the same architecture and see the same images; own rule is the code base's own "
    "initialisation, with the interval of a further network, and the usual rules are those of all libraries."
)
EQUAL_N = " Ranks grow with the number of images: compare them at equal n."
MORE = (
    "The rest: --verbose prints the sentence of each answer, all metrics measured, and models trained here; --full "
    "measures all metrics; --out FOLDER writes a page."
)
MAX_PATH_LENGTH = 4096
_MIN_WIDTH = 60


def collapse_text(
    diagnoses: Sequence[Diagnosis],
    conditions: Sequence[Condition] = (),
    *,
    colour: bool = False,
    width: int = 0,
    brief: bool = False,
) -> str:
    """Return the findings and tables of all checkpoints as text.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    conditions : sequence of Condition
        Those of --fail-if.
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 60.
    brief : bool
        Whether only what decides is told: the sentence on dimensional collapse and those of all answers that are not
        no, the numbers of the four questions, and the effective rank beside untrained networks. Notes, results of
        conditions, explanations and layers are told in any case.
    """
    from rich.text import Text

    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)

    def show(sentence: str) -> None:
        console.print(sentence, markup=False)

    def show_table(frame: pd.DataFrame, caption: str = "") -> None:
        if len(frame):
            show(f"\n{caption}" if caption else "")
            console.print(_rich_table(frame, console.width))

    with console.capture() as captured:
        for one in diagnoses:
            console.print(Text(f"{one.name}: {one.report.dialect}, sha256 {one.report.sha256[:12]}…", style="bold"))
            console.print(Text(overall_answer(one.yardsticks), style="bold"))
            for finding in filter(_is_decisive, one.yardsticks) if brief else one.yardsticks:
                show(str(finding))
            for sentence in _explanation_lines(one):
                show(sentence)
            for note in one.notes:
                show(f"note: {note}")
            table = one.measurements.table
            metrics, sizes = _terminal_columns(last_layer_table(table, DECISIVE_METRICS if brief else COMPACT_METRICS))
            show_table(yardstick_table(one.yardsticks))
            show_table(effective_rank_comparison(table) if brief else comparison_table(table))
            if not brief:
                show_table(metrics)
                for remark in metric_remarks(table, COMPACT_METRICS):
                    show(remark)
            passes = "" if is_given_features(one) else f"forward passes in {one.precision}"
            show("; ".join(filter(None, [sizes, passes, more_images_sentence(table)])))
            if not brief:
                show_table(ranges_table(table).rename(columns={"of d": "d"}), f"{ranges_caption(table)}; {COMPARABLE}")
            if table.layer.nunique() > 1:
                show_table(effective_rank_table_by_layer(table), "effective rank by layer")
            for result in one.results_of(conditions):
                show(f"--fail-if: {result.sentence}")
            show("")
        untrained = "" if all(map(is_given_features, diagnoses)) else UNTRAINED_LEGEND
        show(f"{BRIEF_LEGEND}{untrained}{EQUAL_N}\n{MORE}" if brief else LEGEND)
    return captured.get().rstrip()


def is_given_features(one: Diagnosis) -> bool:
    """Return whether the features came without their network, so that nothing was passed through one."""
    return isinstance(one.report, FeatureFile)


def _is_decisive(finding: Finding) -> bool:
    """Return whether the sentence of a finding is told in a brief text, where a table holds the others' numbers."""
    return finding.question == "dimensional collapse" or finding.answer is not Answer.NO


def _explanation_lines(one: Diagnosis) -> Iterator[str]:
    """Yield what the leading directions of each readout hold; nothing if it was not asked for."""
    if one.explanation is None:
        return
    yield f"\nWhat lies along the leading directions of the features? {CONTENT_FREE}"
    for readout in one.explanation.readouts:
        yield from (explanation_paragraph(readout), *direction_sentences(readout), "")


def last_layer_table(table: pd.DataFrame, metrics: Sequence[str] | None = COMPACT_METRICS) -> pd.DataFrame:
    """Return the last layer's metrics and their baselines as text.

    Parameters
    ----------
    table : DataFrame
        As `maetheory.evaluation.collapse_report` returns it; older tables with columns random_twin are accepted.
    metrics : sequence of str, optional
        Names of the metrics to show; None shows all. Each is shown under the convention of its publication.

    Returns
    -------
    DataFrame
        readout, metric, convention, value ("value ± error"), n → ∞ ("value [low, high]"), random init (where it was
        measured on all images), shuffled, noise, n, d. RankMe and effective rank have one row where they are shown
        alike.
    """
    table = table.rename(columns={"random_twin": "random_init"})
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    rows: list[dict[str, str]] = []
    for record in last.to_dict("records"):
        if metrics is not None and record["metric"] not in metrics:
            continue
        on_all = record.get("random_images", record["images"]) == record["images"]
        random_init = {} if on_all else {"random_init": np.nan}
        row = {
            "readout": record["readout"],
            "metric": record["metric"],
            "convention": convention_label(record["metric"], record["convention"]),
            "value": format_value_with_error(record["value"], at_this_n(record)["error"]),
            "n → ∞": limit_text(record),
            **{heading: format_number({**record, **random_init}[name]) for name, heading in BASELINE_HEADINGS.items()},
            "n": str(record["n"]),
            "d": str(record["d"]),
        }
        if rows and record["metric"] == "rankme" and {**rows[-1], "metric": "rankme"} == row:
            rows[-1]["metric"] = ", ".join(RANK_ALIASES)
        else:
            rows.append(row)
    return pd.DataFrame(rows)


def _terminal_columns(metrics: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the columns of a metric table that fit a terminal, and the rows and dimensions as a phrase."""
    if metrics.empty:
        return metrics, ""
    sizes = dict.fromkeys(f"{row.readout} n = {row.n}, d = {row.d}" for row in metrics.itertuples())
    if len({(row.n, row.d) for row in metrics.itertuples()}) == 1:
        sizes = dict.fromkeys([next(iter(sizes)).partition(" ")[2]])
    empty = [name for name in ("random init", "shuffled") if (metrics[name] == "–").all()]
    return metrics.drop(columns=["noise", "n", "d", *empty]), "; ".join(sizes)


def more_images_sentence(table: pd.DataFrame) -> str:
    """Return what more images would change: errors, and the effective rank of each readout."""
    last = table[(table.layer == table.layer.iloc[-1]) & (table.metric == "effective_rank")]
    parts = []
    for record in last.drop_duplicates("readout").to_dict("records"):
        limit = limit_text(record)
        towards = f"towards {limit}" if limit != "–" else "upwards by an unknown amount"
        parts.append(f"{record['readout']} from {format_number(record['value'])} {towards}")
    ranks = f", and the effective rank would move, of {' and of '.join(parts)}" if parts else ""
    return f"four times as many images (--limit) would halve the errors{ranks}"


def effective_rank_table_by_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of each layer as text: one column per readout and one for its random baseline."""
    ranks = table[table.metric == "effective_rank"].drop_duplicates(["readout", "layer"])
    rows = []
    for layer, group in ranks.groupby("layer", sort=False):
        row = {"layer": str(layer)}
        for record in group.to_dict("records"):
            row[record["readout"]] = format_interval(record)
            row[f"{record['readout']}, random init"] = format_number(record["random_init"])
        rows.append(row)
    return pd.DataFrame(rows)


def _rich_table(frame: pd.DataFrame, width: int) -> Table:
    """Return a table whose cells wrap between words, and inside them only where the words do not fit the width."""
    from rich.table import Column

    widths = column_widths([[str(name), *map(str, frame[name])] for name in frame.columns], width)
    columns = [
        Column(
            name,
            justify="left" if name in ("readout", "metric", "layer") else "right",
            no_wrap=name in ("readout", "answer", "images", "layer"),
            overflow="fold",
            width=wide,
        )
        for name, wide in zip(frame.columns, widths, strict=True)
    ]
    return borderless_table(columns, [tuple(map(str, row)) for row in frame.itertuples(index=False)])


def overall_answer(findings: Sequence[Finding]) -> str:
    """Return whether the features of any readout have collapsed, completely or in dimension.

    Where that is undecided, readouts with few directions for their dimension are named, which is no comparison with
    untrained networks.
    """
    decisive = [one for one in findings if one.question in COLLAPSE_QUESTIONS]
    collapsed = [one for one in decisive if one.answer is Answer.YES]
    if collapsed:
        return f"collapsed ({'; '.join(f'{one.readout}, {one.question}' for one in collapsed)})"
    if not decisive or any(one.answer is not Answer.NO for one in decisive):
        few = [one.readout for one in findings if one.question == "few directions" and one.answer is Answer.YES]
        return f"undecided; few directions: yes ({', '.join(few)})" if few else "undecided"
    return "not collapsed"


def collapse_records(diagnoses: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """Return one flat record per checkpoint, readout, layer, metric and convention; NaN and infinities are None."""
    origin = provenance(seed=diagnoses[0].seed, device=diagnoses[0].device)
    return [
        {
            "experiment": "collapse",
            "checkpoint": printable(one.report.path, MAX_PATH_LENGTH),
            "name": one.name,
            "sha256": one.report.sha256,
            "dialect": one.report.dialect,
            "dataset": one.dataset,
            "seed": one.seed,
            **json_ready(record),
            "provenance": origin,
        }
        for one in diagnoses
        for record in one.measurements.table.to_dict("records")
    ]


def collapse_document(diagnoses: Sequence[Diagnosis], conditions: Sequence[Condition] = ()) -> dict[str, Any]:
    """Return findings, notes, load reports and all records as one JSON-ready document."""
    records = [{k: v for k, v in record.items() if k != "provenance"} for record in collapse_records(diagnoses)]
    return {
        "dataset": diagnoses[0].dataset,
        "seed": diagnoses[0].seed,
        "checkpoints": [
            {
                "checkpoint": printable(one.report.path, MAX_PATH_LENGTH),
                "name": one.name,
                "sha256": one.report.sha256,
                "load": json_ready(one.report.to_dict()),
                "reading": json_ready([finding.to_dict() for finding in one.findings]),
                "yardsticks": json_ready([finding.to_dict() for finding in one.yardsticks]),
                "precision": one.precision,
                "fail_if": json_ready([result.to_dict() for result in one.results_of(conditions)]),
                "more_images": more_images_sentence(one.measurements.table),
                "trained_ranges": json_ready(ranges_table(one.measurements.table).to_dict("records")),
                "notes": list(one.notes),
                "skipped": list(one.skipped),
                "growth": json_ready(one.measurements.growth.to_dict("records")),
                **({} if one.explanation is None else {"explanation": json_ready(one.explanation.to_dict())}),
            }
            for one in diagnoses
        ],
        "records": records,
        "provenance": provenance(seed=diagnoses[0].seed, device=diagnoses[0].device),
    }
