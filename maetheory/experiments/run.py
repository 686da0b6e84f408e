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
from maetheory.evaluation.features.encode import Readout
from maetheory.experiments.experiment import Cell, Experiment
from maetheory.experiments.finetune_job import METRIC, FinetuneJob
from maetheory.experiments.images import features_and_labels, load_experiment_images
from maetheory.experiments.parallel_runs import TrainingJob, run_jobs_in_parallel
from maetheory.reports import append_records, read_ledger
from maetheory.training import TrainConfig, load_run, make_fabric
from maetheory.training.batches import batch_source
from maetheory.training.checkpointing import build_model, list_checkpoints, run_precision

N_MONITOR_IMAGES = 1000
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
        How many runs train at once, as for `run_jobs_in_parallel`.
    finetuned : bool
        Whether every model, the untrained ones too, is also fine-tuned and tested.
    precision : str
        What models are trained in, as `make_fabric` takes it; they are measured in float32.

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
    images, test = load_experiment_images(experiment, root)
    return train_and_measure(
        experiment,
        images,
        test,
        out=Path(out),
        progress=progress,
        compiled=compiled,
        workers=workers,
        finetuned=finetuned,
        precision=precision,
    )


def train_and_measure(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    *,
    out: Path,
    progress: Progress,
    compiled: bool,
    workers: int | None,
    finetuned: bool,
    precision: str,
) -> pd.DataFrame:
    """Train and measure on images that are there already; otherwise as `run`."""
    if finetuned and experiment.finetune is None:
        raise InputError(
            f"the preset {experiment.name} has no recipe for fine-tuning; leave --finetune out, or give "
            "one of its checkpoints to `maetheory probe --mode finetune`"
        )
    _check_precision(experiment, out, precision)
    monitor_images = test.limit(min(N_MONITOR_IMAGES, len(test)))
    jobs = [
        TrainingJob(
            f"{cell.name} seed {seed}",
            recipe,
            images,
            monitor_images,
            run_folder(out, cell, seed),
            experiment.watch,
            compiled,
            precision,
        )
        for cell, seed, recipe in experiment.runs()
        if cell.trained
    ]
    run_jobs_in_parallel(jobs, workers=workers, progress=progress)
    runs = experiment.runs()
    for number, (cell, seed, recipe) in enumerate(runs):
        progress(number, len(runs), f"measuring {cell.name} seed {seed}")
        common = _record_fields(experiment, cell, seed, recipe, images, test)
        if not _is_measured(experiment_ledger(experiment, out), common):
            found = _measure(
                common, load_cell_model_on_device(out, cell, recipe), recipe, images, test, experiment.probe_limit
            )
            made_in = run_precision(run_folder(out, cell, seed)) if cell.trained else None
            append_records(out / "ledger.jsonl", [record | {"precision": made_in} for record in found])
    if finetuned:
        _finetune(experiment, images, test, out, progress, compiled, workers, precision)
    return experiment_ledger(experiment, out)


def _check_precision(experiment: Experiment, out: Path, precision: str) -> None:
    """Refuse models of another precision than those that are measured: seeds are compared as if trained alike."""
    ledger = read_ledger(out / "ledger.jsonl")
    if ledger.empty or "precision" not in ledger:
        return
    other = set(ledger[ledger.experiment == experiment.name].precision.dropna()) - {precision}
    if other:
        raise InputError(
            f"the models in {out} were trained in precision {', '.join(sorted(other))}, not {precision}; "
            "give their own, or choose another folder"
        )


def _finetune(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    out: Path,
    progress: Progress,
    compiled: bool,
    workers: int | None,
    precision: str,
) -> None:
    """Fine-tune every model and write its accuracy to the ledger."""
    assert experiment.finetune is not None
    runs = experiment.runs()
    jobs = [
        FinetuneJob(
            f"{cell.name} seed {seed}",
            partial(load_cell_model, out, cell, recipe),
            replace(experiment.finetune, seed=seed),
            images,
            test,
            out / "finetuned" / run_folder(out, cell, seed).name,
            compiled,
            precision,
        )
        for cell, seed, recipe in runs
    ]
    run_jobs_in_parallel(jobs, workers=workers, progress=progress)
    for number, (job, (cell, seed, recipe)) in enumerate(zip(jobs, runs, strict=True)):
        progress(number, len(runs), f"testing {job.name}")
        common = _record_fields(experiment, cell, seed, recipe, images, test)
        ledger = experiment_ledger(experiment, out)
        if not _is_measured(ledger[ledger.metric == METRIC], common):
            found = job.finish()
            record = common | {
                "readout": job.config.readout,
                "metric": METRIC,
                "value": found.accuracy.value,
                "error": found.accuracy.error,
                "recipe": found.recipe.removesuffix(f", seed {seed}"),
                "precision": run_precision(job.out),
                "provenance": provenance(seed=seed, device=_device_name_of(found.encoder)),
            }
            append_records(out / "ledger.jsonl", [record])


def experiment_ledger(experiment: Experiment, out: Path) -> pd.DataFrame:
    """Return the ledger's records of an experiment's cells and seeds."""
    ledger = read_ledger(out / "ledger.jsonl")
    if ledger.empty:
        return ledger
    here = (ledger.experiment == experiment.name) & ledger.seed.isin(experiment.seeds)
    return ledger[here & ledger.cell.isin([cell.name for cell in experiment.cells])]


def run_folder(out: Path, cell: Cell, seed: int) -> Path:
    """Return where the run of a cell and a seed lies."""
    return out / "runs" / f"{cell.name.lower().replace(' ', '-')}-seed{seed}"


def load_cell_model(out: Path, cell: Cell, recipe: TrainConfig) -> nn.Module:
    """Return the trained model of a run, or the untrained one of its seed."""
    if not cell.trained:
        return build_model(recipe).eval()
    return load_run(list_checkpoints(run_folder(out, cell, recipe.seed))[-1])[0]


def load_cell_model_on_device(out: Path, cell: Cell, recipe: TrainConfig) -> nn.Module:
    """Return the model of a run where models are trained here, to be measured there."""
    return load_cell_model(out, cell, recipe).to(make_fabric().device)


def _record_fields(
    experiment: Experiment, cell: Cell, seed: int, recipe: TrainConfig, images: ImageSet | FolderStream, test: ImageSet
) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "cell": cell.name,
        "objective": cell.objective,
        "seed": seed,
        "dataset": test.name,
        "epochs": recipe.epochs if cell.trained else 0,
        "train_images": len(batch_source(images)),
        "test_images": len(test),
        "training": recipe.to_dict(),
    }


def _is_measured(ledger: pd.DataFrame, common: dict[str, Any]) -> bool:
    """Say whether a ledger holds this very model, measured on these images."""
    if ledger.empty:
        return False
    same = ledger[(ledger.cell == common["cell"]) & (ledger.seed == common["seed"])]
    return not same.empty and all(
        _with_full_recipe(record)[name] == common[name] for record in same.to_dict("records") for name in common
    )


def _with_full_recipe(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record whose recipe names every setting: one that is newer than the record had its default then."""
    return record | {"training": TrainConfig.from_dict(record["training"]).to_dict()}


def _measure(
    common: dict[str, Any],
    model: nn.Module,
    recipe: TrainConfig,
    images: ImageSet | FolderStream,
    test: ImageSet,
    probe_limit: int | None,
) -> list[dict[str, Any]]:
    """Return the ledger records of one model."""
    common = common | {"provenance": provenance(seed=recipe.seed, device=_device_name_of(model))}
    report = collapse_report(model, test)
    records = [
        common | {"readout": row.readout, "metric": row.metric, "value": row.value, "error": row.error}
        for row in report.itertuples()
    ]
    loss = reconstruction_loss(model, test, recipe.law(), seed=recipe.seed)
    records.append(
        common | {"readout": "hidden pixels", "metric": "reconstruction_loss", "value": loss.value, "error": loss.error}
    )
    fitted = f", fitted to at most {probe_limit} images" if probe_limit else ""
    features, labels = features_and_labels(model, images, READOUTS, probe_limit)
    of_test, _ = features_and_labels(model, test, READOUTS)
    for readout, z, z_test in zip(READOUTS, features, of_test, strict=True):
        for name, probe in (("linear_probe", linear_probe), ("knn_probe", knn_probe)):
            result = probe(z, labels, z_test, test.labels)
            records.append(
                common
                | {
                    "readout": readout,
                    "metric": name,
                    "value": result.accuracy.value,
                    "error": result.accuracy.error,
                    "recipe": result.recipe + fitted,
                }
            )
        aligned = mask_pair_alignment(model, test, recipe.law(), seed=recipe.seed, readout=readout)
        records.append(
            common
            | {"readout": readout, "metric": "mask_pair_alignment", "value": aligned.value, "error": aligned.error}
        )
    return records


def _device_name_of(model: nn.Module) -> str:
    return device_name(next(model.parameters()).device)
