"""Mask-graph results as terminal text and JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maetheory.checkpoints.device import device_name
from maetheory.core import atomic_write, make_folder, provenance
from maetheory.core.json_documents import json_ready
from maetheory.empirical import IntervalEstimate
from maetheory.evaluation.collapse.formatting import format_interval, format_number
from maetheory.reports.console import borderless_table, capturing_console
from maetheory.reports.graph_study import GraphStudy

if TYPE_CHECKING:
    from rich.table import Table

ROW_LABELS = {
    "α": "α, label error of views",
    "α₂": "α₂, label error of targets",
    "φ": "φ, label error of positive pairs",
    "bound": "4φ/(1 − λ_{k+1}) + 2α",
}
"""Statistic -> its row in the table, where they differ."""
_MIN_WIDTH = 60
_FILE_WIDTH = 100


def graph_text(study: GraphStudy, *, colour: bool = False, width: int = 0) -> str:
    """Return the settings, the summary and the table of statistics as text.

    Parameters
    ----------
    study : GraphStudy
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 60. The summary comes first; statistics that the sample leaves
        undecided are one line below the table.
    """
    from rich.text import Text

    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    statistics = study.statistics
    with console.capture() as captured:
        console.print(Text(f"{study.config.kind} mask graph of {study.dataset}", style="bold"))
        console.print(_settings_line(study), markup=False)
        console.print(f"{statistics.nodes[0]:,} views, {statistics.nodes[1]:,} targets, {statistics.edges:,} edges\n")
        for line in graph_summary_sentences(study):
            console.print(line, markup=False)
        console.print()
        console.print(_statistics_table(study))
        undecided = _undecided_line(study)
        if undecided:
            console.print(undecided, markup=False)
        console.print(f"\n{statistics.certificate}", markup=False)
        console.print(f"The statistics are {statistics.description}.", markup=False)
    return captured.get().rstrip()


def graph_summary_sentences(study: GraphStudy) -> list[str]:
    """Return sentences on the components, the bound, and the statistics that the sample leaves undecided."""
    sentences = [*_label_sentences(study), *_components_sentences(study), _bound_sentence(study)]
    statistics = study.statistics.by_name
    undecided = [name for name, interval in statistics.items() if not interval.decided and name != "bound"]
    if undecided:
        sentences.append(f"UNDECIDED: {', '.join(undecided)}; too few views and targets are shared by several images.")
        sentences.append(_suggestion_sentence(study))
    return sentences


def graph_document(study: GraphStudy) -> dict[str, Any]:
    """Return settings, statistics and summary as one JSON-ready document; numbers that are not finite are None."""
    config, statistics = study.config, study.statistics
    return json_ready(
        {
            "kind": config.kind,
            "dataset": study.dataset,
            "images": study.n_images,
            "classes": study.n_classes,
            "grid": list(study.grid),
            "plan": asdict(config),
            "views": statistics.nodes[0],
            "targets": statistics.nodes[1],
            "edges": statistics.edges,
            "components": None if statistics.components is None else _interval_document(statistics.components),
            "eigenvalues": [_interval_document(value) for value in statistics.eigenvalues],
            "label_error": _interval_document(statistics.alpha),
            "target_label_error": _interval_document(statistics.alpha2),
            "pair_label_error": _interval_document(statistics.phi),
            "bound": _interval_document(statistics.bound),
            "commonest_class": study.majority_share,
            "certificate": statistics.certificate,
            "meaning": statistics.description,
            "verdict": statistics.verdict,
            "reading": graph_summary_sentences(study),
            "provenance": provenance(seed=config.seed, device=device_name(config.device or "cpu")),
        }
    )


def write_graph_report(folder: Path, study: GraphStudy) -> None:
    """Write the document and the text into a folder, as graph.json and graph.txt.

    Raises
    ------
    InputError, OSError
        If the folder cannot be created or written.
    """
    make_folder(folder)
    files = {
        "graph.json": json.dumps(graph_document(study), indent=1),
        "graph.txt": graph_text(study, width=_FILE_WIDTH),
    }
    for name, content in files.items():
        with atomic_write(folder / name) as part:
            part.write_text(content + "\n", encoding="utf-8", errors="backslashreplace")


def format_interval_estimate(estimate: IntervalEstimate) -> str:
    """Return value and interval with as many digits as the interval justifies; infinities are ∞.

    Examples
    --------
    >>> format_interval_estimate(IntervalEstimate(0.25, 0.2, 0.3, True, ""))
    '0.25 [0.20, 0.30]'
    >>> format_interval_estimate(IntervalEstimate(3, 1, math.inf, False, ""))
    '3 [1, ∞]'
    >>> format_interval_estimate(IntervalEstimate(7, 7, 7, True, ""))
    '7'
    """
    if math.isinf(estimate.low):
        return "∞"
    if math.isinf(estimate.high):
        value, low, high = map(_format_interval_end, (estimate.value, estimate.low, estimate.high))
        return f"{value} [{low}, {high}]"
    if estimate.high - estimate.low <= 1e-9 * max(1.0, abs(estimate.value)):
        return f"{estimate.value:.6g}"
    return format_interval({"value": estimate.value, "low": estimate.low, "high": estimate.high})


def _format_interval_end(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return str(value) if isinstance(value, int) else format_number(value)


def _settings_line(study: GraphStudy) -> str:
    config, (rows, columns) = study.config, study.grid
    masks = f", {config.masks} drawn" if config.masks is not None else ""
    codes = f", {config.codes} codes" if config.codes is not None else ""
    pooled = "".join(f", {side} pooled" for side in ("views", "targets") if getattr(config, side) == "pooled")
    if (config.views, config.targets) == ("pooled", "pooled"):
        codes, pooled = "", f", views and targets pooled to {config.codes} codes"
    return (
        f"{study.n_images:,} images in {study.n_classes} classes, {rows}x{columns} patches of {config.patch}x"
        f"{config.patch}, {config.law} masks at ratio {config.mask_ratio:g}{masks}, positions {config.positions}{codes}"
        f"{pooled}"
    )


def _statistics_table(study: GraphStudy) -> Table:
    from rich.table import Column

    columns = [
        Column("statistic", no_wrap=True),
        Column("value [interval]", justify="right", no_wrap=True),
        Column("verdict", no_wrap=True),
    ]
    rows = [
        (
            ROW_LABELS.get(name, name),
            format_interval_estimate(estimate),
            study.statistics.verdict,
        )
        for name, estimate in study.statistics.by_name.items()
        if estimate.decided
    ]
    return borderless_table(columns, rows)


def _undecided_line(study: GraphStudy) -> str:
    """Return the intervals that decide nothing, with the eigenvalues among them as a range."""
    undecided = {name: one for name, one in study.statistics.by_name.items() if not one.decided}
    eigenvalues = [name for name in undecided if name.startswith("λ_")]
    parts = [f"{name} {format_interval_estimate(one)}" for name, one in undecided.items() if name not in eigenvalues]
    if eigenvalues:
        parts.insert(0, eigenvalues[0] if len(eigenvalues) == 1 else f"{eigenvalues[0]} to {eigenvalues[-1]}")
    return f"UNDECIDED: {'; '.join(parts)}" if parts else ""


def _label_sentences(study: GraphStudy) -> list[str]:
    """Say how well a view tells the label, if it is decided."""
    alpha = study.statistics.alpha
    if not alpha.decided:
        return []
    trivial = 1 - study.majority_share
    return [
        f"The best guess of the label from a view errs with probability {format_interval_estimate(alpha)}; always "
        f"guessing the largest class errs with {trivial:.3g}."
    ]


def _components_sentences(study: GraphStudy) -> list[str]:
    """Return the number of components as a sentence, if it is known."""
    components, k = study.statistics.components, study.statistics.k
    if components is None or not components.decided:
        return []
    count = int(components.value)
    if count == 1:
        return ["The graph is connected."]
    more = f", more than the {k} features, so λ_1..λ_{k + 1} are all 1" if count > k else ""
    return [f"The graph has {count:,} connected components{more}."]


def _bound_sentence(study: GraphStudy) -> str:
    """Say what the bound is worth beside always predicting the largest class."""
    bound, k = study.statistics.bound, study.statistics.k
    trivial = 1 - study.majority_share
    if not bound.decided:
        low, high = (
            format_interval_estimate(IntervalEstimate(end, end, end, True, "")) for end in (bound.low, bound.high)
        )
        return f"The bound on the error of {k} spectral features is UNDECIDED: it lies between {low} and {high}."
    if math.isinf(bound.high):
        return f"There is no bound on the error of {k} spectral features: λ_{k + 1} is 1."
    if bound.high >= trivial:
        return (
            f"The bound on the error of {k} spectral features, at most {bound.high:.3g}, is VACUOUS: always predicting "
            f"the largest class has error {trivial:.3g}."
        )
    return (
        f"A linear probe of {k} spectral features has error at most {bound.high:.3g}; always predicting the largest "
        f"class has error {trivial:.3g}."
    )


def _suggestion_sentence(study: GraphStudy) -> str:
    """Name the settings under which more views and targets coincide."""
    ways = ["more images", "fewer codes"]
    if study.config.targets == "patches":
        ways.append("pooled targets")
    if study.config.positions == "kept":
        ways.append("positions dropped")
    return f"More views and targets would coincide with {', '.join(ways[:-1])} or {ways[-1]}."


def _interval_document(estimate: IntervalEstimate) -> dict[str, Any]:
    return {
        "value": float(estimate.value),
        "low": float(estimate.low),
        "high": float(estimate.high),
        "decided": estimate.decided,
        "why": estimate.why,
    }
