"""Graphs, spectra and collapse measurements print in three lines, and as a table in notebooks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from maetheory.core.summaries import summary_html, summary_text
from maetheory.evaluation.collapse.report import CollapseMeasurements
from maetheory.graph import MaskGraph
from maetheory.spectra import spectrum


def measurements() -> CollapseMeasurements:
    rows = [
        {"readout": readout, "layer": layer, "metric": metric, "value": value, "images": 90, "d": 24}
        for layer in (0, 1)
        for readout, value in (("cls", 3.25 + layer), ("mean", 7.0))
        for metric in ("effective_rank", "rankme")
    ]
    return CollapseMeasurements(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(), ("a note",))


RESULTS = {
    "graph": (MaskGraph.from_joint(np.full((3, 4), 1 / 12), labels=[0, 1, 1]), "3 views, 4 targets, 12 edges"),
    "labelled": (MaskGraph.from_joint(np.full((3, 4), 1 / 12), labels=[0, 1, 1]), "images: 3, labels of 2 classes"),
    "unlabelled": (MaskGraph.from_joint([[1.0]]), "no labels"),
    "spectrum": (spectrum(np.diag(np.arange(1.0, 13.0)), 12), "values: 12, 11, 10, 9, 8, 7, 6, 5, …"),
    "certificate": (spectrum(np.diag([1.0, 0.5, 0.25]), 2), "complete: every singular value left out is at most 0.25"),
    "collapse": (measurements(), "effective rank: cls 4.25 of 24; mean 7 of 24"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_prints_in_three_lines(name: str) -> None:
    result, fact = RESULTS[name]
    text = str(result)
    assert fact in text
    assert len(text.splitlines()) == 3
    assert max(map(len, text.splitlines())) <= 100
    assert repr(result) == text


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_shows_it_as_a_table(name: str) -> None:
    result, _ = RESULTS[name]
    table = result._repr_html_()  # type: ignore[attr-defined]  # the protocol of notebooks
    assert table.startswith("<table><caption>")
    assert table.count("<tr>") == 2


def test_long_facts_are_cut_and_names_from_outside_are_escaped() -> None:
    text = summary_text("t", {"a": "x" * 200, "b": "", "c": "left out"}, width=50)
    assert [len(line) for line in text.splitlines()] == [1, 50, 5]
    assert text.splitlines()[1].endswith("…")
    assert "<script>" not in summary_html("<script>", {"<script>": "<script>"})
