"""What a run measured, as figures, tables, one sentence and one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.core import provenance
from maetheory.data import ImageSet
from maetheory.experiments.presets import Experiment
from maetheory.reports import Section, accuracy_table, mean_and_spread, percent, write_page

OBJECTIVES = ("random", "MAE", "U-MAE")


def draw(features: dict[str, list[np.ndarray]], test: ImageSet, ledger: pd.DataFrame,
          logs: Mapping[str, Sequence[Any]], folder: Path) -> list[Path]:  # fmt: skip
    """Draw every figure of a run into `folder` and return the files written."""
    from matplotlib import pyplot as plt

    drawn = []
    with figures.paper_style():
        frame = figures.log_spectra(features)
        figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
        figures.draw_log_spectra(list(axes), frame)
        drawn += figures.save_figure(figure, frame, folder, "log_singular_values")
        frame = figures.effective_ranks(features)
        figure, axes = plt.subplots(1, 2, figsize=(5.5, 3), layout="constrained")
        figures.draw_effective_ranks(list(axes), frame)
        drawn += figures.save_figure(figure, frame, folder, "effective_rank")
        frame = figures.training_curves(logs)
        figure, ax = plt.subplots(figsize=(4, 3))
        figures.draw_training(ax, frame)
        drawn += figures.save_figure(figure, frame, folder, "effective_rank_through_training")
        frame = figures.scatter({name: features[name][0] for name in ("MAE", "U-MAE")}, test.labels)
        figure, axes = plt.subplots(1, 2, figsize=(6.5, 3.2), layout="constrained")
        figures.draw_scatter(dict(zip(("MAE", "U-MAE"), axes, strict=True)), frame, _accuracies(ledger),
                             test.class_names)  # fmt: skip
        drawn += figures.save_figure(figure, frame, folder, "feature_scatter")
    return drawn


def _values(ledger: pd.DataFrame, objective: str, metric: str, readout: str = "cls") -> Sequence[float]:
    part = ledger[(ledger.objective == objective) & (ledger.metric == metric) & (ledger.readout == readout)]
    return list(part.value)


def _accuracies(ledger: pd.DataFrame) -> dict[str, str]:
    return {name: f"{percent(_values(ledger, name, 'linear_probe'))} %" for name in ("MAE", "U-MAE")}


def reading(ledger: pd.DataFrame) -> str:
    """Say in a few words how far cls features collapsed, and whether the seeds tell MAE and U-MAE apart."""
    mae, umae = _values(ledger, "MAE", "effective_rank"), _values(ledger, "U-MAE", "effective_rank")
    cosines = [np.mean(_values(ledger, name, "umae_uniformity")) for name in ("MAE", "U-MAE")]
    ours = (f"effective rank of cls features: MAE {mean_and_spread(mae):.1f}, U-MAE {mean_and_spread(umae):.1f}; "
            f"mean squared cosine of two images: MAE {cosines[0]:.3f}, U-MAE {cosines[1]:.3f}")  # fmt: skip
    if len(mae) < 2:
        return f"{ours}. One seed, so the spread over seeds is unknown."
    verdict = "lies above MAE's in every seed" if min(umae) > max(mae) else "is not separated from MAE's by the seeds"
    return f"{ours}. {len(mae)} seeds each; U-MAE's effective rank {verdict}."


def _summary(ledger: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds with their standard deviation, or with the error over images where there is one seed."""
    rows = []
    for (readout, metric), part in ledger.groupby(["readout", "metric"], sort=False):
        row: dict[str, Any] = {"readout": readout, "metric": metric}
        for objective in OBJECTIVES:
            runs = part[part.objective == objective]
            spread = mean_and_spread(list(runs.value)).error if len(runs) > 1 else float(runs.error.iloc[0])
            row[objective] = f"{runs.value.mean():.4g} ± {spread:.2g}"
        rows.append(row)
    return pd.DataFrame(rows)


def _recipe(ledger: pd.DataFrame) -> str:
    return str(ledger[ledger.metric == "linear_probe"].recipe.iloc[0])


def page(experiment: Experiment, ledger: pd.DataFrame, drawn: Sequence[Path], images: ImageSet,
          test: ImageSet, out: Path) -> Path:  # fmt: skip
    """Write the report page and return where it is."""
    pictures = {path.stem: path for path in drawn if path.suffix == ".png"}
    sentence = reading(ledger)
    lead = (f"{len(images)} training and {len(test)} test images of {test.name}; {experiment.recipe.epochs} epochs; "
            f"uniformity weight {experiment.uniformity_weight}; seeds {', '.join(map(str, experiment.seeds))}. "
            + sentence[0].upper() + sentence[1:])  # fmt: skip
    sections = [
        Section("Feature spectrum and effective rank",
                "Uncentred cls features of the test images after the final norm; effective rank is the exponential of "
                "the entropy of singular values. The paper's curves and bars are those of its own ViT, not of this "
                "run's; its curves are read off the printed figure to within 0.05. The last of our values drops "
                "because the final LayerNorm takes one direction out.",
                [(pictures["log_singular_values"], "natural log of singular values"),
                 (pictures["effective_rank"], "effective rank, ours and the paper's")]),
        Section("Through training", "", [(pictures["effective_rank_through_training"], "effective rank by epoch")]),
        Section("Features in the plane", "t-SNE of the test features of the first seed, coloured by class.",
                [(pictures["feature_scatter"], "t-SNE of MAE and U-MAE features")]),
        Section("Accuracy beside the paper's Table 1",
                f"Percent; ± is the standard deviation over seeds. Linear probing: {_recipe(ledger)}. The paper's "
                "recipe is not stated, and its models are larger and trained on more images for longer.",
                tables=[accuracy_table(ledger, dataset=test.name)]),
        Section("Every measure",
                "Mean ± standard deviation over seeds; with one seed, ± two standard errors over test images.",
                tables=[_summary(ledger)]),
    ]  # fmt: skip
    return write_page(out / "report.html", f"maetheory: {experiment.name}", lead, sections,
                      {"experiment": experiment.recipe.to_dict(), **provenance()})  # fmt: skip
