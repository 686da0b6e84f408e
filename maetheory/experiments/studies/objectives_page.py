"""Figures and page of an experiment that compares objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.core import provenance
from maetheory.data.paper import paper_numbers
from maetheory.evaluation import encode
from maetheory.experiments.experiment import Cell
from maetheory.experiments.models import load_cell_model_on_device, run_folder
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.figures.descriptions import (
    describe_effective_ranks,
    describe_log_spectra,
    describe_training_curves,
    describe_tsne,
)
from maetheory.figures.tsne import class_separation
from maetheory.reports import (
    Picture,
    Section,
    Statement,
    Table,
    accuracy_table,
    claim_verdicts,
    format_mean_and_std,
    format_percent,
    mean_and_std,
    write_page,
)
from maetheory.reports.claims import looks_sentence
from maetheory.reports.markdown_block import verdict_table
from maetheory.reports.tables import TASK_METRICS
from maetheory.training.logbook import read_log

_CAPTIONS = {
    "effective_rank": "Effective rank of this run (bars: means, points: seeds) and the paper's Figure 1(c).",
    "log_singular_values": "Singular values of this run (shaded: range over seeds) and the paper's Figure 1(b).",
    "effective_rank_through_training": "Effective rank by epoch; thin lines are seeds, thick ones their mean.",
    "feature_scatter": "t-SNE of the test features of the first seed, coloured by class.",
}
"""Name of a figure -> its caption."""


def present_objectives(measured: MeasuredExperiment) -> Presentation:
    """Draw the figures of a comparison of objectives and write its page."""
    features = _cls_features_by_cell(measured)
    logs = {
        cell.name: [
            read_log(run_folder(measured.out, cell, seed) / "metrics.jsonl") for seed in measured.experiment.seeds
        ]
        for cell in _trained_cells(measured)
    }
    drawn, descriptions, separation = _draw_figures(features, logs, measured)
    sentence = summary_sentence(measured.ledger)
    pictures = {
        path.stem: Picture(path, descriptions[path.stem], _CAPTIONS[path.stem])
        for path in drawn
        if path.suffix == ".svg"
    }
    return Presentation(_write_html_report(measured, pictures, sentence, separation), tuple(drawn), sentence)


def _trained_cells(measured: MeasuredExperiment) -> list[Cell]:
    return [cell for cell in measured.experiment.cells if cell.trained]


def _cls_features_by_cell(measured: MeasuredExperiment) -> dict[str, list[np.ndarray]]:
    """Return the cls features of test images, one array for each seed of each cell."""
    features: dict[str, list[np.ndarray]] = {cell.name: [] for cell in measured.experiment.cells}
    for cell, _, recipe in measured.experiment.runs():
        model = load_cell_model_on_device(measured.out, cell, recipe, measured.device)
        features[cell.name].append(encode(model, measured.test).double().numpy())
    return features


def _draw_figures(
    features: dict[str, list[np.ndarray]], logs: dict[str, list[Any]], measured: MeasuredExperiment
) -> tuple[list[Path], dict[str, str], dict[str, float]]:
    """Draw the figures; return their files, what each shows, and how well t-SNE separates the classes by objective."""
    from matplotlib import pyplot as plt

    drawn, descriptions, folder = [], {}, measured.figures
    names = [cell.name for cell in _trained_cells(measured)]
    with figures.paper_style():
        frame = figures.log_spectra(features)
        drawn += figures.save_figure(figures.plot("log_singular_values", frame), frame, folder, "log_singular_values")
        descriptions["log_singular_values"] = describe_log_spectra(frame)
        frame = figures.effective_ranks(features)
        drawn += figures.save_figure(figures.plot("effective_rank", frame), frame, folder, "effective_rank")
        descriptions["effective_rank"] = describe_effective_ranks(frame)
        frame = figures.training_curves(logs)
        figure, ax = plt.subplots(figsize=(4, 3))
        figures.draw_training_curves(ax, frame)
        drawn += figures.save_figure(figure, frame, folder, "effective_rank_through_training")
        descriptions["effective_rank_through_training"] = describe_training_curves(frame)
        frame = figures.tsne_embedding({name: features[name][0] for name in names}, measured.test.labels)
        figure, axes = plt.subplots(1, len(names), figsize=(0.6 + 2.95 * len(names), 3.2), layout="constrained")
        accuracies = {
            name: f"{format_percent(_metric_values(measured.ledger, name, 'linear_probe'))} %" for name in names
        }
        figures.draw_tsne(dict(zip(names, axes, strict=True)), frame, accuracies, measured.test.class_names)
        drawn += figures.save_figure(figure, frame, folder, "feature_scatter")
        descriptions["feature_scatter"] = describe_tsne(frame)
    return drawn, descriptions, class_separation(frame)


def _metric_values(ledger: pd.DataFrame, objective: str, metric: str, readout: str = "cls") -> Sequence[float]:
    part = ledger[(ledger.objective == objective) & (ledger.metric == metric) & (ledger.readout == readout)]
    return list(part.value)


def summary_sentence(ledger: pd.DataFrame) -> str:
    """Return the effective ranks of cls features and whether the seeds separate each objective from its U- form."""
    pairs = [pair for pair in ("MAE", "SimMIM") if (ledger.objective == pair).any()]
    sentences = [_pair_sentence(ledger, pair) for pair in pairs]
    seeds = ledger.seed.nunique()
    last = "One seed, so the spread over seeds is unknown." if seeds < 2 else f"{seeds} seeds each."
    return "effective rank of cls features: " + " ".join(
        part for part in (*sentences, untrained_rank_sentence(ledger), last) if part
    )


def untrained_rank_sentence(ledger: pd.DataFrame) -> str:
    """Return whether MAE's effective rank is below that of untrained networks, and whether it is so in Figure 1(c).

    Only directions are compared: the paper's network is larger, and was trained longer on other images.
    """
    untrained, trained = (_metric_values(ledger, name, "effective_rank") for name in ("random", "MAE"))
    if not len(untrained) or not len(trained):
        return ""
    paper = paper_numbers("figure1c").set_index("objective").effective_rank
    if max(trained) < min(untrained):
        finding, direction = "falls below", "in the direction of the paper"
    elif min(trained) > max(untrained):
        finding, direction = "rises above", "against the direction of the paper"
    else:
        finding, direction = "is not separated by the seeds from", "unlike the paper"
    return (
        f"MAE's {finding} that of untrained networks ({np.mean(trained):.1f} and {np.mean(untrained):.1f}), "
        f"{direction} ({paper['MAE']:.2f} and {paper['random']:.2f}, of a larger network)."
    )


def _pair_sentence(ledger: pd.DataFrame, plain: str) -> str:
    ranks = [_metric_values(ledger, name, "effective_rank") for name in (plain, f"U-{plain}")]
    cosines = [np.mean(_metric_values(ledger, name, "umae_uniformity")) for name in (plain, f"U-{plain}")]
    ours = (
        f"{plain} {format_mean_and_std(ranks[0])}, U-{plain} {format_mean_and_std(ranks[1])}; "
        f"mean squared cosine of two images: {cosines[0]:.3f}, {cosines[1]:.3f}"
    )
    if len(ranks[0]) < 2:
        return f"{ours}."
    apart = f"lies above {plain}'s in every seed" if min(ranks[1]) > max(ranks[0]) else "is not separated by the seeds"
    return f"{ours}; U-{plain}'s effective rank {apart}."


def _metric_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds ± their standard deviation; with one seed, ± the error over images."""
    rows = []
    for (readout, metric), part in ledger.groupby(["readout", "metric"], sort=False):
        row: dict[str, Any] = {"readout": readout, "metric": metric}
        for objective, runs in part.groupby("objective", sort=False):
            spread = mean_and_std(list(runs.value)).error if len(runs) > 1 else float(runs.error.iloc[0])
            row[str(objective)] = f"{runs.value.mean():.4g} ± {spread:.2g}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def _probe_recipes(ledger: pd.DataFrame) -> str:
    """Return one sentence for each task of the paper: its recipe here."""
    first = ledger.drop_duplicates("metric").set_index("metric").recipe
    return " ".join(
        f"{task.capitalize()}: {first[metric]}." for task, metric in TASK_METRICS.items() if metric in first
    )


def _separation_sentence(separation: Mapping[str, float]) -> str:
    """Return the silhouette of the classes in the plane of each objective, and which objective separates them best."""
    known = {name: value for name, value in separation.items() if np.isfinite(value)}
    if not known:
        return ""
    listed = ", ".join(f"{name} {value:.2f}" for name, value in known.items())
    best = max(known, key=lambda name: known[name])
    answer = f"{best} separates them most" if known[best] > 0 else "all mix them"
    return (
        f"Silhouette of the classes in the plane (1: apart; 0 or less: mixed): {listed}; here {answer}. "
        "One seed, and t-SNE keeps neighbours only: the linear probe decides."
    )


def _write_html_report(
    measured: MeasuredExperiment, pictures: Mapping[str, Picture], sentence: str, separation: Mapping[str, float]
) -> Path:
    experiment, ledger, test = measured.experiment, measured.ledger, measured.test
    recipes = {cell.name: cell.recipe for cell in _trained_cells(measured)}
    weights = {f"{recipe.uniformity_weight:g}" for recipe in recipes.values() if recipe.uniformity_weight}
    lead = (
        f"{ledger.train_images.max()} training and {len(test)} test images of {test.name}; "
        f"{experiment.cells[0].recipe.epochs} epochs; uniformity weight {' and '.join(sorted(weights))}; seeds "
        f"{', '.join(map(str, experiment.seeds))}."
    )
    verdicts = claim_verdicts(ledger)
    sections = [
        Section(
            "Verdicts",
            "Difference of means over seeds, paired by seed and test image. "
            f"{looks_sentence()} Confirmed: the whole interval is above 0; refuted: below 0; one seed is "
            "always undecided, because the spread over seeds is then unknown.",
            tables=[Table(verdict_table(verdicts).drop(columns="preset"), "Verdicts on the paper's claims.")],
        ),
        Section(
            "Feature spectrum and effective rank",
            "Uncentred cls features of the test images after the final norm; effective rank is the exponential of "
            "the entropy of singular values. The paper's curves and bars are those of its own ViT, not of this "
            "run's; its curves are read off the printed figure to within 0.05. Of our singular values the last is left "
            "out where it is that of the null direction of the final LayerNorm. The untrained network is drawn by "
            "Xavier's rule, as MAE's code does; drawn from a normal of standard deviation 0.02 it has about half the "
            "effective rank on CIFAR-10, so that ranks below an untrained network mean nothing without its rule.",
            [pictures["effective_rank"], pictures["log_singular_values"]],
        ),
        Section(
            "Effective rank during training",
            pictures=[pictures["effective_rank_through_training"]],
        ),
        Section(
            "t-SNE of the features",
            f"t-SNE of the test features of the first seed, coloured by class. {_separation_sentence(separation)}",
            [pictures["feature_scatter"]],
        ),
        Section(
            "Accuracy beside the paper's Table 1",
            f"Percent; ± is the standard deviation over seeds. {_probe_recipes(ledger)} The paper's "
            "probing recipe is not stated; its models are larger and were trained longer on more images.",
            tables=[Table(accuracy_table(ledger, dataset=test.name), "Accuracy of this run and of the paper, %.")],
        ),
        Section(
            "All metrics",
            "Mean ± standard deviation over seeds; with one seed, ± two standard errors over test images.",
            tables=[Table(_metric_table(ledger), "Metrics of the features of the test images.")],
        ),
    ]
    about = {"experiment": {name: recipe.to_dict() for name, recipe in recipes.items()}, **provenance()}
    return write_page(
        measured.out / "report.html",
        f"maetheory: {experiment.name}",
        lead,
        sections,
        about,
        reading=[
            *measured.reservations,
            Statement("Ranks.", sentence[0].upper() + sentence[1:]),
            Statement("Claims of the paper.", verdicts_sentence(verdicts)),
        ],
    )


def verdicts_sentence(verdicts: pd.DataFrame) -> str:
    """Return the verdict on each claim in one sentence, by claim, with its difference.

    Parameters
    ----------
    verdicts : DataFrame
        As `claim_verdicts` returns it.
    """
    if verdicts.empty:
        return "None was tested: no objective was trained beside its U- form."
    texts = verdict_table(verdicts)
    said = [
        f"{claim} ({', '.join(f'{row.readout} {row.verdict}: {row.difference}' for row in rows.itertuples())})"
        for claim, rows in texts.groupby("claim", sort=False)
    ]
    return f"{'; '.join(said)}."
