"""The published numbers are complete and sourced, and keep the inconsistencies of the paper."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import paper
from maetheory.data.paper import SOURCES, paper_numbers


def test_every_file_has_a_source_and_every_source_a_file() -> None:
    files = {file.name.removesuffix(".csv") for file in resources.files(paper).iterdir() if file.name.endswith(".csv")}
    assert files == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_frames_hold_what_the_files_hold(name: str) -> None:
    frame = paper_numbers(name)
    rows = list(csv.DictReader(resources.files(paper).joinpath(f"{name}.csv").read_text().splitlines()))
    assert len(rows) == len(frame)
    assert not frame.isna().to_numpy().any()
    for column in frame:
        read = [row[column] for row in rows]
        assert [float(x) if frame[column].dtype.kind in "if" else x for x in read] == frame[column].tolist()
    assert ("Kong" if name.startswith("kong") else "How Mask Matters") in frame.attrs["paper"]
    assert frame.attrs["source"] == SOURCES[name]


def test_table1_is_a_full_grid() -> None:
    """Two tasks x two methods x two backbones on each of three data sets; U-MAE wins every linear probe."""
    table = paper_numbers("table1")
    assert len(table) == 24
    assert not table.duplicated(["task", "method", "dataset", "backbone"]).any()
    wide = table.pivot(index=["task", "dataset", "backbone"], columns="method", values="accuracy_percent")
    gain = (wide["U-MAE"] - wide["MAE"]).loc["linear probing"]
    assert gain.min() == pytest.approx(3.1)  # ImageNet-1K, ViT-Base
    assert gain.max() == pytest.approx(9.3)  # CIFAR-10, ViT-Tiny


def test_singular_values_descend() -> None:
    assert (np.diff(paper_numbers("figure1b"), axis=0)[:, 1:] < 0).all()


def test_the_two_mask_ratio_panels_disagree_as_stated() -> None:
    frame = paper_numbers("mask_ratio")
    assert frame["mask_ratio"][frame["relative_distance"].idxmin()] == 0.7
    quotient = frame["intra_class_distance"] / frame["inter_class_distance"]
    assert quotient.round(3).between(0.892, 0.895).all()
    assert (quotient - frame["relative_distance"]).iloc[:-1].min() > 0.004  # reading errors move a quotient by 0.001


def test_frames_are_not_shared() -> None:
    frame = paper_numbers("figure1c")
    frame.loc[0, "effective_rank"] = 0.0
    assert paper_numbers("figure1c")["effective_rank"][0] == 31.95


def test_unknown_table() -> None:
    with pytest.raises(InputError, match="'table3'"):
        paper_numbers("table3")


def test_the_published_accuracy_has_its_maximum_at_the_ratio_of_mae() -> None:
    frame = paper_numbers("kong2023_mask_ratio")
    assert frame.mask_ratio[frame.linear_probe_percent.idxmax()] == 0.75
    assert (np.diff(paper_numbers("kong2023_mask_patch").linear_probe_percent) > 0).all()
