"""Test the mask-ratio figure of images: determinism, drawing, known answers, summary sentences, the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.cli import run_command
from maetheory.core import InputError, generator
from maetheory.data import ImageSet, load_images
from maetheory.experiments import experiment
from maetheory.figures import (
    draw_image_statistics_by_mask_ratio,
    image_mask_ratio_panels,
    image_statistics_by_mask_ratio,
    masked_pair,
    paper_style,
    plot,
)
from maetheory.figures.image_mask_ratio import coarse_patch_size, encoder_patch_size
from maetheory.figures.image_mask_ratio_panels import available_panels
from maetheory.figures.mask_ratio_distances import distance_rows
from maetheory.figures.mask_ratio_graphs import kernel_graph_rows, token_graph_rows
from maetheory.figures.mask_ratio_table import (
    CHANGE_FROM_MINIMUM,
    COLUMNS,
    FEATURES,
    KERNEL,
    PAPER,
    PIXELS,
    TOKENS,
    TRAINED_READOUTS,
    accuracy_rows,
    paper_rows,
)
from maetheory.models import MAE, PRESETS
from maetheory.reports.mask_ratio import (
    directions_around_paper_minimum,
    mask_ratio_summary,
    mask_ratio_table,
    trend_phrase,
)

FIGURES = Path(__file__).resolve().parents[2] / "figures"

RATIOS = (0.3, 0.7, 0.8)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", split="test", limit=60)


@pytest.fixture(scope="module")
def frame(digits: ImageSet) -> pd.DataFrame:
    numbers = image_statistics_by_mask_ratio(
        digits, digits, 2, encoder=MAE(PRESETS["digits"]).eval(), k=3, ratios=RATIOS
    )
    return pd.concat([numbers, accuracy_rows(ledger())], ignore_index=True)


def ledger() -> pd.DataFrame:
    accuracies = {(0.25, 0): 0.8, (0.25, 1): 0.9, (0.75, 0): 0.7, (0.9, 0): 0.6}
    recipe = experiment("mask-ratio-digits").cells[0].recipe
    rows = [
        {
            "metric": "linear_probe",
            "readout": readout,
            "training": replace(recipe, mask_ratio=ratio).to_dict(),
            "seed": seed,
            "value": value,
            "error": 0.01,
        }
        for (ratio, seed), value in accuracies.items()
        for readout in ("cls", "mean")
    ]
    return pd.DataFrame([*rows, {"metric": "effective_rank", "readout": "cls", "value": 3.0}])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"graph_patch": 1000}, "1000 does not divide 8x8"),
        ({"patch": 3}, "3 does not divide 8x8"),
        ({"graph_patch": 4, "ratios": (0.5, 0.9)}, "nothing visible of 4 patches"),
        ({"ratios": (0.5, 0.0)}, "strictly between 0 and 1"),
    ],
)
def test_patches_and_ratios_are_refused_before_any_work(digits, monkeypatch, options, words):
    def work(*_, **__):
        raise AssertionError("work began")

    for name in ("distance_rows", "token_graph_rows", "kernel_graph_rows"):
        monkeypatch.setattr(f"maetheory.figures.image_mask_ratio.{name}", work)
    with pytest.raises(InputError, match=words):
        image_statistics_by_mask_ratio(digits, digits, **({"patch": 2} | options))


def test_every_source_has_its_numbers_within_their_intervals(frame):
    assert list(frame.columns) == list(COLUMNS)
    counted = frame.groupby("source").number.nunique().to_dict()
    assert counted == {name: 4 for name in (*PIXELS, *FEATURES, PAPER)} | {TOKENS: 5, KERNEL: 5} | dict.fromkeys(
        TRAINED_READOUTS, 1
    )
    assert (frame.low <= frame.value).all()
    assert (frame.value <= frame.high).all()
    ours = frame[frame.source != PAPER]
    assert (ours.high > ours.low).mean() > 0.9
    assert sorted(set(ours.rho)) == [0.25, 0.3125, 0.75, 0.8125, 0.9375]  # of 16 patches 12, 11, 4, 3, 1 are seen
    changes = frame[(frame.number == CHANGE_FROM_MINIMUM) & (frame.asked == 0.7)]
    assert (changes[["value", "low", "high"]] == 0).all(axis=None)


def test_computing_twice_gives_the_same_table(digits):
    for compute in (distance_rows, token_graph_rows, kernel_graph_rows):
        options = {} if compute is distance_rows else {"k": 2}
        one, two = (compute(digits, 2, ratios=(0.5,), n_masks=2, **options) for _ in range(2))
        pd.testing.assert_frame_equal(one, two)


def test_accuracies_are_means_over_seeds_with_two_standard_errors_or_over_images(frame):
    rows = frame[frame.source == TRAINED_READOUTS[0]].set_index("rho")
    assert rows.asked.to_dict() == {0.25: 0.25, 0.75: 0.75, 0.9375: 0.9}
    assert rows.value.to_dict() == pytest.approx({0.25: 85.0, 0.75: 70.0, 0.9375: 60.0})
    assert (rows.high - rows.value).to_dict() == pytest.approx({0.25: 10.0, 0.75: 1.0, 0.9375: 1.0})


def test_drawing_changes_nothing_leaves_no_figure_open_and_hides_panels_without_data(frame):
    opened = plt.get_fignums()
    for part, missing in ((frame, 2), (frame[~frame.source.isin([*FEATURES, *TRAINED_READOUTS])], 4)):
        before = part.copy()
        with paper_style():
            _, axes = plt.subplots(*image_mask_ratio_panels.PANEL_GRID)
            draw_image_statistics_by_mask_ratio(axes, part)
            assert sum(not ax.get_visible() for ax in axes.ravel()) == missing
        pd.testing.assert_frame_equal(part, before)
    assert plt.get_fignums() == opened


@pytest.mark.parametrize("table", sorted(FIGURES.glob("*/image_mask_ratio.csv")), ids=lambda path: path.parent.name)
def test_every_panel_of_a_published_figure_has_a_letter_named_axes_and_curves_in_the_legend(table: Path):
    numbers = pd.read_csv(table)
    figure = plot("image_mask_ratio", numbers)
    assert len(figure.axes) == len(available_panels(numbers)) == 10 - (not (numbers.number == "accuracy").any())
    (legend,) = figure.legends
    named = [one.get_text() for one in legend.get_texts()]
    assert len(named) == len(set(named))
    colours: dict[str, set[str]] = {}
    for letter, ax in zip("abcdefghij", figure.axes, strict=False):
        assert ax.get_title().startswith(f"({letter}) ")
        assert ax.get_ylabel()
        assert ax.get_xlabel() == "mask ratio $\\rho$"
        assert ax.get_legend() is None
        labels = ax.get_legend_handles_labels()[1]
        assert labels
        assert set(labels) <= set(named)
        for line in ax.lines:
            if not str(line.get_label()).startswith("_") and line.get_label():
                colours.setdefault(str(line.get_color()), set()).add(str(line.get_label()))
    assert all(len(meanings) == 1 for meanings in colours.values())


def test_identical_classes_have_ratio_one_and_disjoint_classes_have_no_label_error():
    rng = np.random.default_rng(0)
    some = (rng.random((60, 1, 8, 8)) * 255).astype(np.uint8)
    twice = ImageSet(np.concatenate([some, some]), np.repeat([0, 1], 60), "twice")
    found = distance_rows(twice, 2, ratios=(0.5,), n_masks=2)
    relative = found[(found.number == "relative") & (found.source == PIXELS[0])].value
    assert float(relative.iloc[0]) == pytest.approx(60 / 59, rel=1e-6)
    flat = ImageSet(
        np.repeat(np.array([0, 255], np.uint8), 60)[:, None, None, None] * np.ones((1, 1, 8, 8), np.uint8),
        np.repeat([0, 1], 60),
        "flat",
    )
    found = distance_rows(flat, 2, ratios=(0.0, 0.5), n_masks=2).set_index(["source", "number", "asked"])
    assert found.value[PIXELS[0], "relative", 0.5] == pytest.approx(0, abs=1e-6)
    assert found.value[PIXELS[0], "inter", 0.0] == pytest.approx(8)
    graphs = token_graph_rows(flat, 2, k=1, ratios=(0.5,), n_masks=3).set_index("number")
    assert graphs.value["alpha"] == graphs.value["phi"] == 0
    kernels = kernel_graph_rows(twice, 2, k=1, factor=0.05, ratios=(0.5,), n_masks=2).set_index("number")
    assert kernels.value["phi"] > 0.99  # the nearest other image is the same one, of the other class


def test_a_pair_is_of_one_class_and_hides_the_same_patches_of_both(digits):
    pair = masked_pair(digits, 2, generator(0, "pair"))
    assert pair.label.nunique() == 1
    assert sorted(set(pair.mask_ratio)) == [0, 0.25, 0.5, 0.75, 0.95]
    hidden = pair.assign(hidden=pair.red.isna()).pivot_table("hidden", ["row", "column"], ["mask_ratio", "image"])
    for ratio in set(pair.mask_ratio):
        assert (hidden[ratio][0] == hidden[ratio][1]).all()
    counts = hidden.xs(0, axis=1, level="image").sum().to_dict()
    assert counts == {0.0: 0, 0.25: 16, 0.5: 32, 0.75: 48, 0.95: 60}
    assert (hidden[0.25][0] <= hidden[0.75][0]).all()
    with pytest.raises(InputError, match="a class of two images"):
        masked_pair(digits.limit(10), 2, generator(0, "pair"))


def test_the_table_and_the_summary_agree_with_the_numbers(frame):
    table = mask_ratio_table(frame)
    assert table["ρ"].tolist() == [0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9]
    assert table.set_index("ρ").loc[0.7, "intra / inter, paper"] == "0.883"
    assert table.set_index("ρ").loc[0.25, "linear probe, cls, %"].startswith("85")
    reading = mask_ratio_summary(frame)
    assert reading.startswith("intra / inter, pixels, one mask: ")
    assert "α of kernel graphs rises" in reading
    far = frame[frame.number != CHANGE_FROM_MINIMUM]
    assert mask_ratio_summary(far).startswith("α of token graphs")
    for ends, words in (
        ((0.1, 0.2), ("falls", "rises")),
        ((-0.2, -0.1), ("rises", "falls")),
        ((-0.1, 0.1), ("is level", "is level")),
    ):
        assert directions_around_paper_minimum(frame.assign(low=ends[0], high=ends[1]), PIXELS[0]) == words
    flat = paper_rows().assign(value=1.0, low=0.9, high=1.1)
    assert trend_phrase(flat, PAPER, "relative") == "is 1.00 and does not change beyond its errors"
    assert trend_phrase(flat.query("asked == 0.7"), PAPER, "relative") == "is 1.00"
    assert trend_phrase(flat.assign(value=np.inf, high=np.inf), PAPER, "relative") == "is ∞"
    few = frame[frame.asked.isin([0.3, 0.7])]
    assert mask_ratio_summary(few).startswith("α of token graphs"), "no ratio lies beyond the paper's minimum"
    for values, words in (
        ((1, 2, 3), "rises from 1.00 to 3.00"),
        ((3, 2, 1), "falls from 3.00 to 1.00"),
        ((3, 1, 2), "falls from 3.00 to 1.00 at ρ = 0.4, then rises to 2.00"),
    ):
        few = paper_rows().query("number == 'relative'").head(3).assign(value=values, low=values, high=values)
        assert trend_phrase(few, PAPER, "relative") == words
    for values, words in (
        ((3.05, 2.95, 4), "rises from 2.95 at ρ = 0.4 to 4.00"),  # the first is within its error of the least
        ((4, 2.95, 3.05), "falls from 4.00 to 2.95 at ρ = 0.4"),
    ):
        low, high = np.subtract(values, 0.1), np.add(values, 0.1)
        few = paper_rows().query("number == 'relative'").head(3).assign(value=values, low=low, high=high)
        assert trend_phrase(few, PAPER, "relative") == words


def test_patch_sizes_are_those_of_the_encoder_or_a_quarter_of_the_image(digits):
    assert coarse_patch_size(digits) == encoder_patch_size(MAE(PRESETS["digits"]), digits) == 2
    large = ImageSet(np.zeros((2, 3, 64, 64), np.uint8), np.array([0, 1]), "large")
    assert encoder_patch_size(MAE(PRESETS["cifar10-small"]), large) == 8
    with pytest.raises(InputError, match="which images of 6 x 6 pixels have not"):
        encoder_patch_size(
            MAE(PRESETS["digits"]), ImageSet(np.zeros((2, 1, 6, 6), np.uint8), np.array([0, 1]), "small")
        )


@pytest.mark.parametrize("ratio", [0.0, 1.0, 0.99])
def test_graphs_need_something_visible_and_something_hidden(digits, ratio):
    for compute in (token_graph_rows, kernel_graph_rows):
        with pytest.raises(InputError, match="ratio"):
            compute(digits, 2, k=2, ratios=(ratio,))


def test_graphs_and_distances_of_one_class_are_refused(digits):
    one = digits.take(digits.labels == 0)
    for compute in (token_graph_rows, kernel_graph_rows):
        with pytest.raises(InputError, match="at least two classes"):
            compute(one, 2, k=2)
    with pytest.raises(InputError, match="at least two classes"):
        distance_rows(one, 2)


def test_the_command_writes_figures_and_numbers(tmp_path: Path, capsys):
    ratios = [word for ratio in RATIOS for word in ("--ratio", str(ratio))]
    assert run_command(["mask-ratio", *ratios, "--limit", "40", "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(Path(path).name for path in document["figures"])
    assert {"image_mask_ratio.csv", "masked_pair.png"} <= set(names)
    assert document["reading"].startswith("intra / inter, pixels, one mask: ")
    assert len(document["numbers"]) == len(pd.read_csv(tmp_path / "image_mask_ratio.csv"))


def test_the_command_refuses_an_unusable_patch_size(tmp_path: Path, capsys):
    assert run_command(["mask-ratio", "--limit", "40", "--patch", "3", "--out", str(tmp_path)]) == 2
    assert "3 does not divide 8x8" in capsys.readouterr().err
