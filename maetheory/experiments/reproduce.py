"""Train random, MAE and U-MAE side by side, measure, draw, and write one page that says what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from maetheory import figures
from maetheory.core import Progress, provenance, silent
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import collapse_report, encode, knn_probe, linear_probe, mask_pair_alignment
from maetheory.experiments.presets import Experiment
from maetheory.metrics import effective_rank
from maetheory.reports import Section, accuracy_table, append, mean_and_spread, read, write_page
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.logbook import read_log
from maetheory.training.store import build, checkpoints

OBJECTIVES = ("random", "MAE", "U-MAE")
WATCHED = 1000


@dataclass(frozen=True)
class Reproduction:
    """What one `reproduce` left behind: the ledger as a table, the page, the figures, a one-line reading."""

    ledger: pd.DataFrame
    page: Path
    figures: tuple[Path, ...]
    reading: str


def reproduce(
    experiment: Experiment,
    *,
    out: str | Path,
    root: str | Path | None = None,
    figures_to: str | Path | None = None,
    progress: Progress = silent,
    compiled: bool = False,
) -> Reproduction:
    """Run an experiment from images to the report; what an earlier call finished is not done again.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Runs, ledger.jsonl and report.html go here.
    root : path, optional
        Where the data set lies, when it is not embedded.
    figures_to : path, optional
        Where figures go; ``out/figures`` by default.
    progress : Progress
    compiled : bool
        Whether models are compiled before training.

    Returns
    -------
    Reproduction

    Raises
    ------
    InputError
        If the data or the folders cannot be used.
    """
    out = Path(out)
    images = load_images(experiment.source, split="train", root=root, limit=experiment.train_limit)
    test = load_images(experiment.source, split="test", root=root, limit=experiment.test_limit)
    for objective, seed, config in experiment.runs():
        _train(experiment, objective, seed, config, images, test, out, progress, compiled)
    features: dict[str, list[np.ndarray]] = {name: [] for name in OBJECTIVES}
    for objective in OBJECTIVES:
        for seed in experiment.seeds:
            progress(len(features[objective]), len(experiment.seeds), f"measuring {objective}")
            model = _model(experiment, objective, seed, out)
            features[objective].append(encode(model, test).double().numpy())
            append(out / "ledger.jsonl", _measure(experiment, objective, seed, model, images, test))
    ledger = read(out / "ledger.jsonl")
    ledger = ledger[ledger.experiment == experiment.name]
    folder = Path(figures_to) if figures_to is not None else out / "figures"
    drawn = _draw(experiment, features, test, ledger, out, folder)
    reading = _reading(ledger)
    return Reproduction(ledger, _page(experiment, ledger, drawn, reading, images, test, out), tuple(drawn), reading)


def _folder(out: Path, objective: str, seed: int) -> Path:
    return out / "runs" / f"{objective.lower()}-seed{seed}"


def _train(experiment: Experiment, objective: str, seed: int, config: TrainConfig, images: ImageSet, test: ImageSet,
           out: Path, progress: Progress, compiled: bool) -> None:  # fmt: skip
    watched = test.limit(min(WATCHED, len(test)))

    def watch(seen: TrainStep) -> dict[str, float] | None:
        per_epoch = seen.total // config.epochs
        if seen.step % (experiment.watch * per_epoch) and seen.step not in (1, seen.total):
            return None
        return {"effective_rank": float(effective_rank(encode(seen.model, watched).double().numpy()))}

    def named(done: int, total: int, message: str) -> None:
        progress(done, total, f"{objective} seed {seed}: {message}")

    train(config, images, out=_folder(out, objective, seed), resume=True, callbacks=[watch], progress=named,
          compiled=compiled)  # fmt: skip


def _model(experiment: Experiment, objective: str, seed: int, out: Path) -> nn.Module:
    """Return the trained model of a run, or the untrained one of its seed."""
    if objective == "random":
        return build(replace(experiment.recipe, seed=seed)).eval()
    return load_run(checkpoints(_folder(out, objective, seed))[-1])[0]


def _measure(experiment: Experiment, objective: str, seed: int, model: nn.Module, images: ImageSet,
             test: ImageSet) -> list[dict[str, Any]]:  # fmt: skip
    """Return the ledger records of one model."""
    common = {"experiment": experiment.name, "objective": objective, "seed": seed, "dataset": test.name,
              "epochs": 0 if objective == "random" else experiment.recipe.epochs, "train_images": len(images),
              "test_images": len(test), "uniformity_weight": experiment.uniformity_weight * (objective == "U-MAE"),
              "provenance": provenance(seed=seed)}  # fmt: skip
    report = collapse_report(model, test)
    records = [common | {"readout": row.readout, "metric": row.metric, "value": row.value, "error": 0.0}
               for row in report.itertuples()]  # fmt: skip
    for readout in ("cls", "mean"):
        z, z_test = encode(model, images, readout=readout), encode(model, test, readout=readout)
        for name, probe in (("linear_probe", linear_probe), ("knn_probe", knn_probe)):
            result = probe(z, images.labels, z_test, test.labels)
            records.append(common | {"readout": readout, "metric": name, "value": result.accuracy.value,
                                     "error": result.accuracy.error, "recipe": result.recipe})  # fmt: skip
        aligned = mask_pair_alignment(model, test, experiment.recipe.law(), seed=seed, readout=readout)
        records.append(common | {"readout": readout, "metric": "mask_pair_alignment", "value": aligned, "error": 0.0})
    return records


def _draw(experiment: Experiment, features: dict[str, list[np.ndarray]], test: ImageSet, ledger: pd.DataFrame,
          out: Path, folder: Path) -> list[Path]:  # fmt: skip
    from matplotlib import pyplot as plt

    drawn = []
    with figures.paper_style():
        frame = figures.log_spectra(features)
        figure, ax = plt.subplots(figsize=(4, 3))
        figures.draw_log_spectra(ax, frame)
        drawn += figures.save_figure(figure, frame, folder, "log_singular_values")
        frame = figures.effective_ranks(features)
        figure, axes = plt.subplots(1, 2, figsize=(5.5, 3), layout="constrained")
        figures.draw_effective_ranks(list(axes), frame)
        drawn += figures.save_figure(figure, frame, folder, "effective_rank")
        logs = {name: [read_log(_folder(out, name, seed) / "metrics.jsonl") for seed in experiment.seeds]
                for name in ("MAE", "U-MAE")}  # fmt: skip
        frame = figures.training_curves(logs)
        figure, ax = plt.subplots(figsize=(4, 3))
        figures.draw_training(ax, frame)
        drawn += figures.save_figure(figure, frame, folder, "effective_rank_through_training")
        frame = figures.scatter({name: features[name][0] for name in ("MAE", "U-MAE")}, test.labels)
        figure, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
        figures.draw_scatter(dict(zip(("MAE", "U-MAE"), axes, strict=True)), frame, _accuracies(ledger))
        drawn += figures.save_figure(figure, frame, folder, "feature_scatter")
    return drawn


def _values(ledger: pd.DataFrame, objective: str, metric: str, readout: str = "cls") -> Sequence[float]:
    part = ledger[(ledger.objective == objective) & (ledger.metric == metric) & (ledger.readout == readout)]
    return list(part.value)


def _accuracies(ledger: pd.DataFrame) -> dict[str, str]:
    texts = {}
    for objective in ("MAE", "U-MAE"):
        estimate = mean_and_spread([100 * value for value in _values(ledger, objective, "linear_probe")])
        texts[objective] = f"{estimate.value:.1f} ± {estimate.error:.1f} %"
    return texts


def _reading(ledger: pd.DataFrame) -> str:
    """Say in one sentence whether U-MAE's effective rank lies above MAE's outside the spread of the seeds."""
    mae, umae = _values(ledger, "MAE", "effective_rank"), _values(ledger, "U-MAE", "effective_rank")
    ours = f"effective rank of cls features: MAE {mean_and_spread(mae):.1f}, U-MAE {mean_and_spread(umae):.1f}"
    if len(mae) < 2:
        return f"{ours}; one seed, so the spread over seeds is unknown."
    verdict = "above it in every seed" if min(umae) > max(mae) else "not separated from it by the seeds"
    return f"{ours} ({len(mae)} seeds each); U-MAE lies {verdict}."


def _page(experiment: Experiment, ledger: pd.DataFrame, drawn: Sequence[Path], reading: str, images: ImageSet,
          test: ImageSet, out: Path) -> Path:  # fmt: skip
    pictures = {path.stem: path for path in drawn if path.suffix == ".png"}
    summary = (
        ledger.groupby(["readout", "metric", "objective"], sort=False).value
        .apply(lambda values: (lambda e: f"{e.value:.4g} ± {e.error:.2g}")(mean_and_spread(list(values))))
        .unstack("objective").reindex(columns=list(OBJECTIVES)).reset_index()
    )  # fmt: skip
    lead = (f"{len(images)} training and {len(test)} test images of {test.name}; {experiment.recipe.epochs} epochs; "
            f"uniformity weight {experiment.uniformity_weight}; seeds {', '.join(map(str, experiment.seeds))}. "
            + reading[0].upper() + reading[1:])  # fmt: skip
    sections = [
        Section("Feature spectrum and effective rank",
                "Uncentred cls features of the test images after the final norm; effective rank is the exponential of "
                "the entropy of singular values. The paper's bars are its ViT on CIFAR-10, not this run's model.",
                [(pictures["log_singular_values"], "natural log of singular values"),
                 (pictures["effective_rank"], "effective rank, ours and the paper's")]),
        Section("Through training", "", [(pictures["effective_rank_through_training"], "effective rank by epoch")]),
        Section("Features in the plane", "t-SNE of the test features of the first seed, coloured by class.",
                [(pictures["feature_scatter"], "t-SNE of MAE and U-MAE features")]),
        Section("Accuracy beside the paper's Table 1", "Percent; ± is the standard deviation over seeds.",
                tables=[accuracy_table(ledger, dataset=test.name)]),
        Section("Every measure", "Mean ± standard deviation over seeds.", tables=[summary]),
    ]  # fmt: skip
    return write_page(out / "report.html", f"maetheory: {experiment.name}", lead, sections,
                      {"experiment": experiment.recipe.to_dict(), **provenance()})  # fmt: skip
