"""A mask graph of images as a table and a plain reading for a terminal, or as one document."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maetheory.checkpoints.device import device_name
from maetheory.core import atomic_write, make_folder, provenance
from maetheory.empirical import IntervalEstimate
from maetheory.evaluation.collapse.formatting import format_interval, number
from maetheory.reports.collapse import json_ready
from maetheory.reports.console import capturing_console
from maetheory.reports.graph_study import GraphStudy

ROW_LABELS = {
    "α": "α, label error of views",
    "α₂": "α₂, label error of targets",
    "φ": "φ, label error of positive pairs",
    "bound": "4φ/(1 − λ_{k+1}) + 2α",
}
_MIN_WIDTH = 100


def graph_text(found: GraphStudy, *, colour: bool = False, width: int = 0) -> str:
    """Return what was done, the table and the reading as text.

    Parameters
    ----------
    found : GraphStudy
    colour : bool
        Whether to colour the text for a terminal.
    width : int
        Columns of the terminal; at least 100 are used.
    """
    from rich.text import Text

    console = capturing_console(max(width, _MIN_WIDTH), colour=colour)
    numbers = found.numbers
    with console.capture() as captured:
        console.print(Text(f"{found.plan.kind} mask graph of {found.dataset}", style="bold"))
        console.print(_settings_line(found), markup=False)
        console.print(f"{numbers.nodes[0]:,} views, {numbers.nodes[1]:,} targets, {numbers.edges:,} edges")
        console.print(_table(found))
        console.print(numbers.certificate, markup=False)
        console.print(f"Numbers {numbers.description}.\n", markup=False)
        for line in graph_summary(found):
            console.print(line, markup=False)
    return captured.get().rstrip()


def _settings_line(found: GraphStudy) -> str:
    plan, (rows, columns) = found.plan, found.grid
    drawn = f", {plan.masks} drawn" if plan.masks is not None else ""
    coded = f", {plan.codes} codes" if plan.codes is not None else ""
    pooled = "".join(f", {side} pooled" for side in ("views", "targets") if getattr(plan, side) == "pooled")
    return (
        f"{found.n_images:,} images in {found.n_classes} classes, {rows}x{columns} patches of {plan.patch}x"
        f"{plan.patch}, {plan.law} masks at ratio {plan.mask_ratio:g}{drawn}, positions {plan.positions}{coded}"
        f"{pooled}"
    )


def _table(found: GraphStudy) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, side in (("number", "left"), ("value [band]", "right"), ("verdict", "left")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for name, band in found.numbers.by_name.items():
        verdict = found.numbers.verdict if band.decided else "UNDECIDED"
        table.add_row(ROW_LABELS.get(name, name), format_interval_estimate(band), verdict)
    return table


def format_interval_estimate(band: IntervalEstimate) -> str:
    """Return value and band in the digits that mean something, infinities as ∞.

    Examples
    --------
    >>> format_interval_estimate(IntervalEstimate(0.25, 0.2, 0.3, True, "")), format_interval_estimate(IntervalEstimate(3, 1, math.inf, False, "")), format_interval_estimate(IntervalEstimate(7, 7, 7, True, ""))
    ('0.25 [0.20, 0.30]', '3 [1, ∞]', '7')
    """
    if math.isinf(band.high):
        ends = [
            "∞" if math.isinf(one) else str(one) if isinstance(one, int) else number(one)
            for one in (band.value, band.low, band.high)
        ]
        return "∞" if math.isinf(band.low) else f"{ends[0]} [{ends[1]}, {ends[2]}]"
    if band.high - band.low <= 1e-9 * max(1.0, abs(band.value)):
        return f"{band.value:.6g}"
    return format_interval({"value": band.value, "low": band.low, "high": band.high})


def graph_summary(found: GraphStudy) -> list[str]:
    """Say in plain sentences what the numbers decide, and what they do not."""
    numbers, k = found.numbers, found.plan.k
    said = [*_components_sentence(found)]
    if not numbers.bound.decided:
        low, high = (
            format_interval_estimate(IntervalEstimate(end, end, end, True, ""))
            for end in (numbers.bound.low, numbers.bound.high)
        )
        said.append(f"The bound on the error of {k} spectral features is UNDECIDED, somewhere from {low} to {high}.")
    elif math.isinf(numbers.bound.high):
        said.append(f"There is no bound on the error of {k} spectral features: λ_{numbers.k + 1} is 1.")
    elif numbers.bound.high >= 1 - found.commonest:
        said.append(
            f"The bound, at most {numbers.bound.high:.3g}, is VACUOUS: always guessing the commonest class "
            f"errs with {1 - found.commonest:.3g}."
        )
    else:
        said.append(
            f"A linear reading of {k} spectral features errs with at most {numbers.bound.high:.3g}; always "
            f"guessing the commonest class with {1 - found.commonest:.3g}."
        )
    open_ones = [name for name, band in numbers.by_name.items() if not band.decided and name != "bound"]
    if open_ones:
        said.append(f"UNDECIDED: {', '.join(open_ones)}; this sample does not show views and targets often enough.")
        said.append(_suggestion_sentence(found))
    return said


def _components_sentence(found: GraphStudy) -> list[str]:
    counted, k = found.numbers.components, found.plan.k
    if counted is None or not counted.decided:
        return []
    count = int(counted.value)
    if count == 1:
        return ["The graph is connected."]
    more = f": more than the {k} features, so that λ_1..λ_{found.numbers.k + 1} are all 1" if count > (k or 0) else ""
    return [f"The graph falls into {count:,} components{more}."]


def _suggestion_sentence(found: GraphStudy) -> str:
    plan = found.plan
    ways = ["more images", "fewer codes"]
    if plan.targets == "patches":
        ways.append("pooled targets")
    if plan.positions == "kept":
        ways.append("positions dropped")
    return f"Views and targets meet more often with {', '.join(ways[:-1])} or {ways[-1]}."


def graph_document(found: GraphStudy) -> dict[str, Any]:
    """Return everything as one JSON-ready document; what is not finite is null."""
    numbers = found.numbers
    return json_ready(
        {
            "kind": found.plan.kind,
            "dataset": found.dataset,
            "images": found.n_images,
            "classes": found.n_classes,
            "grid": list(found.grid),
            "plan": asdict(found.plan),
            "views": numbers.nodes[0],
            "targets": numbers.nodes[1],
            "edges": numbers.edges,
            "components": None if numbers.components is None else _entry(numbers.components),
            "eigenvalues": [_entry(band) for band in numbers.eigenvalues],
            "label_error": _entry(numbers.alpha),
            "target_label_error": _entry(numbers.alpha2),
            "pair_label_error": _entry(numbers.phi),
            "bound": _entry(numbers.bound),
            "commonest_class": found.commonest,
            "certificate": numbers.certificate,
            "meaning": numbers.description,
            "verdict": numbers.verdict,
            "reading": graph_summary(found),
            "provenance": provenance(seed=found.plan.seed, device=device_name(found.plan.device or "cpu")),
        }
    )


def _entry(band: IntervalEstimate) -> dict[str, Any]:
    return {
        "value": float(band.value),
        "low": float(band.low),
        "high": float(band.high),
        "decided": band.decided,
        "why": band.why,
    }


def write_graph_report(folder: Path, found: GraphStudy) -> None:
    """Leave the document and the text in a folder, as graph.json and graph.txt.

    Raises
    ------
    InputError, OSError
        If the folder cannot be made or written.
    """
    make_folder(folder)
    for name, content in (
        ("graph.json", json.dumps(graph_document(found), indent=1)),
        ("graph.txt", graph_text(found)),
    ):
        with atomic_write(folder / name) as part:
            part.write_text(content + "\n")
