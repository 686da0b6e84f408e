"""Precision "auto" of an experiment: that of the models already trained in its folder, else the faster one here."""

from __future__ import annotations

from pathlib import Path

from maetheory.experiments.experiment import Experiment
from maetheory.experiments.models import run_folder
from maetheory.training import PrecisionChoice, choose_run_precision
from maetheory.training.checkpointing import list_checkpoints, run_precision
from maetheory.training.precision_choice import FLOAT32


def choose_experiment_precision(experiment: Experiment, out: Path, device: str = "auto") -> PrecisionChoice:
    """Return the precision of the models in `out`, or measure steps of the first model that is to be trained.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Folder of the experiment: all its models must be trained in one precision.
    device : {"auto", "cpu", "cuda", "mps"}

    Returns
    -------
    PrecisionChoice
        As of `choose_run_precision`; without a ratio where `out` holds models, or the experiment trains none.
    """
    trained = [(run_folder(out, cell, seed), recipe) for cell, seed, recipe in experiment.runs() if cell.trained]
    for folder, _ in trained:
        if list_checkpoints(folder) and (precision := run_precision(folder)) is not None:
            return PrecisionChoice(precision, reason=f"the models in {out} have it")
    if not trained:
        return PrecisionChoice(FLOAT32, reason="nothing is trained")
    return choose_run_precision(trained[0][1], accelerator=device)


def named_precision(experiment: Experiment, out: Path, precision: str, device: str = "auto") -> str:
    """Return a precision as `make_fabric` takes it: the one given, or the one chosen if it is "auto"."""
    return choose_experiment_precision(experiment, out, device).precision if precision == "auto" else precision
