"""The README: its code prints what it shows, and its numbers are those of the published ledgers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from maetheory.cli import app
from maetheory.experiments.mask_law_scores import seed_agreement
from maetheory.reports import compare_objectives, markdown_block, read_published_ledgers, replace_marked_block

FIGURES = Path(__file__).resolve().parents[1] / "figures"
README = (FIGURES.parent / "README.md").read_text()
FOUND = {
    "effective rank, cls": ("cls", "effective_rank"),
    "mean squared cosine of two images, cls": ("cls", "umae_uniformity"),
    "linear probe, cls, %": ("cls", "linear_probe"),
    "linear probe, mean of patches, %": ("mean", "linear_probe"),
    "20-NN, cls, %": ("cls", "knn_probe"),
    "fine-tuned, mean of patches, %": ("mean", "fine_tuning"),
}  # rows of the README's first tables: readout and metric


GRAPH_SCORES = {
    "φ": "pair_label_error",
    "α": "view_label_error",
    "λ_{k+1}": "next_eigenvalue",
    "connectivity": "connectivity",
    "φ/(1 − λ)": "residual_bound",
    "certificate": "certificate",
    "4φ/(1 − λ) + 2α": "image_bound",
}
SCORE_NAMES = {
    f"{name}, {source} graphs": f"{'tokens' if source == 'token' else source} {score}"
    for source in ("token", "kernel")
    for name, score in GRAPH_SCORES.items()
} | {
    "mask ratio": "mask_ratio",
    "relative distance (the paper's)": "relative_distance",
    "reconstruction loss, after training": "reconstruction_loss",
}


def find(pattern: str, flags: int = 0, *, text: str = README) -> re.Match[str]:
    """Return the first match, which must exist."""
    match = re.search(pattern, text, flags)
    assert match is not None, pattern
    return match


def test_the_ten_lines_print_what_stands_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = find(r"```python\n(import numpy[\s\S]*?)```\n\n((?:    .*\n)+)").groups()
    assert len(code.splitlines()) <= 12
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == [line[4:] for line in shown.splitlines()]


def test_the_bold_bound_falls(capsys: pytest.CaptureFixture[str]) -> None:
    code = find(r"```python\n(from maetheory.graph.functionals.*?)```", re.S).group(1)
    exec(code, {})
    assert "VIOLATED: L_MAE(h) >= E‖h‖²: 0 against 1" in capsys.readouterr().out


def test_a_checkpoint_is_measured_beside_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = find(r"```python\n(import torch\n.*?)```", re.S).group(1)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    table = names["table"]
    assert list(table.readout) == ["cls", "mean"]
    assert (table.value < table.high).all()
    assert (table.value < table.shuffled).all()
    assert "random_init" in capsys.readouterr().out


def test_every_command_and_file_named_is_there() -> None:
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    named = set(re.findall(r"^    maetheory ([\w-]+)", README, re.M)) - {"data"}
    assert named <= commands
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (FIGURES.parent / path).exists(), path


def test_the_tables_are_those_of_the_published_ledgers(tmp_path: Path) -> None:
    again = tmp_path / "README.md"
    again.write_text(README)
    assert not replace_marked_block(again, markdown_block(read_published_ledgers(FIGURES)))


def test_correlations_of_mask_laws_are_those_of_the_figures() -> None:
    rows = find(r"\| score \| digits, cls \| .*\n\|[-|]+\n((?:\|.*\n)+)").group(1)
    shown = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows.splitlines()]
    assert len(shown) == len(SCORE_NAMES) == 17
    for place, folder in ((1, "digits"), (3, "cifar10-small")):
        found = pd.read_csv(FIGURES / folder / "score_correlations.csv").set_index(["score", "readout"])
        for name, *cells in shown:
            for readout, cell in zip(("cls", "mean"), cells[place - 1 : place + 1], strict=True):
                row = found.loc[SCORE_NAMES[name], readout]
                text = f"{row.rho:.2f} [{row.low:.2f}, {row.high:.2f}]" + "*" * int(row.p_adjusted < 0.05)
                assert cell == (text if np.isfinite(row.rho) else "–"), (folder, name, readout)


def test_seeds_order_mask_laws_as_alike_as_is_said() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(README.split())
    digits, cifar10 = (
        [f"{seed_agreement(ledger[ledger.experiment == name], readout):.2f}" for readout in ("cls", "mean")]
        for name in ("mask-laws-digits", "mask-laws-cifar10")
    )
    assert (
        f"ρ = {digits[0]} on cls and {digits[1]} on the mean of patches, and with {cifar10[0]} and {cifar10[1]}"
        in words
    )


def test_phi_of_token_graphs_predicts_among_laws_of_one_patch_as_is_said() -> None:
    said = []
    for folder, patch in (("digits", "patch 2"), ("cifar10-small", "patch 4")):
        frame = pd.read_csv(FIGURES / folder / "score_against_accuracy.csv")
        frame = frame[(frame.score == "tokens pair_label_error") & frame.law.str.endswith(patch)]
        for readout in ("cls", "mean"):
            here = frame[frame.readout == readout]
            assert len(here) == 10
            said.append(f"{spearmanr(-here.value, here.accuracy).statistic:.2f}")
    assert f"alone φ has {said[0]}, {said[1]}, {said[2]} and {said[3]}" in " ".join(README.split())


def test_the_mask_ratio_table_is_that_of_the_figure() -> None:
    frame = pd.read_csv(FIGURES / "cifar10-small" / "image_mask_ratio.csv")
    number = frame.set_index(["source", "number", "asked"]).value.sort_index()
    rows = re.findall(r"^\| (0\.\d) \| (.*) \|$", README, re.M)
    assert len(rows) >= 7
    assert "| intra / inter | change from 0.7, 10⁻³ |" in README
    for ratio, cells in rows:
        intra, inter, relative, _, paper, features, *graphs = (cell.strip(" *") for cell in cells.split("|"))
        shown = {
            ("pixels, one mask", "intra"): intra,
            ("pixels, one mask", "inter"): inter,
            ("pixels, one mask", "relative"): relative,
            ("paper", "relative"): paper,
            ("features, one mask", "relative"): features,
        }
        names = ("alpha", "phi", "next", "bound")
        shown |= {("token graphs", name): cell for name, cell in zip(names, graphs[:4], strict=True)}
        shown |= {("kernel graphs", name): cell for name, cell in zip(names, graphs[4:], strict=True)}
        for (source, name), cell in shown.items():
            value = find(r"^[\d.]+", text=cell).group()
            digits = len(value.partition(".")[2])
            assert value == f"{number[source, name, float(ratio)]:.{digits}f}", (ratio, source, name)


@pytest.mark.parametrize("experiment", ["digits", "cifar10-small"])
def test_what_it_found_is_what_the_ledger_holds(experiment: str) -> None:
    ledger = read_published_ledgers(FIGURES)
    ledger = ledger[ledger.experiment == experiment]
    head, rows = find(rf"\| [^|\n]*`[^|\n`]*{experiment}`[^|\n]* \| (random .*) \|\n\|[-|]+\n((?:\|.*\n)+)").groups()
    cells, known = head.split(" | "), FOUND
    assert set(cells) == set(ledger.cell)
    checked = 0
    for row in rows.splitlines():
        name, *texts = (text.strip() for text in row.split("|")[1:-1])
        if name.startswith("*"):
            continue
        readout, metric = known[name]
        for cell, text in zip(cells, texts, strict=True):
            values = ledger[(ledger.cell == cell) & (ledger.readout == readout) & (ledger.metric == metric)].value
            digits = len(text.split(" ± ")[0].partition(".")[2])
            scale = 100 if name.endswith("%") else 1
            assert text == f"{scale * values.mean():.{digits}f} ± {scale * values.std():.{digits}f}", (name, cell)
            checked += 1
    assert checked >= 5 * len(cells)


@pytest.mark.parametrize(("experiment", "seeds"), [("digits-20", 20), ("tin20-10", 10)])
def test_many_seeds_differ_as_is_said(experiment: str, seeds: int) -> None:
    ledger = read_published_ledgers(FIGURES)
    ledger = ledger[ledger.experiment == experiment]
    said = []
    for readout in ("cls", "mean"):
        found = compare_objectives(ledger, "MAE", "U-MAE", metric="linear_probe", readout=readout)
        assert found.seeds == seeds
        said.append(f"{100 * found.difference:+.2f} ± {100 * found.error:.2f}")
    find(
        rf"{re.escape(said[0])}\s+points\s+on\s+cls\s+and(\s+by)?\s+{re.escape(said[1])}\s+on\s+the\s+mean\s+of\s+patches"
    )


def test_ranks_of_tin20_are_those_of_its_ledger() -> None:
    ledger = read_published_ledgers(FIGURES)
    ledger = ledger[(ledger.experiment == "tin20") & (ledger.readout == "cls") & (ledger.metric == "effective_rank")]
    random, mae, umae, simmim, usimmim = (
        f"{values.mean():.1f} ± {values.std():.1f}"
        for values in (ledger[ledger.cell == cell].value for cell in ("random", "MAE", "U-MAE", "SimMIM", "U-SimMIM"))
    )
    sentence = (
        f"ranks are {random} untrained, {mae} for MAE, {umae} for U-MAE, {simmim} for SimMIM and {usimmim} for U-SimM"
    )
    assert sentence in " ".join(README.split())


def test_ranks_of_another_initialisation_are_those_of_its_ledger() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(README.split())
    ledger = ledger[(ledger.readout == "cls") & (ledger.metric == "effective_rank")]
    normal = ledger[ledger.experiment == "cifar10-small-untrained"]
    mae = ledger[(ledger.experiment == "cifar10-small") & (ledger.cell == "MAE")].value
    assert set(normal.cell) == {"Hugging Face's normal (0.02)"}
    assert len(normal) == 3
    assert set(normal.test_images) == {10000}
    said = f"0.02 it has {normal.value.mean():.1f} ± {normal.value.std():.1f} (three seeds,"
    assert said in words
    assert f"and MAE {mae.mean():.1f}." in words
    assert normal.value.max() < mae.min()
    drawn = pd.read_csv(FIGURES / "cifar10-small" / "effective_rank.csv")
    bars = drawn[drawn.objective == "random, normal (0.02)"].effective_rank
    np.testing.assert_allclose(bars, normal.sort_values("seed").value, rtol=1e-7)


def test_sweeps_of_digits_are_those_of_their_ledgers() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(README.split())

    def shown(experiment: str, cell: str, readout: str, metric: str, scale: float, digits: int) -> str:
        here = ledger[(ledger.experiment == experiment) & (ledger.cell == cell) & (ledger.readout == readout)]
        values = scale * here[here.metric == metric].value
        assert len(values) == 3
        return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"

    weights = ("MAE", "squares 0.001", "squares 0.1", "squares 1", "gaussian 0.1", "coding-rate 0.2")
    none, least, tenth, one, gaussian, coding = (
        {
            (readout, metric): shown("digits-uniformity", cell, readout, metric, scale, digits)
            for readout, metric, scale, digits in (
                ("cls", "effective_rank", 1, 1),
                ("cls", "linear_probe", 100, 1),
                ("mean", "linear_probe", 100, 1),
                ("hidden pixels", "reconstruction_loss", 1, 3),
            )
        }
        for cell in weights
    )
    rank, cls, mean, pixels = none
    assert f"effective rank of cls rises from {none[rank]} to {one[rank]}" in words
    assert f"probe on cls is {none[cls]} % without, {least[cls]} at 0.001 and {one[cls]} at 1" in words
    assert f"on the mean of patches {none[mean]} and {one[mean]}" in words
    assert f"(squared error {none[pixels]} without, {tenth[pixels]} at 0.1, {one[pixels]} at 1)" in words
    assert f"lowers the probe on cls to {gaussian[cls]} %" in words
    assert f"({coding[rank]}), with {coding[cls]} % on cls" in words
    ratios = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)
    each = [shown("mask-ratio-digits", f"mask ratio {ratio:g}", "cls", "linear_probe", 100, 1) for ratio in ratios]
    assert f"{', '.join(each)} % at {', '.join(map(str, ratios))}" in words
