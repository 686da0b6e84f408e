"""Reproduce an experiment: from images to ledger, figures and HTML page."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from maetheory.core import Progress, no_progress
from maetheory.core.folder_lock import lock_folder
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.images import load_experiment_images
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.precision import named_precision
from maetheory.experiments.presentation import MeasuredExperiment, Presentation
from maetheory.experiments.run import hold_experiment_folder, train_and_measure
from maetheory.experiments.studies.initialisations_page import present_initialisations
from maetheory.experiments.studies.mask_laws_page import present_mask_laws
from maetheory.experiments.studies.mask_ratios_page import present_mask_ratios
from maetheory.experiments.studies.objectives_page import present_objectives
from maetheory.experiments.studies.training_lengths_page import present_training_lengths
from maetheory.experiments.studies.uniformity_sweep_page import present_uniformity_sweep
from maetheory.training import make_fabric

PRESENTATIONS: Mapping[str, Callable[[MeasuredExperiment], Presentation]] = MappingProxyType(
    {
        "objectives": present_objectives,
        "mask ratios": present_mask_ratios,
        "mask laws": present_mask_laws,
        "sweep": present_uniformity_sweep,
        "training lengths": present_training_lengths,
        "initialisations": present_initialisations,
    }
)


@dataclass(frozen=True)
class Reproduction:
    """What one `reproduce` wrote: the ledger as a table, the page, the figures, and a one-sentence summary."""

    ledger: pd.DataFrame
    page: Path
    figures: tuple[Path, ...]
    summary: str

    @property
    def reading(self) -> str:
        """Old name of `summary`."""
        warnings.warn("Reproduction.reading was renamed; use summary", DeprecationWarning, stacklevel=2)
        return self.summary


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
    device: str = "auto",
) -> Reproduction:
    """Run an experiment from images to the report; finished work in `out` is not repeated.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Folder of the runs, ledger.jsonl and report.html.
    root : path, optional
        Folder of the data set, when it is not embedded.
    figures_to : path, optional
        Folder of the figures; ``out/figures`` by default.
    progress : Progress
    compiled, workers, finetuned, precision, device
        As in `TrainingOptions`.

    Returns
    -------
    Reproduction

    Raises
    ------
    InputError
        If the data or the folders cannot be used, another process writes one of them, the experiment has no recipe for
        fine-tuning, or models of it in `out` were trained in another precision.
    KeyboardInterrupt
        After Ctrl-C; the same call continues from there.
    """
    out = Path(out)
    figures = Path(figures_to) if figures_to is not None else out / "figures"
    precision = named_precision(experiment, out, precision, device)
    make_fabric(device, precision=precision)  # refuses at once what this machine lacks
    options = TrainingOptions(compiled, workers, finetuned, precision, device)
    options.check(experiment)
    is_one_folder = os.path.realpath(figures) == os.path.realpath(out)
    with hold_experiment_folder(out), nullcontext() if is_one_folder else lock_folder(figures):
        images, test = load_experiment_images(experiment, root)
        ledger = train_and_measure(experiment, images, test, out=out, options=options, progress=progress)
        measured = MeasuredExperiment(experiment, ledger, images, test, out, figures, device, progress)
        shown = PRESENTATIONS[experiment.presentation](measured)
    summary = " ".join(filter(None, (measured.difference, shown.summary)))
    return Reproduction(ledger, shown.page, shown.figures, summary)
