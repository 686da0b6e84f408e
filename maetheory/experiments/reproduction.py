"""Train the models of an experiment side by side, measure, draw, and write one page that says what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from maetheory.core import Progress, make_folder, no_progress
from maetheory.experiments.experiment import Experiment, MeasuredExperiment, Presentation
from maetheory.experiments.images import load_experiment_images
from maetheory.experiments.mask_law_page import present_mask_laws
from maetheory.experiments.mask_ratios import present_mask_ratios
from maetheory.experiments.objectives import present_objectives
from maetheory.experiments.run import train_and_measure
from maetheory.experiments.uniformity_sweep_page import present_sweep
from maetheory.training import make_fabric

PRESENTATIONS: Mapping[str, Callable[[MeasuredExperiment], Presentation]] = MappingProxyType(
    {
        "objectives": present_objectives,
        "mask ratios": present_mask_ratios,
        "mask laws": present_mask_laws,
        "sweep": present_sweep,
    }
)


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
    progress: Progress = no_progress,
    compiled: bool = False,
    workers: int | None = None,
    finetuned: bool = False,
    precision: str = "32-true",
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
    workers : int, optional
        How many runs train at once, as for `run_jobs_in_parallel`.
    finetuned : bool
        Whether every model is also fine-tuned and tested.
    precision : str
        What models are trained in, as `make_fabric` takes it; they are measured in float32.

    Returns
    -------
    Reproduction

    Raises
    ------
    InputError
        If the data or the folders cannot be used, or the experiment has no recipe for fine-tuning.
    KeyboardInterrupt
        After Ctrl-C; the same call goes on from there.
    """
    out = Path(out)
    folder = Path(figures_to) if figures_to is not None else out / "figures"
    make_fabric(precision=precision)  # complains at once of what this machine lacks
    images, test = load_experiment_images(experiment, root)
    make_folder(folder)
    ledger = train_and_measure(
        experiment,
        images,
        test,
        out=out,
        progress=progress,
        compiled=compiled,
        workers=workers,
        finetuned=finetuned,
        precision=precision,
    )
    shown = PRESENTATIONS[experiment.presentation](MeasuredExperiment(experiment, ledger, images, test, out, folder))
    return Reproduction(ledger, shown.page, shown.figures, shown.reading)
