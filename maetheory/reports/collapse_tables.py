"""Tables of a collapse report beside that of its metrics: questions, untrained networks and models trained here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from maetheory.evaluation.collapse.answer import at_this_n
from maetheory.evaluation.collapse.calibration import DATA_NAMES, trained_ranges
from maetheory.evaluation.collapse.formatting import format_interval, format_number, format_value_with_error
from maetheory.evaluation.collapse.verdict import Finding
from maetheory.metrics import CONVENTIONS

SQUARED_METRICS = frozenset(
    {"stable_rank", "participation_ratio", "nesum", "alpha_req", "matrix_entropy", "iso_score", "lidar"}
)
"""Metrics of eigenvalues, squared singular values, under every convention."""
UNIT_ROW_METRICS = frozenset(
    {"mean_cosine", "umae_uniformity", "uniformity", "self_cluster", "direction_std", "mask_pair_alignment"}
)
RANK_ALIASES = ("effective_rank", "rankme")
"""Metrics that differ by RankMe's ε only, and appear in one row where they are shown alike."""


COMPARABLE = "ranks grow with n and d, so that only rows of about the file's n and d are comparable with it"
"""Restriction of `ranges_table`, which holds models of other numbers of images n and dimensions d."""


def yardstick_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the questions as text: readout, question, number, compared with, answer.

    Cells are short enough for 80 columns: the number of images of a comparison stands with what is compared, and a
    tenth of the dimension names the dimension.
    """
    rows = []
    for one in findings:
        number, _, images = one.number.partition(" (n = ")
        compared = one.yardstick.partition(", against ")[2].replace(" on the same images", "")
        if images:
            compared = f"untrained, n = {images.removesuffix(')')}"
        dimension = number.rpartition(" of ")[2]
        rows.append(
            {
                "readout": one.readout,
                "question": one.question,
                "number": number,
                "compared with": compared.replace("of the dimension", f"of {dimension}"),
                "answer": str(one.answer),
            }
        )
    return pd.DataFrame(rows)


def comparison_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics that questions compare with untrained networks, all on the same images, as text.

    Returns
    -------
    DataFrame
        readout, metric, this file, the code base's rule and all usual rules with their intervals, images; empty without
        untrained networks.
    """
    if "same_images" not in table:
        return pd.DataFrame()
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    rows = []
    for record in last[last.same_images.notna()].to_dict("records"):
        same = at_this_n(record, "same_images")
        rule = {"value": record["random_init"], "low": record["random_init_low"], "high": record["random_init_high"]}
        span = [record[f"random_span_{end}"] for end in ("low", "high")]
        rows.append(
            {
                "readout": record["readout"],
                "metric": record["metric"],
                "this file": format_value_with_error(same["value"], same["error"]),
                "untrained, own rule": format_interval(rule),
                "all usual rules": " to ".join(map(format_number, span)) if pd.notna(span).all() else "–",
                "images": str(int(record["random_images"])),
            }
        )
    return pd.DataFrame(rows)


def effective_rank_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of each readout beside untrained networks on the same images, as text.

    Returns
    -------
    DataFrame
        readout, effective rank, the code base's rule and all usual rules, images; empty without untrained networks.
    """
    compared = comparison_table(table)
    if compared.empty:
        return compared
    ranks = compared[compared.metric == "effective_rank"].drop(columns="metric")
    return ranks.rename(columns={"this file": "effective rank"})


def ranges_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the effective rank of each readout beside its ranges in models that were trained here, as text.

    Returns
    -------
    DataFrame
        model, a column for each readout, of d, n, seeds; the first row is this file.
    """
    last = table[(table.layer == table.layer.iloc[-1]) & (table.metric == "effective_rank")]
    records = {str(one["readout"]): one for one in last.drop_duplicates("readout").to_dict("records")}
    rows: dict[str, dict[str, str]] = {}
    for readout, record in records.items():
        rows.setdefault("this file", {})[readout] = format_number(record["value"])
        rows["this file"] |= {"of d": str(record["d"]), "n": str(record["n"]), "seeds": ""}
        for row in trained_ranges("effective_rank", readout).itertuples():
            model = f"{_model_name(str(row.objective))}, {DATA_NAMES.get(str(row.dataset), str(row.dataset))}"
            rows.setdefault(model, {})[readout] = f"{row.low:.3g}-{row.high:.3g}"
            rows[model] |= {"of d": str(row.d), "n": str(row.images), "seeds": str(row.seeds)}
    columns = ["model", *records, "of d", "n", "seeds"]
    return pd.DataFrame([{"model": model, **row} for model, row in rows.items()], columns=columns)


def ranges_caption(table: pd.DataFrame) -> str:
    """Return the caption of `ranges_table`: which readout of the trained models stands in the column of each readout.

    Examples
    --------
    >>> ranges_caption(pd.DataFrame({"readout": ["cls"]}))
    'effective rank beside models that were trained here: for cls, of their cls token'
    """
    names = {"cls": "cls token", "mean": "mean of patches"}
    compared = {
        readout: trained_ranges("effective_rank", readout).readout.iloc[0] for readout in table.readout.unique()
    }
    parts = [f"for {readout}, of their {names[found]}" for readout, found in compared.items()]
    return f"effective rank beside models that were trained here: {'; '.join(parts)}"


def convention_label(metric: str, convention: str) -> str:
    """Return what a convention takes: singular values or their squares, of features or of centred features.

    Examples
    --------
    >>> convention_label("effective_rank", "roy-vetterli-2007"), convention_label("alpha_req", "ranks-10-99")
    ('σ', 'σ², centred')
    """
    if metric in UNIT_ROW_METRICS:
        return "unit rows"
    known = {one.name: one for one in CONVENTIONS.get(metric, ())}.get(convention)
    if known is None or metric in ("twonn", "coherence"):
        return "–"
    power = "σ²" if known.squared or metric in SQUARED_METRICS else "σ"
    return f"{power}, centred" if known.centred else power


def limit_text(record: dict[Any, Any]) -> str:
    """Return the n → ∞ value with its interval, "–" where there is none."""
    if np.isnan(record.get("limit", np.nan)):
        return "–"
    return format_interval({"value": record["limit"], "low": record["limit_low"], "high": record["limit_high"]})


def metric_remarks(table: pd.DataFrame, metrics: Sequence[str] | None) -> Iterator[str]:
    """Yield the notes of metrics of the last layer, such as r² of a power law, and why some have no n → ∞ value."""
    last = table[table.layer == table.layer.iloc[-1]].drop_duplicates(["readout", "metric"])
    shown = last if metrics is None else last[last.metric.isin(metrics)]
    for row in shown.itertuples():
        if row.note and not row.note.startswith("no interval: "):
            yield f"{row.metric}, {row.readout}: {row.note.partition('; no interval: ')[0]}"
    if "no_limit" in shown:
        for reason, rows in shown[shown.no_limit != ""].groupby("no_limit", sort=False):
            yield f"no n → ∞ value of {', '.join(dict.fromkeys(rows.metric))}: {reason}"


def _model_name(objective: str) -> str:
    return "untrained (Xavier)" if objective == "random" else objective
