"""Run an experiment: load its images, train its models, measure them, and return the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from maetheory.core import Progress, no_progress
from maetheory.core.files import remove_leftover_files
from maetheory.core.folder_lock import lock_folder
from maetheory.data import FolderStream, ImageSet
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.finetune import finetune_models
from maetheory.experiments.images import load_experiment_images
from maetheory.experiments.measure import LEDGER, check_precision, experiment_ledger, measure_models
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.precision import named_precision
from maetheory.experiments.train import train_models
from maetheory.reports.ledger import set_torn_record_aside


def run(
    experiment: Experiment,
    *,
    out: str | Path,
    root: str | Path | None = None,
    progress: Progress = no_progress,
    compiled: bool = False,
    workers: int | None = None,
    finetuned: bool = False,
    precision: str = "32-true",
    device: str = "auto",
) -> pd.DataFrame:
    """Train and measure an experiment; finished work in `out` is not repeated.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Folder of the runs and of ledger.jsonl.
    root : path, optional
        Folder of the data set, when it is not embedded.
    progress : Progress
    compiled, workers, finetuned, precision, device
        As in `TrainingOptions`.

    Returns
    -------
    DataFrame
        The ledger of this experiment: experiment, cell, objective, seed, dataset, epochs, train_images, test_images,
        readout, metric, value, error, recipe of the probe, training (the whole recipe), precision of the training
        (None where nothing was trained, or an older version did not record it), provenance.

    Raises
    ------
    InputError
        If the data or the folders cannot be used, another process writes `out`, its ledger is damaged, the experiment
        has no recipe for fine-tuning, or models of it in `out` were trained in another precision.
    KeyboardInterrupt
        After Ctrl-C; the same call continues from there.
    """
    precision = named_precision(experiment, Path(out), precision, device)
    options = TrainingOptions(compiled, workers, finetuned, precision, device)
    options.check(experiment)
    with hold_experiment_folder(Path(out)):
        images, test = load_experiment_images(experiment, root)
        return train_and_measure(experiment, images, test, out=Path(out), options=options, progress=progress)


@contextmanager
def hold_experiment_folder(out: Path) -> Iterator[None]:
    """Hold the folder of an experiment inside a ``with`` block, and sweep what a killed process left in it.

    Raises
    ------
    InputError
        If another process writes it, it cannot be created, or its ledger is damaged.
    """
    with lock_folder(out):
        remove_leftover_files(out)
        set_torn_record_aside(out / LEDGER)
        yield


def train_and_measure(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    *,
    out: Path,
    options: TrainingOptions,
    progress: Progress,
) -> pd.DataFrame:
    """Train and measure on loaded images in a folder that the caller holds; otherwise as `run`."""
    check_precision(experiment, out, options.precision)
    train_models(experiment, images, test, out=out, options=options, progress=progress)
    measure_models(experiment, images, test, out=out, progress=progress, device=options.device)
    if options.finetuned:
        finetune_models(experiment, images, test, out=out, options=options, progress=progress)
    return experiment_ledger(experiment, out)
