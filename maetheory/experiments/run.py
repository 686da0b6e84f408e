"""Train every model of an experiment and write what it measures to the ledger; what is there is not done again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from maetheory.checkpoints.device import device_name
from maetheory.core import InputError, Progress, provenance, silent
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import (
    collapse_report,
    knn_probe,
    linear_probe,
    mask_pair_alignment,
    reconstruction_loss,
)
from maetheory.evaluation.encode import Readout
from maetheory.experiments.experiment import Cell, Experiment
from maetheory.experiments.finetuning import METRIC, FinetuneJob
from maetheory.experiments.images import features_and_labels, images_of
from maetheory.experiments.side_by_side import Job, train_side_by_side
from maetheory.reports import append, read
from maetheory.training import TrainConfig, fabric_of, load_run
from maetheory.training.feed import feed_of
from maetheory.training.store import build, checkpoints, trained_in

WATCHED = 1000
READOUTS: tuple[Readout, ...] = ("cls", "mean")


def run(
    experiment: Experiment,
    *,
    out: str | Path,
    root: str | Path | None = None,
    progress: Progress = silent,
    compiled: bool = False,
    workers: int | None = None,
    finetuned: bool = False,
    precision: str = "32-true",
) -> pd.DataFrame:
    """Train and measure.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Runs and ledger.jsonl go here.
    root : path, optional
        Where the data set lies, when it is not embedded.
    progress : Progress
    compiled : bool
        Whether models are compiled before training.
    workers : int, optional
        How many runs train at once, as for `train_side_by_side`.
    finetuned : bool
        Whether every model, the untrained ones too, is also fine-tuned and tested.
    precision : str
        What models are trained in, as `fabric_of` takes it; they are measured in float32.

    Returns
    -------
    DataFrame
        The ledger of this experiment: experiment, cell, objective, seed, dataset, epochs, train_images, test_images,
        readout, metric, value, error, recipe of the probe, training (the whole recipe), precision of the training
        (None where nothing was trained, or an older version did not record it), provenance.

    Raises
    ------
    InputError
        If the data or the folders cannot be used, the experiment has no recipe for fine-tuning, or models of it in
        `out` were trained in another precision.
    KeyboardInterrupt
        After Ctrl-C; the same call goes on from there.
    """
    images, test = images_of(experiment, root)
    return run_on(experiment, images, test, out=Path(out), progress=progress, compiled=compiled, workers=workers,
                  finetuned=finetuned, precision=precision)  # fmt: skip


def run_on(experiment: Experiment, images: ImageSet | FolderStream, test: ImageSet, *, out: Path, progress: Progress,
           compiled: bool, workers: int | None, finetuned: bool, precision: str) -> pd.DataFrame:  # fmt: skip
    """Train and measure on images that are there already; otherwise as `run`."""
    if finetuned and experiment.finetune is None:
        raise InputError(f"the preset {experiment.name} has no recipe for fine-tuning; leave --finetune out, or give "
                         "one of its checkpoints to `maetheory probe --mode finetune`")  # fmt: skip
    _check_precision(experiment, out, precision)
    watched = test.limit(min(WATCHED, len(test)))
    jobs = [Job(f"{cell.name} seed {seed}", recipe, images, watched, folder_of(out, cell, seed), experiment.watch,
                compiled, precision) for cell, seed, recipe in experiment.runs() if cell.trained]  # fmt: skip
    train_side_by_side(jobs, workers=workers, progress=progress)
    runs = experiment.runs()
    for number, (cell, seed, recipe) in enumerate(runs):
        progress(number, len(runs), f"measuring {cell.name} seed {seed}")
        common = _common(experiment, cell, seed, recipe, images, test)
        if not _measured(ledger_of(experiment, out), common):
            found = _measure(common, placed_model_of(out, cell, recipe), recipe, images, test, experiment.probe_limit)
            made_in = trained_in(folder_of(out, cell, seed)) if cell.trained else None
            append(out / "ledger.jsonl", [record | {"precision": made_in} for record in found])
    if finetuned:
        _finetune(experiment, images, test, out, progress, compiled, workers, precision)
    return ledger_of(experiment, out)


def _check_precision(experiment: Experiment, out: Path, precision: str) -> None:
    """Refuse models of another precision than those that are measured: seeds are compared as if trained alike."""
    ledger = read(out / "ledger.jsonl")
    if ledger.empty or "precision" not in ledger:
        return
    other = set(ledger[ledger.experiment == experiment.name].precision.dropna()) - {precision}
    if other:
        raise InputError(f"the models in {out} were trained in precision {', '.join(sorted(other))}, not {precision}; "
                         "give their own, or choose another folder")  # fmt: skip


def _finetune(experiment: Experiment, images: ImageSet | FolderStream, test: ImageSet, out: Path, progress: Progress,
              compiled: bool, workers: int | None, precision: str) -> None:  # fmt: skip
    """Fine-tune every model and write its accuracy to the ledger."""
    assert experiment.finetune is not None
    runs = experiment.runs()
    jobs = [FinetuneJob(f"{cell.name} seed {seed}", partial(model_of, out, cell, recipe),
                        replace(experiment.finetune, seed=seed), images, test,
                        out / "finetuned" / folder_of(out, cell, seed).name, compiled, precision)
            for cell, seed, recipe in runs]  # fmt: skip
    train_side_by_side(jobs, workers=workers, progress=progress)
    for number, (job, (cell, seed, recipe)) in enumerate(zip(jobs, runs, strict=True)):
        progress(number, len(runs), f"testing {job.name}")
        common = _common(experiment, cell, seed, recipe, images, test)
        ledger = ledger_of(experiment, out)
        if not _measured(ledger[ledger.metric == METRIC], common):
            found = job.finish()
            record = common | {"readout": job.config.readout, "metric": METRIC, "value": found.accuracy.value,
                               "error": found.accuracy.error, "recipe": found.recipe.removesuffix(f", seed {seed}"),
                               "precision": trained_in(job.out),
                               "provenance": provenance(seed=seed, device=_device_of(found.encoder))}  # fmt: skip
            append(out / "ledger.jsonl", [record])


def ledger_of(experiment: Experiment, out: Path) -> pd.DataFrame:
    """Return the ledger's records of an experiment's cells and seeds."""
    ledger = read(out / "ledger.jsonl")
    if ledger.empty:
        return ledger
    here = (ledger.experiment == experiment.name) & ledger.seed.isin(experiment.seeds)
    return ledger[here & ledger.cell.isin([cell.name for cell in experiment.cells])]


def folder_of(out: Path, cell: Cell, seed: int) -> Path:
    """Return where the run of a cell and a seed lies."""
    return out / "runs" / f"{cell.name.lower().replace(' ', '-')}-seed{seed}"


def model_of(out: Path, cell: Cell, recipe: TrainConfig) -> nn.Module:
    """Return the trained model of a run, or the untrained one of its seed."""
    if not cell.trained:
        return build(recipe).eval()
    return load_run(checkpoints(folder_of(out, cell, recipe.seed))[-1])[0]


def placed_model_of(out: Path, cell: Cell, recipe: TrainConfig) -> nn.Module:
    """Return the model of a run where models are trained here, to be measured there."""
    return model_of(out, cell, recipe).to(fabric_of().device)


def _common(experiment: Experiment, cell: Cell, seed: int, recipe: TrainConfig,
            images: ImageSet | FolderStream, test: ImageSet) -> dict[str, Any]:  # fmt: skip
    return {"experiment": experiment.name, "cell": cell.name, "objective": cell.objective, "seed": seed,
            "dataset": test.name, "epochs": recipe.epochs if cell.trained else 0, "train_images": len(feed_of(images)),
            "test_images": len(test), "training": recipe.to_dict()}  # fmt: skip


def _measured(ledger: pd.DataFrame, common: dict[str, Any]) -> bool:
    """Say whether a ledger holds this very model, measured on these images."""
    if ledger.empty:
        return False
    same = ledger[(ledger.cell == common["cell"]) & (ledger.seed == common["seed"])]
    return not same.empty and all(_comparable(record)[name] == common[name] for record in same.to_dict("records")
                                  for name in common)  # fmt: skip


def _comparable(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record whose recipe names every setting: one that is newer than the record had its default then."""
    return record | {"training": TrainConfig.from_dict(record["training"]).to_dict()}


def _measure(common: dict[str, Any], model: nn.Module, recipe: TrainConfig, images: ImageSet | FolderStream,
             test: ImageSet, probe_limit: int | None) -> list[dict[str, Any]]:  # fmt: skip
    """Return the ledger records of one model."""
    common = common | {"provenance": provenance(seed=recipe.seed, device=_device_of(model))}
    report = collapse_report(model, test)
    records = [common | {"readout": row.readout, "metric": row.metric, "value": row.value, "error": row.error}
               for row in report.itertuples()]  # fmt: skip
    loss = reconstruction_loss(model, test, recipe.law(), seed=recipe.seed)
    records.append(common | {"readout": "hidden pixels", "metric": "reconstruction_loss", "value": loss.value,
                             "error": loss.error})  # fmt: skip
    fitted = f", fitted to at most {probe_limit} images" if probe_limit else ""
    features, labels = features_and_labels(model, images, READOUTS, probe_limit)
    of_test, _ = features_and_labels(model, test, READOUTS)
    for readout, z, z_test in zip(READOUTS, features, of_test, strict=True):
        for name, probe in (("linear_probe", linear_probe), ("knn_probe", knn_probe)):
            result = probe(z, labels, z_test, test.labels)
            records.append(common | {"readout": readout, "metric": name, "value": result.accuracy.value,
                                     "error": result.accuracy.error, "recipe": result.recipe + fitted})  # fmt: skip
        aligned = mask_pair_alignment(model, test, recipe.law(), seed=recipe.seed, readout=readout)
        records.append(common | {"readout": readout, "metric": "mask_pair_alignment", "value": aligned.value,
                                 "error": aligned.error})  # fmt: skip
    return records


def _device_of(model: nn.Module) -> str:
    return device_name(next(model.parameters()).device)
