"""Write the collapse report to a folder: first the results, then their figures and the page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from maetheory.core import make_folder, printable, provenance
from maetheory.core.files import remove_leftover_files, staging_folder
from maetheory.figures.collapse import (
    draw_effective_rank_by_layer,
    draw_effective_rank_by_sample_size,
    draw_feature_spectra,
    effective_rank_by_layer,
    effective_rank_by_sample_size,
    feature_spectra,
)
from maetheory.figures.descriptions import (
    describe_effective_rank_by_layer,
    describe_effective_rank_by_sample_size,
    describe_feature_spectra,
)
from maetheory.figures.explained_directions import (
    describe_explained_directions,
    draw_explained_directions,
    explained_directions,
    explained_directions_size,
    extreme_images,
)
from maetheory.figures.style import paper_style, save_figure
from maetheory.reports.collapse import collapse_records, last_layer_table
from maetheory.reports.collapse_page import collapse_introduction, collapse_sections, collapse_statements
from maetheory.reports.diagnosis import Diagnosis
from maetheory.reports.explanation_page import explained_readouts
from maetheory.reports.page import Picture, write_page

_MAX_CELL_LENGTH = 500
_FIGURES = ("spectra", "growth", "layers")
FILES = (
    "records.csv",
    "records.jsonl",
    "table.tex",
    "report.html",
    *(f"{name}.{suffix}" for name in _FIGURES for suffix in ("svg", "png", "csv")),
)
EXPLANATION_FILE = "explanation.csv"
_EXPLANATION_FILES = re.compile(r"explanation\.csv|directions-\d+\.(?:svg|png|csv)")
"""Files that a report has if directions are explained; a figure for each checkpoint and readout, numbered from 1."""


def write_collapse_report(folder: Path, diagnoses: Sequence[Diagnosis]) -> list[Path]:
    """Write records, LaTeX table, figures and page into a folder and return the files.

    Results (records and table) are written before they are drawn, and they stay if drawing fails. In a folder with an
    earlier report they wait in a temporary folder, so that an interrupt leaves that report whole. Files of an earlier
    report that this one does not have are deleted; other files in the folder are kept.

    Raises
    ------
    InputError, OSError
        If the folder cannot be created or the results cannot be written; its earlier files are then unchanged.
    """
    make_folder(folder)
    remove_leftover_files(folder)
    earlier = any((folder / name).exists() for name in FILES)
    python_texts = pd.option_context("mode.string_storage", "python")  # PyArrow's hold no path that is not UTF-8
    with python_texts, staging_folder(folder, "collapse") as stage:
        results = _write_results(stage, diagnoses)
        if not earlier:
            results = _replace_report(folder, results)
        try:
            drawn = _draw_report(stage, diagnoses)
        except Exception:
            if earlier:
                _replace_report(folder, results)
            raise
        return _replace_report(folder, [*results, *drawn])


def _replace_report(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Move files into a folder, delete the other files of an earlier report there and return the new paths."""
    for path in files:
        if path.parent != folder:
            os.replace(path, folder / path.name)
    written = {path.name for path in files}
    explained = [path.name for path in folder.iterdir() if _EXPLANATION_FILES.fullmatch(path.name)]
    for name in {*FILES, *explained} - written:
        (folder / name).unlink(missing_ok=True)
    return [folder / path.name for path in files]


def _draw_report(stage: Path, diagnoses: Sequence[Diagnosis]) -> list[Path]:
    """Draw the figures and write the page that shows them."""
    drawn = _draw_figures(stage, diagnoses)
    pictures = {
        name: Picture(next(path for path in paths if path.suffix == ".svg"), description)
        for name, (paths, description) in drawn.items()
    }
    page = write_page(
        stage / "report.html",
        "Collapse of features",
        collapse_introduction(diagnoses),
        collapse_sections(diagnoses, pictures),
        provenance(seed=diagnoses[0].seed, device=diagnoses[0].device),
        reading=collapse_statements(diagnoses),
    )
    return [*(path for paths, _ in drawn.values() for path in paths), page]


def _write_results(stage: Path, diagnoses: Sequence[Diagnosis]) -> list[Path]:
    """Write records and LaTeX table."""
    records = collapse_records(diagnoses)
    (stage / "records.jsonl").write_text(
        "".join(json.dumps(record, sort_keys=True) + "\n" for record in records), encoding="utf-8"
    )
    flat = pd.DataFrame([{k: v for k, v in record.items() if k != "provenance"} for record in records])
    flat.to_csv(stage / "records.csv", index=False, errors="backslashreplace")  # of a path that is no UTF-8
    (stage / "table.tex").write_text(latex_table(diagnoses), encoding="utf-8", errors="backslashreplace")
    frames = [one.explanation.to_frame().assign(checkpoint=one.name) for one in diagnoses if one.explanation]
    if frames:
        pd.concat(frames).to_csv(stage / EXPLANATION_FILE, index=False, float_format="%.8g", errors="backslashreplace")
    names = ("records.csv", "records.jsonl", "table.tex", *([EXPLANATION_FILE] if frames else []))
    return [stage / name for name in names]


def _draw_figures(stage: Path, diagnoses: Sequence[Diagnosis]) -> dict[str, tuple[list[Path], str]]:
    """Draw the figures; return the files of each by its name, and what it shows in words."""
    measurements = {one.name: one.measurements for one in diagnoses}
    spectra = feature_spectra({name: one.spectra for name, one in measurements.items()})
    files = _draw_and_save(stage, "spectra", draw_feature_spectra, spectra, *_panel_grid(spectra))
    written = {"spectra": (files, describe_feature_spectra(spectra))}
    growth = effective_rank_by_sample_size({name: one.growth for name, one in measurements.items()})
    files = _draw_and_save(stage, "growth", draw_effective_rank_by_sample_size, growth, 1, len(diagnoses))
    written["growth"] = (files, describe_effective_rank_by_sample_size(growth))
    if any(one.measurements.table.layer.nunique() > 1 for one in diagnoses):
        layers = effective_rank_by_layer({name: one.table for name, one in measurements.items()})
        files = _draw_and_save(stage, "layers", draw_effective_rank_by_layer, layers, 1, len(diagnoses))
        written["layers"] = (files, describe_effective_rank_by_layer(layers))
    return written | _draw_explanations(stage, diagnoses)


def _draw_explanations(stage: Path, diagnoses: Sequence[Diagnosis]) -> dict[str, tuple[list[Path], str]]:
    """Draw the leading directions of each readout that is explained, in the order of `explained_readouts`."""
    written = {}
    for number, (_, readout) in enumerate(explained_readouts(diagnoses), 1):
        frame = explained_directions(readout)
        with paper_style():
            figure = plt.figure(figsize=explained_directions_size(frame), layout="constrained")
            draw_explained_directions(figure, frame, extreme_images(readout))
            files = save_figure(figure, frame, stage, f"directions-{number}")
        written[f"directions-{number}"] = (files, describe_explained_directions(frame))
    return written


def _panel_grid(spectra: pd.DataFrame) -> tuple[int, int]:
    """Return rows and columns of panels: one row per readout; one column per readout for a single checkpoint."""
    readouts, checkpoints = spectra.readout.nunique(), spectra.checkpoint.nunique()
    return (1, readouts) if checkpoints == 1 else (readouts, checkpoints)


def _draw_and_save(
    stage: Path, name: str, draw: Callable[..., None], frame: pd.DataFrame, rows: int, columns: int
) -> list[Path]:
    with paper_style():
        figure, axes = plt.subplots(
            rows, columns, figsize=(max(4.4, 3.4 * columns), 2.9 * rows), layout="constrained", squeeze=False
        )
        draw(list(axes.flat), frame)
        return save_figure(figure, frame, stage, name)


def latex_table(diagnoses: Sequence[Diagnosis]) -> str:
    """Return all metrics of the last layer, under their publications' conventions, as a LaTeX table with booktabs."""
    frames = [last_layer_table(one.measurements.table, None).assign(checkpoint=one.name) for one in diagnoses]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[["checkpoint", *frames[0].columns[:-1]]]
    lines = [
        r"\begin{tabular}{llll" + "r" * (frame.shape[1] - 4) + "}",
        r"\toprule",
        " & ".join(map(escape_latex, frame.columns)) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(map(escape_latex, row)) + r" \\" for row in frame.itertuples(index=False)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def escape_latex(text: Any) -> str:
    r"""Return text with the special characters of LaTeX escaped.

    Examples
    --------
    >>> print(escape_latex("mean_cosine & 5 %"))
    mean\_cosine \& 5 \%
    """
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "–": "--",
        "→": r"$\to$",
        "∞": r"$\infty$",
        "σ": r"$\sigma$",
        "²": r"\textsuperscript{2}",
        "±": r"$\pm$",
        **{sign: "\\" + sign for sign in "&%$#_{}"},
    }
    return "".join(special.get(sign, sign) for sign in printable(str(text), _MAX_CELL_LENGTH))
