"""The pages on what was measured: their numbers are those of the published ledgers and tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.stats import spearmanr

from maetheory.data import load_images
from maetheory.data.paper import paper_numbers
from maetheory.evaluation import encode, linear_probe
from maetheory.evaluation.bounds.toy_training import N_IMAGES, TOY_CONFIG
from maetheory.evaluation.rank_correlation import rank_correlations
from maetheory.experiments import EXPERIMENTS
from maetheory.experiments.closed_form_rank import CHANGES
from maetheory.experiments.studies.cell_comparisons import compare_linear_probes
from maetheory.experiments.studies.mask_law_prediction import PREDICTING_SCORE, judge_prediction, predict_order
from maetheory.experiments.studies.mask_law_scores import seed_agreement
from maetheory.reports import compare_objectives, markdown_block, read_published_ledgers, replace_marked_block
from maetheory.reports.training_length import gain_slopes
from maetheory.training.checkpointing import build_model

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DOCS = FIGURES.parent / "docs"
PAPER, RATIO, LAWS, CLAIMS = (
    (DOCS / f"{name}.md").read_text() for name in ("paper", "mask_ratio", "mask_laws", "claims")
)
FOUND = {
    "effective rank, cls": ("cls", "effective_rank"),
    "mean squared cosine of two images, cls": ("cls", "umae_uniformity"),
    "linear probe, cls, %": ("cls", "linear_probe"),
    "linear probe, mean of patches, %": ("mean", "linear_probe"),
    "20-NN, cls, %": ("cls", "knn_probe"),
    "fine-tuned, mean of patches, %": ("mean", "fine_tuning"),
}  # rows of the first tables of paper.md: readout and metric


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
    "share kept by a linear MAE": "linear_mae_kept_share",
    "reconstruction loss, after training": "reconstruction_loss",
}


def find(pattern: str, flags: int = 0, *, text: str = PAPER) -> re.Match[str]:
    """Return the first match, which must exist."""
    match = re.search(pattern, text, flags)
    assert match is not None, pattern
    return match


def test_the_tables_are_those_of_the_published_ledgers(tmp_path: Path) -> None:
    again = tmp_path / "paper.md"
    again.write_text(PAPER)
    assert not replace_marked_block(again, markdown_block(read_published_ledgers(FIGURES)))


def test_correlations_of_mask_laws_are_those_of_the_figures() -> None:
    rows = find(r"\| score \| digits, cls \| .*\n\|[-|]+\n((?:\|.*\n)+)", text=LAWS).group(1)
    shown = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows.splitlines()]
    assert len(shown) == len(SCORE_NAMES) == 18
    for place, folder in ((1, "digits"), (3, "cifar10-small")):
        found = pd.read_csv(FIGURES / folder / "score_correlations.csv").set_index(["score", "readout"])
        for name, *cells in shown:
            for readout, cell in zip(("cls", "mean"), cells[place - 1 : place + 1], strict=True):
                row = found.loc[SCORE_NAMES[name], readout]
                text = f"{row.rho:.2f} [{row.low:.2f}, {row.high:.2f}]" + "*" * int(row.p_adjusted < 0.05)
                assert cell == (text if np.isfinite(row.rho) else "–"), (folder, name, readout)


def test_what_is_said_of_the_linear_mae_is_in_the_figures() -> None:
    said = []
    for folder in ("digits", "cifar10-small"):
        found = pd.read_csv(FIGURES / folder / "score_correlations.csv").set_index("score")
        said += [f"{value:.2f}" for value in found.partial["linear_mae_kept_share"]]
        assert len(found) == int(find(r"corrected for all (\d+) correlations", text=LAWS)[1])
        assert (found.p_adjusted["linear_mae_kept_share"] > 0.05).all()
    words = " ".join(LAWS.split())
    assert f"are {said[0]} and {said[1]} on digits, {said[2]} and {said[3]} on CIFAR-10" in words


def test_phi_of_averaged_pixels_orders_the_laws_of_cifar10_as_is_said() -> None:
    averaged = pd.read_csv(FIGURES / "mask-laws-cifar10" / "averaged_label_errors.csv").set_index("law").value
    frame = pd.read_csv(FIGURES / "cifar10-small" / "score_against_accuracy.csv")
    said = []
    for readout in ("cls", "mean"):
        here = frame[(frame.score == "tokens pair_label_error") & (frame.readout == readout)].set_index("law")
        same = spearmanr(averaged.loc[here.index], here.value).statistic
        said += [f"{spearmanr(-each, here.accuracy).statistic:.2f}" for each in (averaged.loc[here.index], here.value)]
    words = " ".join((DOCS / "advise.md").read_text().split())
    assert (
        f"as the study's own with ρ = {same:.2f}, and has ρ = {said[0]} (cls) and {said[2]} (mean of patches)" in words
    )
    assert f"where that has {said[1]} and {said[3]}" in words
    laws = list(averaged.index)
    cls = frame[frame.readout == "cls"]
    scores = {
        name: (one.set_index("law").value * one.direction.iloc[0]).loc[laws] for name, one in cls.groupby("score")
    }
    scores["tokens pair_label_error"] = -averaged
    accuracy = {
        name: one.drop_duplicates("law").set_index("law").accuracy.loc[laws] for name, one in frame.groupby("readout")
    }
    found = rank_correlations(
        {k: v.to_numpy() for k, v in scores.items()}, {k: v.to_numpy() for k, v in accuracy.items()}
    )
    p = [found["tokens pair_label_error", readout].p_adjusted for readout in ("cls", "mean")]
    assert f"corrected for all scores its p are {p[0]:.2f} and {p[1]:.2f}" in words


def test_the_prediction_for_tin20_is_the_one_that_was_committed() -> None:
    found = pd.read_csv(FIGURES / "mask-laws-tin20" / "prediction.csv")
    again = predict_order(found)
    pd.testing.assert_frame_equal(again, found)
    laws = [cell.name for cell in EXPERIMENTS["mask-laws-tin20"].cells if cell.trained]
    for score in ("tokens pair_label_error", "linear_mae_kept_share", "mask_ratio"):
        assert sorted(found[found.score == score].law) == sorted(laws)
    phi, kept = (found[found.score == score].set_index("law") for score in (PREDICTING_SCORE, "linear_mae_kept_share"))
    for law in laws:
        here, there = phi.loc[law], kept.loc[law]
        numbers = f"{here.value:.3f} | {there.value:.3f} | {there.predicted_rank:.0f}"
        assert f"| {here.predicted_rank:.0f} | {law} | {numbers} |" in LAWS


def test_the_prediction_for_tin20_is_judged_as_is_said() -> None:
    prediction = pd.read_csv(FIGURES / "mask-laws-tin20" / "prediction.csv")
    ledger = read_published_ledgers(FIGURES)
    ledger = ledger[ledger.experiment == "mask-laws-tin20"]
    words, phi = " ".join(LAWS.split()), judge_prediction(prediction, ledger).set_index("readout")
    assert set(phi.verdict) == {"undecided"}
    correlations = pd.read_csv(FIGURES / "mask-laws-tin20" / "score_correlations.csv")
    assert f"Of all {len(correlations)} correlations" in words
    assert not (correlations.p_adjusted < 0.05).any()
    cls, mean = phi.loc["cls"], phi.loc["mean"]
    assert f"ρ is {cls.rho:.2f} on cls (p = {cls.p:.2f}; as far the other way: {cls.p_opposite:.2f})" in words
    assert f"and {mean.rho:.2f} on the mean of patches (p = {mean.p:.2f})" in words
    kept, ratio = (
        [f"{rho:.2f}" for rho in judge_prediction(prediction, ledger, score=score).rho]
        for score in ("linear_mae_kept_share", "mask_ratio")
    )
    assert kept[0] == kept[1]
    assert f"ρ = {kept[0]} on both readouts, the mask ratio {ratio[0]} and {ratio[1]}" in words
    alike = [f"{seed_agreement(ledger[ledger.objective != 'random'], readout):.2f}" for readout in ("cls", "mean")]
    assert f"order the laws alike with ρ = {alike[0]} and {alike[1]}" in words
    probes = 100 * ledger[ledger.metric == "linear_probe"].set_index(["cell", "readout"]).value
    for row in prediction[prediction.score == PREDICTING_SCORE].itertuples():
        found = [probes[row.law, readout] for readout in ("cls", "mean")]
        cells = [f"{part.mean():.1f} ± {part.std():.1f}" for part in found]
        assert f"| {row.predicted_rank:.0f} | {row.law} | {' | '.join(cells)} |" in LAWS


def test_seeds_order_mask_laws_as_alike_as_is_said() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(LAWS.split())
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
    assert f"alone φ has {said[0]}, {said[1]}, {said[2]} and {said[3]}" in " ".join(LAWS.split())


def test_the_mask_ratio_table_is_that_of_the_figure() -> None:
    frame = pd.read_csv(FIGURES / "cifar10-small" / "image_mask_ratio.csv")
    number = frame.set_index(["source", "number", "asked"]).value.sort_index()
    table = find(r"^\| ρ \| intra \|.*\n(?:\|.*\n)+", re.M, text=RATIO)[0]  # the page has others
    rows = re.findall(r"^\| (0\.\d) \| (.*) \|$", table, re.M)
    assert len(rows) >= 7
    assert "| intra / inter | change from 0.7, 10⁻³ |" in RATIO
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


@pytest.mark.parametrize(("experiment", "seeds"), [("digits-20", 20), ("tin20-10", 10), ("cifar10-small-10", 10)])
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
    assert sentence in " ".join(PAPER.split())


def test_ranks_of_another_initialisation_are_those_of_its_ledger() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(PAPER.split())
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
    ledger, words = read_published_ledgers(FIGURES), " ".join(PAPER.split())

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
    assert f"{', '.join(each)} % at {', '.join(map(str, ratios))}" in " ".join(RATIO.split())


@pytest.mark.parametrize(
    ("name", "title", "lengths"),
    [("digits-length", "Digits", (15, 30, 60, 120, 240)), ("cifar10-length", "CIFAR-10", (6, 12, 25, 50, 100))],
)
def test_gains_by_length_of_training_are_those_of_the_table(name: str, title: str, lengths: tuple[int, ...]) -> None:
    section = PAPER.partition("## Does the gain come with training?")[2].partition("\n## ")[0]
    words = " ".join(section.partition(f"**{title}**")[2].partition("![")[0].split())
    frame = pd.read_csv(FIGURES / name / "training_length.csv")
    assert set(frame.seeds) == {3}
    assert f"| epochs | {' | '.join(map(str, lengths))} |" in words

    def row(metric: str, readout: str, curve: str, sign: str = "") -> str:
        chosen = (frame.metric == metric) & (frame.readout == readout) & (frame.curve == curve)
        part = frame[chosen].set_index("epochs").loc[list(lengths)]
        return " | ".join(
            f"{value:{sign}.1f} ± {error:.1f}" for value, error in zip(part.value, part.error, strict=True)
        )

    for curve in ("MAE", "U-MAE"):
        assert f"| effective rank of {curve}, cls | {row('effective_rank', 'cls', curve)} |" in words
    for readout in ("cls", "mean"):
        assert f"| gain, linear probe, {readout}, points | {row('linear_probe', readout, 'gain', '+')} |" in words
    ledger = read_published_ledgers(FIGURES)
    slopes = {(one.metric, one.readout): one for one in gain_slopes(ledger[ledger.experiment == name])}
    names = (("effective_rank", "cls"), ("linear_probe", "cls"), ("linear_probe", "mean"))
    rank, cls, mean = (slopes[name] for name in names)
    assert f"the gain in rank falls by {-rank.slope:.1f} ± {rank.error:.1f}" in words
    assert f"({cls.slope:+.1f} ± {cls.error:.1f} points a doubling on cls" in words
    assert f"{mean.slope:+.1f} ± {mean.error:.1f} on the mean" in words
    assert [one.label for one in (cls, mean)] == ["undecided", "undecided"]
    assert (rank.label == "refuted") is (name == "digits-length")
    if name == "cifar10-length":
        gains = frame[frame.curve == "gain"].set_index(["metric", "readout", "epochs"]).sort_index()
        ranks = gains.value["effective_rank", "cls"]
        assert f"adds {ranks.min():.0f} to {ranks.max():.0f} to the effective rank" in words
        longest = gains.loc[("linear_probe", "mean", 100)]
        ends = longest["value"] + longest["error"] * np.array([-1, 1])
        assert f"at 100 epochs lies between {ends[0]:.1f} and {ends[1]:.1f} points" in words
        assert (gains.value["linear_probe", "cls"] < 0).all()
        readme = (FIGURES.parent / "README.md").read_text()
        assert f"no more than {ends[1]:.1f} after 100 epochs (mean of patches, a small ViT)" in readme


def test_the_rule_of_initial_weights_decides_what_is_said() -> None:
    frame, words = pd.read_csv(FIGURES / "digits-initialisation" / "initialisation.csv"), " ".join(PAPER.split())
    columns = (("effective_rank", "cls", ""), ("linear_probe", "cls", " %"), ("linear_probe", "mean", " %"))
    by_seed = frame.pivot_table(
        index="seed", columns=["initialisation", "objective", "metric", "readout"], values="value"
    )
    assert len(by_seed) == 10
    names = {"random": "untrained", "MAE": "MAE", "U-MAE": "U-MAE"}
    for rule, word in (("xavier", "Xavier"), ("normal", "normal")):
        for objective, name in names.items():
            found = [by_seed[rule, objective, metric, readout] for metric, readout, _ in columns]
            cells = [
                f"{one.mean():.1f} ± {one.std():.1f}{unit}" for one, (*_, unit) in zip(found, columns, strict=True)
            ]
            assert f"| {name}, {word} | {' | '.join(cells)} |" in words

    def gain(rule: str, one: str, other: str, metric: str, readout: str) -> tuple[float, float]:
        difference = by_seed[rule, one, metric, readout] - by_seed[rule, other, metric, readout]
        half = stats.t.ppf(1 - 0.05 / 6, 9) * difference.std() / 10**0.5
        return round(difference.mean(), 1), round(half, 1)

    ranks = [gain(rule, "MAE", "random", "effective_rank", "cls") for rule in ("xavier", "normal")]
    assert "by {} ± {} and {} ± {} (98.33 %".format(*ranks[0], *ranks[1]) in words
    lost = [gain("normal", "random", "MAE", "linear_probe", readout) for readout in ("cls", "mean")]
    assert "by {} ± {} points on cls and {} ± {} on the mean".format(*lost[0], *lost[1]) in words
    won = [gain("normal", "U-MAE", "MAE", "linear_probe", readout) for readout in ("cls", "mean")]
    assert "+{} ± {} and +{} ± {} points over MAE".format(*won[0], *won[1]) in words
    other = [gain("xavier", "U-MAE", "MAE", "linear_probe", readout) for readout in ("cls", "mean")]
    assert "against {} ± {} and +{} ± {} from Xavier's".format(*other[0], *other[1]) in words
    for rule, objective in (("xavier", "MAE"), ("xavier", "U-MAE"), ("normal", "U-MAE")):
        difference = (
            by_seed["normal", "random", "linear_probe", "cls"] - by_seed[rule, objective, "linear_probe", "cls"]
        )
        assert abs(difference.mean()) < stats.t.ppf(1 - 0.05 / 6, 9) * difference.std() / 10**0.5


def mean_and_spread(experiment: str, cell: str, readout: str, metric: str, digits: int = 1) -> str:
    ledger = read_published_ledgers(FIGURES)
    chosen = (ledger.experiment == experiment) & (ledger.cell == cell) & (ledger.readout == readout)
    values = ledger[chosen & (ledger.metric == metric)].value * (100 if metric == "linear_probe" else 1)
    assert len(values) == 3
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def paired(differences: pd.Series, digits: int, sign: str = "") -> str:
    """Return mean and half the width of Student's interval of 98.33 % of differences, one for each seed."""
    half = stats.t.ppf(1 - 0.05 / 6, len(differences) - 1) * differences.std() / len(differences) ** 0.5
    return f"{differences.mean():{sign}.{digits}f} ± {half:.{digits}f}"


def decided_pairs(experiment: str) -> dict[tuple[str, str, str], str]:
    """Return the decided differences of linear probes: readout, higher cell, lower cell -> points ± error."""
    ledger = read_published_ledgers(FIGURES)
    found = compare_linear_probes(ledger[ledger.experiment == experiment])
    return {
        (row.readout, *((row.cell, row.other) if row.difference > 0 else (row.other, row.cell))): (
            f"{100 * abs(row.difference):.1f} ± {100 * row.error:.1f}"
        )
        for row in found[found.verdict != "undecided"].itertuples()
    }


def test_the_weight_of_the_term_on_cifar10_is_told_as_its_ledger_has_it() -> None:
    words, cells = " ".join(PAPER.split()), ("MAE", "squares 0.001", "squares 0.01", "squares 0.1")
    for name, readout, metric, digits in (
        ("effective rank, cls", "cls", "effective_rank", 1),
        ("linear probe, cls, %", "cls", "linear_probe", 1),
        ("linear probe, mean, %", "mean", "linear_probe", 1),
        ("squared error of hidden pixels", "hidden pixels", "reconstruction_loss", 4),
    ):
        row = " | ".join(mean_and_spread("cifar10-uniformity", cell, readout, metric, digits) for cell in cells)
        assert f"| {name} | {row} |" in words
    decided = decided_pairs("cifar10-uniformity")
    assert set(decided) == {("cls", "MAE", "squares 0.1")}
    assert f"at 0.1 is {decided['cls', 'MAE', 'squares 0.1']} points below that of MAE" in words
    ledger = read_published_ledgers(FIGURES)
    errors = ledger[(ledger.experiment == "cifar10-uniformity") & (ledger.metric == "reconstruction_loss")]
    by_seed = errors.pivot_table(index="seed", columns="cell", values="value")
    assert f"differs from MAE's by {paired(by_seed['squares 0.1'] - by_seed['MAE'], 4)}, which is undecided" in words


def test_models_trained_at_each_ratio_are_told_as_their_ledger_has_them() -> None:
    words, name = " ".join(RATIO.split()), "mask-ratio-cifar10-patch8"
    published = paper_numbers("kong2023_mask_ratio").set_index("mask_ratio")
    for ratio in (0.25, 0.5, 0.75, 0.9):
        cell, theirs = f"mask ratio {ratio:g}", published.loc[ratio]
        ours = [
            mean_and_spread(name, cell, readout, metric)
            for readout, metric in (("cls", "linear_probe"), ("mean", "linear_probe"), ("cls", "effective_rank"))
        ]
        row = [
            f"{ratio:g} (ours 0.94)" if ratio == 0.9 else f"{ratio:g}",
            *ours,
            f"{theirs.linear_probe_percent:.2f}",
            f"{theirs.shape_bias:.4f}",
        ]
        assert f"| {' | '.join(row)} |" in words
    decided = decided_pairs(name)
    best, half = ("cls", "mask ratio 0.75", "mask ratio 0.9"), ("mean", "mask ratio 0.5", "mask ratio 0.9")
    assert set(decided) == {best, half}
    assert f"at 0.9 is {decided[best]} points below that at 0.75, on the mean of patches {decided[half]} below" in words
    for page in (FIGURES.parent / "README.md", FIGURES.parent / "docs" / "claims.md"):
        assert f"at 0.94 is {decided[best]} points below that at 0.75" in page.read_text()
    recipes = {cell.recipe.mask_ratio: cell.recipe for cell in EXPERIMENTS[name].cells}
    assert recipes[0.9].law().mask_ratio == 15 / 16
    ranks = [
        float(mean_and_spread(name, f"mask ratio {ratio:g}", "cls", "effective_rank").split()[0]) for ratio in recipes
    ]
    assert ranks == sorted(ranks)


def test_both_rules_of_initial_weights_on_cifar10_are_told_as_their_ledger_has_them() -> None:
    ledger, words = read_published_ledgers(FIGURES), " ".join(PAPER.split())
    ledger = ledger[ledger.experiment == "cifar10-initialisation"]
    for cell, name in (("random", "untrained"), ("MAE", "MAE"), ("U-MAE", "U-MAE")):
        for ending, rule in (("", "Xavier"), (" normal", "normal")):
            row = [
                mean_and_spread("cifar10-initialisation", f"{cell}{ending}", readout, metric) + unit
                for readout, metric, unit in (
                    ("cls", "effective_rank", ""),
                    ("cls", "linear_probe", " %"),
                    ("mean", "linear_probe", " %"),
                )
            ]
            row = [text.replace("± 0.0 %", "± 0.05 %") for text in row]
            assert f"| {name}, {rule} | {' | '.join(row)} |" in words

    def trained(ending: str, readout: str, sign: str = "") -> str:
        ranks = ledger[(ledger.readout == readout) & (ledger.metric == "effective_rank")]
        values = ranks.pivot_table(index="seed", columns="cell", values="value")
        return paired(values[f"MAE{ending}"] - values[f"random{ending}"], 1, sign)

    assert f"lowers the rank of cls by {trained('', 'cls').strip('-')} from Xavier's weights" in words
    assert f"it changes it by {trained(' normal', 'cls')}, which is undecided" in words
    changes = (trained("", "mean"), trained(" normal", "mean"))
    assert "the changes are {}, undecided, and {}, a fall".format(*changes) in words
    lengths = read_published_ledgers(FIGURES)
    longest = lengths[(lengths.cell == "MAE 100 epochs") & (lengths.experiment == "cifar10-length")]
    rank = longest[(longest.readout == "cls") & (longest.metric == "effective_rank")].value
    assert f"rises again with training, to {rank.mean():.1f} after 100 epochs" in words
    probes = []
    for ending in ("", " normal"):
        chosen = ledger[ledger.cell.isin([f"random{ending}", f"MAE{ending}"])].assign(epochs=25)
        found = compare_objectives(chosen, f"random{ending}", f"MAE{ending}", metric="linear_probe", readout="cls")
        probes.append(f"{100 * found.difference:.1f} ± {100 * found.error:.1f}")
    assert "gains {} and {} points by training".format(*probes) in words
    shared = {
        ("cifar10-length", "MAE 25 epochs"),
        ("cifar10-uniformity", "MAE"),
        ("mask-ratio-cifar10-patch8", "mask ratio 0.75"),
    }
    mae = ledger[(ledger.cell == "MAE") & (ledger.metric == "effective_rank")].sort_values(["readout", "seed"]).value
    for experiment, cell in shared:
        same = lengths[
            (lengths.experiment == experiment) & (lengths.cell == cell) & (lengths.metric == "effective_rank")
        ]
        assert same.sort_values(["readout", "seed"]).value.tolist() == mae.tolist()

    def gain(ending: str, metric: str, readout: str, label: str, sign: str = "+") -> str:
        found = compare_objectives(ledger, f"MAE{ending}", f"U-MAE{ending}", metric=metric, readout=readout)
        assert found.label == label
        scale = 100 if metric == "linear_probe" else 1
        return f"{scale * found.difference:{sign}.1f} ± {scale * found.error:.1f}"

    ranks = [gain(ending, "effective_rank", "cls", "confirmed", "") for ending in ("", " normal")]
    assert f"adds {ranks[0]} and {ranks[1]} to the rank of cls" in words
    assert f"it adds {gain('', 'linear_probe', 'cls', 'refuted')} points from Xavier's weights" in words
    assert f"and {gain(' normal', 'linear_probe', 'cls', 'undecided')} from normal ones" in words
    means = [gain(ending, "linear_probe", "mean", "undecided") for ending in ("", " normal")]
    assert f"on the mean of patches {means[0]} and {means[1]}" in words


@pytest.mark.slow
def test_untrained_features_are_as_linear_in_the_pixels_as_is_said() -> None:
    words = " ".join(PAPER.split())
    images, test = load_images("digits"), load_images("digits", split="test")
    pixels, unseen = (
        np.c_[np.ones(len(one)), one.images.reshape(len(one), -1).astype(float)] for one in (images, test)
    )
    explained: dict[str, list[float]] = {}
    for cell, _, recipe in EXPERIMENTS["digits-initialisation"].runs():
        if not cell.trained:
            model = build_model(recipe).eval()
            known, wanted = (encode(model, one).double().numpy() for one in (images, test))
            missed = wanted - unseen @ np.linalg.lstsq(pixels, known, rcond=1e-8)[0]
            share = np.square(missed).sum() / np.square(wanted - known.mean(0)).sum()
            explained.setdefault(cell.name, []).append(100 * (1 - float(share)))
    xavier, normal = (explained[name] for name in ("random", "random normal"))
    assert len(xavier) == len(normal) == 10
    assert f"explains {np.mean(normal):.1f} ± {np.std(normal, ddof=1):.1f} % of the variance" in words
    assert f"against {np.mean(xavier):.1f} ± {np.std(xavier, ddof=1):.1f} % from Xavier's weights" in words
    flat, held = (torch.from_numpy(one[:, 1:]).float() for one in (pixels, unseen))
    accuracy = linear_probe(flat, images.labels, held, test.labels).accuracy
    assert f"a linear probe of the pixels themselves has {100 * accuracy.value:.1f} %" in words


def test_what_closes_the_gap_to_the_closed_form_is_told_as_the_study_has_it() -> None:
    frame, words = pd.read_csv(FIGURES / "closed_form_rank.csv"), " ".join(CLAIMS.split())
    ranks = frame.groupby(["change", "weight"])["rank"]
    assert set(ranks.count()) == {3}
    assert len(frame) == 3 * 3 * len(CHANGES)
    shown = (ranks.mean().round(1).astype(str) + " ± " + ranks.std().round(1).astype(str)).unstack()
    for name, change in (
        ("as it is, 768", "as it is"),
        ("4 times", "4 times the steps"),
        ("16 times", "16 times the steps"),
    ):
        assert f"| {name} | {' | '.join(shown.loc[change])} |" in words
    longest = frame[(frame.change == "16 times the steps") & (frame.weight == 1)]
    np.testing.assert_allclose(longest["rank"], longest.predicted_rank, atol=0.011)
    batches, normal, wide = (shown.loc[name] for name in ("batches of 512", "normal initial weights", "width 32"))
    assert f"rate: {batches[0.01]} and {batches[0.1]} at the two" in words
    assert f"hurt ({normal[0.01]}, {normal[0.1]}, {normal[1.0]})" in words
    assert f"from its 32 ({wide[1.0]} at λ = 1)" in words
    mean = ranks.mean().unstack()
    little = ["a third of the learning rate", "no weight decay", "4 blocks", "decoder of width 64, 2 blocks"]
    assert (mean.loc[little] - mean.loc["as it is"]).abs().max(axis=None) < 1.5
    steps = TOY_CONFIG.epochs * (N_IMAGES // TOY_CONFIG.batch)
    assert steps == 768


def test_the_trained_network_is_as_far_from_the_closed_form_as_is_said() -> None:
    frame, words = pd.read_csv(FIGURES / "trained_spectrum.csv"), " ".join(CLAIMS.split())
    ranks = frame.groupby(["kind", "weight"])[["rank", "predicted_rank", "loss", "bound"]].first()
    trained, free = ranks.loc["U-MAE, cls"], ranks.loc["free f, targets follow"]
    first, second, third = (f"{value:.1f}" for value in trained["rank"])
    assert f"effective ranks are {first}, {second} and {third} at the three weights" in words
    assert set(trained.predicted_rank.round(1)) == {16.0}
    assert f"({free.loss[1.0]:.5f} against {free.bound[1.0]:.5f} at λ = 1)" in words
    assert f"grows from {free['rank'].iloc[0]:.0f} to {free['rank'].iloc[-1]:.0f} with the weight" in words
    np.testing.assert_allclose(free["rank"], free.predicted_rank, rtol=0.02)


def test_bounds_of_the_trained_network_are_those_of_the_figure() -> None:
    frame, words = pd.read_csv(FIGURES / "bounds_through_training.csv"), " ".join(CLAIMS.split())
    assert f"At {frame.step.nunique()} steps of training" in words
    assert (frame.slug.nunique(), set(frame.verdict)) == (12, {"HOLDS", "VACUOUS", "TIGHT"})
    assert set(frame[frame.slug == "alignment-split"].verdict) == {"TIGHT"}
    end = frame[(frame.objective == "MAE") & (frame.step == frame.step.max())].set_index("slug")
    split, main = end.loc["alignment-split"], end.loc["reconstruction-bounds-alignment"]
    assert f"{split.lhs:.3f} = {split.alignment:.3f} + {split.bias:.3f}" in words
    assert f"theorem 3.4 gives {main.rhs:.3f} of that {main.lhs:.3f}" in words
    vacuous = {"reconstruction-bounds-encoder-alignment", "umae-bounded-by-graph-tail", "umae-bounds-downstream-error"}
    assert set(frame[frame.slug.isin(vacuous)].verdict) == {"VACUOUS"}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("digits", "digits"),
        ("cifar10", "CIFAR-10"),
        ("fashion-mnist", "Fashion-MNIST, `--patch-sizes 4,7`"),
        ("tin20", "twenty classes of Tiny-ImageNet"),
    ],
)
def test_advice_on_four_data_sets_is_that_of_its_tables(name: str, title: str) -> None:
    words = " ".join((DOCS / "advise.md").read_text(encoding="utf-8").split())
    frame = pd.read_csv(FIGURES / "advice" / f"{name}.csv")
    frame = frame[frame.score == "tokens pair_label_error"].sort_values("value")
    best, first = frame.iloc[0], frame[frame.group == 1]
    shown = f"{best.candidate}, {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]"
    assert f"| {title} | {shown} | {len(first) - 1} of {len(frame) - 1} |" in words


def test_levels_of_latents_are_those_of_the_table() -> None:
    words = " ".join((DOCS / "followup_theory.md").read_text(encoding="utf-8").split())
    frame = pd.read_csv(FIGURES / "latent_levels.csv")

    def row(stay: float, patch: int, column: str, digits: int) -> list[str]:
        part = frame[(frame.stay == stay) & (frame.patch == patch) & (frame.level == 0) & (frame.function == 2)]
        return [f"{value:.{digits}f}" for value in part.sort_values("mask_ratio")[column]]

    assert f"| σ₂, s = 0.9 | {' | '.join(row(0.9, 1, 'sigma', 3))} |" in words
    assert f"| mean level (0 root, 3 leaves), s = 0.9 | {' | '.join(row(0.9, 1, 'mean_level', 2))} |" in words
    for stay in (0.8, 0.9):
        assert f"| share of the root, s = {stay} | {' | '.join(row(stay, 1, 'share', 3))} |" in words
    low, middle, high = row(0.9, 2, "share", 3)
    assert f"root share at 3/4, 1/2 and 1/4 at {high}, {middle} and {low}" in words
